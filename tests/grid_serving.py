"""A Grid Node of local mode on the wire, in this process, for tests."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import socketio
import uvicorn
from starlette.requests import Request

from emtui.errors import NotSignedIn
from emtui.local.grid import LocalGrid
from emtui.local.workspace import Workspace
from emtui.server.grid.over_http import grid_router
from emtui.server.grid.over_socketio import socket_server

DEADLINE_S = 20


@contextlib.asynccontextmanager
async def listening(app: Any) -> AsyncIterator[str]:
    """An ASGI application on a free port of this machine; its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    config = uvicorn.Config(app, http="h11", log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    server.config.load()
    task = asyncio.create_task(server._serve([listener]))
    try:
        async with asyncio.timeout(DEADLINE_S):
            while not server.started:
                await asyncio.sleep(0.005)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await asyncio.wait_for(task, DEADLINE_S)
        listener.close()


@dataclass
class Served:
    """A served node: its address, the node behind it and the Socket.IO server."""

    url: str
    grid: LocalGrid
    sio: socketio.AsyncServer
    tokens: dict[str, str]


@contextlib.asynccontextmanager
async def local_grid(folder: Path) -> AsyncIterator[LocalGrid]:
    """A node in a workspace of its own."""
    workspace = Workspace(folder)
    grid = LocalGrid(workspace)
    try:
        yield grid
    finally:
        await grid.aclose()
        workspace.close()


@contextlib.asynccontextmanager
async def served_grid(
    folder: Path,
    *,
    needs_auth: bool = False,
    has_socket: bool = True,
    has_http: bool = True,
    wrap: Callable[[Any], Any] = lambda app: app,
) -> AsyncIterator[Served]:
    """A node on the wire. `tokens` maps each good token to its user; every user has the same node."""
    tokens: dict[str, str] = {}

    async def who(request: Request) -> str | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        user = tokens.get(token)
        if user is None and (needs_auth or scheme):
            raise NotSignedIn("no")
        return user

    async with local_grid(folder) as grid:
        sio = socket_server(lambda _user: grid, tokens.get, needs_auth=needs_auth)
        router = grid_router(lambda _user: grid, who) if has_http else None
        app = socketio.ASGIApp(sio, other_asgi_app=router) if has_socket else router
        async with listening(wrap(app)) as url:
            yield Served(url, grid, sio, tokens)
        await sio.shutdown()
