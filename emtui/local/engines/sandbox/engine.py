"""The sandbox engine: what `LocalEM` asks, done with `builder`, `pods` and the images' table."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from emtui.backend import LogSink
from emtui.errors import BuildFailed, LoadFailed
from emtui.local.engines.base import (
    DEFAULT_BASE_IMAGES,
    BuildRequest,
    LoadRequest,
    PodRequest,
)
from emtui.local.engines.bounds import Limits
from emtui.local.engines.building import build
from emtui.local.engines.config import DEFAULT_PATH, ImageConfig, base_config
from emtui.local.engines.images import ImageTable, StoredImage
from emtui.local.engines.loading import load, machine_architecture
from emtui.local.engines.records import PodRecord
from emtui.local.engines.references import on_board
from emtui.local.engines.requests import check_pod_id, from_thread
from emtui.local.engines.sandbox.builder import SandboxWorker
from emtui.local.engines.sandbox.jail import close_quietly
from emtui.local.engines.sandbox.limits import binds_processes, bounds_memory_together, sweep
from emtui.local.engines.spawn import python_command
from emtui.local.engines.supervised import SupervisedPods
from emtui.local.engines.with_pods import WithPods, new_record
from emtui.local.stopping import Stop, stoppable
from emtui.local.workspace import Workspace
from emtui.models import Image
from emtui.profile import PodPolicy
from emtui.threads import in_thread

_SUPERVISOR = "emtui.local.engines.sandbox.supervisor"

LOADED = "loaded image: its command runs on this machine's userland, its own files are not unpacked"


class SandboxEngine(WithPods):
    """Runs images as processes in namespaces. See `emtui.local.engines.base.Engine` for its calls."""

    name = "sandbox"

    def __init__(
        self,
        workspace: Workspace,
        isolation: str = "bwrap",
        base_images: Sequence[str] = DEFAULT_BASE_IMAGES,
        policy: PodPolicy = PodPolicy(),
    ) -> None:
        """`isolation` is `bwrap` or `unshare`."""
        self._workspace = workspace
        self._isolation = isolation
        self._base_images = tuple(base_images)
        self._policy = policy
        self._limits = Limits.of_this_machine(policy.memory_bytes or 0, policy.processes or 0)
        self._images = ImageTable(workspace)
        self._pods = SupervisedPods(workspace.blobs / "pods", partial(python_command, _SUPERVISOR))
        self._recovery: asyncio.Task[None] | None = None
        self.notes: Sequence[str] = _notes(isolation, self._limits)
        self.warnings: Sequence[str] = _not_here(policy)

    async def prepare(self) -> None:
        """Find the pods of the last time again and remove what was left half made. Done once, by the first call."""
        if self._recovery is None:
            self._recovery = asyncio.ensure_future(in_thread(self._recover))
        await asyncio.shield(self._recovery)

    def _recover(self) -> None:
        sweep()
        self._images.sweep()
        self._pods.recover(self.name)

    # ---------------------------------------------------------------------------------------------- images

    def _lookup(self, reference: str) -> ImageConfig | None:
        stored = self._images.get(reference)
        return stored.config if stored is not None else None

    async def build(self, request: BuildRequest, log: LogSink) -> Image:
        await self.prepare()
        emit = from_thread(log)

        def work(stop: Stop) -> Image | None:
            with SandboxWorker(
                self._workspace,
                self._images,
                request.reference,
                isolation=self._isolation,
                limits=self._limits,
                check=stop.check,
            ) as worker:
                return build(request, emit, worker, self._base_images, self._lookup)

        image = await stoppable(work)
        if image is None:
            raise BuildFailed
        return image

    async def load(self, request: LoadRequest, log: LogSink) -> Image:
        await self.prepare()
        emit = from_thread(log)
        stored = await stoppable(lambda stop: load(request, emit, self._images, stop.check))
        if stored is None:
            raise LoadFailed
        return stored.to_image()

    async def images(self) -> Sequence[Image]:
        return [stored.to_image() for stored in await in_thread(self._images.all)]

    async def find(self, reference: str) -> bool:
        return await in_thread(self._images.get, reference) is not None or self._base(reference) is not None

    def _base(self, reference: str) -> str | None:
        return on_board(reference, self._base_images)

    # ------------------------------------------------------------------------------------------------ pods

    async def start(self, pod: PodRequest) -> None:
        check_pod_id(pod.pod_id)
        await self.prepare()
        await in_thread(self._start, pod)

    def _start(self, pod: PodRequest) -> None:
        stored = self._images.get(pod.reference)
        record = self._record(pod, stored)
        image_lock = self._images.lock(record.image_folder) if record.image_folder else -1
        try:
            self._pods.start(record, image_lock)
        finally:
            close_quietly(image_lock)

    def _record(self, pod: PodRequest, stored: StoredImage | None) -> PodRecord:
        base = self._base(pod.reference)
        config = stored.config if stored is not None else base_config(base or "")
        record = new_record(
            pod,
            self.name,
            isolation=self._isolation,
            argv=list(config.argv(pod.command)),
            env={"PATH": DEFAULT_PATH, **config.env},
            workdir=config.workdir or "/",
            user=config.user,
            memory_bytes=self._limits.memory_bytes,
            processes=self._limits.processes,
        )
        if stored is None:
            problem = "" if base is not None else f"no such image: {pod.reference}"
            return replace(record, base=base or "", problem=problem)
        if stored.origin == "loaded":
            return _of_loaded(record, config)
        if stored.root is None:
            problem = f"{pod.reference} was built by the simulated engine, which makes no files: build it again"
            return replace(record, problem=problem)
        return replace(record, image_folder=stored.root)

    async def aclose(self) -> None:
        if self._recovery is not None:
            await asyncio.gather(self._recovery, return_exceptions=True)


def _of_loaded(record: PodRecord, config: ImageConfig) -> PodRecord:
    """A loaded image has no files here: the machine's userland, and what that means in words."""
    said = [LOADED]
    user = record.user
    if user and not user.replace(":", "").isdigit():
        said.append(f"its user {user} is not known here, so it runs as its sandbox's root")
        user = ""
    if config.architecture and config.architecture != machine_architecture():
        said.append(f"the image is for {config.architecture}, this machine is {machine_architecture()}")
    return replace(record, base="loaded", user=user, message="; ".join(said))


def _not_here(policy: PodPolicy) -> list[str]:
    """What was asked for and only the docker engine can do."""
    asked = {"--pod-network": policy.with_network, "--pod-read-only": policy.has_read_only_root,
             "--pod-cpus": policy.cpus is not None}  # fmt: skip
    return [f"{option} is not heeded: only the docker engine can do that" for option in asked if asked[option]]


def _notes(isolation: str, limits: Limits) -> tuple[str, ...]:
    memory = "for a whole pod" if bounds_memory_together() else "for each process of a pod; not for their sum"
    notes = [
        f"isolation by {isolation}: no network, no view of this machine's files but /usr (read-only) and the volume",
        f"at most {limits.processes} processes in a pod"
        if binds_processes()
        else "the number of a pod's processes cannot be limited here: emtui runs as root, and no cgroup can be made",
        f"at most {limits.memory_bytes >> 20} MiB of memory {memory}",
        "processor time and the rate of disk and memory traffic are not limited",
    ]
    if os.geteuid() == 0:
        notes.append("emtui runs as root: the pod's files in the volume belong to root")
    return tuple(notes)
