"""The keys that every dialog has, and hostile names in all of them."""

from pathlib import Path
from typing import Any

import pytest
from dialogs_harness import ACTIVE, SIZE, DialogApp, finished, focused_field, make_dialogs, run_dialog, settle, write
from textual.widgets import Button
from ui_harness import HOSTILE_NAMES, NOW, unsafe_characters, until

from emtui.commands import BuildImage, Delete, Downlink, LoadImage, RunPod, Uplink
from emtui.console.screens.build import BuildDialog
from emtui.console.screens.confirm import ConfirmDialog
from emtui.console.screens.delete import DeleteDialog
from emtui.console.screens.downlink import DownlinkDialog
from emtui.console.screens.get_model import GetModelDialog
from emtui.console.screens.load import LoadDialog
from emtui.console.screens.run import RunDialog
from emtui.console.screens.uplink import UplinkDialog
from emtui.models import PodSpec


@pytest.mark.parametrize("name", make_dialogs(Path()))
async def test_escape_leaves_and_gives_nothing(name: str, work: Path) -> None:
    factory, _ = make_dialogs(work)[name]
    app = DialogApp(factory)
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        await pilot.press("escape", "escape")
        assert await finished(pilot) is None
        assert len(app.screen_stack) == 1


async def test_the_first_field_has_the_focus_and_enter_goes_on() -> None:
    app = DialogApp(run_dialog)
    async with app.run_test(size=SIZE) as pilot:
        seen = [focused_field(app)]
        for _ in range(5):
            await pilot.press("enter")
            seen.append(focused_field(app))
        assert seen == ["docker_image", "node", "max_duration", "command", "scheduled_time", "do"]
        assert app.results == []
        await pilot.press("enter")
        assert isinstance(await finished(pilot), RunPod)


async def test_tab_and_arrows_go_through_the_fields() -> None:
    app = DialogApp(run_dialog)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("tab", "down")
        assert focused_field(app) == "max_duration"
        await pilot.press("up", "shift+tab")
        assert focused_field(app) == "docker_image"


async def test_two_quick_ctrl_s_are_one_command(work: Path) -> None:
    app = DialogApp(lambda: UplinkDialog("", (), work))
    async with app.run_test(size=SIZE) as pilot:
        await write(pilot, "two words.txt")
        dialog = app.screen
        assert isinstance(dialog, UplinkDialog)
        dialog.action_submit()
        dialog.action_submit()
        await pilot.press("ctrl+s")
        assert await finished(pilot) == Uplink((work / "two words.txt",), "")
        dialog.action_submit()
        dialog.action_leave()
        await pilot.pause()
        assert len(app.results) == 1


async def test_a_mouse_presses_the_buttons() -> None:
    app = DialogApp(run_dialog)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.click("#cancel")
        assert await finished(pilot) is None


def _build(name: str) -> Any:
    return BuildDialog(f"{name}/Dockerfile", name, "x", (f"{name}/Dockerfile",), user=name)


def _run(name: str) -> Any:
    return RunDialog((), "x", command=name, active=ACTIVE, user=name, now=lambda: NOW)


async def _drawn_harmlessly(app: DialogApp, expected: object) -> None:
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        assert not unsafe_characters(app)
        await pilot.press("tab", "down", "up", "shift+tab")
        await settle(pilot)
        assert not unsafe_characters(app)
        if expected is not None:
            await pilot.press("ctrl+s")
            await until(lambda: app.results or isinstance(app.screen, ConfirmDialog), pilot)
            if isinstance(app.screen, ConfirmDialog):
                await pilot.pause()
                assert not unsafe_characters(app)
                await pilot.press("ctrl+s")
            assert await finished(pilot) == expected


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=range(len(HOSTILE_NAMES)))
async def test_a_hostile_name_in_a_field_is_drawn_harmlessly_and_carried_exactly(name: str) -> None:
    await _drawn_harmlessly(DialogApp(lambda: _build(name)), BuildImage(f"{name}/Dockerfile", name, "x"))


# Each kind of mischief once: a line's end, a terminal's command, markup, bytes that are no text, direction, width.
@pytest.mark.parametrize(
    "name", ["new\nline\x1b]52;c;ZXZpbA==\x07", "[@click=app.quit]x[/_", "\udcff\ud800\u202e\u200b漢"]
)
async def test_hostile_names_in_every_dialog(name: str, work: Path) -> None:
    downlinks = work.parent / "downlinks"
    dialogs: list[tuple[Any, object]] = [
        (lambda: DeleteDialog((name,), 1, 1), Delete((name,))),
        (lambda: LoadDialog(name, "x", (name,)), LoadImage(name, "x")),
        (
            lambda: _run(name),
            RunPod(PodSpec(docker_image="x", max_duration=30, node="FPGA", command=name)),
        ),
        (lambda: DownlinkDialog((name, "b"), 1, downlinks), Downlink((name, "b"), downlinks, is_folder=True)),
        (lambda: GetModelDialog(name, 1, downlinks / "to"), None),
        (lambda: UplinkDialog("", (name,), work), None),
    ]
    for make, expected in dialogs:
        await _drawn_harmlessly(DialogApp(make), expected)


async def test_all_hostile_names_in_one_list() -> None:
    await _drawn_harmlessly(DialogApp(lambda: DeleteDialog(HOSTILE_NAMES, 1, 1)), Delete(HOSTILE_NAMES))


async def test_buttons_name_their_keys() -> None:
    app = DialogApp(run_dialog)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert [str(button.label) for button in app.screen.query(Button)] == ["Cancel  esc", "Run  ctrl+s"]
