"""The console on a local workspace, by keys, with the engine in memory."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine
from textual import events
from textual.pilot import Pilot
from ui_harness import HOSTILE_NAMES, screen_text, until

from emtui.commands import Delete, ServeModel
from emtui.console.app import CANNOT_OPEN_EXIT, EmtuiApp
from emtui.console.screens.delete import DeleteDialog
from emtui.console.screens.detail import DetailScreen
from emtui.console.screens.help import HelpScreen
from emtui.console.screens.uplink import UplinkDialog
from emtui.journal.journal import Journal
from emtui.profile import Profile, Remote
from emtui.views import Stage
from tests.unit.local.fake_engine import FakeEngine


@pytest.fixture(autouse=True)
def frozen_clock() -> Iterator[None]:
    """Here the clock runs: listings and journals are made with it."""
    with time_machine.travel("2026-11-21T20:47:13Z", tick=True):
        yield


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    made = FakeEngine()

    async def choose(*_values: object, **_more: object) -> FakeEngine:
        return made

    monkeypatch.setattr("emtui.local.engines.choose.choose_engine", choose)
    return made


class Console:
    """A console under test."""

    def __init__(self, app: EmtuiApp, pilot: Pilot[None], root: Path) -> None:
        self.app, self.pilot, self.root = app, pilot, root
        self.volume = root / "volume"

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def until_text(self, text: str) -> None:
        await until(lambda: text in screen_text(self.app), self.pilot)

    async def until_stage(self, name: str, stage: Stage) -> None:
        await until(
            lambda: any(row.name == name and row.stage is stage for row in self.app.main.activity.canvas.rows),
            self.pilot,
        )


@asynccontextmanager
async def console(
    root: Path, size: tuple[int, int] = (120, 40), *, is_read_only: bool = False
) -> AsyncIterator[Console]:
    app = EmtuiApp(Profile(root, is_read_only=is_read_only))
    async with app.run_test(size=size, notifications=True) as pilot:
        made = Console(app, pilot, root)
        await until(lambda: app.conductor is not None or app.failure is not None, pilot)
        try:
            yield made
        finally:
            app.leave()
            await until(lambda: app.conductor is None, pilot)


async def test_the_first_frame_is_there_before_the_workspace_is_opened(tmp_path: Path, engine: FakeEngine) -> None:
    app = EmtuiApp(Profile(tmp_path / "ws"))
    async with app.run_test(size=(120, 40)) as pilot:
        assert "1 Files" in screen_text(app)
        assert app.conductor is None
        await until(lambda: app.conductor is not None, pilot)
        app.leave()
        await until(lambda: app.conductor is None, pilot)


async def test_what_is_in_the_volume_is_on_the_screen(tmp_path: Path, engine: FakeEngine) -> None:
    (tmp_path / "ws/volume").mkdir(parents=True)
    (tmp_path / "ws/volume/a.txt").write_text("a")
    async with console(tmp_path / "ws") as c:
        await c.until_text("a.txt")
        (c.volume / "b.txt").write_text("b")
        await c.press("R")
        await c.until_text("b.txt")


async def test_uplink_by_keys(tmp_path: Path, engine: FakeEngine) -> None:
    (tmp_path / "payload.bin").write_bytes(b"x" * 3000)
    async with console(tmp_path / "ws") as c:
        await c.press("u")
        await until(lambda: isinstance(c.app.screen, UplinkDialog), c.pilot)
        await c.press(*str(tmp_path / "payload.bin"))
        await c.press("ctrl+s")
        await c.until_stage("uplink", Stage.COMPLETE)
        await c.until_text("payload.bin")
        assert (c.volume / "payload.bin").read_bytes() == b"x" * 3000


async def test_what_is_typed_ahead_goes_into_the_dialog(tmp_path: Path, engine: FakeEngine) -> None:
    """Letters of a path are keys of the main screen, `q` and `x` among them."""
    (tmp_path / "xqx").write_bytes(b"x")
    app = EmtuiApp(Profile(tmp_path / "ws"))
    async with app.run_test(size=(120, 40)) as pilot:
        for key in ("u", *str(tmp_path / "xqx"), "ctrl+s"):
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        await until((tmp_path / "ws/volume/xqx").exists, pilot)
        app.leave()
        await until(lambda: app.conductor is None, pilot)


async def test_a_form_filled_in_one_burst(tmp_path: Path, engine: FakeEngine) -> None:
    """Every key takes effect before the next: letters after a tab go into the next field."""
    (tmp_path / "a.bin").write_bytes(b"x")
    async with console(tmp_path / "ws") as c:
        keys = ["u", *str(tmp_path / "a.bin"), "tab", "tab", *"in/deep", "ctrl+s"]
        for key in keys:
            c.app.post_message(events.Key(key, key if len(key) == 1 else None))
        await until((c.volume / "in/deep/a.bin").exists, c.pilot)
        for key in ["r", *"alpine", "enter", "enter", "end", "ctrl+u", *"7", "enter", *"echo q", "ctrl+s"]:
            c.app.post_message(events.Key("space" if key == " " else key, key if len(key) == 1 else None))
        await until(lambda: engine.requests, c.pilot)
        assert (engine.requests[0].max_duration_s, engine.requests[0].command) == (420.0, "echo q")


async def test_delete_asks_first_and_escape_leaves_it(tmp_path: Path, engine: FakeEngine) -> None:
    (tmp_path / "ws/volume").mkdir(parents=True)
    (tmp_path / "ws/volume/a.txt").write_text("a")
    async with console(tmp_path / "ws") as c:
        await c.until_text("a.txt")
        c.app.main.files.select("a.txt")
        await c.press("x")
        await until(lambda: isinstance(c.app.screen, DeleteDialog), c.pilot)
        await c.press("enter")
        await until(lambda: not isinstance(c.app.screen, DeleteDialog), c.pilot)
        assert (c.volume / "a.txt").exists(), "it stands on Cancel"
        await c.press("x")
        await until(lambda: isinstance(c.app.screen, DeleteDialog), c.pilot)
        await c.press("ctrl+s")
        await c.until_stage("delete", Stage.COMPLETE)
        assert not (c.volume / "a.txt").exists()


async def test_a_failed_build_keeps_its_log_in_activity(tmp_path: Path, engine: FakeEngine) -> None:
    (tmp_path / "ws/volume/app").mkdir(parents=True)
    (tmp_path / "ws/volume/app/Dockerfile").write_text("FROM alpine\nRUN false\n")
    async with console(tmp_path / "ws") as c:
        await c.until_text("app/")
        await c.press("b", "ctrl+s")
        await c.until_stage("build", Stage.FAILED)
        await c.press("5", "enter")
        await until(lambda: isinstance(c.app.screen, DetailScreen), c.pilot)
        await c.until_text("RUN false")
        assert c.app.main.activity.canvas.rows[0].acknowledged


async def test_the_pod_is_watched_to_its_end(tmp_path: Path, engine: FakeEngine) -> None:
    async with console(tmp_path / "ws") as c:
        await c.press("r")
        await c.until_text("Run a pod")
        await c.press(*"alpine", "ctrl+s")
        await c.until_stage("run", Stage.COMPLETE)
        await c.until_text("RUNNING")
        engine.end(engine.requests[0].pod_id, 2)
        await c.until_text("exit 2")


async def test_read_only_changes_nothing(tmp_path: Path, engine: FakeEngine) -> None:
    (tmp_path / "ws/volume").mkdir(parents=True)
    async with console(tmp_path / "ws", is_read_only=True) as c:
        await c.until_text("READ-ONLY")
        await c.press("u")
        await c.until_text("Uplink is off: read-only.")


async def test_a_command_without_its_object_says_what_is_missing(tmp_path: Path, engine: FakeEngine) -> None:
    async with console(tmp_path / "ws") as c:
        await c.until_text("no files yet")
        for key, words in (("d", "downlink."), ("x", "delete."), ("g", "none to get.")):
            await c.press(key)
            await c.until_text(words)


async def test_help_and_quit(tmp_path: Path, engine: FakeEngine) -> None:
    async with console(tmp_path / "ws") as c:
        await c.press("question_mark")
        await until(lambda: isinstance(c.app.screen, HelpScreen), c.pilot)
        await c.until_text("Uplink")
        await c.press("escape", "q")
        await until(lambda: c.app.conductor is None, c.pilot)
        assert c.app.exit_code == 0


async def test_held_commands_leave_when_they_are_let_go(tmp_path: Path, engine: FakeEngine) -> None:
    (tmp_path / "a").write_text("a")
    async with console(tmp_path / "ws") as c:
        await c.press("H", "u")
        await until(lambda: isinstance(c.app.screen, UplinkDialog), c.pilot)
        await c.press(*str(tmp_path / "a"), "ctrl+s")
        await c.until_stage("uplink", Stage.HELD)
        await c.until_text("held 1")
        assert not (c.volume / "a").exists()
        await c.press("H")
        await c.until_stage("uplink", Stage.COMPLETE)


async def test_escape_in_activity_cancels(tmp_path: Path, engine: FakeEngine) -> None:
    (tmp_path / "a").write_text("a")
    async with console(tmp_path / "ws") as c:
        await c.press("H", "u")
        await until(lambda: isinstance(c.app.screen, UplinkDialog), c.pilot)
        await c.press(*str(tmp_path / "a"), "ctrl+s")
        await c.until_stage("uplink", Stage.HELD)
        await c.press("5", "escape")
        await c.until_stage("uplink", Stage.CANCELLED)


async def test_quitting_asks_when_something_is_unfinished(tmp_path: Path, engine: FakeEngine) -> None:
    (tmp_path / "a").write_text("a")
    async with console(tmp_path / "ws") as c:
        await c.press("H", "u")
        await until(lambda: isinstance(c.app.screen, UplinkDialog), c.pilot)
        await c.press(*str(tmp_path / "a"), "ctrl+s")
        await c.until_stage("uplink", Stage.HELD)
        await c.press("q")
        await c.until_text("1 command unfinished")
        await c.press("escape")
        assert c.app.conductor is not None
        await c.press("q")
        await c.until_text("1 command unfinished")
        await c.pilot.pause()
        await c.press("ctrl+s")
        await until(lambda: c.app.conductor is None, c.pilot)
    assert not (c.volume / "a").exists()


async def test_a_failed_command_can_be_done_again(tmp_path: Path, engine: FakeEngine) -> None:
    (tmp_path / "ws/volume/app").mkdir(parents=True)
    (tmp_path / "ws/volume/app/Dockerfile").write_text("FROM alpine\nRUN false\n")
    async with console(tmp_path / "ws") as c:
        await c.until_text("app/")
        await c.press("b", "ctrl+s")
        await c.until_stage("build", Stage.FAILED)
        (c.volume / "app/Dockerfile").write_text("FROM alpine\n")
        await c.press("5", "A")
        await c.until_text("Do it again?")
        await c.pilot.pause()
        await c.press("ctrl+s")
        await c.until_stage("build", Stage.COMPLETE)


async def test_the_grid_node_can_be_asked(tmp_path: Path, engine: FakeEngine) -> None:
    (tmp_path / "ws").mkdir()
    (tmp_path / "ws/grid.toml").write_text(
        '[[dataset]]\nname = "d"\ntags = ["mnist"]\n[[encrypted_model]]\nid = "shares"\nworkers = ["alice"]\n'
    )
    async with console(tmp_path / "ws") as c:
        await c.until_text("#mnist")
        await c.press("s")
        await c.until_text("Search the Grid Node")
        await c.press(*"shares", "enter")
        await c.until_text("alice")
        await c.until_text("no dataset bears the tag shares")
        await c.press("escape")


async def test_a_model_that_may_not_be_copied_is_not_asked_for(tmp_path: Path, engine: FakeEngine) -> None:
    (tmp_path / "a.pt").write_bytes(b"1")
    async with console(tmp_path / "ws") as c:
        assert c.app.conductor is not None
        await c.app.conductor.submit(ServeModel(tmp_path / "a.pt", "mine"))
        await c.until_text("mine")
        await c.press("4", "g")
        await c.until_text("mine may not be copied")
        assert c.app.screen is c.app.main


async def test_y_copies_what_the_pane_stands_on(tmp_path: Path, engine: FakeEngine) -> None:
    volume = tmp_path / "ws/volume"
    volume.mkdir(parents=True)
    (volume / "esc\x1b[31m").write_text("x")
    async with console(tmp_path / "ws") as c:
        await c.until_text("esc")
        await c.press("down", "y")
        await c.until_text("Copied: esc")
        assert c.app.clipboard == "esc\\x1b[31m", "harmless wherever it is pasted"
        await c.press("3", "y")
        await until(lambda: "state" in c.app.clipboard, c.pilot)


async def test_the_palette_has_every_command_and_theme(tmp_path: Path, engine: FakeEngine) -> None:
    async with console(tmp_path / "ws") as c:
        names = [command.title for command in c.app.get_system_commands(c.app.screen)]
        assert {"Uplink", "Delete", "Run", "Search the Grid Node", "Refresh", "Help", "Quit", "Theme: light"} <= set(
            names
        )
        await c.press("ctrl+p")
        await c.press(*"theme light")
        await until(lambda: len(c.app.screen_stack) == 2, c.pilot)
        await c.pilot.pause(0.3)
        await c.press("enter")
        await until(lambda: c.app.theme == "light", c.pilot)


async def test_the_palette_leaves_activity_as_it_was(tmp_path: Path, engine: FakeEngine) -> None:
    (tmp_path / "a").write_text("a")
    async with console(tmp_path / "ws") as c:
        await c.press("u", *str(tmp_path / "a"), "ctrl+s")
        await c.until_stage("uplink", Stage.COMPLETE)
        await c.press("ctrl+p")
        await until(lambda: len(c.app.screen_stack) == 2, c.pilot)
        await c.press("escape")
        await until(lambda: len(c.app.screen_stack) == 1, c.pilot)
        await c.press("5")
        await until(lambda: c.app.focused is c.app.main.activity.canvas, c.pilot)
        assert "uplink a" in screen_text(c.app)


async def test_replacing_files_of_the_volume_is_asked_about(tmp_path: Path, engine: FakeEngine) -> None:
    (tmp_path / "a").write_text("new")
    (tmp_path / "ws/volume").mkdir(parents=True)
    (tmp_path / "ws/volume/a").write_text("old")
    async with console(tmp_path / "ws") as c:
        await c.until_text("3 B")
        await c.press("u", *str(tmp_path / "a"))
        await c.until_text("1 file is there already: a")
        await c.press("ctrl+s")
        await c.until_text("Replace 1 file of the volume")
        await c.pilot.pause()
        await c.press("enter")
        await until(lambda: isinstance(c.app.screen, UplinkDialog), c.pilot)
        assert (c.volume / "a").read_text() == "old"
        await c.press("ctrl+s")
        await c.until_text("Replace 1 file of the volume")
        await c.pilot.pause()
        await c.press("ctrl+s")
        await c.until_stage("uplink", Stage.COMPLETE)
        assert (c.volume / "a").read_text() == "new"


async def test_what_nobody_foresaw_does_not_close_it_without_a_word(
    tmp_path: Path, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_values: object) -> None:
        raise ValueError("torn")

    monkeypatch.setattr("emtui.journal.journal.Journal.recent", broken)
    app = EmtuiApp(Profile(tmp_path / "ws"))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(lambda: app.failure is not None, pilot)
    assert app.exit_code == CANNOT_OPEN_EXIT
    assert app.failure is not None
    assert "ValueError: torn" in app.failure.message


async def test_nobody_who_leaves_waits_for_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_values: object, **_more: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("emtui.local.engines.choose.choose_engine", never)
    app = EmtuiApp(Profile(tmp_path / "ws"))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(lambda: "no files yet" in screen_text(app), pilot)
        app.leave()
        await until(lambda: app.conductor is None, pilot)


async def test_unseen_failures_stay_until_they_are_seen(tmp_path: Path, engine: FakeEngine) -> None:
    (tmp_path / "ws/volume/app").mkdir(parents=True)
    (tmp_path / "ws/volume/app/Dockerfile").write_text("FROM alpine\nRUN false\n")
    async with console(tmp_path / "ws") as c:
        await c.until_text("app/")
        await c.press("b", "ctrl+s")
        await c.until_stage("build", Stage.FAILED)
    for _ in range(2):
        async with console(tmp_path / "ws") as c:
            await c.until_text("1 failure unseen")
    async with console(tmp_path / "ws") as c:
        await c.until_text("1 failure unseen")
        await c.press("5", "enter")
        await until(lambda: isinstance(c.app.screen, DetailScreen), c.pilot)
        await c.press("escape")
    async with console(tmp_path / "ws") as c:
        await c.until_stage("build", Stage.FAILED)
        assert "unseen" not in screen_text(c.app)


async def test_the_key_bar_can_be_clicked(tmp_path: Path, engine: FakeEngine) -> None:
    async with console(tmp_path / "ws") as c:
        await c.pilot.click("#keys", offset=(2, 0))
        await until(lambda: isinstance(c.app.screen, UplinkDialog), c.pilot)
        await c.press("escape")


async def test_a_simulated_engine_says_so(tmp_path: Path, engine: FakeEngine) -> None:
    engine.name = "simulated"
    async with console(tmp_path / "ws") as c:
        await c.until_text("SIMULATED")


async def test_a_command_can_be_asked_for_while_the_workspace_is_opened(tmp_path: Path, engine: FakeEngine) -> None:
    (tmp_path / "a").write_text("a")
    app = EmtuiApp(Profile(tmp_path / "ws"))
    async with app.run_test(size=(120, 40)) as pilot:
        assert app.conductor is None
        await pilot.press("u", *str(tmp_path / "a"), "ctrl+s")
        await until((tmp_path / "ws/volume/a").exists, pilot)
        app.leave()
        await until(lambda: app.conductor is None, pilot)


async def test_what_was_done_before_is_remembered(tmp_path: Path, engine: FakeEngine) -> None:
    (tmp_path / "a").write_text("a")
    async with console(tmp_path / "ws") as c:
        await c.press("u")
        await until(lambda: isinstance(c.app.screen, UplinkDialog), c.pilot)
        await c.press(*str(tmp_path / "a"), "ctrl+s")
        await c.until_stage("uplink", Stage.COMPLETE)
    async with console(tmp_path / "ws") as c:
        await c.until_stage("uplink", Stage.COMPLETE)


async def test_hostile_names_are_shown_literally(tmp_path: Path, engine: FakeEngine) -> None:
    volume = tmp_path / "ws/volume"
    volume.mkdir(parents=True)
    for name in HOSTILE_NAMES:
        try:
            (volume / name).write_text("x")
        except (OSError, UnicodeEncodeError):
            continue  # this disk has no such names
    async with console(tmp_path / "ws", (99, 60)) as c:
        await c.until_text("[@click=app.quit]x")
        shown = screen_text(c.app)
        assert all(character.isprintable() or character == "\n" for character in shown)
        for name in ("[red]loud", "csi\\x1b[31mred", "new\\nline"):
            assert name in shown


async def test_a_resize_storm_keeps_focus_and_marks(tmp_path: Path, engine: FakeEngine) -> None:
    volume = tmp_path / "ws/volume"
    volume.mkdir(parents=True)
    for name in "abc":
        (volume / name).write_text(name)
    async with console(tmp_path / "ws") as c:
        await c.until_text(" c ")
        c.app.main.files.select("b")
        await c.press("space")
        marked = c.app.main.files.selection
        for size in ((1, 1), (200, 60), (20, 5), (80, 24), (3, 50), (100, 1), (120, 40)):
            await c.pilot.resize_terminal(*size)
            await c.pilot.pause()
        assert c.app.main.files.selection == marked == ("b",)
        assert c.app.main.current == "files"
        await c.until_text("1 Files")


async def test_a_directory_that_is_not_ours_ends_it_with_one_line(tmp_path: Path, engine: FakeEngine) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/cat.jpg").write_text("meow")
    app = EmtuiApp(Profile(tmp_path / "photos"))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(lambda: app.failure is not None, pilot)
        await asyncio.sleep(0)
    assert app.exit_code == CANNOT_OPEN_EXIT
    assert app.failure is not None
    assert "cat.jpg" in app.failure.message
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["cat.jpg"]


async def test_what_an_earlier_start_left_unknown_is_looked_into_again(
    tmp_path: Path, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emtui.link.inquiry.LOOK_AGAIN_S", 0.05)
    root = tmp_path / "ws"
    async with console(root):
        pass
    journal = Journal(root / "journal.db")
    asked_at = datetime.now(UTC)
    number = journal.begin(Delete(("gone.txt",)), "tester", "test", asked_at)
    journal.advance(number, Stage.SENT, asked_at)
    journal.finish(number, Stage.UNKNOWN, asked_at, error="not known whether it was done: CG2 is busy")
    journal.close()
    async with console(root) as c:
        await c.until_stage("delete", Stage.COMPLETE)
        await c.until_text("done: it is gone from the volume")


async def test_a_command_for_an_end_that_is_absent_says_so_at_once(tmp_path: Path, engine: FakeEngine) -> None:
    app = EmtuiApp(Profile(tmp_path / "state", grid=Remote("http://127.0.0.1:9"), has_local=False))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(lambda: app.conductor is not None, pilot)
        await until(lambda: "no EM is named" in screen_text(app), pilot)
        await pilot.press("u")
        await until(lambda: "--em-url" in screen_text(app), pilot)
        assert app.screen is app.main
        app.leave()
        await until(lambda: app.conductor is None, pilot)
