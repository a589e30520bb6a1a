"""The pod of another engine than the one at work: told of and stopped through its folder, which needs no engine.

An engine can be away while its pods go on: their supervisors live, and keep their times. Every call blocks.
"""

import time
from pathlib import Path
from typing import NoReturn

from emtui.local.engines.base import DEFAULT_GRACE_S
from emtui.local.engines.records import PodFolder, State, joined, lost, terminated
from emtui.local.engines.simulated import SimulatedEngine, simulated_pod_state, stop_simulated_pod
from emtui.local.engines.supervised import SupervisedPods


class OtherPods:
    """The pods of one workspace, whichever engine has started them; `folder` is its `blobs/pods`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pods = SupervisedPods(folder, _no_supervisor, can_go_on=lambda _record, _state: False)

    def state(self, pod_id: str, engine: str) -> tuple[State, bool]:
        """How a pod of `engine` is, and whether that is final.

        Nothing is changed: of one that nobody supervises any more, only its own engine can find out how it is.
        """
        pod = PodFolder(self._folder / pod_id)
        away = f"it was started with the engine {engine}, which is not at work now"
        record = pod.record()
        if record is None:
            return terminated(137, "ContainerStatusUnknown", "nothing is known of this pod", away), False
        if engine == SimulatedEngine.name:
            state = simulated_pod_state(pod, record)
            return (state, True) if "terminated" in state else (_with_message(state, away), False)
        # In this order: one that ends meanwhile has written its last state before it lets go of its lock.
        is_alive = pod.is_alive()
        state, is_final = pod.state()
        if is_final:
            return state, True
        return _with_message(state, away) if is_alive else lost(pod, state, away), False

    def stop(self, pod_id: str, engine: str, grace_s: float = DEFAULT_GRACE_S) -> None:
        """End a pod of `engine` and wait until it is gone. One that nobody supervises any more is given up as lost.

        Raises:
            OSError: it cannot be told to.
        """
        pod = PodFolder(self._folder / pod_id)
        if engine == SimulatedEngine.name:
            stop_simulated_pod(pod, time.time())
        elif pod.is_alive():
            self._pods.stop(pod_id, grace_s)
        else:
            self._pods.state(pod_id)


def _with_message(state: State, message: str) -> State:
    return {kind: {**told, "message": joined(told.get("message", ""), message)} for kind, told in state.items()}


def _no_supervisor(*_arguments: str) -> NoReturn:
    raise AssertionError("a pod of another engine is never started, nor given another supervisor")
