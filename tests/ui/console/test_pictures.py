"""The pictures of docs/pictures, taken of the real program: none of them can be out of date."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import time_machine

from tests.ui.console.rehearsal import NOW, Rehearsal
from tests.ui.console.remote_rehearsal import draw_busy
from tests.ui.console.scenes import SCENES, draw

PICTURES = Path(__file__).parents[3] / "docs/pictures"
BUSY = "busy"


@pytest.fixture(autouse=True)
def frozen_clock() -> Iterator[time_machine.Traveller]:
    """It stands, and can be moved."""
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


@pytest.fixture
def rehearsal(tmp_path: Path, frozen_clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch) -> Rehearsal:
    return Rehearsal(tmp_path / "home", frozen_clock, monkeypatch)


@pytest.fixture
def is_kept(request: pytest.FixtureRequest) -> Callable[[str, str], bool]:
    """Whether a picture of the documentation is as it is drawn now; `make snapshots` makes it so."""

    def compare(name: str, drawn: str) -> bool:
        path = PICTURES / f"{name}.svg"
        if request.config.getoption("update_snapshots"):
            PICTURES.mkdir(exist_ok=True)
            path.write_text(drawn, "utf-8")
        return path.read_text("utf-8") == drawn

    return compare


@pytest.mark.parametrize("name", SCENES)
async def test_a_picture_is_what_the_console_shows(
    name: str, rehearsal: Rehearsal, is_kept: Callable[[str, str], bool]
) -> None:
    assert is_kept(name, await draw(name, rehearsal)), "make snapshots takes it anew"


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
async def test_the_picture_of_a_busy_em_is_what_the_console_shows(
    rehearsal: Rehearsal, is_kept: Callable[[str, str], bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = await draw_busy(rehearsal, tmp_path, monkeypatch)
    assert is_kept(BUSY, drawn), "make snapshots takes it anew"


def test_every_picture_is_drawn_and_stands_on_a_page() -> None:
    pages = "".join(page.read_text("utf-8") for page in PICTURES.parent.glob("*.md"))
    pictures = {path.name for path in PICTURES.iterdir()}
    assert pictures == {f"{name}.svg" for name in (*SCENES, BUSY)}
    assert [name for name in sorted(pictures) if f"(pictures/{name})" not in pages] == []


def test_a_picture_needs_nothing_from_elsewhere() -> None:
    for path in PICTURES.iterdir():
        text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "").replace("<!-- Generated", "")
        assert "url(http" not in text, path.name
        assert 'url("' not in text, path.name
