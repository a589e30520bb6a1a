"""The docker engine: what `LocalEM` asks, done by a Docker Engine. See `emtui.local.engines.base.Engine`."""

import asyncio
import contextlib
import json
import os
import secrets
import stat
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from emtui.backend import LogSink
from emtui.errors import LocalProblem
from emtui.local.engines.base import (
    DEFAULT_BASE_IMAGES,
    DEFAULT_GRACE_S,
    BuildRequest,
    LoadRequest,
    PodRequest,
)
from emtui.local.engines.bounds import Limits
from emtui.local.engines.docker.building.build import build_image
from emtui.local.engines.docker.daemon import Daemon, Found
from emtui.local.engines.docker.leftovers import LeftoverFile
from emtui.local.engines.docker.loading.load import load_image, remove_unfinished
from emtui.local.engines.docker.lookup import resolve
from emtui.local.engines.docker.names import LABEL_BUILD, LABEL_POD, LABEL_WORKSPACE, Names, names_of
from emtui.local.engines.docker.pods.architecture import runs_here
from emtui.local.engines.docker.pods.container import container_name, container_of, notes_of, pod_of
from emtui.local.engines.docker.pods.containers import Containers, remove_nameless
from emtui.local.engines.docker.pods.supervisor import ORDER
from emtui.local.engines.docker.problems import DaemonProblem, daemon_problems
from emtui.local.engines.records import wire_time
from emtui.local.engines.requests import check_pod_id
from emtui.local.engines.spawn import command_with_libraries
from emtui.local.engines.supervised import SupervisedPods
from emtui.local.engines.with_pods import WithPods, new_record
from emtui.local.handles import DirHandle
from emtui.local.workspace import Workspace
from emtui.models import Image
from emtui.profile import PodPolicy
from emtui.threads import in_thread

_SUPERVISOR = "emtui.local.engines.docker.pods.supervisor"
_GROUP_WRITES = stat.S_ISGID | stat.S_IRWXG
# How the supervisor finds the same engine: certificates, contexts, keys of ssh.
_PASSED_ON = (
    "HOME",
    "XDG_RUNTIME_DIR",
    "DOCKER_CONFIG",
    "DOCKER_CERT_PATH",
    "DOCKER_TLS_VERIFY",
    "SSH_AUTH_SOCK",
)


