"""`emtui files` and `emtui image` on a terminal: tables, questions, a build's log, Ctrl+C."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from emtui.cli.exit_codes import Exit
from tests.e2e.terminal import Terminal

pytestmark = pytest.mark.e2e


@pytest.fixture
def volume(workspace: Path) -> Path:
    made = workspace / "volume"
    (made / "d").mkdir(parents=True)
    (made / "d/data.bin").write_bytes(bytes(2048))
    (made / "a").write_bytes(b"old")
    return made


@pytest.fixture
def here(tmp_path: Path) -> Path:
    made = tmp_path / "here"
    made.mkdir()
    (made / "a").write_bytes(b"new")
    return made


@pytest.fixture
def started(workspace: Path, here: Path) -> Callable[..., Terminal]:
    """Starts a verb in a terminal."""

    def start(*words: str) -> Terminal:
        command = [sys.executable, "-m", "emtui", "--local", str(workspace), "--engine", "simulated", *words]
        return Terminal(command, cwd=here)

    return start


def test_a_table_has_a_header_and_sizes_for_people(started: Callable[..., Terminal], volume: Path) -> None:
    (volume / "\x1b]0;owned\x07").write_bytes(b"")
    with started("files", "list") as terminal:
        assert terminal.wait_exit() == Exit.OK
        lines = terminal.text().split("\n")
        assert re.fullmatch(r" +SIZE  TIME +PATH", lines[0])
        assert any(re.fullmatch(r"2\.0 KiB  \S+Z  d/data\.bin", line) for line in lines)
        assert "\\x1b]0;owned\\x07" in terminal.text()
        assert b"\x1b]0" not in terminal.raw
        assert b"\t" not in terminal.raw


@pytest.mark.parametrize(
    ("answer", "code", "there"),
    [("y", Exit.OK, b"new"), ("n", Exit.INTERRUPTED, b"old"), ("", Exit.INTERRUPTED, b"old")],
)
def test_replacing_is_asked_about_and_the_default_is_no(
    answer: str, code: Exit, there: bytes, started: Callable[..., Terminal], volume: Path
) -> None:
    with started("files", "uplink", "a") as terminal:
        terminal.wait_for("Replace /a of the volume? [y/N]")
        terminal.send(f"{answer}\r")
        assert terminal.wait_exit() == code
        assert terminal.left_behind() == []
    assert (volume / "a").read_bytes() == there


def test_what_vanishes_while_it_is_asked_about_is_told(
    started: Callable[..., Terminal], volume: Path, here: Path
) -> None:
    with started("files", "uplink", "a") as terminal:
        terminal.wait_for("[y/N]")
        (here / "a").unlink()
        terminal.send("y\r")
        assert terminal.wait_exit() == Exit.FAILED
        assert "No such file" in terminal.text()
    assert (volume / "a").read_bytes() == b"old"


def test_deleting_names_what_would_go(started: Callable[..., Terminal], volume: Path) -> None:
    with started("files", "delete", "a", "d") as terminal:
        terminal.wait_for("Delete 2 entries with 2 files, 2.0 KiB, from the volume for good? [y/N]")
        assert "/a" in terminal.text()
        assert "/d" in terminal.text()
        terminal.send("yes\r")
        assert terminal.wait_exit() == Exit.OK
    assert list(volume.iterdir()) == []


def test_ctrl_c_at_a_question_ends_it_at_once(started: Callable[..., Terminal], volume: Path) -> None:
    with started("files", "delete", "a") as terminal:
        terminal.wait_for("[y/N]")
        terminal.press("ctrl+c")
        assert terminal.wait_exit(5) == Exit.INTERRUPTED
        assert terminal.left_behind() == []
    assert (volume / "a").exists()


def test_a_file_on_stdout_is_harmless_on_a_terminal(started: Callable[..., Terminal], volume: Path) -> None:
    (volume / "a").write_bytes(b"\x1b]52;c;aGk=\x07text\n")
    with started("files", "downlink", "a", "-o", "-") as terminal:
        assert terminal.wait_exit() == Exit.OK
        assert "\\x1b]52;c;aGk=\\x07text" in terminal.text()
        assert b"\x1b]52" not in terminal.raw


def test_a_builds_log_is_shown_while_it_is_built_and_not_twice_when_it_fails(
    started: Callable[..., Terminal], volume: Path
) -> None:
    (volume / "d/Dockerfile").write_text("FROM alpine\nCOPY missing /\n")
    with started("image", "build", "--context", "d", "x") as terminal:
        assert terminal.wait_exit() == Exit.REFUSED
        told = terminal.text()
        assert told.count("FROM alpine") <= 1
        assert "emtui: Docker build failed." in told
        failing = [line for line in told.split("\n") if "missing" in line]
        assert failing
        assert len(set(failing)) == len(failing), told


def test_images_are_a_table(started: Callable[..., Terminal], volume: Path) -> None:
    (volume / "d/Dockerfile").write_text('FROM alpine\nCMD ["true"]\n')
    with started("image", "build", "--context", "d", "x") as terminal:
        assert terminal.wait_exit() == Exit.OK
    with started("image", "list") as terminal:
        assert terminal.wait_exit() == Exit.OK
        assert re.match(r"IMAGE +TAG +ID +CREATED +SIZE", terminal.text())
        assert "client1-x  latest" in terminal.text()
