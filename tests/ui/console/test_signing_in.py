"""Signing in from the console, at servers that run: when it is asked, where, why, and what goes where."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import time_machine
from textual.pilot import Pilot
from textual.widgets import Static
from ui_harness import screen_text, until

from emtui.console.app import CANNOT_OPEN_EXIT, EmtuiApp
from emtui.console.screens.help import HelpScreen
from emtui.console.screens.sign_in import SignInDialog
from emtui.profile import Profile, Remote
from tests.serving import PASSWORD, served_here

DEADLINE_S = 15.0


@pytest.fixture(autouse=True)
def frozen_clock() -> Iterator[None]:
    """Here the clock runs: tokens are made and looked at with it."""
    with time_machine.travel("2026-11-21T20:47:13Z", tick=True):
        yield


@pytest.fixture(autouse=True)
def without_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMTUI_NO_KEYRING", "1")
    for variable in ("EMTUI_TOKEN", "EMTUI_PASSWORD"):
        monkeypatch.delenv(variable, raising=False)


@asynccontextmanager
async def console(profile: Profile, *keys: str) -> AsyncIterator[tuple[EmtuiApp, Pilot[None]]]:
    app = EmtuiApp(profile)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await pilot.press(*keys)
        try:
            yield app, pilot
        finally:
            app.leave()
            await until(lambda: app.conductor is None, pilot, DEADLINE_S)


async def until_asked(app: EmtuiApp, pilot: Pilot[None], url: str) -> str:
    """Until the dialog for `url` is there. Returns its words."""

    def words() -> str:
        shown = app.screen.query("#words")
        return str(shown.first(Static).content) if isinstance(app.screen, SignInDialog) and shown else ""

    await until(lambda: f"Signs in at {url}" in words(), pilot, DEADLINE_S)
    return words()


async def until_closed(app: EmtuiApp, pilot: Pilot[None]) -> None:
    await until(lambda: app.screen is app.main, pilot, DEADLINE_S)


async def type_password(pilot: Pilot[None], password: str) -> None:
    await pilot.press(*("space" if character == " " else character for character in password), "enter")


async def test_each_address_has_a_sign_in_of_its_own_one_after_the_other(tmp_path: Path) -> None:
    with (
        served_here(tmp_path / "em") as em,
        served_here(tmp_path / "node", has_grid_auth=True, password="another one") as node,
    ):
        profile = Profile(tmp_path / "ws", em=Remote(em.url, "client1"), grid=Remote(node.url), has_local=False)
        async with console(profile) as (app, pilot):
            await until_asked(app, pilot, em.url)
            await type_password(pilot, PASSWORD)
            await until_asked(app, pilot, node.url)
            await type_password(pilot, PASSWORD)
            await until(lambda: "▼ " in screen_text(app), pilot, DEADLINE_S)
            await pilot.press("ctrl+u")
            await type_password(pilot, "another one")
            await until_closed(app, pilot)
            await until(lambda: "no models yet" in screen_text(app), pilot, DEADLINE_S)
            assert "S signs in" not in screen_text(app)


async def test_who_leaves_one_sign_in_gets_to_the_next_and_can_come_back(tmp_path: Path) -> None:
    with served_here(tmp_path / "em") as em, served_here(tmp_path / "node", has_grid_auth=True) as node:
        profile = Profile(tmp_path / "ws", em=Remote(em.url, "client1"), grid=Remote(node.url), has_local=False)
        async with console(profile) as (app, pilot):
            await until_asked(app, pilot, em.url)
            await until(lambda: screen_text(app).count("S signs in") == 2, pilot, DEADLINE_S)
            await pilot.press("escape")
            await until_asked(app, pilot, node.url)
            await type_password(pilot, PASSWORD)
            await until_closed(app, pilot)
            await pilot.press("S")
            await until_asked(app, pilot, em.url)
            await type_password(pilot, PASSWORD)
            await until_closed(app, pilot)
            await until(lambda: "no files yet" in screen_text(app), pilot, DEADLINE_S)


async def test_it_comes_when_the_dialog_that_is_open_is_closed(tmp_path: Path) -> None:
    with served_here(tmp_path / "em") as em:
        profile = Profile(tmp_path / "ws", em=Remote(em.url, "client1"), has_local=False)
        async with console(profile, "question_mark") as (app, pilot):
            await until(lambda: app.signing_in.waits, pilot, DEADLINE_S)
            assert isinstance(app.screen, HelpScreen)
            await pilot.press("escape")
            await until_asked(app, pilot, em.url)
            await pilot.press("escape")
            await until_closed(app, pilot)


@pytest.mark.parametrize(
    ("variable", "value", "why"),
    [("EMTUI_TOKEN", "abc.def.ghi", "the given token is refused"), ("EMTUI_PASSWORD", "wrong", "No active account")],
)
async def test_the_dialog_says_why_and_warnings_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, why: str
) -> None:
    monkeypatch.setenv(variable, value)
    with served_here(tmp_path / "em") as em:
        profile = Profile(
            tmp_path / "ws", em=Remote(em.url, "client1"), has_local=False, notices=("config.toml: colour: unknown",)
        )
        async with console(profile) as (app, pilot):
            assert why in await until_asked(app, pilot, em.url)
            assert any("config.toml" in toast.message for toast in app._notifications)


@pytest.mark.parametrize("has_grid_only", [False, True])
async def test_a_file_of_certificates_that_is_not_there_ends_it_at_once(tmp_path: Path, has_grid_only: bool) -> None:
    remote = Remote("https://127.0.0.1:9", ca_file=tmp_path / "nowhere.pem")
    ends = {"grid": remote} if has_grid_only else {"em": remote}
    app = EmtuiApp(Profile(tmp_path / "ws", has_local=False, **ends))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(lambda: app.failure is not None, pilot)
    assert app.exit_code == CANNOT_OPEN_EXIT
    assert app.failure is not None
    assert "nowhere.pem: No such file or directory" in app.failure.message
