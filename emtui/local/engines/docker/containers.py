"""One pod's container in a Docker Engine, by its name. Each call may raise `DaemonProblem`."""

import contextlib
from typing import Any

from aiodocker.containers import DockerContainer
from aiodocker.types import JSONObject

from emtui.local.engines.docker.daemon import Daemon
from emtui.local.engines.docker.problems import DaemonProblem, daemon_problems
from emtui.local.engines.docker.states import Inspected

_MAX_LINE = 512


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
            document = await self._container.show()
        self._image = str(document.get("Image", ""))
        return Inspected.of(document)

    async def create(self, body: JSONObject) -> None:
        """Make it."""
        with daemon_problems():
            await self._daemon.docker.containers.create(body, name=self._name)

    async def start(self) -> None:
        """Start it; nothing happens where it runs."""
        with daemon_problems():
            await self._container.start()

    async def wait(self) -> None:
        """Until it runs no more, however long that takes."""
        with daemon_problems():
            await self._container.wait(timeout=None)

    async def signal(self, name: str) -> None:
        """Send a signal to its process; nothing happens where it has ended."""
        try:
            with daemon_problems():
                await self._container.kill(signal=name)
        except DaemonProblem as problem:
            if problem.status not in (404, 409):
                raise

    async def last_line(self) -> str:
        """The last line that it printed, cut to what can be shown; empty for none."""
        with daemon_problems():
            lines: list[Any] = await self._container.log(stdout=True, stderr=True, tail=1)
        text = "".join(str(line) for line in lines).strip()
        return text.splitlines()[-1][:_MAX_LINE] if text else ""

    async def remove(self, image: str = "") -> None:
        """Remove it with all that is its own, and its image where nothing names that any more.

        `image` is the image's id, for who has not inspected the container.
        """
        try:
            with daemon_problems():
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


async def remove_nameless(daemon: Daemon, image: str) -> None:
    """Remove an image that nothing names and no container is made of; else nothing happens."""
    try:
        with daemon_problems():
            if not (await daemon.docker.images.inspect(image)).get("RepoTags"):
                await daemon.docker.images.delete(image)
    except DaemonProblem as problem:
        if problem.status not in (404, 409):
            raise
