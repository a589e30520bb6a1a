"""Uplink, downlink and delete: the very commands that come of them."""

from pathlib import Path

import pytest
from dialogs_harness import SIZE, DialogApp, field, finished, focused_field, problem, settle, write
from textual import events
from ui_harness import screen_text, until

from emtui.commands import Delete, Downlink, Uplink
from emtui.console.screens.confirm import ConfirmDialog
from emtui.console.screens.delete import DeleteDialog
from emtui.console.screens.downlink import DownlinkDialog
from emtui.console.screens.uplink import UplinkDialog


async def test_uplink_of_a_typed_path(work: Path) -> None:
    app = DialogApp(lambda: UplinkDialog("/echo-test/", ("echo-test",), work))
    async with app.run_test(size=SIZE) as pilot:
        await write(pilot, "~/desk/two words.txt")
        assert "1 file, 167 B → /echo-test (1 request)" in app.words
        await pilot.press("ctrl+s")
        assert await finished(pilot) == Uplink((work / "two words.txt",), "echo-test")


async def test_uplink_of_a_folder_says_what_is_left_out(work: Path) -> None:
    app = DialogApp(lambda: UplinkDialog("", (), work))
    async with app.run_test(size=SIZE) as pilot:
        await write(pilot, "docs")
        assert "1 file, 1.5 KiB → / (1 request)" in app.words
        assert "a link is not followed" in app.words
        await pilot.press("ctrl+s")
        assert await finished(pilot) == Uplink((work / "docs",), "")


@pytest.mark.parametrize("name", ["%2e%2e%2fz", "%2e%2e", "..\\z"])
async def test_a_name_that_the_volume_takes_not_is_told_before_anything_is_sent(work: Path, name: str) -> None:
    (work / "docs" / name).write_text("x")
    app = DialogApp(lambda: UplinkDialog("", (), work))
    async with app.run_test(size=SIZE) as pilot:
        await write(pilot, "docs")
        await until(lambda: "the volume takes no such name" in app.words, pilot)
        assert "Rename it." in app.words
        await pilot.press("ctrl+s")
        await until(lambda: "the volume takes no such name" in problem(app, "files"), pilot)
        assert app.results == []


async def test_a_folder_that_the_volume_takes_not_is_told_too(work: Path) -> None:
    (work / "docs" / "%2E%2e").mkdir()
    (work / "docs" / "%2E%2e" / "a").write_text("x")
    app = DialogApp(lambda: UplinkDialog("", (), work))
    async with app.run_test(size=SIZE) as pilot:
        await write(pilot, "docs")
        await until(lambda: "docs/%2E%2e: the volume takes no such name" in app.words, pilot)


async def test_uplink_of_marked_files_and_folders(work: Path) -> None:
    app = DialogApp(lambda: UplinkDialog("", ("images",), work))
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        await pilot.press("down", "down", "space", "end", "up", "space")
        await settle(pilot)
        assert "3 files" in app.words
        assert "2 folders (2 requests)" in app.words
        await pilot.press("tab")
        await write(pilot, "im")
        await pilot.press("right", "ctrl+s")
        result = await finished(pilot)
        assert isinstance(result, Uplink)
        assert result.dest_path == "images"
        assert set(result.sources) == {work / "echo-test", work / "frame-12.raw"}


async def test_a_folder_typed_to_get_to_its_files_is_not_sent_itself(work: Path) -> None:
    app = DialogApp(lambda: UplinkDialog("", (), work.parent))
    async with app.run_test(size=SIZE) as pilot:
        await write(pilot, "desk/echo-test/")
        await pilot.press("down", "space")
        await settle(pilot)
        await pilot.press("ctrl+s")
        assert await finished(pilot) == Uplink((work / "echo-test" / "Dockerfile",), "")


@pytest.mark.parametrize(
    ("pasted", "names"),
    [
        ("{w}/two words.txt\n", ["two words.txt"]),
        ("'{w}/two words.txt'", ["two words.txt"]),
        ("\"{w}/two words.txt\" '{w}/docs'", ["two words.txt", "docs"]),
        ("{w}/two\\ words.txt", ["two words.txt"]),
        ("file://{w}/two%20words.txt", ["two words.txt"]),
        ("{w}/two words.txt\r\n{w}/docs\r\nfile://{w}/frame-01.raw\r\n", ["two words.txt", "docs", "frame-01.raw"]),
    ],
)
async def test_uplink_of_what_is_pasted(pasted: str, names: list[str], work: Path) -> None:
    app = DialogApp(lambda: UplinkDialog("", (), work))
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        assert app.focused is not None
        app.focused.post_message(events.Paste(pasted.format(w=work)))
        await settle(pilot)
        await pilot.press("ctrl+s")
        assert await finished(pilot) == Uplink(tuple(work / name for name in names), "")


async def test_a_paste_without_end_is_bounded_and_said(work: Path) -> None:
    app = DialogApp(lambda: UplinkDialog("", (), work))
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        assert app.focused is not None
        app.focused.post_message(events.Paste("x" * 10_000_000))
        await settle(pilot)
        assert field(app, "files").value == ""
        assert "10,000,000 characters" in problem(app, "files")
        app.focused.post_message(events.Paste("x" * 5_000))
        await settle(pilot)
        assert "4,096" in problem(app, "files")


