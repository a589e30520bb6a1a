"""One pod's container in a Docker Engine, by its name. Each call may raise `DaemonProblem`."""

import asyncio
import contextlib
from typing import Any

from aiodocker.containers import DockerContainer
from aiodocker.types import JSONObject

from emtui.local.engines.docker.daemon import Daemon
from emtui.local.engines.docker.pods.states import Inspected
from emtui.local.engines.docker.problems import DaemonProblem, daemon_problems

_MAX_LINE = 512
# An engine that is there answers a question at once; to make, start or remove a container it may need its disk.
_ANSWER_S = 10.0
_WORK_S = 45.0


class Containers:
    """The container called `name`."""

    def __init__(self, daemon: Daemon, name: str) -> None:
        self._daemon = daemon
        self._name = name
        self._image = ""

    @property
    def _container(self) -> DockerContainer:
        return self._daemon.docker.containers.container(self._name)

    async def find(self) -> Inspected | None:
        """How it is, None where there is none."""
        try:
            return await self.inspect()
        except DaemonProblem as problem:
            if problem.status == 404:
                return None
            raise

    async def inspect(self) -> Inspected:
        """How it is."""
        with daemon_problems():
            async with asyncio.timeout(_ANSWER_S):
                document = await self._container.show()
        self._image = str(document.get("Image", ""))
        return Inspected.of(document)

    async def create(self, body: JSONObject) -> None:
        """Make it."""
        with daemon_problems():
            async with asyncio.timeout(_WORK_S):
                await self._daemon.docker.containers.create(body, name=self._name)

    async def start(self) -> None:
        """Start it; nothing happens where it runs."""
        with daemon_problems():
            async with asyncio.timeout(_WORK_S):
                await self._container.start()

    async def wait(self) -> None:
        """Until it runs no more, however long that takes."""
        with daemon_problems():
            await self._container.wait(timeout=None)

    async def signal(self, name: str) -> None:
        """Send a signal to its process; nothing happens where it has ended."""
        try:
            with daemon_problems():
                async with asyncio.timeout(_ANSWER_S):
                    await self._container.kill(signal=name)
        except DaemonProblem as problem:
            if problem.status not in (404, 409):
                raise

    async def only_line(self) -> str:
        """The line that it printed, where it is the only one and can be shown; else empty."""
        with daemon_problems():
            async with asyncio.timeout(_ANSWER_S):
                lines: list[Any] = await self._container.log(stdout=True, stderr=True, tail=2)
        printed = "".join(str(line) for line in lines).strip().splitlines()
        return printed[0][:_MAX_LINE] if len(printed) == 1 else ""

    async def remove(self, image: str = "") -> None:
        """Remove it with all that is its own, and its image where nothing names that any more.

        `image` is the image's id, for who has not inspected the container.
        """
        try:
            with daemon_problems():
                async with asyncio.timeout(_WORK_S):
                    await self._container.delete(force=True, v=True)
        except DaemonProblem as problem:
            # 409: somebody else is removing it at this moment.
            if problem.status not in (404, 409):
                raise
        image = image or self._image
        if image:
            with contextlib.suppress(DaemonProblem):
                await remove_nameless(self._daemon, image)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._daemon.aclose()


async def remove_nameless(daemon: Daemon, image: str) -> bool:
    """Remove an image that nothing names and no container is made of. Whether it needs no further thought."""
    try:
        with daemon_problems():
            async with asyncio.timeout(_WORK_S):
                if not (await daemon.docker.images.inspect(image)).get("RepoTags"):
                    await daemon.docker.images.delete(image)
    except DaemonProblem as problem:
        if problem.status == 409:
            return False
        if problem.status != 404:
            raise
    return True
