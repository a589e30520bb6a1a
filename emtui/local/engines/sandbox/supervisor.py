"""The life of one pod, in a process of its own that goes on when emtui has ended.

Started by the engine as `python -m … FOLDER LOCK IMAGE_LOCK`: the pod's folder, the held lock of the pod, and the
shared lock of its image (-1 for none), which keeps the image's files until they have been copied. It forks once, so
that nobody has to wait for it; the sandbox dies with it (bwrap's `--die-with-parent`, unshare's `--kill-child`).
"""

import os
import select
import signal
import sys
import time
from pathlib import Path

from emtui.local.engines.bounds import Limits
from emtui.local.engines.records import (
    MISSED_AFTER_S,
    Heartbeat,
    PodFolder,
    PodRecord,
    State,
    host_name,
    missed,
    overdue,
    running,
    terminated,
    waiting,
    wire_time,
)
from emtui.local.engines.sandbox.farm import make_farm, make_scratch
from emtui.local.engines.sandbox.isolation import isolation_by_name
from emtui.local.engines.sandbox.jail import Jail, close_quietly
from emtui.local.engines.sandbox.lookup import StartProblem, find_command, find_user, has_known_format
from emtui.local.engines.sandbox.rootfs import Rootfs, RootfsProblem
from emtui.local.engines.sandbox.run import TICK_S, Ended, Run, wake_on_signals
from emtui.local.engines.sandbox.tree import copy_tree, remove_tree
from emtui.local.handles import DirHandle

_RUNC = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
    "unable to start container process"
)


class _Stopped(Exception):
    """It is to stop before the command was started."""


class _Unexecutable(Exception):
    """The container could be made, but the kernel cannot execute the command."""


