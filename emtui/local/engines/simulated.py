"""The simulated engine: for machines where nothing can be isolated. States only; nothing is executed.

A build reads the Dockerfile and checks what it would copy; a pod's state is a function of its record and the clock, so
that it goes on, and survives, without any process. Every message says what it is.
"""

import asyncio
import os
import time
from collections.abc import Sequence

from emtui.backend import LogSink
from emtui.errors import BuildFailed, LoadFailed
from emtui.local.engines.base import DEFAULT_BASE_IMAGES, DEFAULT_GRACE_S, BuildRequest, LoadRequest, PodRequest
from emtui.local.engines.building import build, checked_sources, image_id
from emtui.local.engines.buildlog import Step
from emtui.local.engines.config import ImageConfig
from emtui.local.engines.context import BuildContext
from emtui.local.engines.images import ImageTable
from emtui.local.engines.loading import load
from emtui.local.engines.plan import CopyStep, RunStep, Stage, WorkdirStep
from emtui.local.engines.records import PodFolder, PodRecord, State, overdue, running, terminated, waiting, wire_time
from emtui.local.engines.references import on_board
from emtui.local.engines.requests import check_pod_id, from_thread
from emtui.local.engines.with_pods import new_record
from emtui.local.stopping import Stop, stoppable
from emtui.local.workspace import Workspace
from emtui.models import Image, PodState
from emtui.threads import in_thread

SIMULATED = "simulated: nothing is executed"
CREATING_S = 1.0
RUNNING_S = 6.0


class SimulatedEngine:
    """States without deeds. See `emtui.local.engines.base.Engine` for its calls."""

    name = "simulated"
    notes: Sequence[str] = (SIMULATED, "a build only checks its Dockerfile and that what it copies is there",
                            "a pod completes by itself after some seconds and writes no file")  # fmt: skip

    warnings: Sequence[str] = ()

    def __init__(self, workspace: Workspace, base_images: Sequence[str] = DEFAULT_BASE_IMAGES) -> None:
        self._workspace = workspace
        self._base_images = tuple(base_images)
        self._images = ImageTable(workspace)
        self._prepared: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        """Remove what another engine left half made. Done once, by the first call."""
        if self._prepared is None:
            self._prepared = asyncio.ensure_future(in_thread(self._images.sweep))
        await asyncio.shield(self._prepared)

    def _lookup(self, reference: str) -> ImageConfig | None:
        stored = self._images.get(reference)
        return stored.config if stored is not None else None

    async def build(self, request: BuildRequest, log: LogSink) -> Image:
        await self.prepare()
        emit = from_thread(log)

        def work(stop: Stop) -> Image | None:
            worker = _Checker(self._images, request.reference, stop)
            return build(request, emit, worker, self._base_images, self._lookup)

        image = await stoppable(work)
        if image is None:
            raise BuildFailed
        return image

    async def load(self, request: LoadRequest, log: LogSink) -> Image:
        emit = from_thread(log)
        stored = await stoppable(lambda stop: load(request, emit, self._images, stop.check))
        if stored is None:
            raise LoadFailed
        log(f"note: {SIMULATED}\n")
        return stored.to_image()

    async def images(self) -> Sequence[Image]:
        return [stored.to_image() for stored in await in_thread(self._images.all)]

    async def find(self, reference: str) -> bool:
        return (
            await in_thread(self._images.get, reference) is not None
            or on_board(reference, self._base_images) is not None
        )

    # ------------------------------------------------------------------------------------------------ pods

    def _pod(self, pod_id: str) -> PodFolder:
        return PodFolder(self._workspace.blobs / "pods" / pod_id)

    async def start(self, pod: PodRequest) -> None:
        check_pod_id(pod.pod_id)
        await in_thread(self._start, pod)

    def _start(self, pod: PodRequest) -> None:
        config = self._lookup(pod.reference) or ImageConfig(cmd=("/bin/sh",))
        record = new_record(
            pod,
            self.name,
            argv=list(config.argv(pod.command)),
            env=config.env,
            workdir=config.workdir,
            user=config.user,
            message=SIMULATED,
        )
        folder = self._pod(pod.pod_id)
        folder.path.mkdir(mode=0o700)
        folder.write_record(record)

    async def state(self, pod_id: str) -> PodState:
        check_pod_id(pod_id)
        return PodState.model_validate(await in_thread(self._state, pod_id))

    def _state(self, pod_id: str) -> State:
        folder = self._pod(pod_id)
        record = folder.record()
        if record is None or record.engine != self.name:
            return terminated(137, "ContainerStatusUnknown", "nothing is known of this pod", SIMULATED)
        return simulated_pod_state(folder, record)

    async def stop(self, pod_id: str, grace_s: float = DEFAULT_GRACE_S) -> None:
        del grace_s  # nothing needs time to end
        check_pod_id(pod_id)
        await in_thread(stop_simulated_pod, self._pod(pod_id), time.time())

    async def aclose(self) -> None:
        if self._prepared is not None:
            await asyncio.gather(self._prepared, return_exceptions=True)


