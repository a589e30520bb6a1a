"""The console as the configuration has it: other keys, another theme, other intervals."""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
import time_machine
from textual.widgets import Static
from ui_harness import screen_lines, screen_text, until

from emtui.commands import RunPod
from emtui.console.app import CANNOT_OPEN_EXIT, EmtuiApp
from emtui.console.running import run_console
from emtui.console.screens.confirm import ConfirmDialog
from emtui.console.screens.detail import DetailScreen
from emtui.console.screens.help import HelpScreen
from emtui.console.screens.run import RunDialog
from emtui.console.screens.uplink import UplinkDialog
from emtui.errors import ConfigProblem
from emtui.models import PodSpec
from emtui.profile import Profile
from emtui.settings import ConsoleSettings
from emtui.theme_files import themes_folder
from emtui.views import Stage
from tests.ui.console.opened import console, top, with_keys


@pytest.fixture(autouse=True)
def frozen_clock() -> Iterator[None]:
    """Here the clock runs: listings and journals are made with it."""
    with time_machine.travel("2026-11-21T20:47:13Z", tick=True):
        yield


async def test_another_key_opens_a_dialog_and_the_usual_one_does_not(tmp_path: Path) -> None:
    async with console(tmp_path / "ws", with_keys(uplink="ctrl+u", help="f1")) as (app, pilot):
        await pilot.press("u", "question_mark")
        await pilot.pause(0.2)
        assert top(app) is app.main
        await pilot.press("ctrl+u")
        await until(lambda: isinstance(top(app), UplinkDialog), pilot)
        await pilot.press("escape")
        await until(lambda: top(app) is app.main, pilot)
        await pilot.press("f1")
        await until(lambda: isinstance(top(app), HelpScreen), pilot)
        await pilot.press("f1")
        await until(lambda: top(app) is app.main, pilot)


async def test_two_keys_can_change_places(tmp_path: Path) -> None:
    (tmp_path / "ws/volume").mkdir(parents=True)
    (tmp_path / "ws/volume/a").write_text("a")
    async with console(tmp_path / "ws", with_keys(run="u", uplink="r")) as (app, pilot):
        await pilot.press("r")
        await until(lambda: isinstance(top(app), UplinkDialog), pilot)
        await pilot.press("escape")
        await until(lambda: top(app) is app.main, pilot)
        await pilot.press("u")
        await until(lambda: isinstance(top(app), RunDialog), pilot)


async def test_other_keys_go_to_the_panes_and_through_them(tmp_path: Path) -> None:
    (tmp_path / "ws/volume/folder").mkdir(parents=True)
    (tmp_path / "ws/volume/folder/inner").write_text("a")
    (tmp_path / "ws/volume/zebra").write_text("a")
    settings = with_keys(
        pane__images="f7", pane__files="f6", pane__next="n", list__down="w", list__up="up", list__mark="v",
        files__expand="o", files__collapse="left", pane__filter="f",
    )  # fmt: skip
    async with console(tmp_path / "ws", settings) as (app, pilot):
        tree = app.main.files.canvas
        await until(lambda: len(tree.rows) == 3, pilot)
        await pilot.press("2", "tab", "j", "down", "space", "right")
        await pilot.pause(0.2)
        assert (app.main.current, tree.cursor, tree.marks) == ("files", 0, set())
        await pilot.press("w", "o")
        await until(lambda: len(tree.rows) == 4, pilot)
        await pilot.press("w", "v")
        await until(lambda: len(tree.marks) == 1, pilot)
        await pilot.press("f", *"zeb", "enter")
        await until(lambda: app.main.files.filter_text == "zeb", pilot)
        await pilot.press("escape")
        await until(lambda: app.main.files.filter_text == "", pilot)
        await pilot.press("f7")
        await until(lambda: app.main.current == "images", pilot)
        await pilot.press("n")
        await until(lambda: app.main.current == "pod", pilot)
        await pilot.press("f6")
        await until(lambda: app.main.current == "files", pilot)


