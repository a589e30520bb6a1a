"""A console that is left open: its share of a core, its memory, and whether that grows. Linux only.

python benchmarks/idle.py [MINUTES]
"""

import os
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.first_frame import seed
from benchmarks.table import Row, show
from tests.e2e.terminal import Terminal

CPU_BUDGET_PERCENT = 1.0
MEMORY_BUDGET_MIB = 100.0
# Memory that an allocator takes once and keeps; a leak of a kilobyte a poll would be over it within the hour.
GROWTH_BUDGET_MIB = 0.7
SETTLE_S = 15.0
MINUTES = 3.0
QUICK_MINUTES = 0.5


def _cpu_s(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory_mib(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def watch(minutes: float) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "workspace"
        names = seed(directory)
        with Terminal([sys.executable, "-m", "emtui", "--local", str(directory)], size=(120, 40)) as terminal:
            terminal.wait_for(names[-1], 30)
            time.sleep(SETTLE_S)
            process = terminal.process.pid
            start, cpu_s, memory_mib = time.monotonic(), _cpu_s(process), _memory_mib(process)
            time.sleep(minutes * 60)
            percent = (_cpu_s(process) - cpu_s) / (time.monotonic() - start) * 100
            after_mib = _memory_mib(process)
    return [
        Row(f"share of a core over {minutes:g} min", percent, "%", CPU_BUDGET_PERCENT),
        Row("memory", after_mib, "MiB", MEMORY_BUDGET_MIB),
        Row("growth", after_mib - memory_mib, "MiB", GROWTH_BUDGET_MIB),
    ]


def measure(quick: bool = False) -> list[Row]:
    return watch(QUICK_MINUTES if quick else MINUTES)


if __name__ == "__main__":
    sys.exit(0 if show("idle", watch(float(sys.argv[1]) if len(sys.argv) > 1 else MINUTES)) else 1)
