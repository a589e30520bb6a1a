"""What every test of the screen shares: one moment, no blinking, no animation, no user's configuration.

A snapshot is a picture of state, so whatever moves by itself is stopped here. `ui_harness` holds the constants and
the small helpers; import from it, not from this file.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
import time_machine
from textual import constants
from textual.widgets import Input, TextArea
from ui_harness import NOW, SIZES


@pytest.fixture(autouse=True)
def frozen_clock() -> Iterator[None]:
    """The wall clock stands at `ui_harness.NOW`; the monotonic clock, by which the event loop runs, does not."""
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture(autouse=True)
def still_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing blinks and nothing slides."""
    monkeypatch.setattr(constants, "TEXTUAL_ANIMATIONS", "none")
    monkeypatch.setattr(Input, "cursor_blink", False)
    monkeypatch.setattr(TextArea, "cursor_blink", False)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The developer's home, configuration, colours and terminal are not the tests'."""
    home = tmp_path / "home"
    for variable, folder in {
        "HOME": home,
        "XDG_CONFIG_HOME": home / ".config",
        "XDG_DATA_HOME": home / ".local/share",
        "XDG_STATE_HOME": home / ".local/state",
        "XDG_CACHE_HOME": home / ".cache",
    }.items():
        folder.mkdir(parents=True, exist_ok=True)
        monkeypatch.setenv(variable, str(folder))
    for variable in ("NO_COLOR", "TEXTUAL", "TEXTUAL_THEME", "TEXTUAL_FILTERS", "COLUMNS", "LINES"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TZ", "UTC")


@pytest.fixture(params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def terminal_size(request: pytest.FixtureRequest) -> tuple[int, int]:
    """Each of the three sizes that pictures are taken at."""
    size: tuple[int, int] = request.param
    return size
