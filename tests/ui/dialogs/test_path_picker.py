"""The picker of local files: what it reads, shows and marks."""

from pathlib import Path
from typing import Any

import pytest
from dialogs_harness import DialogApp, settle, write
from textual.app import ComposeResult
from textual.pilot import Pilot
from textual.screen import Screen
from ui_harness import HOSTILE_NAMES, screen_text, unsafe_characters, until

from emtui.console.screens.typed_paths import read_line, read_lines, resolve
from emtui.console.screens.uplink import UplinkDialog
from emtui.files import existing
from widgets.path_picker import EntryList, PathPicker, read_folder, shown


class PickerScreen(Screen[None]):
    """A picker alone."""

    def __init__(self, start: Path, *, takes_many: bool = True) -> None:
        super().__init__()
        self.picker = PathPicker(start, takes_many=takes_many)
        self.chosen: list[Path] = []

    def compose(self) -> ComposeResult:
        yield self.picker

    def on_path_picker_chosen(self, event: PathPicker.Chosen) -> None:
        assert event.control is self.picker
        self.chosen.append(event.path)


def picker(app: DialogApp) -> PathPicker:
    return app.screen.query_one(PathPicker)


def current(app: DialogApp) -> str:
    entry = app.screen.query_one(EntryList).current
    return entry.name if entry else ""


async def press(pilot: Pilot[Any], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await settle(pilot)


def test_folders_come_first_and_hidden_names_on_demand(work: Path) -> None:
    names = [entry.name for entry in read_folder(work, show_hidden=False)]
    assert names[:2] == ["docs", "echo-test"]
    assert names[-1] == "two words.txt"
    assert ".hidden" not in names
    assert ".hidden" in [entry.name for entry in read_folder(work, show_hidden=True)]
    link = next(entry for entry in read_folder(work / "docs", show_hidden=False) if entry.name == "link")
    assert link.is_link


async def test_walking_and_marking(work: Path) -> None:
    app = DialogApp(lambda: PickerScreen(work))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "down", "enter")
        assert picker(app).folder == work / "echo-test"
        assert current(app) == "Dockerfile"
        await press(pilot, "space", "space")
        assert picker(app).marked == (work / "echo-test" / "Dockerfile", work / "echo-test" / "echo-test.sh")
        assert "2 marks, del clears" in screen_text(app)
        await press(pilot, "space")  # on the last one again: the mark goes
        assert picker(app).marked == (work / "echo-test" / "Dockerfile",)
        await press(pilot, "backspace")
        assert (picker(app).folder, current(app)) == (work, "echo-test")
        await press(pilot, "right", "left", "t")
        assert current(app) == "two words.txt"
        await press(pilot, "f", "f")
        assert current(app) == "frame-02.raw"
        await press(pilot, "pagedown", "pageup", "home", "full_stop")
        assert ".hidden" in screen_text(app)
        await press(pilot, "full_stop", "delete")
        assert ".hidden" not in screen_text(app)
        assert picker(app).marked == ()


async def test_other_keys_walk_and_mark_and_the_line_above_tells_them(work: Path) -> None:
    changed = {"picker.mark": "m", "picker.up": "U", "picker.hidden": "f2", "picker.clear": "", "picker.into": "i"}
    app = DialogApp(lambda: PickerScreen(work), keys=changed)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "m marks  enter opens  U up  f2 hidden" in screen_text(app)
        await press(pilot, "down", "i")
        assert picker(app).folder == work / "echo-test"
        await press(pilot, "m", "space", "delete")
        assert picker(app).marked == (work / "echo-test" / "Dockerfile",), "the usual keys do nothing"
        assert "● 1 mark " in screen_text(app)
        assert "clears" not in screen_text(app)
        await press(pilot, "left", "U")
        assert (picker(app).folder, current(app)) == (work, "echo-test")
        await press(pilot, "f2")
        assert ".hidden" in screen_text(app)


async def test_enter_on_a_file_chooses_it(work: Path) -> None:
    app = DialogApp(lambda: PickerScreen(work, takes_many=False))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "end", "space", "enter")
        assert picker(app).marked == ()
        assert isinstance(app.screen, PickerScreen)
        assert app.screen.chosen == [work / "two words.txt"]


