"""500 MB up and 300 MB down through the EM's client, against the script of `requests` calls that it replaces.

The other side is as bare as can be and in a process of its own: it takes or gives bytes, and knows nothing.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.table import Row

UP_BYTES = 500_000_000
DOWN_BYTES = 300_000_000
QUICK_BYTES = 100_000_000
RUNS = 3

UP_WALL_BUDGET = 0.8
DOWN_WALL_BUDGET = 0.5
MEMORY_BUDGET = 0.08


def _run(sender: str, direction: str, url: str, path: Path) -> dict[str, float]:
    """Seconds and peak bytes of one transfer in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.transferring", sender, direction, url, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
    told: dict[str, float] = json.loads(done.stdout)
    return told


def _ratios(direction: str, url: str, path: Path, runs: int) -> tuple[float, float, dict[str, float], dict[str, float]]:
    """The client's wall time and memory over those of `requests`: the median of runs in turn."""
    pairs = [(_run("emtui", direction, url, path), _run("requests", direction, url, path)) for _ in range(runs)]
    walls = sorted(ours["seconds"] / theirs["seconds"] for ours, theirs in pairs)
    memories = sorted(ours["bytes"] / theirs["bytes"] for ours, theirs in pairs)
    middle = pairs[len(pairs) // 2]
    return walls[len(walls) // 2], memories[len(memories) // 2], *middle


def measure(quick: bool = False) -> list[Row]:
    rows = []
    runs = 1 if quick else RUNS
    with tempfile.TemporaryDirectory() as folder:
        for direction, size, wall_budget in (
            ("up", QUICK_BYTES if quick else UP_BYTES, UP_WALL_BUDGET),
            ("down", QUICK_BYTES if quick else DOWN_BYTES, DOWN_WALL_BUDGET),
        ):
            path = Path(folder) / "file.bin"
            with path.open("wb") as file:
                file.truncate(size)
            sink = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.sink", str(size)],
                stdout=subprocess.PIPE,
                text=True,
                cwd=Path(__file__).parents[1],
            )
            assert sink.stdout is not None
            try:
                url = sink.stdout.readline().strip()
                wall, memory, ours, theirs = _ratios(direction, url, path, runs)
            finally:
                sink.terminate()
                sink.wait()
            what = f"{direction}, {size / 1e6:.0f} MB"
            rows += [
                Row(f"{what}: wall", wall, "×", wall_budget),
                Row(f"{what}: peak memory", memory, "×", MEMORY_BUDGET),
                Row(f"{what}: seconds, emtui", ours["seconds"], "s"),
                Row(f"{what}: seconds, requests", theirs["seconds"], "s"),
                Row(f"{what}: memory, emtui", ours["bytes"] / 1e6, "MB"),
                Row(f"{what}: memory, requests", theirs["bytes"] / 1e6, "MB"),
            ]
    return rows
