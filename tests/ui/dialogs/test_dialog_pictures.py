"""A picture of each dialog, at the three sizes, with its errors."""

from pathlib import Path
from typing import Any

import pytest
from dialogs_harness import DialogApp, make_dialogs, settle
from textual.pilot import Pilot
from textual.widgets import Button
from ui_harness import SIZES, unsafe_characters

NAMES = tuple(make_dialogs(Path()))


@pytest.mark.parametrize("name", NAMES)
def test_picture(name: str, terminal_size: tuple[int, int], work: Path, snap_compare: Any) -> None:
    factory, keys = make_dialogs(work)[name]

    async def run_before(pilot: Pilot[Any]) -> None:
        await settle(pilot)
        for key in keys:
            await pilot.press(key)
            await settle(pilot)

    assert snap_compare(DialogApp(factory), terminal_size=terminal_size, run_before=run_before)


@pytest.mark.parametrize("theme", ["light", "contrast"])
@pytest.mark.parametrize("name", ["run scheduled", "uplink marked", "delete"])
def test_picture_in_other_themes(name: str, theme: str, work: Path, snap_compare: Any) -> None:
    factory, keys = make_dialogs(work)[name]

    async def run_before(pilot: Pilot[Any]) -> None:
        await settle(pilot)
        for key in keys:
            await pilot.press(key)
            await settle(pilot)

    assert snap_compare(DialogApp(factory, theme), terminal_size=(80, 24), run_before=run_before)


@pytest.mark.parametrize("size", [SIZES[0], (80, 16)], ids=str)
@pytest.mark.parametrize("name", NAMES)
async def test_nothing_is_clipped_and_nothing_is_unsafe(name: str, size: tuple[int, int], work: Path) -> None:
    factory, keys = make_dialogs(work)[name]
    app = DialogApp(factory)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        for key in keys:
            await pilot.press(key)
            await settle(pilot)
        assert not unsafe_characters(app)
        screen = app.screen.region
        for button in app.screen.query(Button):
            assert screen.contains_region(button.region)
            assert button.region.height == 1
        if app.focused is not None:
            assert screen.contains_region(app.focused.region)
        boxes = app.screen.query("#dialog, #help, #detail")
        assert all(screen.contains_region(box.region) for box in boxes)
