"""`pod run --wait` and `pod status --watch` as processes: a terminal, Ctrl+C, and readers that go away."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from emtui.cli.exit_codes import Exit
from tests.cli.harness import Cli
from tests.cli.scripted_em import ScriptedEM, scripted_em
from tests.e2e.terminal import Terminal
from tests.serving import until

EMTUI = (sys.executable, "-m", "emtui")
RUN = ("pod", "run", "alpine", "--node", "FPGA", "--max-duration", "5", "--wait")
RUNNING = {"running": {"startedAt": "2026-11-25T12:00:00Z"}}
DONE = {"terminated": {"exitCode": 0, "reason": "Completed", "finishedAt": "2026-11-25T12:00:03Z"}}


def environment() -> dict[str, str]:
    return {**os.environ, "EMTUI_TOKEN": "token"}


def words(em: ScriptedEM, *more: str) -> list[str]:
    return [*EMTUI, "--em-url", em.url, "--api", "2025-11", *more]


@contextmanager
def process(*command: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A process in pipes, whose SIGINT is not ignored however the tests were started."""
    started = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 - takes no lock
    )
    try:
        yield started
    finally:
        started.kill()
        started.communicate(timeout=20)


def ended(started: "subprocess.Popen[bytes]") -> tuple[int, bytes, str]:
    stdout, stderr = started.communicate(timeout=20)
    return started.returncode, stdout, stderr.decode()


# ---------------------------------------------------------------------------------------------------------- wait


def test_ctrl_c_ends_the_waiting_and_the_pod_goes_on() -> None:
    with scripted_em(RUNNING) as em, process(*words(em, *RUN, "--json")) as started:
        until(lambda: em.told > 2, "it waits and has been told")
        started.send_signal(signal.SIGINT)
        code, stdout, stderr = ended(started)
    assert code == Exit.INTERRUPTED == 130
    assert stderr == "emtui: interrupted: the pod goes on: emtui pod status tells how it is\n"
    document = json.loads(stdout)
    assert document["run"]["stage"] == "complete"
    assert document["status"] == {"state": RUNNING}


def test_of_two_runs_the_one_that_was_replaced_before_it_started_does_not_tell_the_others_end() -> None:
    waiting = {"waiting": {"reason": "ContainerCreating"}}
    with scripted_em(waiting, RUNNING, DONE, is_stepped=True) as em, process(*words(em, *RUN)) as first:
        until(lambda: em.told > 1, "the first one waits")
        with process(*words(em, *RUN, "--yes")) as second:
            until(lambda: len(em.runs) == 2, "both were sent")
            code, stdout, stderr = ended(first)
            em.go_on()
            told = em.told
            until(lambda: em.told > told, "the second one sees its pod run")
            em.go_on()
            of_second = ended(second)
    assert (code, stdout) == (Exit.UNKNOWN, b"")
    assert "another run was sent before this one was seen to start" in stderr
    assert of_second[:2] == (0, b"Completed, exit code 0\n")


def test_a_pod_that_ran_is_not_said_to_have_been_replaced_before_its_start() -> None:
    others = {"running": {"startedAt": "2026-11-25T12:00:09Z"}}
    with scripted_em(RUNNING, others, is_stepped=True) as em, process(*words(em, *RUN, "--json")) as first:
        until(lambda: em.told > 2, "the first one runs and has been told")
        with process(*words(em, *RUN[:-1], "--yes")) as second:
            of_second = ended(second)
        em.go_on()
        code, stdout, stderr = ended(first)
    assert (code, of_second[0]) == (Exit.UNKNOWN, 0)
    assert "it started 2026-11-25T12:00:00Z, and the other 2026-11-25T12:00:09Z" in stderr
    assert json.loads(stdout)["status"] == {"state": RUNNING}


def test_sigterm_ends_it_with_143() -> None:
    with scripted_em(RUNNING) as em, process(*words(em, *RUN)) as started:
        until(lambda: em.told > 1, "it waits")
        started.terminate()
        code, stdout, stderr = ended(started)
    assert (code, stdout) == (143, b"")
    assert "the pod goes on" in stderr


def test_a_terminal_shows_how_far_it_is_and_keeps_the_result_only() -> None:
    waits = {"waiting": {"reason": "Container\x1b[31mCreating"}}
    with (
        scripted_em(waits, RUNNING, DONE, is_stepped=True) as em,
        Terminal(words(em, *RUN, "--yes"), env={"EMTUI_TOKEN": "token"}) as terminal,
    ):
        terminal.wait_for("waiting  Container\\x1b[31mCreating")
        em.go_on()
        terminal.wait_for("of 00:05:00")
        em.go_on()
        assert terminal.wait_exit() == 0
        lines = terminal.text().split("\n")
    assert lines[:2] == [
        "run alpine on FPGA for 5 min: Docker run scheduled successfully",
        "Completed, exit code 0",
    ]
    assert not any(lines[2:])


