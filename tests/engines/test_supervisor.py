"""The supervisor's own decisions, in this process: what it makes of a pod's end, of signals and of the disk."""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from emtui.local.engines.config import DEFAULT_PATH
from emtui.local.engines.disk import DiskWatch
from emtui.local.engines.records import PodFolder, PodRecord, State
from emtui.local.engines.sandbox.run import Ended
from emtui.local.engines.sandbox.supervisor import Supervisor
from emtui.local.workspace import Workspace
from tests.engines.conftest import ISOLATIONS
from tests.missing import missing

RECORD = PodRecord(
    pod_id="p", name="client1/a_b", engine="sandbox", reference="alpine", argv=["true"], env={"PATH": DEFAULT_PATH},
    workdir="/", user="", image_folder="", base="alpine", message="note", isolation="bwrap", max_duration_s=30.0,
    grace_s=0.3, asked_at=0.0,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGCHLD)}
    yield
    signal.set_wakeup_fd(-1)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(params=ISOLATIONS)
def isolation(request: pytest.FixtureRequest) -> str:
    if shutil.which(request.param) is None:
        missing(f"{request.param} is not installed")
    return str(request.param)


@pytest.fixture
def folder(workspace: Workspace) -> PodFolder:
    path = workspace.blobs / "pods" / "p"
    path.mkdir()
    return PodFolder(path)


def live(folder: PodFolder, record: PodRecord) -> State:
    lock = folder.take_lock()
    try:
        Supervisor(folder, record, lock, -1).live()
    finally:
        os.close(lock)
    state, is_final = folder.state()
    assert is_final
    assert not (folder.path / "root").exists()
    return state


def test_a_pod(folder: PodFolder, workspace: Workspace, isolation: str) -> None:
    record = replace(RECORD, isolation=isolation, argv=["sh", "-c", "hostname > /data/out; exit 4"])
    state = live(folder, record)["terminated"]
    assert (state["exitCode"], state["reason"], state["message"]) == (4, "Error", "note")
    assert (workspace.path / "volume" / "out").read_text() == "client1-a-b\n"


def test_over_its_time(folder: PodFolder, isolation: str) -> None:
    record = replace(RECORD, isolation=isolation, argv=["sleep", "60"], max_duration_s=0.3)
    state = live(folder, record)["terminated"]
    assert (state["exitCode"], state["reason"]) == (137, "DeadlineExceeded")


def test_stopped_while_it_runs(folder: PodFolder, isolation: str) -> None:
    folder.write("stop", {"grace_s": 0.2})
    record = replace(RECORD, isolation=isolation, argv=["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"])
    signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    signal.setitimer(signal.ITIMER_REAL, 2.0)
    state = live(folder, record)["terminated"]
    assert (state["exitCode"], state["message"]) == (137, "stopped as asked; note")


def test_evicted(folder: PodFolder, isolation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DiskWatch, "is_too_full", lambda _self: True)
    state = live(folder, replace(RECORD, isolation=isolation, argv=["sleep", "60"]))["terminated"]
    assert (state["exitCode"], state["reason"]) == (137, "Evicted")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"problem": "no such image"}, "no such image"),
        ({"argv": []}, "no command specified"),
        ({"argv": ["nope"]}, "executable file not found"),
        ({"image_folder": "gone", "base": ""}, "No such file"),
        ({"workdir": "/etc/passwd/x"}, "not a directory"),
        ({"base": ""}, "executable file not found"),
    ],
)
def test_cannot_start(folder: PodFolder, changes: dict[str, object], said: str) -> None:
    state = live(folder, replace(RECORD, **changes))["terminated"]  # type: ignore[arg-type] # the fields' own types
    assert (state["exitCode"], state["reason"]) == (128, "StartError")
    assert said in state["message"]


def test_missed_and_stopped_while_it_waits(folder: PodFolder) -> None:
    state = live(folder, replace(RECORD, scheduled_time=time.time() - 61))
    assert state["waiting"]["reason"] == "MissSchedule"
    signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    signal.setitimer(signal.ITIMER_REAL, 1.5)
    state = live(folder, replace(RECORD, scheduled_time=time.time() + 600))
    assert state["terminated"]["message"] == "stopped before it was started; note"


@pytest.mark.parametrize(
    ("ended", "code", "reason"),
    [
        (Ended(0), 0, "Completed"),
        (Ended(137), 137, "Error"),
        (Ended(137, is_out_of_memory=True), 137, "OOMKilled"),
        (Ended(0, is_overdue=True), 0, "DeadlineExceeded"),
        (Ended(137, is_evicted=True), 137, "Evicted"),
        (Ended(1, start_error="exec /x: no such file or directory"), 255, "Error"),
        (Ended(1, start_error="sandbox: no namespaces"), 128, "StartError"),
    ],
)
def test_what_an_end_means(folder: PodFolder, ended: Ended, code: int, reason: str) -> None:
    lock = folder.take_lock()
    try:
        state = Supervisor(folder, RECORD, lock, -1)._final(ended, 0.0)["terminated"]
    finally:
        os.close(lock)
    assert (state["exitCode"], state["reason"]) == (code, reason)


def test_the_least_free_space(tmp_path: Path) -> None:
    assert not DiskWatch(str(tmp_path), 1).is_too_full()
    # Where less than the wanted space is free already, half of it is kept.
    assert not DiskWatch(str(tmp_path), 1 << 60).is_too_full()
