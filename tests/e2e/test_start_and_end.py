"""How emtui starts, how it refuses to, and how it leaves the terminal."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from emtui import __version__
from tests.e2e.conftest import EMTUI, OpenConsole, quit_console
from tests.e2e.terminal import Terminal

pytestmark = pytest.mark.e2e


def _refused(directory: Path, *options: str) -> str:
    """Start emtui where it cannot; returns the one line that it says, which never was a screen."""
    with Terminal([*EMTUI, "--local", str(directory), *options]) as terminal:
        code = terminal.wait_exit(30)
        assert code == 3, terminal.dump()
        assert terminal.left_behind() == []
        said = terminal.text().strip()
        assert "Traceback" not in said
        return said


@pytest.mark.parametrize("command", [["-m", "emtui"], ["-c", "from emtui.__main__ import main; main()"]])
def test_the_version(command: list[str]) -> None:
    done = subprocess.run([sys.executable, *command, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"emtui {__version__}\n"


@pytest.mark.parametrize("options", [[], ["--demo"], ["--local", "somewhere"]])
def test_without_a_terminal_it_says_so_in_one_line(options: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [*EMTUI, *options], cwd=tmp_path, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert re.fullmatch(r"emtui: .*terminal.*\n", done.stderr)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_option_is_refused() -> None:
    done = subprocess.run([*EMTUI, "--lokal"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--lokal" in done.stderr


def test_q_leaves_and_the_terminal_is_as_it_was(open_console: OpenConsole) -> None:
    terminal = open_console()
    assert terminal.alternate_screen
    quit_console(terminal)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_and_the_terminal_is_as_it_was(open_console: OpenConsole, number: signal.Signals) -> None:
    terminal = open_console()
    terminal.signal(number)
    code = terminal.wait_exit()
    assert code in (128 + number, -number)
    assert terminal.left_behind() == []


def test_a_terminal_that_is_gone_ends_it(open_console: OpenConsole, volume: Path) -> None:
    for number in range(200):
        (volume / f"frame-{number}").write_bytes(b"x")
    terminal = open_console(ready="frame-1")
    terminal.send("j" * 500)
    terminal.hang_up()
    assert terminal.process.wait(15) in (128 + signal.SIGHUP, -signal.SIGHUP)
    quit_console(open_console())


def test_the_workspace_is_free_again_after_a_signal(open_console: OpenConsole) -> None:
    terminal = open_console()
    terminal.signal(signal.SIGTERM)
    terminal.wait_exit()
    quit_console(open_console())


def test_the_workspace_is_free_again_after_kill_9(open_console: OpenConsole) -> None:
    terminal = open_console()
    terminal.signal(signal.SIGKILL)
    terminal.wait_exit()
    quit_console(open_console())


def test_without_options_it_opens_the_workspace_in_the_data_directory(own_home: Path) -> None:
    with Terminal(EMTUI, cwd=own_home) as terminal:
        terminal.wait_for("client1@local", 30)
        quit_console(terminal)
    assert (own_home / ".local/share/emtui/local/volume").is_dir()


def test_the_demo_has_something_in_every_pane(own_home: Path) -> None:
    with Terminal([*EMTUI, "--demo"], cwd=own_home) as terminal:
        terminal.wait_for("echo-test", 60)
        terminal.wait_for(re.compile(r"client1-\S+ +latest"), 60)
        terminal.wait_for(re.compile(r"[1-9]\d* models?\b"), 60)
        quit_console(terminal)


# --------------------------------------------------------------------------------------------- what cannot be opened


def test_a_file_is_no_workspace(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    assert "a file, not a directory" in _refused(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_directory_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/thesis.tex").write_text("mine")
    assert "not a workspace" in _refused(tmp_path / "theirs")
    assert [path.name for path in (tmp_path / "theirs").iterdir()] == ["thesis.tex"]


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    _refused(tmp_path / "file/below")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_second_one_on_the_same_workspace_is_told(open_console: OpenConsole, workspace: Path) -> None:
    terminal = open_console()
    said = _refused(workspace)
    assert "in use by another emtui" in said
    assert str(terminal.process.pid) in said
    quit_console(terminal)


def test_a_database_that_is_none(workspace: Path) -> None:
    workspace.mkdir()
    (workspace / "emtui.db").write_bytes(b"not a database, but long enough to look like one" * 100)
    before = (workspace / "emtui.db").read_bytes()
    assert "not a sound database" in _refused(workspace)
    assert (workspace / "emtui.db").read_bytes() == before


def test_a_name_that_would_own_the_terminal_is_harmless_in_the_error(tmp_path: Path) -> None:
    directory = tmp_path / "a\x1b]0;owned\x07\x1b[2Jb"
    directory.write_text("a file")
    with Terminal([*EMTUI, "--local", str(directory)]) as terminal:
        assert terminal.wait_exit(30) == 3
        assert b"\x1b]0;owned" not in terminal.raw
        assert "a\\x1b]0;owned" in terminal.text().replace("\n", "")


@pytest.mark.parametrize(
    ("options", "why"),
    [("ro", "Read-only file system"), ("size=64k", "No space left on device")],
    ids=["read-only", "full"],
)
def test_a_disk_that_cannot_be_written_to(tmp_path: Path, options: str, why: str) -> None:
    """On a small file system of its own, which only a namespace's root may mount."""
    mounted = tmp_path / "disk"
    mounted.mkdir()
    fill = "head -c 64k /dev/zero > full/filler 2>/dev/null" if "size" in options else "true"
    script = f'mount -t tmpfs -o {options} none "$1" && cd "$1" && mkdir -p full 2>/dev/null; {fill}; shift; exec "$@"'
    namespace = ["unshare", "--mount", "--map-root-user", "--", "sh", "-c"]
    probe = subprocess.run([*namespace, script, "sh", mounted, "true"], capture_output=True, text=True, check=False)
    if probe.returncode:
        assert not os.environ.get("CI"), probe.stderr
        pytest.skip(f"no file system can be mounted here: {probe.stderr.strip()}")
    with Terminal([*namespace, script, "sh", mounted, *EMTUI, "--local", str(mounted / "full/workspace")]) as terminal:
        code = terminal.wait_exit(30)
        assert code == 3, terminal.dump()
        assert why in terminal.text().replace("\n", "")
        assert "Traceback" not in terminal.text()
        assert terminal.left_behind() == []