def simulated_pod_state(folder: PodFolder, record: PodRecord) -> State:
    """How the simulated pod of this folder is now. Blocks."""
    stopped = folder.read("stop")
    return simulated_state(record, time.time(), stopped["at"] if isinstance(stopped, dict) else None)


def stop_simulated_pod(folder: PodFolder, now: float) -> None:
    """Stop the simulated pod of this folder, where there is one. Blocks. Raises OSError."""
    if folder.record() is not None and folder.read("stop") is None:
        folder.write("stop", {"at": now})


def simulated_state(record: PodRecord, now: float, stopped_at: float | None = None) -> State:  # noqa: PLR0911 - a state each
    """How a simulated pod is at `now`: created, run for some seconds, completed; or stopped before that."""
    begins = max(record.asked_at, record.scheduled_time or 0.0)
    starts = begins + CREATING_S
    lasts = min(RUNNING_S, record.max_duration_s)
    if stopped_at is not None and stopped_at < starts + lasts:
        if stopped_at < starts:
            return terminated(143, "Error", "stopped before it was started", SIMULATED, finished_at=stopped_at)
        return terminated(143, "Error", "stopped as asked", SIMULATED, started_at=starts, finished_at=stopped_at)
    if now < begins:
        return waiting("Scheduled", f"starts at {wire_time(begins)}", SIMULATED)
    if now < starts:
        return waiting("ContainerCreating", SIMULATED)
    if now < starts + lasts:
        return running(starts, SIMULATED)
    ended = starts + lasts
    if lasts < RUNNING_S:
        return terminated(143, "DeadlineExceeded", overdue(lasts), SIMULATED, started_at=starts, finished_at=ended)
    return terminated(0, "Completed", SIMULATED, started_at=starts, finished_at=ended)


class _Checker:
    """The worker of a simulated build: checks what can be checked without doing anything."""

    def __init__(self, images: ImageTable, reference: str, stop: Stop) -> None:
        self._images = images
        self._reference = reference
        self._stop = stop
        self._seen: list[str] = []

    def begin(self, number: int, stage: Stage) -> None:
        self._stop.check()
        self._seen.append(f"{number} {stage.parent}")

    def copy(self, step: CopyStep, context: BuildContext, log: Step) -> None:
        self._stop.check()
        if step.origin is None:
            for path in checked_sources(step, context):
                self._seen += [f"{entry.path} {entry.size}" for entry in context.below(path)] or [path]
        self._not_executed(step.instruction.shown, log)

    def run(self, step: RunStep, log: Step) -> None:
        self._not_executed(step.instruction.shown, log)

    def workdir(self, step: WorkdirStep) -> None:
        self._seen.append(step.workdir)

    def _not_executed(self, shown: str, log: Step) -> None:
        self._seen.append(shown)
        log.note(f"note: {SIMULATED}")

    def finish(self, stage: Stage, log: Step) -> Image:
        content = "\n".join(os.fsencode(line).decode("utf-8", "backslashreplace") for line in self._seen)
        config = stage.config
        identity = image_id(content, config.to_json())
        log.note(f"note: {SIMULATED}")
        return self._images.put(self._reference, identity, origin="built", size_bytes=0, config=config).to_image()
