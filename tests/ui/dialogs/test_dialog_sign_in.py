"""Signing in: what is sent, what is refused, and that the password is seen nowhere."""

import asyncio

import pytest
from dialogs_harness import SIZE, DialogApp, field, finished, focused_field, problem, write
from textual import events
from textual._xterm_parser import XTermParser
from ui_harness import screen_text, until

from emtui.console.screens.sign_in import SignInDialog
from emtui.errors import NotSignedIn

WHERE = "https://em.example.org"


class Desk:
    """Takes sign-ins and writes them down; refuses the first `refusals` of them."""

    def __init__(self, refusals: int = 0) -> None:
        self.seen: list[tuple[str, str]] = []
        self._refusals = refusals

    async def sign_in(self, username: str, password: str) -> None:
        self.seen.append((username, password))
        await asyncio.sleep(0)
        if len(self.seen) <= self._refusals:
            raise NotSignedIn("No active account found", remedy="Check the user and the password.")


async def test_a_known_user_types_the_password_and_presses_enter() -> None:
    desk = Desk()
    app = DialogApp(lambda: SignInDialog(desk.sign_in, WHERE, "client1"))
    async with app.run_test(size=SIZE) as pilot:
        assert focused_field(app) == "password"
        await write(pilot, "pass word")
        assert "pass" not in screen_text(app).replace("Password", "")
        assert WHERE in app.words
        await pilot.press("enter")
        assert await finished(pilot) is True
    assert desk.seen == [("client1", "pass word")]


async def test_a_refusal_stays_in_the_dialog_and_another_try_follows() -> None:
    desk = Desk(refusals=1)
    app = DialogApp(lambda: SignInDialog(desk.sign_in, WHERE, ""))
    async with app.run_test(size=SIZE) as pilot:
        assert focused_field(app) == "username"
        await write(pilot, "client1")
        await pilot.press("tab")
        await write(pilot, "wrong")
        await pilot.press("ctrl+s")
        await until(lambda: "No active account found" in app.words, pilot)
        await write(pilot, "er")
        await pilot.press("ctrl+s")
        assert await finished(pilot) is True
    assert desk.seen == [("client1", "wrong"), ("client1", "wronger")]


async def test_nothing_is_sent_without_a_user_and_a_password() -> None:
    desk = Desk()
    app = DialogApp(lambda: SignInDialog(desk.sign_in, WHERE, "client1"))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("ctrl+s")
        await until(lambda: "is missing" in problem(app, "password"), pilot)
        await pilot.press("escape")
        assert await finished(pilot) is None
    assert desk.seen == []


async def test_the_password_cannot_be_copied() -> None:
    app = DialogApp(lambda: SignInDialog(Desk().sign_in, WHERE, "client1"))
    async with app.run_test(size=SIZE) as pilot:
        await write(pilot, "secret")
        password = field(app, "password").input
        password.select_all()
        password.action_copy()
        password.action_cut()
        assert app.clipboard == ""


async def test_it_says_why_it_came_and_what_enter_does() -> None:
    why = "em.example.org: the given token is refused (\x1b[31mInvalid token)"
    app = DialogApp(lambda: SignInDialog(Desk().sign_in, WHERE, "client1", lambda: why))
    async with app.run_test(size=SIZE) as pilot:
        await until(lambda: "the given token is refused" in app.words, pilot)
        assert "\x1b" not in app.words
        await until(lambda: "enter signs in" in screen_text(app), pilot)
        await pilot.press("shift+tab")
        await until(lambda: "enter next field" in screen_text(app), pilot)


async def test_a_paste_that_an_escape_has_torn_to_keys_signs_nobody_in() -> None:
    desk = Desk(refusals=9)
    app = DialogApp(lambda: SignInDialog(desk.sign_in, WHERE, "client1"))
    async with app.run_test(size=SIZE) as pilot:
        for event in XTermParser().feed("\x1b[200~p\x1b[31m\rabc\rq\r\x1b[201~"):
            app.post_message(event)
        await until(lambda: "pasted" in problem(app, "password"), pilot)
        assert desk.seen == []
        await pilot.press("ctrl+u")
        await write(pilot, "pa^ss")
        await asyncio.sleep(0.05)
        await pilot.press("enter")
        await until(lambda: desk.seen, pilot)
    assert desk.seen == [("client1", "pa^ss")]


@pytest.mark.parametrize("size", [5_000, 11_000_000])
async def test_a_pasted_line_that_is_too_long_is_told(size: int) -> None:
    app = DialogApp(lambda: SignInDialog(Desk().sign_in, WHERE, "client1"))
    async with app.run_test(size=SIZE) as pilot:
        app.post_message(events.Paste("x" * size))
        await until(lambda: "too long" in problem(app, "password"), pilot)
        await until(lambda: "too long" in screen_text(app), pilot)
        assert field(app, "password").value == ""
