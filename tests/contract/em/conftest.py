"""The backends that the EM's contract suite runs on. A new backend adds a factory to `BACKENDS`."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from emtui.backend import EM
from emtui.local.em import LocalEM
from emtui.local.engines.base import DEFAULT_BASE_IMAGES
from emtui.local.engines.choose import CANDIDATES, Candidate
from emtui.local.stopping import Stop
from emtui.local.workspace import Workspace
from emtui.models import PodSpec


@dataclass(frozen=True)
class Bench:
    """A backend under test, where its volume lies, and where nothing may be left of what was not finished."""

    em: EM
    volume: Path
    staging: Path


@cache
def candidate(family: str) -> Candidate | None:
    """The first engine of a family that works on this machine; probed once, since that takes its time."""
    with TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder) / "workspace")
        try:
            return next(
                (each for each in CANDIDATES if each.family == family and not each.probe(workspace, Stop())), None
            )
        finally:
            workspace.close()


@asynccontextmanager
async def local(family: str, folder: Path) -> AsyncIterator[Bench]:
    engine = await asyncio.to_thread(candidate, family)
    if engine is None:
        pytest.skip(f"the engine {family} does not work on this machine")
    workspace = Workspace(folder / "workspace")
    em = LocalEM(workspace, engine.make(workspace, DEFAULT_BASE_IMAGES))
    try:
        yield Bench(em, workspace.path / "volume", workspace.path / "staging")
        # No pod outlives its test: an image that is nowhere replaces it.
        if (await em.pod_status()).state.is_active:
            await em.run_pod(PodSpec(docker_image="none", max_duration=1, node="GPU"))
    finally:
        await em.aclose()
        workspace.close()


BACKENDS: dict[str, Callable[[Path], AbstractAsyncContextManager[Bench]]] = {
    "local-simulated": partial(local, "simulated"),
    "local-sandbox": partial(local, "sandbox"),
}

# Backends that differ in their engine only treat files alike: one of them is enough where no engine is asked.
FILE_BACKENDS = ["local-simulated"]


@pytest.fixture(params=FILE_BACKENDS)
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    async with BACKENDS[request.param](tmp_path) as made:
        yield made
        # Whatever a test did: what was not finished has left nothing behind.
        assert list(made.staging.iterdir()) == []


@pytest.fixture
def em(bench: Bench) -> EM:
    return bench.em


@pytest.fixture
def volume_root(bench: Bench) -> Path:
    return bench.volume


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A file outside the volume that must be neither read nor written."""
    path = tmp_path / "outside.txt"
    path.write_bytes(b"secret")
    return path
