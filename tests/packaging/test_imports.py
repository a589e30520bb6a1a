"""What is imported when: nothing of the screen below the console, nothing that costs time before the first frame."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.terminal import Terminal

HEADLESS = (
    "emtui",
    "emtui.models",
    "emtui.errors",
    "emtui.backend",
    "emtui.commands",
    "emtui.text",
    "emtui.views",
    "emtui.journal.journal",
    "emtui.link.link",
    "emtui.session",
    "emtui.local.em",
    "emtui.local.grid",
    "emtui.local.engines.choose",
    "emtui.cli.nouns.serve",
    "emtui.cli.nouns.doctor",
    "emtui.cli.nouns.keys",
    "emtui.cli.nouns.themes",
    "emtui.keys.keymap",
    "emtui.theme_files",
)
SCREEN = {"textual", "rich", "widgets"}
LATE = {"httpx", "socketio", "engineio", "typer", "pathspec", "aiodocker"}


def _imported_by(module: str) -> set[str]:
    program = f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", HEADLESS)
def test_nothing_of_the_screen_below_the_console(module: str) -> None:
    assert _imported_by(module) & SCREEN == set()


def test_the_version_costs_nothing() -> None:
    program = "import sys\nimport emtui.__main__\nprint(*(name.partition('.')[0] for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & (SCREEN | LATE | {"pydantic", "sqlite3", "asyncio"}) == set()


@pytest.mark.e2e
def test_what_costs_time_is_not_imported_before_there_is_something_to_see(tmp_path: Path) -> None:
    (tmp_path / "ws/volume").mkdir(parents=True)
    (tmp_path / "ws/volume/telemetry.bin").write_bytes(b"x")
    told = tmp_path / "modules"
    program = (
        "import os, signal, sys\n"
        "def tell(number, frame):\n"
        f"    open({str(told) + '.part'!r}, 'w').write(' '.join(sys.modules))\n"
        f"    os.rename({str(told) + '.part'!r}, {str(told)!r})\n"
        "signal.signal(signal.SIGUSR1, tell)\n"
        "from emtui.__main__ import main\n"
        f"sys.exit(main(['--local', {str(tmp_path / 'ws')!r}]))\n"
    )
    with Terminal([sys.executable, "-c", program]) as terminal:
        terminal.wait_for("telemetry.bin", 30)
        terminal.signal(signal.SIGUSR1)
        terminal.wait_for(lambda _: told.exists(), what="the list of modules")
        modules = {name.partition(".")[0] for name in told.read_text().split()}
        assert "textual" in modules
        assert modules & LATE == set()
        terminal.press("q")
        assert terminal.wait_exit() == 0
