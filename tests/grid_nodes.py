"""Grid Nodes as they are met in the field, made here for tests of the client: what they answer is up to the test."""

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import socketio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from tests.grid_serving import listening

Events = dict[str, Callable[..., Any]]


@dataclass
class FakeNode:
    """A node that answers what it is told to. `asked` has each event with its body, `headers` each handshake's."""

    events: Events
    asked: list[tuple[str, Any]] = field(default_factory=list)
    headers: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""
    sio: Any = None

    async def hang_up(self) -> None:
        """Close every connection, as a server does that ends."""
        for sid in list(self.sio.manager.rooms.get("/", {}).get(None, {})):
            await self.sio.disconnect(sid)


@contextlib.asynccontextmanager
async def socket_node(
    events: Events,
    *,
    accepts: Callable[[Any, Any], bool] = lambda environ, auth: True,
    http: Any = None,
    **options: Any,
) -> AsyncIterator[FakeNode]:
    """A node over Socket.IO whose events answer what `events` has under their names, called with the body."""
    sio = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins=[], **options)
    node = FakeNode(events, sio=sio)

    @sio.on("connect")
    async def connect(sid: str, environ: Any, auth: Any = None) -> Any:
        node.headers.append(environ)
        if not accepts(environ, auth):
            raise socketio.exceptions.ConnectionRefusedError("authentication required")

    @sio.on("*")
    async def event(name: str, sid: str, *body: Any) -> Any:
        node.asked.append((name, body[0] if body else None))
        answer = node.events[name](*body)
        return await answer if hasattr(answer, "__await__") else answer

    async with listening(socketio.ASGIApp(sio, other_asgi_app=http)) as url:
        node.url = url
        yield node
    await sio.shutdown()


def http_app(routes: dict[tuple[str, str], Callable[[Request], Any]]) -> Starlette:
    """A node over HTTP; what it does not serve is a page of HTML, as Flask has it."""

    def route(method: str, path: str, answer: Callable[[Request], Any]) -> Route:
        async def endpoint(request: Request) -> Response:
            body = answer(request)
            body = await body if hasattr(body, "__await__") else body
            return body if isinstance(body, Response) else JSONResponse(body)

        return Route(path, endpoint, methods=[method])

    async def missing(request: Request, error: Exception) -> Response:
        return HTMLResponse("<!doctype html><title>404 Not Found</title>", status_code=404)

    routed = [route(method, path, answer) for (method, path), answer in routes.items()]
    app = Starlette(routes=routed, exception_handlers={404: missing, 405: missing})
    app.router.redirect_slashes = False
    return app
