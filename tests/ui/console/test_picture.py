"""The whole screen at the three sizes, too small, and the picture in the README, which cannot be out of date."""

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.app import App
from textual.pilot import Pilot

from tests.ui.console.picture import PictureApp

README_PICTURE = Path(__file__).parents[3] / "docs/console.svg"
README_SIZE = (120, 36)


def test_the_whole_screen(snap_compare: Callable[..., bool], terminal_size: tuple[int, int]) -> None:
    assert snap_compare(PictureApp(), terminal_size=terminal_size)


@pytest.mark.parametrize("key", ["2", "3", "4", "5"])
def test_one_pane_at_a_time_where_it_is_narrow(snap_compare: Callable[..., bool], key: str) -> None:
    assert snap_compare(PictureApp(), terminal_size=(80, 24), press=[key])


def test_too_small_says_so(snap_compare: Callable[..., bool]) -> None:
    assert snap_compare(PictureApp(), terminal_size=(30, 8))


@pytest.mark.parametrize("theme", ["light", "contrast"])
def test_the_other_themes(snap_compare: Callable[..., bool], theme: str) -> None:
    async def put_on(pilot: Pilot[None]) -> None:
        pilot.app.theme = theme
        await pilot.pause()

    assert snap_compare(PictureApp(), terminal_size=(120, 40), run_before=put_on)


async def test_the_picture_in_the_readme(request: pytest.FixtureRequest) -> None:
    app: App[None] = PictureApp()
    async with app.run_test(size=README_SIZE) as pilot:
        await pilot.pause()
        drawn = app.export_screenshot(title="emtui")
    if request.config.getoption("update_snapshots"):
        README_PICTURE.write_text(drawn, "utf-8")
    assert README_PICTURE.read_text("utf-8") == drawn, "make snapshots takes it anew"
