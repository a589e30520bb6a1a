"""The life of one pod in a Docker Engine, in a process of its own that goes on when emtui has ended.

Started by the engine as `python -m … FOLDER LOCK IMAGE_LOCK`: the pod's folder, its held lock, and -1. What it asks
the engine for is in the folder's `container.json`. A container that is there already is taken on: a supervisor before
this one was lost. The Docker Engine may go away and come back; the container is looked for until it is found again.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emtui.local.engines.disk import DiskWatch
from emtui.local.engines.docker.daemon import Daemon
from emtui.local.engines.docker.places import Place
from emtui.local.engines.docker.pods.containers import Containers
from emtui.local.engines.docker.pods.states import Inspected, cannot_start, ended
from emtui.local.engines.docker.problems import DaemonProblem
from emtui.local.engines.records import (
    MISSED_AFTER_S,
    Heartbeat,
    PodFolder,
    PodRecord,
    State,
    missed,
    overdue,
    running,
    terminated,
    waiting,
    wire_time,
)

ORDER = "container.json"
"""The file with what the supervisor needs: `place`, `name`, `body`, `keep_free_bytes`, `watched`."""

_ENDING = "ending.json"
_TICK_S = 1.0
# A fast disk is filled within a second.
_DISK_S = 0.25
# How long a Docker Engine that is away is waited for, where a container of this pod cannot be there yet.
_START_PATIENCE_S = 30.0
# A container that could not be removed is tried again for so long; after that the next engine does it.
_LAST_PATIENCE_S = 600.0
_AWAY_PATIENCE_S = 24 * 3600.0
_BY_SIGNAL = (137, 143)
_LOOKS = 4
_BETWEEN_LOOKS_S = 0.5
_EVICTED = "The node was low on resource: ephemeral-storage"


class _Stopped(Exception):
    """It is to stop before the container was started."""


class _Gone(Exception):
    """The container is not in the engine any more."""


@dataclass(slots=True)
class _Course:
    """What has been done to a container that runs. Times are monotonic."""

    term_at: float
    kill_at: float = float("inf")
    is_told_to_end: bool = False
    overdue: str = ""
    evicted: str = ""
    asked: bool = False
    told: str = ""


class Supervisor:
    """One pod."""

    def __init__(self, folder: PodFolder, record: PodRecord, lock: int, order: dict[str, Any]) -> None:
        self._folder = folder
        self._record = record
        self._order = order
        self._note = record.message
        self._life = Heartbeat(lock)
        self._stop = asyncio.Event()
        self._containers = Containers(Daemon(Place(**order["place"])), order["name"])
        self._disks = [DiskWatch(path, order["keep_free_bytes"]) for path in order["watched"] if Path(path).is_dir()]

    async def live(self) -> None:
        """From the folder to the last state."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._stop.set)
        try:
            final = self._folder.read(_ENDING) or await self._last_state()
            # Written down before the container goes, since nothing else knows of it then.
            with contextlib.suppress(OSError):
                self._folder.write(_ENDING, final)
            until = time.monotonic() + _LAST_PATIENCE_S
            is_removed = await self._remove()
            is_written = self._write_last(final)
            # A disk that is full, an engine that is away: both are tried again for a while.
            while not (is_removed and is_written) and time.monotonic() < until:
                await asyncio.sleep(_TICK_S)
                is_removed = is_removed or await self._remove()
                is_written = is_written or self._write_last(final)
        finally:
            await self._containers.aclose()

    def _write_last(self, final: State) -> bool:
        try:
            self._folder.write_state(final, is_final=True)
        except OSError:
            return False
        return True

    async def _remove(self) -> bool:
        """Remove the container; whether it is gone."""
        try:
            await self._containers.remove()
        except DaemonProblem:
            return False
        return True

    async def _last_state(self) -> State:
        if self._record.problem:
            return terminated(128, "StartError", self._record.problem, self._note)
        try:
            return await self._live()
        except _Stopped:
            return terminated(143, "Error", "stopped before it was started", self._note)
        except _Gone:
            state = self._folder.state()[0].get("running", {})
            final = terminated(137, "ContainerStatusUnknown", "its container was removed by somebody else", self._note)
            if "startedAt" in state:
                final["terminated"]["startedAt"] = state["startedAt"]
            return final
        except DaemonProblem as problem:
            return cannot_start(problem.message, self._note)

    async def _live(self) -> State:
        found = await self._created()
        if not found.has_started:
            if not await self._wait_for_time():
                return missed(self._record)
            found = await self._started()
        course = _Course(term_at=time.monotonic() + self._left(found))
        if not found.has_ended:
            self._tell(running(found.started_at, self._note))
            found = await self._watch(found, course)
        if not found.has_ended:
            return terminated(137, "Error", course.told, self._note, started_at=found.started_at)
        found = await self._looked_at_again(found, course)
        last_words = ""
        with contextlib.suppress(DaemonProblem):
            last_words = await self._containers.only_line()
        return ended(found, last_words, overdue=course.overdue, evicted=course.evicted, asked=course.asked,
                     note=self._note, told=course.told)  # fmt: skip

    async def _looked_at_again(self, found: Inspected, course: _Course) -> Inspected:
        """A container that a signal has ended for no known reason, once the reason had time to be told.

        The engine hears of the kernel's want of memory on another way than of the end; and one that is being stopped
        ends its containers first, and still answers for a moment.
        """
        is_explained = course.overdue or course.evicted or course.asked or course.told or found.is_out_of_memory
        if found.exit_code not in _BY_SIGNAL or is_explained:
            return found
        for _ in range(_LOOKS):
            await self._pause(_BETWEEN_LOOKS_S)
            try:
                again = await self._containers.find()
            except DaemonProblem as problem:
                if problem.is_gone:
                    course.told = "the Docker Engine was stopped at that time, and the pod with it"
                return found
            if again is None:
                course.told = "its container was removed by somebody else"
                return found
            if again.is_out_of_memory:
                return again
        return found

    def _tell(self, state: State) -> None:
        """Write down how it is. A full disk does not end the supervision: the next state may find room again."""
        with contextlib.suppress(OSError):
            self._folder.write_state(state)

    def _left(self, found: Inspected) -> float:
        """Seconds of its time that are left to a container; a clock that jumped gives it no more than all."""
        return min(self._record.max_duration_s, self._record.max_duration_s - (time.time() - found.started_at))

    # -------------------------------------------------------------------------------------------- before it

    async def _created(self) -> Inspected:
        """The pod's container, made where there is none yet."""
        until = time.monotonic() + _START_PATIENCE_S
        was_there = self._folder.read("created") is not None
        while True:
            self._check()
            try:
                found = await self._containers.find()
                break
            except DaemonProblem as problem:
                if not problem.is_gone or (time.monotonic() > until and not was_there):
                    raise
                await self._pause(_TICK_S)
        if found is not None:
            return found
        if was_there:
            raise _Gone
        self._tell(waiting("ContainerCreating", self._note))
        await self._containers.create(self._order["body"])
        self._folder.write("created", {"at": time.time()})
        return await self._containers.inspect()

    async def _started(self) -> Inspected:
        """The container, started. An engine that is away is waited for as long as a time may be missed."""
        until = time.monotonic() + MISSED_AFTER_S
        while True:
            self._check()
            try:
                await self._containers.start()
                return await self._containers.inspect()
            except DaemonProblem as problem:
                # Removed by somebody meanwhile: it has not run, so it is made anew.
                is_lost = problem.status == 404 and await self._containers.find() is None
                if not is_lost and (not problem.is_gone or time.monotonic() > until):
                    raise
            if is_lost:
                await self._containers.create(self._order["body"])
                continue
            await self._pause(_TICK_S)
            with contextlib.suppress(DaemonProblem):
                found = await self._containers.find()
                if found is not None and found.has_started:
                    return found  # its answer was lost, and not the order

    def _check(self) -> None:
        self._life.beat()
        if self._stop.is_set():
            raise _Stopped

    async def _wait_for_time(self) -> bool:
        """Wait by the wall clock, looked at every second since it may jump; False where the time was missed."""
        scheduled = self._record.scheduled_time
        if scheduled is None:
            return True
        self._tell(waiting("Scheduled", f"starts at {wire_time(scheduled)}", self._note))
        while (left := scheduled - time.time()) > 0:
            self._check()
            await self._pause(min(_TICK_S, left))
        self._check()
        return left > -MISSED_AFTER_S

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)

    # --------------------------------------------------------------------------------------------- during it

    async def _watch(self, found: Inspected, course: _Course) -> Inspected:
        """Until the container has ended: its time, the disk, orders, and a Docker Engine that comes and goes."""
        end = asyncio.ensure_future(self._containers.wait())
        try:
            while True:
                self._life.beat()
                try:
                    await self._act(course)
                    if not await self._ended_soon(end, course):
                        continue
                    end.result()
                    found = await self._containers.inspect()
                    if found.has_ended:
                        return found
                except DaemonProblem as problem:
                    if not problem.is_gone:
                        raise
                    again = await self._find_again(found, course, problem)
                    if again is None or again.has_ended:
                        return again or found
                end.cancel()
                end = asyncio.ensure_future(self._containers.wait())
        finally:
            end.cancel()
            await asyncio.gather(end, return_exceptions=True)

    async def _ended_soon(self, end: "asyncio.Future[None]", course: _Course) -> bool:
        """Wait for the container's end for as long as nothing else is to be done."""
        next_act = course.kill_at if course.is_told_to_end else course.term_at
        timeout = max(0.0, min(_DISK_S, next_act - time.monotonic()))
        if course.asked:
            await asyncio.wait((end,), timeout=timeout)
        else:
            stop = asyncio.ensure_future(self._stop.wait())
            await asyncio.wait((end, stop), timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            stop.cancel()
        return end.done()

    async def _act(self, course: _Course) -> None:
        """Do what is due. Each order is given until the engine has taken it."""
        now = time.monotonic()
        if any(disk.is_too_full() for disk in self._disks) and not course.evicted:
            course.evicted = _EVICTED
            course.kill_at = now
            course.is_told_to_end = True
        if self._stop.is_set() and not course.asked:
            course.asked = True
            course.kill_at = min(course.kill_at, now + self._folder.grace_asked(self._record.grace_s))
        elif now >= course.term_at and not course.is_told_to_end and not course.asked:
            course.overdue = overdue(self._record.max_duration_s)
            course.kill_at = now + self._record.grace_s
        if (course.asked or course.overdue) and not course.is_told_to_end:
            await self._containers.signal("SIGTERM")
            course.is_told_to_end = True
        if now >= course.kill_at:
            await self._containers.signal("SIGKILL")
            course.kill_at = now + _TICK_S

    async def _find_again(self, found: Inspected, course: _Course, problem: DaemonProblem) -> Inspected | None:
        """Wait for the Docker Engine to come back. None where it was given up, or is to stop meanwhile."""
        since = wire_time(time.time())
        away = f"the Docker Engine has been away since {since} ({problem.message})"
        self._tell(running(found.started_at, away, self._note))
        until = time.monotonic() + _AWAY_PATIENCE_S
        while True:
            self._life.beat()
            if time.monotonic() > until:
                course.told = f"{away}: it was given up"
                return None
            if self._stop.is_set():
                course.asked = True
                course.told = f"{away}: its container is stopped as soon as that is back"
                return None
            try:
                again = await self._containers.find()
            except DaemonProblem as error:
                if not error.is_gone:
                    raise
                await self._pause(_TICK_S)
                continue
            if again is None:
                raise _Gone
            course.told = f"the Docker Engine was away from {since} to {wire_time(time.time())}"
            if again.has_ended:
                course.told += ", and the pod was ended with it" if again.exit_code in _BY_SIGNAL else ""
            else:
                self._tell(running(again.started_at, course.told, self._note))
            return again


def main(arguments: list[str]) -> None:
    """Become a daemon that holds the lock, and live."""
    path, lock = Path(arguments[0]), int(arguments[1])
    if os.fork():
        os._exit(0)
    os.setsid()
    os.umask(0o022)
    os.set_inheritable(lock, False)
    folder = PodFolder(path)
    record, order = folder.record(), folder.read(ORDER)
    if record is None or order is None:
        raise SystemExit("no record")
    # Whoever reads the number may send a signal at once: until the loop listens, the signal waits.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)

    async def run() -> None:
        supervisor = Supervisor(folder, record, lock, order)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        await supervisor.live()

    asyncio.run(run())


if __name__ == "__main__":
    main(sys.argv[1:])