def test_a_scheduled_pod_is_counted_down_to() -> None:
    with (
        scripted_em({"waiting": {"reason": "Scheduled"}}) as em,
        Terminal(words(em, *RUN, "--at", "+10m"), env={"EMTUI_TOKEN": "token"}) as terminal,
    ):
        terminal.wait_for("waiting  T-00:09:5")
        terminal.press("ctrl+c")
        assert terminal.wait_exit() == Exit.INTERRUPTED
        assert "the pod goes on" in terminal.text()


@pytest.mark.parametrize(("reply", "code", "runs"), [("y\r", 0, 1), ("\r", Exit.INTERRUPTED, 0)])
def test_on_a_terminal_it_is_asked_whether_a_pod_is_replaced(reply: str, code: int, runs: int) -> None:
    with (
        scripted_em(DONE, before=RUNNING) as em,
        Terminal(words(em, *RUN[:-1]), env={"EMTUI_TOKEN": "token"}) as terminal,
    ):
        terminal.wait_for("A pod is active (running since 12:00:00Z). Stop and remove it, and run this one? [y/N]")
        terminal.send(reply)
        assert terminal.wait_exit() == code
        assert len(em.runs) == runs


# -------------------------------------------------------------------------------------------------------- status


def test_a_terminal_gets_a_table_with_a_header() -> None:
    with (
        scripted_em({}, before=DONE) as em,
        Terminal(words(em, "pod", "status"), env={"EMTUI_TOKEN": "token", "NO_COLOR": "1"}) as terminal,
    ):
        assert terminal.wait_exit() == 0
        header, row = terminal.text().split("\n")[:2]
    assert header.split() == ["STATE", "REASON", "EXIT", "STARTED", "ENDED", "MESSAGE"]
    assert row.split() == ["terminated", "Completed", "0", "2026-11-25T12:00:03Z"]


def test_a_terminal_is_told_that_there_is_no_pod(workspace: Path) -> None:
    with Terminal([*EMTUI, "--local", str(workspace), "--engine", "simulated", "pod", "status"]) as terminal:
        assert terminal.wait_exit() == 0
        assert "There is no pod: emtui pod run starts one." in terminal.text()


def test_a_watch_tells_each_change_once_until_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted_em(RUNNING, DONE, is_stepped=True) as em:
        monkeypatch.setenv("EMTUI_TOKEN", "token")
        Cli(monkeypatch, "--em-url", em.url, "--api", "2025-11").ok(*RUN[:-1])
        with process(*words(em, "pod", "status", "--watch", "--json")) as started:
            assert started.stdout is not None
            first = json.loads(started.stdout.readline())
            em.go_on()
            second = json.loads(started.stdout.readline())
            started.send_signal(signal.SIGINT)
            code, rest, stderr = ended(started)
    assert [first, second] == [{"state": RUNNING}, {"state": DONE}]
    assert (code, rest, stderr) == (Exit.INTERRUPTED, b"", "emtui: interrupted\n")


def test_a_watch_in_a_pipe_has_the_time_and_the_fields_of_the_status() -> None:
    with scripted_em({}, before=DONE) as em, process(*words(em, "pod", "status", "--watch")) as started:
        assert started.stdout is not None
        fields = started.stdout.readline().decode().rstrip("\n").split("\t")
    assert len(fields) == 7
    assert fields[0].endswith("Z")
    assert fields[1:4] == ["terminated", "Completed", "0"]


def test_a_watch_whose_reader_has_gone_ends_without_a_failure() -> None:
    with scripted_em({}, before=RUNNING) as em, process(*words(em, "pod", "status", "--watch")) as started:
        assert started.stdout is not None
        started.stdout.readline()
        started.stdout.close()
        assert started.wait(20) == 0
        assert started.stderr is not None
        assert started.stderr.read() == b""


def test_a_watch_gives_an_em_up_that_does_not_answer() -> None:
    with process(*EMTUI, "--em-url", "http://127.0.0.1:9", "--timeout", "1", "pod", "status", "--watch") as started:
        code, stdout, stderr = ended(started)
    assert (code, stdout) == (Exit.UNREACHABLE, b"")
    assert stderr.count("\n") == 1


def test_a_local_pod_is_waited_for_as_a_script_does(workspace: Path) -> None:
    command: list[Any] = [*EMTUI, "--local", workspace, "--engine", "simulated", *RUN]
    with process(*map(str, command)) as started:
        code, stdout, stderr = ended(started)
    assert (code, stderr) == (0, "emtui: the engine is simulated: nothing was executed\n")
    assert stdout.decode().startswith("Completed, exit code 0, ran 00:00:0")
