"""The backends that the Grid Node's contract suite runs on. A new backend adds a factory to `BACKENDS`."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from emtui.backend import GridNode
from emtui.local.grid import LocalGrid
from emtui.local.workspace import Workspace


@dataclass(frozen=True)
class Bench:
    """A backend under test, and the ways to give its node what the API cannot."""

    grid: GridNode
    add_dataset: Callable[[str, tuple[str, ...]], Awaitable[None]]
    add_encrypted: Callable[[str, tuple[str, ...], tuple[str, ...]], Awaitable[None]]


@asynccontextmanager
async def local(folder: Path) -> AsyncIterator[Bench]:
    workspace = Workspace(folder / "workspace")
    grid = LocalGrid(workspace)
    try:
        yield Bench(grid, grid.register_dataset, grid.register_encrypted_model)
    finally:
        await grid.aclose()
        workspace.close()


BACKENDS: dict[str, Callable[[Path], AbstractAsyncContextManager[Bench]]] = {"local": local}


@pytest.fixture(params=sorted(BACKENDS))
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    async with BACKENDS[request.param](tmp_path) as made:
        yield made


@pytest.fixture
def grid(bench: Bench) -> GridNode:
    return bench.grid
