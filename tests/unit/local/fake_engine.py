"""A small engine in memory: for tests of what stands above engines. It does what it is told and remembers it."""

import asyncio
import json
import os
import tarfile
from collections.abc import Sequence
from datetime import UTC, datetime

from emtui.backend import LogSink
from emtui.errors import BuildFailed, LoadFailed
from emtui.local.engines.base import DEFAULT_BASE_IMAGES, DEFAULT_GRACE_S, BuildRequest, LoadRequest, PodRequest
from emtui.models import Image, PodState, Running, Terminated, Waiting


class FakeEngine:
    """`gate`, when set to an event, holds build and stop until it is set."""

    name = "fake"
    notes: Sequence[str] = ("nothing is executed",)
    warnings: Sequence[str] = ()

    def __init__(self) -> None:
        self.made: dict[str, Image] = {}
        self.pods: dict[str, PodState] = {}
        self.requests: list[PodRequest] = []
        self.stopped: list[str] = []
        self.builds: list[BuildRequest] = []
        self.start_error: Exception | None = None
        self.gate: asyncio.Event | None = None
        self.is_waiting = asyncio.Event()
        self.prepared = 0
        self.is_closed = False

    async def prepare(self) -> None:
        self.prepared += 1

    async def _pass_gate(self) -> None:
        if self.gate is not None:
            self.is_waiting.set()
            await self.gate.wait()

    def _make(self, reference: str) -> Image:
        repository, _, tag = reference.rpartition(":")
        self.made[reference] = Image(repository=repository, tag=tag)
        return self.made[reference]

    async def build(self, request: BuildRequest, log: LogSink) -> Image:
        await self._pass_gate()
        self.builds.append(request)
        for line in request.dockerfile.splitlines():
            log(f"{line}\n")
        if "RUN false" in request.dockerfile:
            raise BuildFailed(remedy="mend it")
        return self._make(request.reference)

    async def load(self, request: LoadRequest, log: LogSink) -> Image:
        try:
            with tarfile.open(fileobj=os.fdopen(os.dup(request.tar_fd), "rb")) as tar:
                manifest = tar.extractfile("manifest.json")
                assert manifest is not None
                tags = json.load(manifest)[0]["RepoTags"]
        except tarfile.TarError as error:
            log(f"{error}\n")
            raise LoadFailed from error
        if request.reference not in tags:
            log(f"it holds {tags}, not {request.reference}\n")
            raise LoadFailed
        return self._make(request.reference)

    async def images(self) -> Sequence[Image]:
        return list(self.made.values())

    async def find(self, reference: str) -> bool:
        return reference in self.made or reference.rpartition(":")[0].rpartition("/")[2] in DEFAULT_BASE_IMAGES

    async def start(self, pod: PodRequest) -> None:
        if self.start_error is not None:
            raise self.start_error
        self.requests.append(pod)
        if pod.scheduled_time is not None and pod.scheduled_time > datetime.now(UTC):
            self.pods[pod.pod_id] = PodState(waiting=Waiting(reason="ContainerCreating"))
        else:
            self.pods[pod.pod_id] = PodState(running=Running(startedAt=datetime.now(UTC)))

    async def state(self, pod_id: str) -> PodState:
        lost = PodState(terminated=Terminated(exitCode=137, reason="ContainerStatusUnknown"))
        return self.pods.get(pod_id, lost)

    def end(self, pod_id: str, exit_code: int = 0, message: str = "") -> None:
        reason = "Completed" if exit_code == 0 else "Error"
        self.pods[pod_id] = PodState(
            terminated=Terminated(exitCode=exit_code, reason=reason, message=message, finishedAt=datetime.now(UTC))
        )

    async def stop(self, pod_id: str, grace_s: float = DEFAULT_GRACE_S) -> None:
        await self._pass_gate()
        self.stopped.append(pod_id)
        if self.pods[pod_id].running is not None:
            self.end(pod_id, 143)

    async def aclose(self) -> None:
        self.is_closed = True
