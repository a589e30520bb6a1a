"""How long until there is something to see: the console in local mode against a bare Textual app.

Both are started in turn in a pseudo-terminal, so that what else the machine does meets both alike. The first frame is
there when the panes and the footer are painted; the names, when the last file of the volume's root is.
"""

import re
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.table import Row
from tests.e2e.terminal import Terminal

FIRST_FRAME_BUDGET = 1.3
NAMES_BUDGET = 1.6
RUNS = 21
QUICK_RUNS = 7
TIMEOUT_S = 30.0

_SEQUENCES = re.compile(rb"\x1b(?:\[[0-9;:?<>=]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9]|[=>])")


def _since_start(command: Sequence[str], wanted: Sequence[Sequence[str]]) -> list[float]:
    """Start a program and note, in seconds since then, when each group of texts has been painted."""
    moments: list[float] = []
    start = time.monotonic()
    with Terminal(command, size=(120, 40), draw=False) as terminal:
        for group in wanted:
            texts = [text.encode() for text in group]

            def painted(terminal: Terminal, texts: list[bytes] = texts) -> bool:
                plain = _SEQUENCES.sub(b"", terminal.raw)
                return all(text in plain for text in texts)

            terminal.wait_for(painted, TIMEOUT_S, what=str(group))
            moments.append(terminal.last_output - start)
        terminal.signal(signal.SIGTERM)
        terminal.wait_exit()
    return moments


def seed(directory: Path) -> list[str]:
    """A small volume. Returns the names that must be seen."""
    volume = directory / "volume"
    volume.mkdir(parents=True)
    names = [f"frame-{number}.txt" for number in range(10)]
    for name in names:
        (volume / name).write_text(name)
    return names


def measure(quick: bool = False) -> list[Row]:
    bare = [sys.executable, str(Path(__file__).with_name("bare_app.py"))]
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "workspace"
        names = seed(directory)
        console = [sys.executable, "-m", "emtui", "--local", str(directory)]
        bare_wanted = [["bare-9.txt", "row-9", "palette"]]
        console_wanted = [["Files", "Images", "Pod", "Grid", "Activity", "Uplink"], names]
        _since_start(bare, bare_wanted)  # the first one of each reads from the disk
        _since_start(console, console_wanted)
        times = [
            (*_since_start(bare, bare_wanted), *_since_start(console, console_wanted))
            for _ in range(QUICK_RUNS if quick else RUNS)
        ]
    bare_s, frame_s, names_s = (statistics.median(column) for column in zip(*times, strict=True))
    return [
        Row("bare Textual app", bare_s, "s"),
        Row("first frame", frame_s, "s"),
        Row("the volume's names", names_s, "s"),
        Row("first frame, against the bare app", frame_s / bare_s, "x", FIRST_FRAME_BUDGET),
        Row("names, against the bare app", names_s / bare_s, "x", NAMES_BUDGET),
    ]
