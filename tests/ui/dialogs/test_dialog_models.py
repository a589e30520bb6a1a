"""Serve and get a model: the very commands that come of them."""

from pathlib import Path

from dialogs_harness import (
    SIZE,
    DialogApp,
    field,
    finished,
    focused_field,
    problem,
    settle,
    write,
)
from ui_harness import until

from emtui.commands import GetModel, ServeModel
from emtui.console.screens.confirm import ConfirmDialog
from emtui.console.screens.get_model import GetModelDialog
from emtui.console.screens.serve_model import ServeModelDialog
from widgets.path_picker import PathPicker


async def test_serve_a_typed_model(work: Path) -> None:
    app = DialogApp(lambda: ServeModelDialog(work))
    async with app.run_test(size=SIZE) as pilot:
        await write(pilot, "frame-03.raw")
        assert field(app, "model_id").value == "frame-03"
        assert "Serves frame-03.raw, 293 KiB, as frame-03; nobody may download it" in app.words
        field(app, "model_id").focus_control()
        await pilot.press("end")  # what is in a field is selected: typing would replace it
        await write(pilot, " #1/x")
        await pilot.press("tab", "y", "ctrl+s")
        assert await finished(pilot) == ServeModel(work / "frame-03.raw", "frame-03 #1/x", allow_download=True)


async def test_an_id_that_is_taken_is_told_before_it_is_sent(work: Path) -> None:
    app = DialogApp(lambda: ServeModelDialog(work, {"frame-03"}))
    async with app.run_test(size=SIZE) as pilot:
        await write(pilot, "frame-03.raw")
        assert "◆ A model has this id already" in app.words
        field(app, "model_id").focus_control()
        await pilot.press("end")
        await write(pilot, "b")
        assert "has this id already" not in app.words


async def test_serve_a_picked_model(work: Path) -> None:
    app = DialogApp(lambda: ServeModelDialog(work))
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        app.screen.query_one(PathPicker).query_one("EntryList").focus()
        await pilot.press("t", "enter")
        await settle(pilot)
        assert field(app, "model").value == "~/desk/two words.txt"
        assert focused_field(app) == "model_id"
        await pilot.press("ctrl+s")
        assert await finished(pilot) == ServeModel(work / "two words.txt", "two words")


async def test_serve_errors(work: Path) -> None:
    app = DialogApp(lambda: ServeModelDialog(work))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("ctrl+s")
        await until(lambda: "is missing" in problem(app, "model"), pilot)
        await write(pilot, "'docs' 'two words.txt'")
        assert "more than one" in app.words
        await pilot.press("ctrl+u")
        await write(pilot, "docs")
        await pilot.press("ctrl+s")
        await until(lambda: problem(app, "model"), pilot)
        await pilot.press("ctrl+u")
        await write(pilot, "two words.txt")
        field(app, "model_id").focus_control()
        await pilot.press("ctrl+u", "ctrl+s")
        await until(lambda: "is missing" in problem(app, "model_id"), pilot)


async def test_get_model(work: Path) -> None:
    downlinks = work.parent / "downlinks"
    app = DialogApp(lambda: GetModelDialog("mnist/cnn", 1_153_434, downlinks))
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        assert "Model mnist/cnn, 1.1 MiB → ~/downlinks/mnist_cnn" in app.words
        await pilot.press("ctrl+s")
        assert await finished(pilot) == GetModel("mnist/cnn", downlinks / "mnist_cnn")


async def test_get_model_over_a_file(work: Path) -> None:
    downlinks = work.parent / "downlinks"
    app = DialogApp(lambda: GetModelDialog("downlink.txt", None, downlinks))
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        assert "there already" in app.words
        await pilot.press("ctrl+s")
        await until(lambda: isinstance(app.screen, ConfirmDialog), pilot)
        await pilot.pause()
        await pilot.press("ctrl+s")
        assert await finished(pilot) == GetModel("downlink.txt", downlinks / "downlink.txt", overwrite=True)


async def test_get_model_errors(work: Path) -> None:
    downlinks = work.parent / "downlinks"
    (downlinks / "m").mkdir()
    app = DialogApp(lambda: GetModelDialog("m", None, downlinks))
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        assert "is a folder" in app.words
        await pilot.press("ctrl+u", "ctrl+s")
        await until(lambda: "is missing" in problem(app, "target"), pilot)
        await write(pilot, "other")
        await pilot.press("ctrl+s")
        assert await finished(pilot) == GetModel("m", downlinks / "other")
