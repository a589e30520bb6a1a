"""The backends that the EM's contract suite runs on. A new backend adds a factory to `BACKENDS`."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from emtui.backend import EM
from emtui.errors import ConfigProblem
from emtui.local.em import LocalEM
from emtui.local.engines.choose import choose_engine
from emtui.local.workspace import Workspace
from emtui.models import PodSpec


@dataclass(frozen=True)
class Bench:
    """A backend under test, where its volume lies, and where nothing may be left of what was not finished."""

    em: EM
    volume: Path
    staging: Path


@asynccontextmanager
async def local(engine: str, folder: Path) -> AsyncIterator[Bench]:
    workspace = Workspace(folder / "workspace")
    try:
        chosen = await choose_engine(workspace, engine)
    except ConfigProblem as problem:
        workspace.close()
        pytest.skip(str(problem))
    em = LocalEM(workspace, chosen)
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


@pytest.fixture(params=sorted(BACKENDS))
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
