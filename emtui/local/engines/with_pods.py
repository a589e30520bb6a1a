"""What engines with supervised pods have in common: a record made of a request, and the calls that ask a folder."""

import time
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any

from emtui.local.engines.base import DEFAULT_GRACE_S, PodRequest
from emtui.local.engines.records import PodRecord
from emtui.local.engines.requests import check_pod_id
from emtui.local.engines.supervised import SupervisedPods
from emtui.models import PodState
from emtui.threads import in_thread


def new_record(pod: PodRequest, engine: str, **more: Any) -> PodRecord:
    """The record of a pod that is asked for now; `more` are fields of it."""
    record = PodRecord(
        pod_id=pod.pod_id,
        name=pod.name,
        engine=engine,
        reference=pod.reference,
        argv=[],
        env={},
        workdir="/",
        user="",
        image_folder="",
        base="",
        message="",
        isolation="",
        max_duration_s=pod.max_duration_s,
        grace_s=pod.grace_s,
        asked_at=time.time(),
        scheduled_time=pod.scheduled_time.timestamp() if pod.scheduled_time is not None else None,
    )
    return replace(record, **more)


class WithPods(ABC):
    """The half of an engine that looks after its pods. See `emtui.local.engines.base.Engine` for the calls."""

    _pods: SupervisedPods

    @abstractmethod
    async def prepare(self) -> None:
        """What has to be done once before anything else."""

    async def state(self, pod_id: str) -> PodState:
        check_pod_id(pod_id)
        await self.prepare()
        return PodState.model_validate(await in_thread(self._pods.state, pod_id))

    async def stop(self, pod_id: str, grace_s: float = DEFAULT_GRACE_S) -> None:
        check_pod_id(pod_id)
        await self.prepare()
        await in_thread(self._pods.stop, pod_id, grace_s)
