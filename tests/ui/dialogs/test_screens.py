"""Help and detail: reading, filtering, copying, and a command that goes on meanwhile."""

from dataclasses import replace
from typing import Any

import pytest
from dialogs_harness import FAILED, HELP, DialogApp
from textual.widgets import Static
from ui_harness import HOSTILE_NAMES, screen_text, unsafe_characters, until

from emtui.console.screens.detail import DetailScreen, plain_report
from emtui.console.screens.help import HelpScreen
from emtui.views import Stage
from widgets.safe_input import SafeInput


async def test_help_filters_and_closes() -> None:
    app = DialogApp(lambda: HelpScreen(HELP))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "Everywhere" in screen_text(app)
        await pilot.press("j", "k", "down", "slash", *"files")
        await pilot.pause()
        assert "Everywhere" not in screen_text(app)
        await pilot.press(*"zz")
        assert "no key does “fileszz”" in screen_text(app)
        await pilot.press("enter", "escape")
        await pilot.pause()
        assert "Everywhere" in screen_text(app)
        await pilot.press("escape", "escape")
        await until(lambda: app.results, pilot)
        assert app.results == [None]


@pytest.mark.parametrize("key", ["q", "question_mark"])
async def test_help_closes_with_the_key_that_opened_it(key: str) -> None:
    app = DialogApp(lambda: HelpScreen(HELP))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(key)
        await until(lambda: app.results, pilot)


async def test_the_edges_of_help_and_detail_tell_every_key_that_closes_them() -> None:
    for make, edge in (
        (lambda: HelpScreen(HELP, "Pod"), " / filters   esc, q or ? closes "),
        (lambda: DetailScreen(FAILED), " y copies   esc or q closes "),
    ):
        app = DialogApp(make)
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause()
            assert edge in screen_text(app)


async def test_detail_shows_all_of_the_error_and_the_end_of_the_log() -> None:
    app = DialogApp(lambda: DetailScreen(FAILED))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.pause()
        text = screen_text(app)
        assert "Docker build failed" in text
        assert "mend the Dockerfile" in text
        assert "last 59 lines" in text
        assert "make step-59" in text
        await pilot.press("home")
        assert "make step-1 " in screen_text(app)
        await pilot.press("pagedown", "pageup", "down", "up", "j")
        assert "make step-1 " not in screen_text(app)
        await pilot.press("k", "G")
        assert "make step-59" in screen_text(app)
        await pilot.press("q", "escape")
        await until(lambda: app.results, pilot)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_the_end_of_a_log_is_seen_where_its_lines_wrap(size: tuple[int, int]) -> None:
    lines = (*(f"step {number}" for number in range(60)), f"failed to solve: {'x' * 2 * size[0]} exit code: 126")
    app = DialogApp(lambda: DetailScreen(replace(FAILED, log_tail=lines)))
    async with app.run_test(size=size) as pilot:
        await until(lambda: "126" in screen_text(app), pilot)


async def test_detail_copies_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    app = DialogApp(lambda: DetailScreen(FAILED))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("y")
        assert app.clipboard == plain_report(FAILED)
        assert "copied" in screen_text(app)
    assert "\x1b" not in app.clipboard
    assert app.clipboard.count("make step-") == 59
    assert "error: Docker build failed\nremedy: Read the log" in app.clipboard


async def test_detail_follows_its_command() -> None:
    at_work = replace(
        FAILED,
        stage=Stage.SENT,
        error="",
        remedy="",
        log_tail=(),
        done_bytes=1_000,
        total_bytes=4_000,
        rate_bytes_s=500.0,
    )
    screen = DetailScreenHolder()
    app = DialogApp(lambda: screen.make(at_work))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "1000 B of 3.9 KiB at 500 B/s" in screen_text(app)
        assert "log" not in screen_text(app)
        detail = screen.made
        assert detail is not None
        assert detail.command_id == FAILED.id
        detail.update(FAILED)
        await pilot.pause()
        assert "Docker build failed" in screen_text(app)
        assert app.screen.has_class("-failed")
        detail.update(replace(at_work, stage=Stage.COMPLETE, note="done, sha256 OK"))
        await pilot.pause()
        assert "sha256 OK" in screen_text(app)
        assert not app.screen.has_class("-failed")


class DetailScreenHolder:
    """Keeps the screen that an app has made."""

    def __init__(self) -> None:
        self.made: DetailScreen | None = None

    def make(self, state: Any) -> DetailScreen:
        self.made = DetailScreen(state)
        return self.made


async def test_a_long_error_scrolls() -> None:
    app = DialogApp(lambda: DetailScreen(replace(FAILED, error="word " * 800, log_tail=())))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press("end")
        assert "asked" in screen_text(app)
        await pilot.press("home")
        assert "build echo-test of /echo-test" in screen_text(app)


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=range(len(HOSTILE_NAMES)))
async def test_hostile_text_is_harmless(name: str) -> None:
    state = replace(FAILED, title=name, error=name, remedy=name, note=name, log_tail=(f"{name}\n", name))
    for make in (lambda: DetailScreen(state), lambda: HelpScreen([(name, name, name)])):
        app = DialogApp(make)
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.press("y")
            await pilot.pause()
            assert not unsafe_characters(app)


async def test_inputs_are_safe_to_copy_from() -> None:
    app = DialogApp(lambda: HelpScreen(HELP))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("slash")
        field = app.screen.query_one("#filter", SafeInput)
        field.value = "a\udcff\x1bb"
        await pilot.press("ctrl+shift+a", "ctrl+c")
        assert app.clipboard == "a\\udcff\x1bb"
        app.copy_to_clipboard("plain\n")
        await pilot.press("ctrl+x")
        assert field.value == ""
        app.copy_to_clipboard("plain\n")
        await pilot.press("ctrl+v")
        assert field.value == "plain"
        assert isinstance(app.screen.query_one("#text"), Static)
