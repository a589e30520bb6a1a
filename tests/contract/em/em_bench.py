"""The backends that the EM's contract suite runs on. A new backend adds a factory to `BACKENDS`."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

from emtui.backend import EM
from emtui.client.em.backend import HttpEM
from emtui.client.http.address import Address
from emtui.client.http.sign_in import Credentials
from emtui.local.em import LocalEM
from emtui.local.engines.base import DEFAULT_BASE_IMAGES, Engine
from emtui.local.engines.choose import CANDIDATES, Candidate
from emtui.local.engines.docker.engine import DockerEngine
from emtui.local.stopping import Stop
from emtui.local.workspace import Workspace
from emtui.models import PodSpec
from emtui.profile import PodPolicy
from emtui.server.settings import DEFAULT_USER, Settings
from tests.engines.docker_here import need_docker, remove_all
from tests.missing import missing
from tests.serving import PASSWORD, serving_here


@dataclass(frozen=True)
class Bench:
    """A backend under test, where its volume lies, and where nothing may be left of what was not finished.

    `tells_log`: a build that succeeds gives its log; over the wire only one that fails does (EM API §5).
    """

    em: EM
    volume: Path
    staging: Path
    tells_log: bool = True


@cache
def candidate(family: str) -> Candidate | None:
    """The first engine of a family that works on this machine; probed once, since that takes its time."""
    with TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder) / "workspace")
        try:
            for each in CANDIDATES:
                if each.family == family and not each.probe(workspace, Stop(), DEFAULT_BASE_IMAGES).reason:
                    return each
            return None
        finally:
            workspace.close()


def _engine(family: str, workspace: Workspace) -> Engine:
    if family == "docker":
        return DockerEngine(workspace, need_docker())
    found = candidate(family)
    if found is None:
        missing(f"the engine {family} does not work on this machine")
    return found.make(workspace, None, DEFAULT_BASE_IMAGES, PodPolicy())


@asynccontextmanager
async def local(family: str, folder: Path) -> AsyncIterator[Bench]:
    workspace = Workspace(folder / "workspace")
    em = LocalEM(workspace, await asyncio.to_thread(_engine, family, workspace))
    try:
        yield Bench(em, workspace.path / "volume", workspace.path / "staging")
        # No pod outlives its test: an image that is nowhere replaces it.
        if (await em.pod_status()).state.is_active:
            await em.run_pod(PodSpec(docker_image="none", max_duration=1, node="GPU"))
    finally:
        await em.aclose()
        if family == "docker":
            await remove_all(workspace)
        workspace.close()


@asynccontextmanager
async def http(family: str, folder: Path) -> AsyncIterator[Bench]:
    """`HttpEM` on `emtui serve`, both in this process, over a real socket."""
    if await asyncio.to_thread(candidate, family) is None:
        missing(f"the engine {family} does not work on this machine")
    directory = folder / "workspace"
    async with serving_here(Settings(directory=directory, password=PASSWORD, engine=family)) as serving:
        em = HttpEM(Address.parse(serving.url), Credentials(DEFAULT_USER, password=_password))
        try:
            yield Bench(em, directory / "volume", directory / "staging", tells_log=False)
            if (await em.pod_status()).state.is_active:
                await em.run_pod(PodSpec(docker_image="none", max_duration=1, node="GPU"))
        finally:
            await em.aclose()


async def _password() -> str:
    return PASSWORD


BACKENDS: dict[str, Callable[[Path], AbstractAsyncContextManager[Bench]]] = {
    "local-simulated": partial(local, "simulated"),
    "local-sandbox": partial(local, "sandbox"),
    "local-docker": partial(local, "docker"),
    "http-simulated": partial(http, "simulated"),
    "http-sandbox": partial(http, "sandbox"),
}

# Backends that differ in their engine only treat files alike: one of them is enough where no engine is asked.
FILE_BACKENDS = ["local-simulated", "http-simulated"]
