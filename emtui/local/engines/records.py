"""A pod's folder: what was asked, how it is, and the lock that its supervisor holds for life.

blobs/pods/<pod id>/
    record.json   what is to run; written once
    state.json    `{"state": <ContainerState as on the wire>, "is_final": bool}`; replaced whole at each change
    lock          held (flock) by the supervisor as long as it lives; its process number is in it
    stop          `{"grace_s": …}`, written before the supervisor is told to stop
    reserve       some room on the disk for the last state; gone when that is written
    root/, shm/   the pod's own files; gone when it has ended

A lock dies with its holder, so that no number that was given to another process can be taken for a living pod. This
module uses the standard library only.
"""

import contextlib
import errno
import fcntl
import json
import os
import select
import signal
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

MISSED_AFTER_S = 60.0
"""A scheduled time that passed longer ago is not made up for."""

_HEARTBEAT_S = 5.0
_RESERVE = "reserve"
_RESERVE_BYTES = 64 << 10

State = dict[str, Any]
"""A Kubernetes `ContainerState` as it is on the wire (EM API §9)."""


@dataclass(frozen=True, slots=True)
class PodRecord:
    """What is to run.

    Attributes:
        engine: `docker`, `sandbox` or `simulated`. Of what docker runs nothing is here: it has a file of its own.
        argv, env, workdir, user: as the image and the request say; `user` as the image has it.
        image_folder: the image's root folder below `blobs/images`; empty where there is none.
        base: the base image whose userland is to be made where there is no `image_folder`; empty for none.
        message: what is special about this run, shown in every state.
        isolation: `bwrap` or `unshare`.
        scheduled_time: seconds since the epoch, None for now.
        asked_at: seconds since the epoch.
        problem: why it cannot be started, empty where nothing is known against it.
        memory_bytes, processes: what it may use; 0 for what suits this machine (sandbox only).
    """

    pod_id: str
    name: str
    engine: str
    reference: str
    argv: list[str]
    env: dict[str, str]
    workdir: str
    user: str
    image_folder: str
    base: str
    message: str
    isolation: str
    max_duration_s: float
    grace_s: float
    asked_at: float
    scheduled_time: float | None = None
    problem: str = ""
    memory_bytes: int = 0
    processes: int = 0


