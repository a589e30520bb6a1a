"""Pods from the engine's side: supervisors are started, looked at and told to stop. Every call blocks.

Each engine has a supervisor of its own; what they have in common is the pod's folder (`records`) and this.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from emtui.local.engines.records import PodFolder, PodRecord, State, lost, terminated, waiting, wire_time
from emtui.local.engines.sandbox.jail import close_quietly
from emtui.local.engines.sandbox.tree import remove_tree
from emtui.local.handles import DirHandle

# How long a supervisor may take to clean up behind its pod's grace period before it is killed, and the pod with it.
_CLEAN_UP_S = 20.0
# Ended pods whose folders are kept; their states are a few hundred bytes each.
_KEPT_PODS = 20


Command = Callable[[str, str, str], tuple[list[str], dict[str, str]]]
"""The command of a supervisor and its environment, for the pod's folder, its lock and its image's lock."""


def waits_for_its_time(record: PodRecord, state: State) -> bool:
    """Whether nothing of a pod has been started yet, and its time is still to come."""
    return "waiting" in state and record.scheduled_time is not None and record.scheduled_time > time.time()


class SupervisedPods:
    """The pods of one workspace.

    Args:
        folder: its `blobs/pods`.
        command: what supervises a pod.
        can_go_on: whether a pod whose supervisor is gone can be given another one; else it is lost.
    """

    def __init__(
        self,
        folder: Path,
        command: Command,
        can_go_on: Callable[[PodRecord, State], bool] = waits_for_its_time,
    ) -> None:
        self._folder = folder
        self._command = command
        self._can_go_on = can_go_on

    def _pod(self, pod_id: str) -> PodFolder:
        return PodFolder(self._folder / pod_id)

    def start(self, record: PodRecord, image_lock: int = -1, extra: dict[str, Any] | None = None) -> None:
        """Write down what is to run and give it a supervisor. `image_lock` stays the caller's; -1 for none.

        `extra` are further files of the pod's folder by their names, for the supervisor.

        Raises:
            OSError: no space, or there is a pod of this id already.
        """
        pod = self._pod(record.pod_id)
        pod.path.mkdir(mode=0o700)
        lock = pod.take_lock()
        try:
            pod.write_state(waiting("ContainerCreating", record.message))
            for name, value in (extra or {}).items():
                pod.write(name, value)
            pod.reserve()
            pod.write_record(record)
            self._supervise(pod, lock, image_lock)
        finally:
            os.close(lock)

    def _supervise(self, pod: PodFolder, lock: int, image_lock: int) -> None:
        command, env = self._command(str(pod.path), str(lock), str(image_lock))
        with (pod.path / "supervisor.log").open("wb") as log:
            process = subprocess.Popen(
                command, env=env, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log,
                start_new_session=True, pass_fds=[fd for fd in (lock, image_lock) if fd >= 0],
            )  # fmt: skip
        # It forks at once and its first process ends: nobody has to reap the supervisor.
        process.wait()

    def state(self, pod_id: str) -> State:
        """How a pod is. One whose supervisor is gone is given its last state here, or a new supervisor."""
        pod = self._pod(pod_id)
        state, is_final = pod.state()
        if is_final or pod.is_alive():
            return state
        try:
            lock = pod.take_lock()
        except FileNotFoundError:
            return terminated(137, "ContainerStatusUnknown", "nothing is known of this pod")
        except BlockingIOError:
            return state
        try:
            return self._settle(pod, lock)
        except OSError:
            return state  # a full disk: it is settled as soon as something can be written again
        finally:
            os.close(lock)

    def _settle(self, pod: PodFolder, lock: int) -> State:
        """Of a pod that nobody supervises; the lock is held here, so that the state cannot change."""
        state, is_final = pod.state()
        if is_final:
            return state
        record = pod.record()
        if record is None:
            final = terminated(137, "ContainerStatusUnknown", "it was never started")
        elif self._can_go_on(record, state):
            self._revive(pod, record, lock)
            return pod.state()[0]
        else:
            final = lost(pod, state, record.message)
        self._clear(pod)
        pod.write_state(final, is_final=True)
        return final

    def _revive(self, pod: PodFolder, record: PodRecord, lock: int) -> None:
        """A pod gets a new supervisor, and says so."""
        mark = "its supervisor was lost"
        message = record.message.partition(mark)[0].rstrip("; ")
        told = f"{mark}; it has another one since {wire_time(time.time())}"
        pod.write_record(replace(record, message=f"{message}; {told}" if message else told))
        image_lock = -1
        if record.image_folder:
            with contextlib.suppress(OSError):
                image_lock = os.open(
                    self._folder.parent / "images" / record.image_folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
                )
        try:
            self._supervise(pod, lock, image_lock)
        finally:
            close_quietly(image_lock)

    def stop(self, pod_id: str, grace_s: float) -> None:
        """End a pod and wait until it is gone. Nothing happens where it has ended."""
        pod = self._pod(pod_id)
        if not pod.path.is_dir():
            return
        if pod.is_alive():
            pod.write("stop", {"grace_s": grace_s})
            deadline = time.monotonic() + grace_s + _CLEAN_UP_S
            # One that has written the last state may go on for a while, to remove what it could not yet.
            while pod.is_alive() and not pod.state()[1] and time.monotonic() < deadline:
                # Again and again: a supervisor that has just been started does not listen yet.
                pod.signal_supervisor(signal.SIGTERM)
                self._wait_for_last(pod, 1.0)
            if pod.is_alive() and not pod.state()[1]:
                pod.signal_supervisor(signal.SIGKILL)
                pod.wait_until_gone(_CLEAN_UP_S)
        state, is_final = pod.state()
        if not is_final:
            final = terminated(137, "Error", "stopped as asked")
            started = state.get("running", {}).get("startedAt")
            if started:
                final["terminated"]["startedAt"] = started
            pod.write_state(final, is_final=True)
        self._clear(pod)

    @staticmethod
    def _wait_for_last(pod: PodFolder, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not pod.state()[1] and time.monotonic() < deadline:
            if pod.wait_until_gone(0.05):
                return

    @staticmethod
    def _clear(pod: PodFolder) -> None:
        with DirHandle.open_trusted(pod.path) as folder:
            for name in ("root", "shm"):
                remove_tree(folder, name)

    def unfinished(self) -> set[str]:
        """The ids of the pods that have not ended, and of those that nobody can tell it of."""
        with DirHandle.open_trusted(self._folder) as folder:
            return {entry.name for entry in folder.scan() if not self._pod(entry.name).state()[1]}

    def recover(self, engine: str) -> None:
        """At the engine's start: settle every pod of this engine, and let go of the oldest that have ended."""
        ended = []
        with DirHandle.open_trusted(self._folder) as folder:
            for entry in list(folder.scan()):
                pod = self._pod(entry.name)
                record = pod.record()
                if pod.is_alive():
                    continue
                if record is None:
                    remove_tree(folder, entry.name)
                    continue
                if record.engine == engine:
                    self.state(entry.name)
                if pod.state()[1] or record.engine != engine:
                    ended.append((record.asked_at, entry.name))
            for _, name in sorted(ended, reverse=True)[_KEPT_PODS:]:
                remove_tree(folder, name)
