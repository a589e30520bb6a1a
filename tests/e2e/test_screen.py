"""What the terminal gets to see: every size, a storm of sizes, and names that would own it."""

import itertools
import os
import re
from pathlib import Path

import pytest

from tests.e2e.conftest import OpenConsole, quit_console
from tests.e2e.terminal import Terminal

pytestmark = pytest.mark.e2e

PANES = ("Files", "Images", "Pod", "Grid", "Activity")

# Each would do something to a terminal, or be read as markup by its library.
HOSTILE = (
    b"clear\x1b[2J\x1b[Hscreen",
    b"title\x1b]0;owned\x07",
    b"clipboard\x1b]52;c;b3duZWQ=\x07",
    b"link\x1b]8;;http:x\x07text",
    b"dcs\x1bP+q544e\x1b\\",
    b"c1\xc2\x9b31mred",
    b"new\nline",
    b"tab\tcarriage\rreturn",
    "bidi\u202egnp.exe".encode(),
    "zero\u200bwidth".encode(),
    b"marks" + "\u0301".encode() * 100,
    b"not-utf8\xff\xfe",
    b"[red]markup",
    b"[bold",
    b"[]",
    b"[@click=app.quit]button",
    b"-rf",
    b"$(reboot);`x`'\"",
)
# What of it must never be written, whatever stands around it.
FORBIDDEN = (
    b"\x1b]0;owned",
    b"\x1b]52;",
    b"\x1b]8;;http:x",
    b"\x1bP+q",
    b"\xc2\x9b",
    "\u202e".encode(),
    "\u200b".encode(),
    b"\xff",
    b"\xfe",
)


@pytest.mark.parametrize("size", [(120, 40), (200, 60)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_all_panes_are_there(open_console: OpenConsole, volume: Path, size: tuple[int, int]) -> None:
    (volume / "telemetry.bin").write_bytes(b"x" * 487)
    terminal = open_console(size=size, ready="telemetry.bin")
    text = terminal.text()
    for number, title in enumerate(PANES, 1):
        assert re.search(rf"\b{number} {title}\b", text), terminal.dump()
    assert re.search(r"\d{4}-\d{3} +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text.split("\n")[0])
    assert "u Uplink" in text.split("\n")[-1]
    quit_console(terminal)


def test_one_pane_at_a_time_on_a_small_screen(open_console: OpenConsole, volume: Path) -> None:
    (volume / "telemetry.bin").write_bytes(b"x" * 487)
    terminal = open_console(size=(80, 24), ready="telemetry.bin")
    for number, title in enumerate(PANES, 1):
        terminal.press(str(number))
        terminal.wait_for(re.compile(rf"\b{number} {title}\b"))
        others = [other for other in PANES if other != title and re.search(rf"\d {other} ─", terminal.text())]
        assert others == [], terminal.dump()
    quit_console(terminal)


def test_too_small_says_so(open_console: OpenConsole) -> None:
    terminal = open_console()
    terminal.resize(20, 5)
    terminal.wait_for(re.compile("small", re.IGNORECASE))
    terminal.resize(120, 40)
    terminal.wait_for("Activity")
    quit_console(terminal)


def test_a_storm_of_sizes(open_console: OpenConsole, volume: Path) -> None:
    for number in range(50):
        (volume / f"frame-{number:02}.raw").write_bytes(b"x")
    terminal = open_console(ready="frame-00.raw")
    terminal.press("down", "down", "down", "space")
    marked = terminal.wait_for("●").split("\n")
    row = next(line for line in marked if re.search(r"● +frame-", line))
    name = re.search(r"frame-\d\d", row)
    assert name
    for columns, lines in itertools.chain(
        itertools.product((1, 40, 79, 100, 161, 300), (1, 10, 29, 80)), ((width, width) for width in range(60, 0, -7))
    ):
        terminal.resize(columns, lines)
    terminal.resize(120, 40)
    terminal.wait_for(re.compile(rf"● +{name[0]}"))
    for title in PANES:
        terminal.wait_for(title)
    quit_console(terminal)


def test_hostile_names_are_shown_literally(open_console: OpenConsole, volume: Path) -> None:
    for name in HOSTILE:
        (volume / os.fsdecode(name)).write_bytes(b"x")
    terminal = open_console(size=(200, 60), ready="-rf")
    shown = terminal.wait_quiet()
    for text in (
        r"clear\x1b[2J\x1b[Hscreen",
        r"title\x1b]0;owned\x07",
        r"clipboard\x1b]52;c;b3duZWQ=\x07",
        r"c1\x9b31mred",
        r"new\nline",
        r"tab\tcarriage\rreturn",
        r"bidi\u202egnp.exe",
        r"zero\u200bwidth",
        r"not-utf8\xff\xfe",
        "[red]markup",
        "[bold",
        "[]",
        "[@click=app.quit]button",
        "$(reboot);`x`'\"",
    ):
        assert text in shown, terminal.dump()
    _walk_over_all(terminal)
    quit_console(terminal)
    for sequence in FORBIDDEN:
        assert sequence not in terminal.raw, sequence


def _walk_over_all(terminal: Terminal) -> None:
    """Every name under the cursor, marked, and in a dialog."""
    terminal.press("1")
    for _ in HOSTILE:
        terminal.press("down", "space")
    for key, word in (("x", "Cancel"), ("d", "Cancel")):
        terminal.press(key)
        terminal.wait_for(word)
        terminal.wait_quiet()
        terminal.press("escape")
        terminal.wait_gone(word)
    terminal.press("/")
    terminal.send("owned")
    terminal.wait_quiet()
    terminal.press("escape")
