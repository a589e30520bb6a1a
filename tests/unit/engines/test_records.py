"""A pod's folder, and the states that are made of it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from emtui.local.engines.records import PodFolder, PodRecord, joined, lost, overdue, running, waiting
from emtui.local.engines.simulated import CREATING_S, RUNNING_S, SIMULATED, simulated_state
from emtui.models import PodState


def record(**changes: object) -> PodRecord:
    values: dict[str, object] = {
        "pod_id": "p", "name": "p", "engine": "simulated", "reference": "a:b", "argv": ["\udc80"], "env": {},
        "workdir": "/", "user": "", "image_folder": "", "base": "", "message": "", "isolation": "",
        "max_duration_s": 60.0, "grace_s": 1.0, "asked_at": 1000.0,
    }  # fmt: skip
    return PodRecord(**{**values, **changes})  # type: ignore[arg-type] # the fields' own types


def test_record_and_state_round_trip(tmp_path: Path) -> None:
    folder = PodFolder(tmp_path)
    assert folder.record() is None
    assert folder.state() == ({}, False)
    folder.write_record(record())
    folder.write_state(waiting("R", "m"), is_final=True)
    assert folder.record() == record()
    assert folder.state() == ({"waiting": {"reason": "R", "message": "m"}}, True)
    (tmp_path / "state.json").write_text('{"state": ')
    assert folder.state() == ({}, False)


def test_the_lock_tells_who_lives(tmp_path: Path) -> None:
    folder = PodFolder(tmp_path)
    assert not folder.is_alive()
    assert not folder.signal_supervisor(signal.SIGTERM)
    assert folder.last_seen() == 0.0
    lock = folder.take_lock()
    assert folder.is_alive()
    with pytest.raises(BlockingIOError):
        folder.take_lock()
    assert not folder.wait_until_gone(0.05)
    holder = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE, pass_fds=[lock]
    )
    os.pwrite(lock, f"{holder.pid}\n".encode(), 0)
    os.close(lock)
    assert folder.is_alive()
    assert folder.signal_supervisor(signal.SIGTERM)
    assert holder.wait(10) == -signal.SIGTERM
    assert folder.wait_until_gone(10)
    # The number in the file may be another process's by now; nobody holds the lock, so nobody is signalled.
    (tmp_path / "lock").write_text(f"{os.getpid()}\n")
    assert not folder.signal_supervisor(signal.SIGTERM)
    assert holder.stdin is not None
    holder.stdin.close()


def test_lost(tmp_path: Path) -> None:
    folder = PodFolder(tmp_path)
    os.close(folder.take_lock())
    os.utime(tmp_path / "lock", (86_400, 86_400))
    state = PodState.model_validate(lost(folder, running(3600.0), "note"))
    assert state.terminated is not None
    assert (state.terminated.exit_code, state.terminated.reason) == (137, "ContainerStatusUnknown")
    assert "1970-01-02T00:00:00Z" in state.terminated.message
    assert state.terminated.started_at is not None
    assert state.terminated.started_at.timestamp() == 3600


def test_words() -> None:
    assert joined("a", "", "b") == "a; b"
    assert overdue(90) == "it was stopped after its 1.5 minutes"
    assert overdue(30) == "it was stopped after its 30 seconds"
    assert overdue(60) == "it was stopped after its 1 minute"
    assert overdue(1) == "it was stopped after its 1 second"


@pytest.mark.parametrize(
    ("changes", "at", "stopped", "kind", "reason"),
    [
        ({}, 0, None, "waiting", "ContainerCreating"),
        ({}, CREATING_S, None, "running", ""),
        ({}, CREATING_S + RUNNING_S, None, "terminated", "Completed"),
        ({}, 1e9, None, "terminated", "Completed"),
        ({"max_duration_s": 2.0}, CREATING_S + 2, None, "terminated", "DeadlineExceeded"),
        ({"scheduled_time": 2000.0}, 999, None, "waiting", "Scheduled"),
        ({"scheduled_time": 2000.0}, 1000 + CREATING_S, None, "running", ""),
        ({}, 100, 0.5, "terminated", "Error"),
        ({}, 100, 2.0, "terminated", "Error"),
        ({}, 100, 50.0, "terminated", "Completed"),
    ],
)
def test_simulated_states(changes: dict[str, object], at: float, stopped: float | None, kind: str, reason: str) -> None:
    state = simulated_state(record(**changes), 1000 + at, None if stopped is None else 1000 + stopped)
    (name,) = state
    assert name == kind
    assert state[name].get("reason", "") == reason
    assert SIMULATED in state[name]["message"]
    PodState.model_validate(state)
