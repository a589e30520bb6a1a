"""The backends that the Grid Node's contract suite runs on. A new backend adds a factory to `BACKENDS`."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from emtui.backend import GridNode
from emtui.client.grid.backend import RemoteGrid
from emtui.client.grid.over_http import HttpGrid
from emtui.client.grid.over_socketio import SocketIOGrid
from emtui.client.http.address import Address
from emtui.client.http.channel import Channel
from emtui.wire.grid import MAX_EVENT_BYTES
from tests.grid_serving import Served, local_grid, served_grid


@dataclass(frozen=True)
class Bench:
    """A backend under test, and the ways to give its node what the API cannot.

    `most_bytes` is what its wire can carry as one model, None where there is no such bound.
    """

    grid: GridNode
    add_dataset: Callable[[str, tuple[str, ...]], Awaitable[None]]
    add_encrypted: Callable[[str, tuple[str, ...], tuple[str, ...]], Awaitable[None]]
    most_bytes: int | None = None


@asynccontextmanager
async def local(folder: Path) -> AsyncIterator[Bench]:
    async with local_grid(folder / "workspace") as grid:
        yield Bench(grid, grid.register_dataset, grid.register_encrypted_model)


@asynccontextmanager
async def socket_only(folder: Path) -> AsyncIterator[Bench]:
    async with served_grid(folder / "workspace", has_http=False) as served:
        channel = Channel(Address.parse(served.url))
        grid = SocketIOGrid(channel)
        try:
            yield bench_of(served, grid, most_bytes=MAX_EVENT_BYTES)
        finally:
            await grid.aclose()
            await channel.aclose()


@asynccontextmanager
async def http_only(folder: Path) -> AsyncIterator[Bench]:
    async with served_grid(folder / "workspace", has_socket=False) as served:
        channel = Channel(Address.parse(served.url))
        try:
            yield bench_of(served, HttpGrid(channel))
        finally:
            await channel.aclose()


@asynccontextmanager
async def remote(folder: Path) -> AsyncIterator[Bench]:
    async with served_grid(folder / "workspace") as served:
        grid = RemoteGrid(Address.parse(served.url))
        try:
            yield bench_of(served, grid)
        finally:
            await grid.aclose()


def bench_of(served: Served, grid: GridNode, *, most_bytes: int | None = None) -> Bench:
    return Bench(grid, served.grid.register_dataset, served.grid.register_encrypted_model, most_bytes)


BACKENDS: dict[str, Callable[[Path], AbstractAsyncContextManager[Bench]]] = {
    "local": local,
    "socketio": socket_only,
    "http": http_only,
    "remote": remote,
}


@pytest.fixture(params=sorted(BACKENDS))
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    async with BACKENDS[request.param](tmp_path) as made:
        yield made


@pytest.fixture
def grid(bench: Bench) -> GridNode:
    return bench.grid
