"""`emtui doctor` as a program: in a pipe, in a terminal, where things are away, and ended early."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from emtui.local.workspace import Workspace
from tests.e2e.conftest import EMTUI
from tests.e2e.terminal import Terminal
from tests.serving import until

pytestmark = pytest.mark.e2e


def _run(*options: str, **more: str) -> "subprocess.CompletedProcess[str]":

    command = [*EMTUI, "doctor", *options]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, env={**os.environ, **more}
    )


def _tree(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


@pytest.fixture
def silent(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A Docker Engine that takes connections and never answers."""
    path = tmp_path_factory.mktemp("s") / "d.sock"
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))
        one.listen(8)
        monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
        yield


def test_in_a_pipe_it_is_plain_text_and_changes_nothing(own_home: Path, tmp_path: Path) -> None:
    done = _run("--local", str(tmp_path / "ws"), "--engine", "simulated")
    assert done.returncode == 0
    assert done.stderr == ""
    assert all(character == "\n" or character.isprintable() for character in done.stdout)
    assert max(map(len, done.stdout.splitlines())) <= 80
    heads = [line for line in done.stdout.splitlines() if line and not line.startswith(" ")]
    sections = ["engine", "workspace", "configuration", "versions", "terminal", "clock", "limits", "sign-in"]
    assert heads[: len(sections)] == sections
    assert "  note simulated        this one is used" in done.stdout
    assert "-> " in done.stdout
    assert "Local mode can be used, with the simulated engine." in done.stdout
    assert _tree(tmp_path) == []
    assert _tree(own_home) == []


def test_one_document_for_programs(tmp_path: Path) -> None:
    done = _run("--local", str(tmp_path / "ws"), "--json")
    assert done.returncode == 0
    assert done.stderr == ""
    told = json.loads(done.stdout)
    assert {check["state"] for check in told["checks"]} <= {"ok", "note"}
    assert all(check["todo"] for check in told["checks"] if check["state"] != "ok")
    assert told["engine"] in ("sandbox", "simulated")


def test_what_was_asked_for_and_cannot_be_had_is_the_exit_code(tmp_path: Path) -> None:
    assert _run("--engine", "docker").returncode == 3
    (tmp_path / "file").touch()
    assert _run("--local", str(tmp_path / "file"), "--engine", "simulated").returncode == 3
    done = _run("-p", "nix", "--json")
    assert done.returncode == 3
    (fail,) = (check for check in json.loads(done.stdout)["checks"] if check["state"] == "fail")
    assert fail["section"] == "configuration"
    assert _run("--em-url", "http://127.0.0.1:1").returncode == 3
    assert _run("--engine", "magic").returncode == 2


def test_a_workspace_that_is_in_use_is_no_fault(tmp_path: Path) -> None:
    one = Workspace(tmp_path / "ws")
    try:
        before = _tree(tmp_path)
        done = _run("--local", str(tmp_path / "ws"))
        assert _tree(tmp_path) == before
    finally:
        one.close()
    assert done.returncode == 0
    assert "in use           by another emtui" in done.stdout


def test_a_hostile_name_of_a_workspace_does_not_reach_the_terminal(tmp_path: Path) -> None:
    done = _run("--local", str(tmp_path / "a\x1b]52;c;eA==\x07\u202e[red]\nb"), "--engine", "simulated")
    assert all(character == "\n" or character.isprintable() for character in done.stdout)
    assert "\\x1b]52;c;eA==\\x07" in re.sub(r"\n {21}", "", done.stdout)


