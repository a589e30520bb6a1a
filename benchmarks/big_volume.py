"""A volume of 100,000 files in 100 directories: is it on the screen at once, and does the console stay quick?"""

import json
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from benchmarks.table import Row, percentile
from tests.e2e.terminal import Terminal

DIRECTORIES = 100
FILES_IN_EACH = 1000
NAMES_AFTER_ANSWER_BUDGET_S = 1.5
KEY_BUDGET_MS = 50
BLOCKED_BUDGET_MS = 10
KEYS = 100
QUICK_KEYS = 40
POLLS = 10
# The console's own work around a poll: the listing comes in, is compared, and is let go.
AROUND_POLL_S = 0.5
TIMEOUT_S = 180.0


def fill(volume: Path) -> None:
    for number in range(DIRECTORIES):
        folder = volume / f"dir-{number:03d}"
        folder.mkdir(parents=True)
        for name in range(FILES_IN_EACH):
            (folder / f"file-{name:04d}.dat").write_bytes(b"%d" % name)


def _notes(path: Path, key: str) -> list[dict[str, float]]:
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [note for note in map(json.loads, lines) if key in note]


def _await_polls(path: Path, count: int) -> list[float]:
    deadline = time.monotonic() + TIMEOUT_S
    while len(found := _notes(path, "answered")) < count:
        assert time.monotonic() < deadline, f"{len(found)} of {count} listings came"
        time.sleep(0.2)
    return [note["answered"] for note in found]


def _has_more(size: int, terminal: Terminal) -> bool:
    return len(terminal.raw) > size


def _key_times(terminal: Terminal, count: int) -> list[float]:
    """Milliseconds from a key until something changes on the screen."""
    times = []
    for number in range(count):
        terminal.wait_quiet(0.05, TIMEOUT_S)
        answered = partial(_has_more, len(terminal.raw))
        start = time.monotonic()
        terminal.send("j" if number % 10 else "k")
        terminal.wait_for(answered, 10, what="an answer to a key")
        times.append((terminal.last_output - start) * 1000)
    return times


def _once(directory: Path, keys: int) -> tuple[float, list[float], list[float]]:
    """Seconds from the answer to the names, milliseconds of the keys, milliseconds blocked by unchanged polls."""
    notes = directory.parent / "notes"
    notes.unlink(missing_ok=True)
    command = [sys.executable, str(Path(__file__).with_name("probe.py")), str(notes), "--local", str(directory)]
    environment = {"PYTHONPATH": str(Path(__file__).parents[1])}
    with Terminal(command, size=(120, 40), draw=False, env=environment) as terminal:
        terminal.wait_for(lambda terminal: b"dir-009" in terminal.raw, TIMEOUT_S, what="dir-009")
        seen = terminal.last_output
        answered = _await_polls(notes, 1)[0]
        terminal.press("1", "down", "enter")
        times = _key_times(terminal, keys)
        # A volume of this size is polled seldom by itself; `R` asks at once.
        polls = []
        for _ in range(POLLS):
            already = len(_notes(notes, "answered"))
            terminal.press("R")
            polls += _await_polls(notes, already + 1)[already:]
            time.sleep(AROUND_POLL_S)
        blocked = [
            note["blocked_s"] * 1000
            for note in _notes(notes, "blocked_s")
            if any(poll - AROUND_POLL_S < note["at"] < poll + AROUND_POLL_S for poll in polls)
        ]
        terminal.press("q")
    return seen - answered, times, blocked


def measure(quick: bool = False) -> list[Row]:
    keys = QUICK_KEYS if quick else KEYS
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "workspace"
        fill(directory / "volume")
        first, _, _ = _once(directory, 5)
        again, times, blocked = _once(directory, keys)
    return [
        Row("names after the answer, first time", first, "s", NAMES_AFTER_ANSWER_BUDGET_S),
        Row("names after the answer, hashes known", again, "s", NAMES_AFTER_ANSWER_BUDGET_S),
        Row("a key, median", percentile(times, 50), "ms"),
        Row("a key, 95 of 100", percentile(times, 95), "ms", KEY_BUDGET_MS),
        Row("loop blocked by an unchanged poll, most", max(blocked, default=0.0), "ms", BLOCKED_BUDGET_MS),
    ]