async def test_the_root_and_an_empty_folder_are_ends(work: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    app = DialogApp(lambda: PickerScreen(empty))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "empty" in screen_text(app)
        await press(pilot, "space", "enter", "right", "down", "a")
        assert picker(app).marked == ()
        picker(app).go(Path("/"))
        await settle(pilot)
        await press(pilot, "left")
        assert picker(app).folder == Path("/")


async def test_a_folder_that_cannot_be_read_says_so(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path, show_hidden: bool) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("widgets.path_picker.read_folder", refuse)
    app = DialogApp(lambda: PickerScreen(work))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "cannot be read: Permission denied" in screen_text(app)


async def test_hostile_names_are_harmless(tmp_path: Path) -> None:
    folder = tmp_path / "hostile"
    folder.mkdir()
    kept = []
    for name in HOSTILE_NAMES:
        try:
            (folder / name.replace("/", "_")).touch()
        except (OSError, UnicodeEncodeError):
            continue  # this disk does not take it
        kept.append(name.replace("/", "_"))
    assert len(kept) > 20
    app = DialogApp(lambda: PickerScreen(folder))
    async with app.run_test(size=(80, 40)) as pilot:
        await settle(pilot)
        assert not unsafe_characters(app)
        for _ in kept:
            await pilot.press("space")
        await settle(pilot)
        assert not unsafe_characters(app)
        assert {path.name for path in picker(app).marked} == set(kept)


async def test_a_big_folder_is_drawn_by_its_lines_only(tmp_path: Path) -> None:
    folder = tmp_path / "big"
    folder.mkdir()
    for number in range(6_000):
        (folder / f"f{number:05d}").touch()
    app = DialogApp(lambda: PickerScreen(folder))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "end")
        assert current(app) == "f05999"
        assert "f05999" in screen_text(app)


async def test_the_picker_follows_what_is_typed(work: Path) -> None:
    app = DialogApp(lambda: UplinkDialog("", (), work))
    async with app.run_test(size=(80, 24)) as pilot:
        await write(pilot, "~/desk/echo-test/echo")
        await until(lambda: picker(app).folder == work / "echo-test", pilot)
        assert current(app) == "echo-test.sh"
        await write(pilot, "/nowhere/at/all")
        assert picker(app).folder == work / "echo-test"


async def test_enter_on_a_file_marks_it_and_goes_on(work: Path) -> None:
    app = DialogApp(lambda: UplinkDialog("", (), work))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "down", "end", "enter")
        assert picker(app).marked == (work / "two words.txt",)
        assert app.focused is app.screen.query_one("#field-dest_path SafeInput")


async def test_the_mouse_moves_the_cursor(work: Path) -> None:
    app = DialogApp(lambda: PickerScreen(work))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.click(EntryList, offset=(6, 1))
        assert current(app) == "echo-test"


# ------------------------------------------------------------------------------------------- typed paths


def test_what_stands_there_literally_comes_first(work: Path) -> None:
    for name in ("'quoted'", "back\\ slash", " spaces ", "file:x", "~odd"):
        (work / name).touch()
        assert read_line(name, work) == [work / name]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("", []),
        ("   ", []),
        ("a\0b", []),
        ("new", ["new"]),
        ("  new ", ["new"]),
        ("'it is' \"new\"", ["it is", "new"]),
        ("'open", ["'open"]),
        ("a\\ b", ["a b"]),
        ("file:///x/%F0%9F%9A%80 file:///y", ["/x/\U0001f680", "/y"]),
        ("'file:///x/a b'", ["/x/a b"]),
        ("file:///x/%ff", ["/x/\udcff"]),
    ],
)
def test_how_lines_are_read(line: str, names: list[str], work: Path) -> None:
    assert read_line(line, work) == [work / name for name in names]


def test_lines_are_read_once_each(work: Path) -> None:
    assert read_lines(["docs", "", "docs", "x"], work) == [work / "docs", work / "x"]


def test_tilde(work: Path) -> None:
    home = work.parent
    assert resolve("~/desk", Path("/x")) == work
    assert resolve("~nobody-of-this-name/x", Path("/x")) == Path("/x/~nobody-of-this-name/x")
    assert shown(work) == "~/desk"
    assert shown(home) == "~"
    assert shown(Path("/etc")) == "/etc"


def test_existing_sees_dangling_links(work: Path) -> None:
    (work / "dangling").symlink_to("/nowhere")
    assert existing([work / "dangling", work / "no"]) == (work / "dangling",)