class PodFolder:
    """The folder of one pod. It may be looked at by several processes; only the supervisor writes the state."""

    def __init__(self, path: Path) -> None:
        self.path = path

    # ------------------------------------------------------------------------------------------------ files

    def reserve(self) -> None:
        """Take some room on the disk, so that how a pod ended can be written down also when that has filled it."""
        with (self.path / _RESERVE).open("wb") as file:
            file.write(bytes(_RESERVE_BYTES))

    def write(self, name: str, value: Any) -> None:
        """Replace a JSON file whole: temporary name, sync, rename, sync of the folder. Raises OSError."""
        try:
            self._write(name, value)
        except OSError as error:
            if error.errno != errno.ENOSPC or not (self.path / _RESERVE).exists():
                raise
            (self.path / _RESERVE).unlink()
            self._write(name, value)

    def _write(self, name: str, value: Any) -> None:
        temporary = self.path / f".{name}.new"
        with temporary.open("w", encoding="ascii") as file:
            json.dump(value, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.path / name)
        folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def read(self, name: str) -> Any:
        """A JSON file, None where it is missing or torn."""
        try:
            return json.loads((self.path / name).read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None

    def record(self) -> PodRecord | None:
        values = self.read("record.json")
        return PodRecord(**values) if isinstance(values, dict) else None

    def write_record(self, record: PodRecord) -> None:
        self.write("record.json", asdict(record))

    def write_state(self, state: State, *, is_final: bool = False) -> None:
        self.write("state.json", {"state": state, "is_final": is_final})
        if is_final:
            (self.path / _RESERVE).unlink(missing_ok=True)

    def state(self) -> tuple[State, bool]:
        """The last state and whether it is final; `({}, False)` where none was written."""
        values = self.read("state.json")
        return (values["state"], values["is_final"]) if isinstance(values, dict) else ({}, False)

    def grace_asked(self, otherwise: float) -> float:
        """The seconds of grace that whoever stops the pod has written down."""
        asked = self.read("stop")
        return float(asked["grace_s"]) if isinstance(asked, dict) else otherwise

    # ------------------------------------------------------------------------------------------------- life

    def take_lock(self) -> int:
        """The lock, held; the descriptor is for the supervisor to inherit. Raises BlockingIOError where it is held."""
        fd = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def is_alive(self) -> bool:
        """Whether a supervisor holds the lock."""
        try:
            fd = os.open(self.path / "lock", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        return False

    def last_seen(self) -> float:
        """When the supervisor last gave a sign of life, seconds since the epoch."""
        try:
            return (self.path / "lock").stat().st_mtime
        except OSError:
            return 0.0

    def signal_supervisor(self, number: int) -> bool:
        """Send a signal to the one who holds the lock; False where nobody does.

        The lock is looked at again after the process was opened: a holder that lives then is the one that was opened.
        """
        try:
            pid = int((self.path / "lock").read_text(encoding="ascii"))
            handle = os.pidfd_open(pid)
        except (OSError, ValueError):
            return False
        try:
            if not self.is_alive():
                return False
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, number)
            return True
        finally:
            os.close(handle)

    def wait_until_gone(self, timeout_s: float) -> bool:
        """Wait until nobody holds the lock; False where the time is over first."""
        deadline = time.monotonic() + timeout_s
        while self.is_alive():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            select.select([], [], [], min(0.02, left))
        return True


class Heartbeat:
    """A supervisor's sign of life, for whoever finds its pod lost later (`PodFolder.last_seen`)."""

    def __init__(self, lock: int) -> None:
        self._lock = lock
        self._beaten = 0.0

    def beat(self) -> None:
        """To be called at least every second."""
        now = time.monotonic()
        if now - self._beaten >= _HEARTBEAT_S or not self._beaten:
            self._beaten = now
            os.utime(self._lock)


def host_name(name: str) -> str:
    """A pod's name as one that a host can have: letters, digits and `-`, at most 63."""
    made = "".join(character if character.isascii() and character.isalnum() else "-" for character in name)
    return made.strip("-")[:63].rstrip("-") or "pod"


def wire_time(moment: float) -> str:
    """Seconds since the epoch as `2025-11-20T12:31:12Z`."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def waiting(reason: str, *messages: str) -> State:
    return {"waiting": {"reason": reason, "message": joined(*messages)}}


def running(started_at: float, *messages: str) -> State:
    return {"running": {"startedAt": wire_time(started_at), "message": joined(*messages)}}


def terminated(
    exit_code: int, reason: str, *messages: str, started_at: float | None = None, finished_at: float | None = None
) -> State:
    state: dict[str, Any] = {"exitCode": exit_code, "reason": reason, "message": joined(*messages)}
    if started_at is not None:
        state["startedAt"] = wire_time(started_at)
    state["finishedAt"] = wire_time(time.time() if finished_at is None else finished_at)
    return {"terminated": state}


def missed(record: PodRecord) -> State:
    """The last state of a pod whose scheduled time passed while the machine slept or its clock jumped."""
    scheduled = wire_time(record.scheduled_time or 0)
    told = f"its time {scheduled} passed while nothing could be started; run it again"
    return waiting("MissSchedule", told, record.message)


def overdue(max_duration_s: float) -> str:
    """What is said of a pod that was stopped at its `max_duration`."""
    number, unit = (max_duration_s / 60, "minute") if max_duration_s >= 60 else (max_duration_s, "second")
    return f"it was stopped after its {number:g} {unit}{'' if number == 1 else 's'}"


def joined(*messages: str) -> str:
    """Several things to say as one text."""
    return "; ".join(message for message in messages if message)


def lost(folder: PodFolder, state: State, message: str) -> State:
    """The state of a pod whose supervisor is gone without a last word."""
    started = state.get("running", {}).get("startedAt")
    seen = folder.last_seen()
    made = terminated(
        137,
        "ContainerStatusUnknown",
        f"its supervisor was lost (killed, or the machine restarted); its last sign of life was at {wire_time(seen)}",
        message,
        finished_at=seen,
    )
    if started:
        made["terminated"]["startedAt"] = started
    return made