def test_nothing_of_the_screen_is_imported() -> None:
    program = (
        "import sys\n"
        "from emtui.__main__ import main\n"
        "code = main(['doctor', '--json'])\n"
        "print(code, *(name for name in ('textual', 'rich', 'widgets') if name in sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == "0\n"


@pytest.mark.parametrize("columns", [80, 120])
def test_in_a_terminal_it_has_shapes_and_colours_and_fits(columns: int, tmp_path: Path) -> None:
    with Terminal([*EMTUI, "doctor", "--local", str(tmp_path / "ws")], size=(columns, 120)) as terminal:
        assert terminal.wait_exit(60) == 0
        text = terminal.text()
        assert re.search(r"^  ● streams +stdin, stdout and stderr are terminals", text, re.MULTILINE)
        assert "looking at" not in text
        assert f"{columns} × 120" in text
        assert ("one pane at a time" in text) == (columns < 100)
        assert b"\x1b[32m" in terminal.raw
        assert not terminal.left_behind()


def test_without_colour_the_shapes_stay(tmp_path: Path) -> None:
    command = [*EMTUI, "doctor", "--local", str(tmp_path / "ws")]
    with Terminal(command, size=(100, 120), env={"NO_COLOR": "1"}) as terminal:
        assert terminal.wait_exit(60) == 0
        assert "● streams" in terminal.text()
        assert re.search(rb"\x1b\[[0-9;]*m", terminal.raw) is None


def test_letters_that_the_locale_has_not_are_words(tmp_path: Path) -> None:
    command = [*EMTUI, "doctor", "--local", str(tmp_path / "ws"), "--engine", "simulated"]
    with Terminal(command, size=(100, 120), env={"PYTHONIOENCODING": "ascii"}) as terminal:
        assert terminal.wait_exit(60) == 0
        assert "  ok   streams" in terminal.text()
        assert "100 \\xd7 120" in terminal.text()


def test_a_locale_that_has_not_its_letters_gets_ascii(tmp_path: Path) -> None:
    command = [*EMTUI, "doctor", "--local", str(tmp_path / "ws"), "--engine", "simulated"]
    with Terminal(command, size=(100, 120), env={"LC_ALL": "POSIX"}) as terminal:
        assert terminal.wait_exit(60) == 0
        assert "  ok   streams" in terminal.text()
        assert "looking at the engines ..." in terminal.raw.decode()
        assert terminal.raw.isascii()


def test_the_last_lines_of_a_small_terminal_say_what_does_not_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    command = [*EMTUI, "doctor", "--local", str(tmp_path / "file"), "--engine", "simulated"]
    with Terminal(command, size=(80, 24)) as terminal:
        assert terminal.wait_exit(60) == 3
        _, said, last = terminal.text().rpartition("Local mode cannot be used so: 1 line says")
        assert said
        assert re.search(r"could\s+be\s+better: .*simulated, ", last)
        assert re.search("▼ folder .*a file, not a\\s+directory\\s+→ Give --local a directory", last, re.DOTALL)


def test_a_pipe_in_place_of_the_configuration_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    began = time.monotonic()
    done = _run("-p", "em", "--config", str(tmp_path / "pipe"), "--json")
    assert time.monotonic() - began < 20
    assert (done.returncode, done.stderr) == (3, "")
    (fail,) = (check for check in json.loads(done.stdout)["checks"] if check["state"] == "fail")
    assert "not a regular file" in fail["found"]


# A configuration on a disk that is away: whoever opens it waits.
_HANGS = """
import sys, threading, emtui.config
from emtui.__main__ import main
emtui.config.read_config = lambda path: (print("reading", file=sys.stderr, flush=True), threading.Event().wait())
sys.exit(main(sys.argv[1:]))
"""


def test_a_configuration_that_never_answers_is_not_waited_for(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _HANGS, "doctor", "-p", "em", "--local", str(tmp_path / "ws"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 3
    fails = [check for check in json.loads(done.stdout)["checks"] if check["state"] == "fail"]
    assert {check["section"] for check in fails} == {"configuration"}
    assert all("no end within 5 s" in check["found"] and check["todo"] for check in fails)
    assert list(tmp_path.iterdir()) == []


def test_it_can_be_ended_while_the_configuration_does_not_answer(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _HANGS, "doctor", "-p", "em"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - it takes no lock
    )
    assert process.stderr is not None
    assert process.stderr.readline() == b"reading\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=5) == (b"", b"")
    assert process.returncode == 130


@pytest.mark.slow
def test_an_engine_that_never_answers_is_a_line_in_good_time(silent: None, tmp_path: Path) -> None:
    began = time.monotonic()
    done = _run("--local", str(tmp_path / "ws"), "--json")
    assert time.monotonic() - began < 30
    docker = json.loads(done.stdout)["checks"][0]
    assert (docker["name"], docker["state"]) == ("docker", "note")
    assert "does not answer" in docker["found"]
    assert docker["todo"]
    assert done.returncode == 0


# When in the examination it is ended: from the first moment in which there is something to be left behind. It is over
# a tenth of a second later.
MOMENTS_S = (0.0, 0.005, 0.01, 0.02, 0.03, 0.04)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("is_silent", [True, False])
def test_ended_early_it_leaves_nothing_behind(
    number: signal.Signals, is_silent: bool, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if is_silent:
        request.getfixturevalue("silent")
    for moment_s in MOMENTS_S:
        process = subprocess.Popen(
            [*EMTUI, "doctor", "--local", str(tmp_path / "ws")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Where the tests run under nohup or in the background, a child would ignore the signal too.
            preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # noqa: PLW1509 - it takes no lock
        )
        until(lambda: list(tmp_path.glob(".emtui-doctor-*")), "the place to try engines in")
        time.sleep(moment_s)
        process.send_signal(number)
        process.send_signal(number)  # who is impatient hinders nothing
        out, err = process.communicate(timeout=10)
        assert list(tmp_path.iterdir()) == []
        assert err == b""
        assert b"Traceback" not in out
        assert process.returncode == 128 + number


def test_who_has_read_enough_may_go(tmp_path: Path) -> None:

    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.Popen(
        [*EMTUI, "doctor", "--local", str(tmp_path / "ws"), "--engine", "simulated"],
        stdout=writing,
        stderr=subprocess.PIPE,
    )
    os.close(writing)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, b"")
    assert list(tmp_path.iterdir()) == []