async def test_another_key_does_it_again_in_activity_and_another_says_yes(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    settings = with_keys(activity__again="ctrl+r", dialog__submit="f12", copy="c", quit="Q")
    async with console(tmp_path / "ws", settings) as (app, pilot):
        await pilot.press("u", *str(tmp_path / "a"))
        await until(lambda: "Uplink  f12" in screen_text(app), pilot)
        await pilot.press("ctrl+s")
        await pilot.pause(0.1)
        assert isinstance(top(app), UplinkDialog), "it is not done by the usual key"
        await pilot.press("f12")
        rows = app.main.activity.canvas
        await until(lambda: any(row.stage is Stage.COMPLETE for row in rows.rows), pilot)
        await pilot.press("5", "A")
        await pilot.pause(0.2)
        assert top(app) is app.main
        await pilot.press("ctrl+r")
        await until(lambda: isinstance(top(app), ConfirmDialog), pilot)
        assert "Do it again  f12" in screen_text(app)
        await pilot.press("escape")
        await until(lambda: top(app) is app.main, pilot)
        await pilot.press("enter")
        await until(lambda: isinstance(top(app), DetailScreen), pilot)
        assert " c copies   esc or Q closes " in screen_text(app)
        await pilot.press("y", "q")
        await pilot.pause(0.1)
        assert isinstance(top(app), DetailScreen)
        assert app.clipboard == ""
        await pilot.press("c")
        await until(lambda: "uplink" in app.clipboard, pilot)
        await pilot.press("Q")
        await until(lambda: top(app) is app.main, pilot)


async def test_the_screen_shows_the_keys_that_work(tmp_path: Path) -> None:
    settings = with_keys(
        uplink="ctrl+u", build="B", load="", run="f8", serve_model="M", help="f1", palette="ctrl+k", pane__files="f6",
        pane__images="f7",
    )  # fmt: skip
    async with console(tmp_path / "ws", settings) as (app, pilot):
        await until(lambda: "no models yet" in screen_text(app), pilot)
        text = screen_text(app)
        for shown in (
            "f6 Files", "f7 Images", "3 Pod", "ctrl+u uplinks some", "f8 runs one", "M serves one", "f1 shows the keys",
            "B builds one of a folder",
        ):  # fmt: skip
            assert shown in text
        assert "loads a tar file" not in text, "it has no key"
        bar = screen_lines(app)[-1]
        assert all(hint in bar for hint in ("^u Uplink", "B Build", "f8 Run", "f1 Help", "^k Palette"))
        assert "Load" not in bar
        await pilot.press("f1")
        await until(lambda: isinstance(top(app), HelpScreen), pilot)
        told = str(top(app).query_one("#text", Static).content)  # type: ignore[attr-defined] # what the screen at hand has
        rows = dict(reversed(line.split(None, 1)) for line in told.splitlines() if line.startswith("  "))
        assert rows["Uplink: Send files or whole folders to the volume"] == "ctrl+u"
        assert rows["Load: Load an image from a tar file of the volume"] == "–"
        assert rows["Help"] == "f1"


async def test_the_palette_shows_the_keys_that_work(tmp_path: Path) -> None:
    async with console(tmp_path / "ws", with_keys(uplink="U", load="", palette="ctrl+k")) as (app, pilot):
        await pilot.press("ctrl+p")
        await pilot.pause(0.2)
        assert top(app) is app.main
        await pilot.press("ctrl+k", *"link")
        await until(lambda: "Send files or whole folders to the volume  [U]" in screen_text(app), pilot)
        assert "Fetch files from the volume  [d]" in screen_text(app), "brackets are not taken for markup"
        told = {command.title: command.help for command in app.get_system_commands(app.screen)}
        assert told["Load"] == "Load an image from a tar file of the volume", "it has no key"
        await pilot.press("escape")
        await until(lambda: top(app) is app.main, pilot)


async def test_a_key_that_is_switched_off_does_nothing(tmp_path: Path) -> None:
    (tmp_path / "ws/volume").mkdir(parents=True)
    (tmp_path / "ws/volume/a").write_text("a")
    async with console(tmp_path / "ws", with_keys(delete="", hold_queue="")) as (app, pilot):
        await until(lambda: len(app.main.files.canvas.rows) == 2, pilot)
        await pilot.press("down", "x", "H")
        await pilot.pause(0.2)
        assert top(app) is app.main
        assert "Delete" not in screen_lines(app)[-1]
        assert app.conductor is not None
        assert not app.conductor.session.em.health.is_held


async def test_what_is_typed_ahead_of_another_key_goes_into_its_dialog(tmp_path: Path) -> None:
    async with console(tmp_path / "ws", with_keys(uplink="f2")) as (app, pilot):
        await pilot.press("f2", *"/tmp/u")
        await until(lambda: isinstance(top(app), UplinkDialog) and "/tmp/u" in screen_text(app), pilot)


async def test_other_keys_are_letters_in_a_filter(tmp_path: Path) -> None:
    (tmp_path / "ws/volume").mkdir(parents=True)
    async with console(tmp_path / "ws", with_keys(uplink="z", pane__next="n", list__down="w")) as (app, pilot):
        await pilot.press("slash", *"znw")
        await until(lambda: app.main.files.filter_text == "znw", pilot)
        assert top(app) is app.main


async def test_held_commands_are_let_go_by_the_key_that_is_told(tmp_path: Path) -> None:
    async with console(tmp_path / "ws", with_keys(hold_queue="ctrl+l")) as (app, pilot):
        await pilot.press("ctrl+l")
        await until(lambda: "ctrl+l lets them go" in screen_text(app), pilot)


async def test_the_theme_of_the_settings_is_on_and_own_ones_can_be_chosen(tmp_path: Path) -> None:
    pattern = (files("themes") / "dark.toml").read_text("utf-8")
    folder = themes_folder()
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text(pattern.replace('name = "dark"', 'name = "mine"').replace("#0d141c", "#200030"))
    (folder / "other.toml").write_text(pattern.replace('name = "dark"', 'name = "other"'))
    (folder / "torn.toml").write_text(pattern.replace("muted", "mutd"))
    async with console(tmp_path / "ws", ConsoleSettings(theme="mine")) as (app, pilot):
        assert app.theme == "mine"
        assert app.screen.styles.background.hex.lower() == "#200030"
        await until(lambda: "other" in app.available_themes, pilot)
        titles = [command.title for command in app.get_system_commands(app.screen)]
        assert [title.removeprefix("Theme: ") for title in titles if title.startswith("Theme: ")] == [
            "dark", "contrast", "light", "mine", "other",
        ]  # fmt: skip
        await until(lambda: "1 theme file left out" in screen_text(app), pilot)
        assert "emtui themes tells why." in screen_text(app)


async def test_the_intervals_of_the_settings_are_the_polls(tmp_path: Path) -> None:
    settings = ConsoleSettings(poll_s=7.5, active_pod_poll_s=0.5)
    async with console(tmp_path / "ws", settings) as (app, pilot):
        assert app.conductor is not None
        pods = app.conductor.pollers["pod"]
        assert {poller.interval_s for poller in app.conductor.pollers.values()} == {7.5}
        await app.conductor.submit(RunPod(PodSpec(docker_image="alpine", max_duration=1, node="FPGA")))
        await until(lambda: pods.interval_s == 0.5, pilot)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (with_keys(uplink="d"), "emtui: keys.uplink: d is the key of downlink too"),
        (with_keys(quit=""), "emtui: keys.quit: it cannot be without a key. Name one, or leave it out."),
        (ConsoleSettings(theme="drak"), "emtui: There is no theme 'drak'. Did you mean 'dark'?"),
    ],
)
def test_settings_that_cannot_be_are_told_before_the_console_opens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: ConsoleSettings, told: str
) -> None:
    assert run_console(Profile(tmp_path / "ws"), settings) == CANNOT_OPEN_EXIT
    assert capsys.readouterr().err.startswith(told)
    assert not (tmp_path / "ws").exists()


def test_a_clash_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigProblem, match="both work at once"):
        EmtuiApp(Profile(tmp_path / "ws"), with_keys(copy="q"))
