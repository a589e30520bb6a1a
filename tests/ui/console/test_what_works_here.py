"""What palette, help and footer offer in each pane: by the same names, and it works."""

from pathlib import Path

import pytest
from textual.widgets import Static
from ui_harness import screen_lines, screen_text, until

from emtui.commands import Uplink
from emtui.console.app import EmtuiApp
from emtui.console.screens.confirm import ConfirmDialog
from emtui.console.screens.help import HelpScreen
from emtui.console.screens.keys import help_rows
from emtui.keys.keymap import KEYS, PANES, Group, KeyMap
from emtui.settings import ConsoleSettings
from emtui.views import Stage
from tests.ui.console.opened import console, top, with_keys
from widgets.key_bar import KeyBar

_ALL_OFF = with_keys(
    copy="", sign_in="", hold_poll="", hold_queue="", refresh="", search="", pane__filter="", pane__images="",
    activity__again="",
)  # fmt: skip


def offered(app: EmtuiApp) -> dict[str, str]:
    return {command.title: command.help for command in app.get_system_commands(app.screen)}


async def test_the_palette_has_each_action_of_the_console_by_the_name_of_the_help(tmp_path: Path) -> None:
    async with console(tmp_path / "ws", ConsoleSettings()) as (app, pilot):
        names = offered(app)
        of_console = {key.title for key in KEYS.values() if key.group is Group.CONSOLE and key.is_in_help}
        assert of_console - {"Palette"} <= names.keys()
        assert "Filter" in names
        assert "Cancel the command" not in names, "it is Activity's"
        assert names["Hold back commands"].endswith(r"\[H]")
        assert not {key.title for key in KEYS.values() if key.group in (Group.DIALOG, Group.PICKER)} & names.keys()
        await pilot.press("5")
        await until(lambda: app.main.current == "activity", pilot)
        assert not {"Filter", "Hold this pane's poll", "Do it again"} & offered(app).keys(), "nothing is there yet"


@pytest.mark.parametrize(
    ("words", "happens"),
    [
        ("copy", lambda app: app.clipboard == "a"),
        ("sign in", lambda app: "Nobody has to sign in here." in screen_text(app)),
        ("poll", lambda app: app.conductor.pollers["files"].feed.is_held),
        ("images pane", lambda app: app.main.current == "images"),
        ("filter", lambda app: bool(app.main.files.query("FilterBar"))),
        ("hold back", lambda app: app.conductor.session.em.health.is_held),
    ],
)
async def test_what_has_no_key_is_done_by_the_palette(words: str, happens: object, tmp_path: Path) -> None:
    assert callable(happens)
    (tmp_path / "ws/volume").mkdir(parents=True)
    (tmp_path / "ws/volume/a").write_text("a")
    async with console(tmp_path / "ws", _ALL_OFF) as (app, pilot):
        await until(lambda: len(app.main.files.canvas.rows) == 2, pilot)
        await pilot.press("down", "ctrl+p", *words)
        await until(lambda: len(app.screen_stack) == 2, pilot)
        await pilot.pause(0.3)
        await pilot.press("enter")
        await until(lambda: happens(app), pilot)


async def test_a_command_is_done_again_from_the_palette(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    async with console(tmp_path / "ws", _ALL_OFF) as (app, pilot):
        assert app.conductor is not None
        await app.conductor.submit(Uplink((tmp_path / "a",)))
        rows = app.main.activity.canvas
        await until(lambda: any(row.stage is Stage.COMPLETE for row in rows.rows), pilot)
        assert "Do it again" not in offered(app), "one comes from Files"
        await pilot.press("5")
        await until(lambda: "Do it again" in offered(app), pilot)
        assert "Cancel the command" not in offered(app), "it has ended"
        await pilot.press("ctrl+p", *"again")
        await pilot.pause(0.3)
        await pilot.press("enter")
        await until(lambda: isinstance(top(app), ConfirmDialog), pilot)


@pytest.mark.parametrize("pane", PANES)
def test_the_help_begins_with_what_works_in_the_pane(pane: str) -> None:
    rows = help_rows(KeyMap(), pane)
    groups = [group for group, _, _ in rows]
    assert len(rows) == sum(key.is_in_help for key in KEYS.values()), "nothing is left out"
    assert groups[-1] == "Elsewhere"
    own = {"files": "In Files", "activity": "In Activity"}.get(pane, "Commands")
    assert groups[0] == own
    elsewhere = [meaning for group, _, meaning in rows if group == "Elsewhere"]
    assert ("Filter  (Files, Images, Grid)" in elsewhere) == (pane in ("pod", "activity"))
    assert "Do it  (in a dialog)" in elsewhere
    assert "Clear the marks  (in a dialog's files)" in elsewhere


async def test_the_help_of_activity_says_whose_it_is(tmp_path: Path) -> None:
    async with console(tmp_path / "ws", ConsoleSettings()) as (app, pilot):
        await pilot.press("5", "question_mark")
        await until(lambda: isinstance(top(app), HelpScreen), pilot)
        assert "Help · Activity" in screen_text(app)
        told = str(app.screen.query_one("#text", Static).content).splitlines()
        assert told[:3] == ["In Activity", f"  esc{11 * ' '}Cancel the command", f"  A{13 * ' '}Do it again"]


async def test_the_footer_has_the_keys_of_the_pane_and_a_click_does_what_they_do(tmp_path: Path) -> None:
    async with console(tmp_path / "ws", ConsoleSettings()) as (app, pilot):
        await pilot.pause()
        assert "/ Filter" in screen_lines(app)[-1]
        await pilot.press("3")
        await until(lambda: "p Hold poll" in screen_lines(app)[-1], pilot)
        assert "/ Filter" not in screen_lines(app)[-1]
        await pilot.press("5")
        await until(lambda: "esc Cancel  A Again  H Hold back  y Copy" in screen_lines(app)[-1], pilot)
        await pilot.click(KeyBar, offset=(screen_lines(app)[-1].index("H Hold"), 0))
        assert app.conductor is not None
        await until(lambda: app.conductor.session.em.health.is_held, pilot)
