"""The streams of a real run: full, closed, or read by somebody who has read enough. Exit codes stay what they mean."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from emtui.cli.exit_codes import Exit
from tests.missing import missing

DEADLINE_S = 60
FULL = Path("/dev/full")


@pytest.fixture
def full() -> Path:
    """A device that has no room for anything."""
    if not FULL.exists():
        missing("there is no /dev/full here (Linux has it)")
    return FULL


def shell(line: str, workspace: Path) -> "subprocess.CompletedProcess[str]":
    """A line of sh, in which `emtui` is emtui on a workspace that executes nothing."""
    program = f'emtui() {{ "{sys.executable}" -m emtui --local "{workspace}" --engine simulated "$@"; }}; {line}'
    return subprocess.run(["sh", "-c", program], capture_output=True, text=True, timeout=DEADLINE_S, check=False)


RUN = "pod run alpine --node FPGA --max-duration 1"


@pytest.mark.parametrize("words", ["--version", "--help", "files list", "keys", "doctor", "pod status"])
def test_a_full_disk_behind_stdout_is_told_in_one_line(words: str, workspace: Path, full: Path) -> None:
    (workspace / "volume").mkdir(parents=True)
    (workspace / "volume/a").write_text("a")
    done = shell(f"emtui {words} > {full}", workspace)
    assert done.returncode == Exit.FAILED
    assert done.stderr.splitlines()[-1] == (
        "emtui: stdout: No space left on device. What it had to say is lost, and not what it has done."
    )
    assert "Traceback" not in done.stderr


def test_what_fails_fails_with_its_own_code_though_stdout_is_full(workspace: Path, full: Path) -> None:
    done = shell(f"emtui image build --dockerfile D --context none a --json > {full}", workspace)
    assert done.returncode == Exit.REFUSED
    assert "none" in done.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("image build --dockerfile D --context none a --json", Exit.REFUSED),
        ("files downlink none --json", Exit.NOT_FOUND),
        ("doctor --em-url http://127.0.0.1:1", Exit.CONFIG),
        ("files list", Exit.OK),
        ("--version", Exit.OK),
    ],
)
def test_a_reader_who_has_read_enough_changes_no_exit_code(words: str, code: Exit, workspace: Path) -> None:
    done = shell(f"(emtui {words}; echo $? >&2) | true", workspace)
    assert done.stderr.splitlines()[-1] == str(int(code))
    assert "Traceback" not in done.stderr


def test_a_command_is_done_whoever_reads_of_it(workspace: Path) -> None:
    done = shell(f"(emtui {RUN} --yes; echo $? >&2) | true; emtui log --json", workspace)
    assert done.stderr.splitlines()[-1] == "0"
    assert [entry["stage"] for entry in json.loads(done.stdout)] == ["complete"]


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_is_in_nobodys_way(closed: str, workspace: Path) -> None:
    assert shell(f"emtui files list {closed}", workspace).returncode == Exit.OK
    assert shell(f"emtui files delete none --yes {closed}", workspace).returncode == Exit.NOT_FOUND
    assert shell(f"emtui --version {closed}", workspace).returncode == Exit.OK


def test_without_stdin_nobody_is_asked(workspace: Path) -> None:
    (workspace / "volume").mkdir(parents=True)
    (workspace / "volume/a").write_text("a")
    done = shell("emtui files delete a <&-", workspace)
    assert done.returncode == Exit.USAGE
    assert "Nobody can be asked" in done.stderr


def test_ctrl_c_while_it_still_starts_is_one_line(workspace: Path) -> None:
    """Wherever in its start it comes: what it needs is still being imported, or the workspace is being opened."""
    words = [
        sys.executable,
        "-m",
        "emtui",
        "--local",
        str(workspace),
        "--engine",
        "simulated",
        "pod",
        "status",
        "--watch",
    ]
    for pause_s in (0.06, 0.1, 0.15, 0.2, 0.3):
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        time.sleep(pause_s)
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=DEADLINE_S)[1]
        # Before its first line is read, Python itself ends it.
        assert process.returncode in (Exit.INTERRUPTED, -signal.SIGINT), told
        if process.returncode == Exit.INTERRUPTED:
            assert told == "emtui: interrupted\n"