class Supervisor:
    """One pod."""

    def __init__(self, folder: PodFolder, record: PodRecord, lock: int, image_lock: int) -> None:
        self._folder = folder
        self._record = record
        self._image_lock = image_lock
        self._note = record.message
        self._life = Heartbeat(lock)
        self._woken, self._signals = wake_on_signals(signal.SIGTERM, signal.SIGCHLD)

    def live(self) -> None:
        """From the folder to the last state."""
        try:
            final = self._cannot_start(self._record.problem) if self._record.problem else self._live()
        except _Stopped:
            final = terminated(143, "Error", "stopped before it was started", self._note)
        except _Unexecutable as problem:
            final = self._not_executed(str(problem), time.time())
        except StartProblem as problem:
            final = self._cannot_start(f"{_RUNC}: {problem}")
        except (OSError, RootfsProblem) as error:
            final = self._cannot_start(f"failed to create containerd task: {error}")
        # The root goes first: whoever sees the last state finds nothing of the pod left.
        self._clear()
        self._folder.write_state(final, is_final=True)

    def _live(self) -> State:
        self._prepare()
        if not self._wait_for_time():
            return missed(self._record)
        jail = self._jail()
        started = time.time()
        run = Run(isolation_by_name(self._record.isolation), jail, self._woken)

        def on_start() -> None:
            nonlocal started
            started = time.time()
            self._folder.write_state(running(started, self._note))

        ended = run.to_end(
            self._record.max_duration_s,
            self._record.grace_s,
            on_start=on_start,
            tick=self._life.beat,
            asked_to_stop=self._grace_when_asked,
        )
        return self._final(ended, started)

    # -------------------------------------------------------------------------------------------- before it

    def _prepare(self) -> None:
        """Make the pod's own root. The image may be replaced as soon as this is done."""
        state, _ = self._folder.state()
        if state.get("waiting", {}).get("reason") == "Scheduled" and (self._folder.path / "root").is_dir():
            return  # a supervisor before this one had made it already
        self._folder.write_state(waiting("ContainerCreating", self._note))
        self._clear()
        for name in ("root", "shm"):
            (self._folder.path / name).mkdir(mode=0o755)
        with DirHandle.open_trusted(self._folder.path / "root") as root:
            if self._record.image_folder:
                images = self._folder.path.parent.parent / "images"
                with DirHandle.open_trusted(images / self._record.image_folder / "rootfs") as image:
                    copy_tree(image, root, self._check)
            elif self._record.base:
                make_farm(root, self._record.base)
            else:
                make_scratch(root)
            Rootfs(root).ensure_mountpoints(("/proc", "/dev", "/data"))
        close_quietly(self._image_lock)

    def _check(self) -> None:
        self._life.beat()
        if signal.SIGTERM in self._signals:
            raise _Stopped

    def _wait_for_time(self) -> bool:
        """Wait by the wall clock, looked at every second since it may jump; False where the time was missed."""
        if self._record.scheduled_time is None:
            return True
        scheduled = self._record.scheduled_time
        self._folder.write_state(waiting("Scheduled", f"starts at {wire_time(scheduled)}", self._note))
        while (left := scheduled - time.time()) > 0:
            self._check()
            ready, _, _ = select.select([self._woken], [], [], min(TICK_S, left))
            if ready:
                os.read(self._woken, 4096)
        self._check()
        return left > -MISSED_AFTER_S

    def _jail(self) -> Jail:
        record = self._record
        with DirHandle.open_trusted(self._folder.path / "root") as folder:
            root = Rootfs(folder)
            user = find_user(root, record.user)
            root.open_dir(record.workdir).close()
            if not record.argv:
                raise StartProblem("no command specified")
            program = find_command(root, record.argv[0], record.env.get("PATH", ""), record.workdir)
            if not has_known_format(root, program):
                raise _Unexecutable(f"exec {program}: exec format error")
        env = {"HOME": user.home, **record.env, "HOSTNAME": record.name}
        return Jail(
            root=str(self._folder.path / "root"),
            argv=[program, *record.argv[1:]],
            env=env,
            cwd=record.workdir,
            hostname=host_name(record.name),
            shm=str(self._folder.path / "shm"),
            uid=user.uid,
            gid=user.gid,
            volume=str(self._folder.path.parent.parent.parent / "volume"),
            limits=Limits.of_this_machine(record.memory_bytes, record.processes),
        )

    # --------------------------------------------------------------------------------------------- during it

    def _grace_when_asked(self) -> float | None:
        if signal.SIGTERM not in self._signals:
            return None
        return self._folder.grace_asked(self._record.grace_s)

    # ---------------------------------------------------------------------------------------------- after it

    def _final(self, ended: Ended, started: float) -> State:  # noqa: PLR0911 - one for each reason
        if ended.start_error:
            if ended.start_error.startswith("exec "):
                return self._not_executed(ended.start_error, started)
            return self._cannot_start(f"{_RUNC}: {ended.start_error}")
        if ended.is_evicted:
            return terminated(ended.exit_code, "Evicted", "The node was low on resource: ephemeral-storage", self._note,
                              started_at=started)  # fmt: skip
        if ended.is_overdue:
            return terminated(ended.exit_code, "DeadlineExceeded",
                              overdue(self._record.max_duration_s), self._note,
                              started_at=started)  # fmt: skip
        if ended.exit_code == 0:
            return terminated(0, "Completed", self._note, started_at=started)
        if ended.is_out_of_memory and ended.exit_code == 137:
            return terminated(137, "OOMKilled", self._note, started_at=started)
        asked = "stopped as asked" if signal.SIGTERM in self._signals else ""
        return terminated(ended.exit_code, "Error", asked, self._note, started_at=started)

    def _not_executed(self, why: str, started: float) -> State:
        """As with runc, the container exists by then: it has started and ended, with the complaint as its log."""
        return terminated(255, "Error", why, self._note, started_at=started)

    def _cannot_start(self, why: str) -> State:
        return terminated(128, "StartError", why, self._note)

    def _clear(self) -> None:
        with DirHandle.open_trusted(self._folder.path) as folder:
            for name in ("root", "shm"):
                remove_tree(folder, name)


def main(arguments: list[str]) -> None:
    """Become a daemon that holds the lock, and live."""
    path, lock, image_lock = Path(arguments[0]), int(arguments[1]), int(arguments[2])
    if os.fork():
        os._exit(0)
    os.setsid()
    os.umask(0o022)
    for fd in (lock, image_lock):
        if fd >= 0:
            os.set_inheritable(fd, False)
    folder = PodFolder(path)
    record = folder.record()
    if record is None:
        raise SystemExit("no record")
    supervisor = Supervisor(folder, record, lock, image_lock)
    # Who reads the number may send a signal at once; from here on it is listened to.
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    supervisor.live()


if __name__ == "__main__":
    main(sys.argv[1:])
