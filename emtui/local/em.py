"""The embedded EM: one user's volume, images and pod on this machine, as the EM API specifies them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emtui.errors import ConfigProblem, EmtuiError, Locked
from emtui.local.hashes import HashCache
from emtui.local.listing import Lister
from emtui.local.stopping import disk_errors, stoppable
from emtui.local.uplink import Incoming, incoming, receive
from emtui.local.volume import delete, open_download
from emtui.local.workspace import Workspace
from emtui.plain import EndpointInfo, Listing
from emtui.threads import in_thread

if TYPE_CHECKING:
    from emtui.backend import Download, LogSink, Source
    from emtui.local.engines.base import Engine
    from emtui.local.images import Images
    from emtui.local.pods import Pods
    from emtui.models import Image, PodSpec, PodStatus, UplinkResult

_USER = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")

# Only the last pod of a user counts; one whose image is nowhere has no reference, and nobody to be found again.
_UNFINISHED = """
    SELECT 1 FROM pods
    WHERE number IN (SELECT max(number) FROM pods GROUP BY username) AND reference IS NOT NULL AND final_state IS NULL
"""


def check_user(user: str) -> None:
    """Refuse a user's name that cannot be put before the name of an image.

    Raises:
        ConfigProblem: it cannot.
    """
    if not _USER.fullmatch(user):
        raise ConfigProblem(
            f"user: cannot be put before an image's name: {user!r}",
            remedy="Use lower-case letters and digits, with single . _ or - between them.",
        )


class LocalEM:
    """An `EM` on a workspace. One request at a time: another one meanwhile is `Locked`, as on the real EM.

    Raises:
        ConfigProblem: `user` cannot be put before the name of an image.
    """

    def __init__(
        self,
        workspace: Workspace,
        engine: Engine | Callable[[], Awaitable[Engine]],
        user: str = "client1",
        base_images: Sequence[str] = (),
    ) -> None:
        """The workspace stays the caller's; the engine is closed with this.

        An engine that takes time to find is given as a function, which is called when it is first needed: the volume
        can be used before that. What the function raises, each call that needs an engine raises. `base_images` are the
        names of those that are to be on board, none for the usual ones.
        """
        check_user(user)
        self._workspace = workspace
        self._engine = engine
        self._user = user
        self._base_images = tuple(base_images)
        self._lister = Lister(workspace.volume, HashCache(workspace.store))
        self._parts: _Parts | None = None
        self._finding = asyncio.Lock()
        self._is_at_work = False

    async def _with_engine(self) -> _Parts:
        async with self._finding:
            if self._parts is None:
                engine = await self._engine() if callable(self._engine) else self._engine
                self._parts = _Parts.of(engine, self._workspace, self._user, self._base_images)
            return self._parts

    async def prepare(self) -> None:
        """Find the pod of the last time again, where there is one that has not ended as far as is known.

        No request has to come for it to start at its time and to end at that. What cannot be done now is told by the
        next request that needs the engine.
        """
        with suppress(EmtuiError, OSError):
            if await in_thread(self._workspace.store.read, _UNFINISHED):
                await (await self._with_engine()).engine.prepare()

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        if self._is_at_work:
            raise Locked("CG2 is busy")
        self._is_at_work = True
        try:
            yield
        finally:
            self._is_at_work = False

    async def uplink(self, files: Sequence[Source], dest_path: str = "") -> UplinkResult:
        with self._at_work():
            return await receive(self._workspace.staging, self._workspace.volume, files, dest_path)

    @asynccontextmanager
    async def incoming(self) -> AsyncIterator[Incoming]:
        """An uplink that comes piece by piece, for a server. It is at work until its context ends."""
        with self._at_work():
            async with incoming(self._workspace.staging, self._workspace.volume) as taken:
                yield taken

    async def list_files(self) -> Listing:
        with self._at_work(), disk_errors("list"):
            return await stoppable(self._lister.list)

    @asynccontextmanager
    async def downlink(self, path: str) -> AsyncIterator[Download]:
        with self._at_work():
            async with open_download(self._workspace.volume, path) as download:
                yield download

    async def delete(self, path: str) -> str:
        with self._at_work():
            await delete(self._workspace.staging, self._workspace.volume, path)
        return "File deleted successfully"

    async def build_image(self, dockerfile: str, context: str, image_name: str, on_log: LogSink | None = None) -> str:
        with self._at_work():
            await (await self._with_engine()).images.build(dockerfile, context, image_name, on_log)
        return "Docker Image built successfully"

    async def load_image(self, tarfile: str, image: str, on_log: LogSink | None = None) -> str:
        with self._at_work():
            await (await self._with_engine()).images.load(tarfile, image, on_log)
        return "Tar file loaded successfully"

    async def list_images(self) -> Sequence[Image]:
        with self._at_work():
            return await (await self._with_engine()).images.list()

    async def run_pod(self, spec: PodSpec) -> str:
        with self._at_work():
            await (await self._with_engine()).pods.run(spec)
        return "Docker run scheduled successfully"

    async def pod_status(self) -> PodStatus:
        with self._at_work():
            return await (await self._with_engine()).pods.status()

    async def info(self) -> EndpointInfo:
        engine = (await self._with_engine()).engine
        return EndpointInfo(label="local", user=self._user, engine=engine.name, notes=tuple(engine.notes),
                            warnings=tuple(engine.warnings))  # fmt: skip

    async def aclose(self) -> None:
        if self._parts is not None:
            await self._parts.engine.aclose()
        elif not callable(self._engine):
            await self._engine.aclose()


@dataclass(frozen=True, slots=True)
class _Parts:
    """What can be there only once there is an engine."""

    engine: Engine
    images: Images
    pods: Pods

    @classmethod
    def of(cls, engine: Engine, workspace: Workspace, user: str, base_images: Sequence[str]) -> _Parts:
        from emtui.local.engines.base import DEFAULT_BASE_IMAGES
        from emtui.local.images import Images
        from emtui.local.pods import Pods

        images = Images(workspace.volume, workspace.store, engine, user)
        pods = Pods(workspace, engine, images, user, base_images or DEFAULT_BASE_IMAGES)
        return cls(engine, images, pods)