class DockerEngine(WithPods):
    """Runs images as containers."""

    name = "docker"

    def __init__(
        self,
        workspace: Workspace,
        found: Found,
        base_images: Sequence[str] = DEFAULT_BASE_IMAGES,
        policy: PodPolicy = PodPolicy(),
    ) -> None:
        self._workspace = workspace
        self._found = found
        self._base_images = tuple(base_images)
        self._policy = policy
        self._limits = Limits.of_this_machine()
        self._daemon = Daemon(found.place)
        self._pods = SupervisedPods(
            workspace.blobs / "pods",
            partial(command_with_libraries, _SUPERVISOR, passed_on=_PASSED_ON),
            # Whatever has become of the container meanwhile, a supervisor finds out and tells it.
            can_go_on=lambda _record, _state: True,
        )
        self._leftovers = LeftoverFile(workspace.blobs)
        self._known_names: Names | None = None
        self._recovery: asyncio.Task[None] | None = None
        self.notes: Sequence[str] = notes_of(found.facts, policy, self._limits)
        self.warnings: Sequence[str] = ()

    async def _names(self) -> Names:
        if self._known_names is None:
            self._known_names = await in_thread(names_of, self._workspace.blobs)
        return self._known_names

    async def prepare(self) -> None:
        """Find the pods of the last time again and remove what was left behind. Done once, by the first call."""
        if self._recovery is None:
            self._recovery = asyncio.ensure_future(self._recover())
        await asyncio.shield(self._recovery)

    async def _recover(self) -> None:
        await in_thread(self._pods.recover, self.name)
        try:
            await self._sweep()
            await remove_unfinished(self._daemon, await self._names())
        except DaemonProblem:
            self._recovery = None  # it is away: the next call tries again

    async def _sweep(self) -> None:
        """Remove the containers of pods that have ended, and of our images those that have lost their names."""
        names = await self._names()
        unfinished = await in_thread(self._pods.unfinished)
        ours = {"label": [f"{LABEL_WORKSPACE}={names.workspace_id}", LABEL_POD]}
        with daemon_problems():
            listed = await self._daemon.docker.containers.list(all=True, filters=json.dumps(ours))
        for container in listed:
            pod_id = pod_of(container._container)
            # A container that somebody has made of an image of ours bears its labels, but not this name.
            is_ours = f"/{container_name(names, pod_id)}" in (container["Names"] or ())
            if is_ours and pod_id not in unfinished:
                await Containers(self._daemon, container.id).remove(str(container["ImageID"]))
        await self._sweep_images()

    async def _sweep_images(self) -> None:
        leftovers = await in_thread(self._leftovers.read)
        for image in leftovers.images:
            if await remove_nameless(self._daemon, image):
                await in_thread(partial(self._leftovers.drop, image=image))
        for build in leftovers.builds:
            marked = {"label": [f"{LABEL_BUILD}={build}"], "dangling": ["true"]}
            with daemon_problems():
                nameless = await self._daemon.docker.images.list(filters=marked)
            for image in nameless:
                await remove_nameless(self._daemon, image["Id"])
            await in_thread(partial(self._leftovers.drop, build=build))

    # ---------------------------------------------------------------------------------------------- images

    async def build(self, request: BuildRequest, log: LogSink) -> Image:
        await self.prepare()
        names = await self._names()
        number = secrets.token_hex(8)
        await in_thread(partial(self._leftovers.add, build=number))
        try:
            older = await self._id_of(names, request.reference)
            image = await build_image(
                self._daemon,
                replace(names, build=number),
                request,
                log,
                base_images=self._base_images,
                with_network=self._policy.with_network,
                name_it=partial(self._tag, names, request.reference),
            )
            await in_thread(partial(self._leftovers.drop, build=number))
            return await self._replaced(names, request.reference, older, image)
        except DaemonProblem as problem:
            raise problem.for_operator("build") from problem

    async def load(self, request: LoadRequest, log: LogSink) -> Image:
        await self.prepare()
        names = await self._names()
        try:
            older = await self._id_of(names, request.reference)
            image = await load_image(self._daemon, names, request, log, base_images=self._base_images)
            return await self._replaced(names, request.reference, older, image)
        except DaemonProblem as problem:
            raise problem.for_operator("load") from problem

    async def _tag(self, names: Names, reference: str, image: str) -> None:
        there = names.there(reference)
        if there is None:
            raise LocalProblem(f"{reference}: too long for a Docker Engine", remedy="Give the image a shorter name.")
        repository, _, tag = there.rpartition(":")
        with daemon_problems():
            await self._daemon.docker.images.tag(image, repository, tag=tag)

    async def _id_of(self, names: Names, reference: str) -> str:
        """The id of the image that has this reference now; empty for none."""
        there = names.there(reference)
        if there is None:
            return ""
        try:
            with daemon_problems():
                return str((await self._daemon.docker.images.inspect(there))["Id"])
        except DaemonProblem as problem:
            if problem.status == 404:
                return ""
            raise

    async def _replaced(self, names: Names, reference: str, older: str, image: str) -> Image:
        """The new image, once the one that it replaced is removed, unless a pod or a name still needs that."""
        if older and older != image:
            await in_thread(partial(self._leftovers.add, image=older))
            await self._sweep_images()
        # An engine has no capitals in the name of a registry.
        shown = names.here(names.there(reference) or "")
        found = next((item for item in await self._listed(names) if item.reference == shown), None)
        if found is None:
            raise LocalProblem(f"{reference}: somebody has removed it from the Docker Engine", remedy="Make it again.")
        return found

    async def images(self) -> Sequence[Image]:
        await self.prepare()
        try:
            return await self._listed(await self._names())
        except DaemonProblem as problem:
            raise problem.for_operator("images") from problem

    async def _listed(self, names: Names) -> list[Image]:
        with daemon_problems():
            # A filter's pattern does not go across slashes, so the names are looked at here.
            documents = await self._daemon.docker.images.list()
        return sorted(
            (_image(reference, document) for document in documents for tag in document.get("RepoTags") or ()
             if (reference := names.here(tag)) is not None),
            key=lambda image: image.reference,
        )  # fmt: skip

    async def find(self, reference: str) -> bool:
        await self.prepare()
        return await self._resolved(reference) is not None

    async def _resolved(self, reference: str) -> str | None:
        try:
            return await resolve(self._daemon, await self._names(), self._base_images, reference)
        except DaemonProblem as problem:
            raise problem.for_operator("images") from problem

    # ------------------------------------------------------------------------------------------------ pods

    async def start(self, pod: PodRequest) -> None:
        check_pod_id(pod.pod_id)
        await self.prepare()
        names = await self._names()
        image = await self._resolved(pod.reference)
        try:
            with daemon_problems():
                document = await self._daemon.docker.images.inspect(image or pod.reference)
        except DaemonProblem as error:
            raise error.for_operator(pod.reference) from error
        facts = self._found.facts
        group = await in_thread(_open_to_its_group, self._workspace.volume)
        architecture = str(document.get("Architecture", ""))
        problem = runs_here(architecture, facts.architecture, self._found.is_on_this_kernel)
        order = {
            "place": asdict(self._found.place),
            "name": container_name(names, pod.pod_id),
            "body": container_of(
                pod,
                names,
                facts,
                image=str(document["Id"]),
                volume=str(self._workspace.path / "volume"),
                group=group,
                policy=self._policy,
                limits=self._limits,
            ),
            "keep_free_bytes": self._limits.keep_free_bytes,
            "watched": [str(self._workspace.path), facts.root_folder],
        }
        await in_thread(self._pods.start, new_record(pod, self.name, problem=problem), -1, {ORDER: order})

    async def stop(self, pod_id: str, grace_s: float = DEFAULT_GRACE_S) -> None:
        await super().stop(pod_id, grace_s)
        try:
            await self._sweep()
        except DaemonProblem:
            self._recovery = None  # what its supervisor could not remove goes when the engine is back

    async def aclose(self) -> None:
        if self._recovery is not None:
            await asyncio.gather(self._recovery, return_exceptions=True)
        await self._daemon.aclose()


def _open_to_its_group(volume: DirHandle) -> int:
    """Let the volume's group write into it, which a pod is in; the number of that group."""
    found = os.fstat(volume.fd)
    if found.st_mode & _GROUP_WRITES != _GROUP_WRITES:
        os.fchmod(volume.fd, stat.S_IMODE(found.st_mode) | _GROUP_WRITES)
    return found.st_gid


def _image(reference: str, document: dict[str, Any]) -> Image:
    repository, _, tag = reference.rpartition(":")
    return Image(
        repository=repository,
        tag=tag,
        id=str(document["Id"]),
        created=_moment(document.get("Created")),
        size=str(document.get("Size", 0)),
    )


def _moment(seconds: Any) -> str:
    """When an image was made; empty where its own configuration says nothing that can be believed."""
    with contextlib.suppress(ValueError, OverflowError, OSError, TypeError):
        if int(seconds) > 0:
            return wire_time(int(seconds))
    return ""
