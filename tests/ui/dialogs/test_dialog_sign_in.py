"""Signing in: what is sent, what is refused, and that the password is seen nowhere."""

import asyncio

from dialogs_harness import SIZE, DialogApp, field, finished, focused_field, problem, write
from ui_harness import screen_text, until

from emtui.errors import NotSignedIn
from emtui.screens.sign_in import SignInDialog

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
