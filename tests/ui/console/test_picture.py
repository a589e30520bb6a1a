"""The whole screen at the three sizes, and too small. The pictures of the documentation are in `test_pictures`."""

from collections.abc import Callable

import pytest
from textual.pilot import Pilot

from tests.ui.console.picture import PictureApp


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
