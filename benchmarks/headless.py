"""How long the command line takes to start: against the import of what the console and its clients are made of."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.first_frame import seed
from benchmarks.table import Row

BUDGET = 0.5
RUNS = 21
QUICK_RUNS = 7
IMPORTS = "import textual.app, httpx, socketio"

CONFIGURATION = """\
version = 1

[console]
theme = "dark"

[profile.em]
em_url = "https://em.example.org"
username = "client1"
"""


def _took(command: Sequence[str]) -> float:
    # Installed libraries are compiled, so emtui is too, by its first run.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    return time.monotonic() - began


def measure(quick: bool = False) -> list[Row]:
    emtui = [sys.executable, "-m", "emtui"]
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "workspace"
        seed(directory)
        config = Path(folder) / "config.toml"
        config.write_text(CONFIGURATION)
        local = ["files", "list", "--local", str(directory)]
        commands = {
            "the imports": [sys.executable, "-c", IMPORTS],
            "emtui --help": [*emtui, "--help"],
            "emtui files list": [*emtui, *local],
            "emtui files list, with a configuration": [*emtui, *local, "--config", str(config)],
        }
        for command in commands.values():  # the first one of each reads from the disk
            _took(command)
        rounds = [[_took(command) for command in commands.values()] for _ in range(QUICK_RUNS if quick else RUNS)]
    imports_s, *others = (statistics.median(column) for column in zip(*rounds, strict=True))
    rows = [Row("the imports", imports_s, "s")]
    return rows + [
        Row(f"{name}, against the imports", took_s / imports_s, "x", BUDGET)
        for name, took_s in zip(list(commands)[1:], others, strict=True)
    ]