async def test_uplink_errors_stay_in_place_with_their_remedy(work: Path) -> None:
    app = DialogApp(lambda: UplinkDialog("", (), work))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("ctrl+s")
        await until(lambda: problem(app, "files"), pilot)
        assert "mark files" in problem(app, "files")
        await write(pilot, "nowhere")
        assert "No such file" in app.words
        await pilot.press("ctrl+s")
        await until(lambda: "No such file" in problem(app, "files"), pilot)
        assert field(app, "files").value == "nowhere"
        await pilot.press("backspace")
        assert not problem(app, "files")
        await pilot.press("ctrl+u")
        await write(pilot, "docs")
        field(app, "dest_path").focus_control()
        await write(pilot, "../x")
        await pilot.press("ctrl+s")
        await until(lambda: "leaves the volume" in problem(app, "dest_path"), pilot)
        assert focused_field(app) == "dest_path"
        assert app.results == []


async def test_an_empty_folder_is_refused(work: Path) -> None:
    (work / "nothing").mkdir()
    app = DialogApp(lambda: UplinkDialog("", (), work))
    async with app.run_test(size=SIZE) as pilot:
        await write(pilot, "nothing")
        assert "No files were provided for uplink!" in app.words
        await pilot.press("ctrl+s")
        await until(lambda: "No files" in problem(app, "files"), pilot)


async def test_downlink_into_a_folder(work: Path) -> None:
    downlinks = work.parent / "downlinks"
    app = DialogApp(lambda: DownlinkDialog(("a/one.bin", "a/two.bin"), 300, downlinks))
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        assert "2 files, 300 B → ~/downlinks/" in app.words
        await pilot.press("ctrl+s")
        assert await finished(pilot) == Downlink(("a/one.bin", "a/two.bin"), downlinks, is_folder=True)


async def test_downlink_to_a_name_and_into_a_new_folder(work: Path) -> None:
    downlinks = work.parent / "downlinks"
    for typed, place, is_folder in (("new.bin", downlinks / "new.bin", False), ("made/", downlinks / "made", True)):
        app = DialogApp(lambda: DownlinkDialog(("a/one.bin",), 300, downlinks))
        async with app.run_test(size=SIZE) as pilot:
            await write(pilot, typed)
            await pilot.press("ctrl+s")
            assert await finished(pilot) == Downlink(("a/one.bin",), place, is_folder=is_folder)


async def test_overwriting_is_asked_and_stands_on_cancel(work: Path) -> None:
    downlinks = work.parent / "downlinks"
    app = DialogApp(lambda: DownlinkDialog(("downlink.txt",), 167, downlinks))
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        assert "1 file is there already: downlink.txt" in app.words
        await pilot.press("ctrl+s")
        await until(lambda: isinstance(app.screen, ConfirmDialog), pilot)
        await pilot.pause()
        assert focused_field(app) == "cancel"
        assert "Overwrite 1 file" in screen_text(app)
        assert "~/downlinks/downlink.txt" in screen_text(app)
        await pilot.press("enter")  # Cancel: back to the dialog, nothing lost
        await until(lambda: isinstance(app.screen, DownlinkDialog), pilot)
        assert app.results == []
        await pilot.press("ctrl+s")
        await until(lambda: isinstance(app.screen, ConfirmDialog), pilot)
        await pilot.pause()
        await pilot.press("ctrl+s")
        assert await finished(pilot) == Downlink(("downlink.txt",), downlinks, overwrite=True, is_folder=True)


async def test_downlink_errors(work: Path) -> None:
    downlinks = work.parent / "downlinks"
    (downlinks / "one.bin").mkdir()
    app = DialogApp(lambda: DownlinkDialog(("a/one.bin",), None, downlinks))
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        assert "is a folder" in app.words
        await pilot.press("ctrl+s")
        await until(lambda: "is a folder" in problem(app, "target"), pilot)
        await pilot.press("ctrl+u", "ctrl+s")
        await until(lambda: "is missing" in problem(app, "target"), pilot)
    app = DialogApp(lambda: DownlinkDialog(("..",), None, downlinks))
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        assert "cannot be the name" in app.words
        await pilot.press("ctrl+s")
        await until(lambda: "cannot be the name" in problem(app, "target"), pilot)


async def test_delete_stands_on_cancel_and_enter_deletes_nothing() -> None:
    app = DialogApp(lambda: DeleteDialog(("echo-test", "a.txt"), 3, 1000))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert focused_field(app) == "cancel"
        assert "2 entries, 3 files, 1000 B" in app.words
        await pilot.press("enter")
        assert await finished(pilot) is None


async def test_delete_is_done_by_ctrl_s_or_by_its_button() -> None:
    for keys in (("ctrl+s",), ("tab", "enter"), ("right", "tab", "enter")):
        app = DialogApp(lambda: DeleteDialog(("echo-test",)))
        async with app.run_test(size=SIZE) as pilot:
            await pilot.pause()
            assert "Delete /echo-test." in app.words
            await pilot.press(*keys)
            assert await finished(pilot) == Delete(("echo-test",))


async def test_many_targets_are_bounded() -> None:
    app = DialogApp(lambda: DeleteDialog(tuple(f"file-{number}" for number in range(5_000)), 5_000, 0))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert "Delete 5,000 entries, 5,000 files" in app.words
        await pilot.press("shift+tab", "end", "ctrl+s")
        result = await finished(pilot)
        assert isinstance(result, Delete)
        assert len(result.paths) == 5_000
