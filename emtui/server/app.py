"""The server as an ASGI application: which part answers which path."""

import re
import socket
from collections.abc import Awaitable, Callable

import socketio  # type: ignore[import-untyped]
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from emtui.errors import EmtuiError, NotFound, NotSignedIn
from emtui.local.grid import LocalGrid
from emtui.local.opening import LocalEnds
from emtui.server.description.pages import Pages
from emtui.server.em.calls import ROUTES, EMCalls
from emtui.server.em.turn import Turn
from emtui.server.grid.over_http import grid_router
from emtui.server.grid.over_socketio import socket_server
from emtui.server.grid.socket_bounds import SocketBounds
from emtui.server.http.answers import Answer, refused
from emtui.server.http.call import Call, note_of
from emtui.server.http.edges import AccessLog, Rest, Unexpected
from emtui.server.http.gate import Gate
from emtui.server.http.slashes import is_socket_io, plain_path, single_slashes
from emtui.server.settings import Settings
from emtui.server.users.accounts import Accounts
from emtui.server.users.sign_in import SignIn
from emtui.server.users.tokens import Tokens

Handler = Callable[[Call], Awaitable[Answer | None]]

_WITH_ID = re.compile(r"/+(?:is[_-]model[_-]copy[_-]allowed|get[_-]model)(?:/|$)")


class MethodNotAllowed(EmtuiError):
    """405: the path is served, but not so."""

    code = "METHOD_NOT_ALLOWED"
    status = 405


class Dispatcher:
    """Gives each request to its part. Slashes may be doubled, and one may be at the end, as clients in the field do."""

    def __init__(
        self, calls: dict[tuple[str, str], Handler], grid: ASGIApp, sockets: ASGIApp, settings: Settings
    ) -> None:
        self._calls = calls
        self._paths = {path for path, _ in calls}
        self._grid = grid
        self._sockets = sockets
        self._patience = settings.patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if is_socket_io(scope["path"]):
            await self._sockets({**scope, "path": f"{plain_path(scope['path'])}/"}, receive, send)
            return
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        call = Call(scope, receive, send, self._patience)
        try:
            answer = await self._answer(call)
        except EmtuiError as error:
            answer = refused(error)
        except HTTPException as error:
            answer = _of_starlette(error, scope)
        if answer is not None:
            await answer.send(send)

    async def _answer(self, call: Call) -> Answer | None:
        path, method = plain_path(call.scope["path"]), call.scope["method"]
        handler = self._calls.get((path, method))
        if handler is not None:
            return await handler(call)
        if path in self._paths:
            allowed = ", ".join(sorted(known for at, known in self._calls if at == path))
            return _not_allowed(method, allowed)
        raw = call.scope.get("raw_path") or call.scope["path"].encode()
        if _WITH_ID.match(call.scope["path"]):
            # An id may hold any slashes; only those in front are nobody's.
            path, raw = "/" + call.scope["path"].lstrip("/"), b"/" + raw.lstrip(b"/")
        else:
            raw = single_slashes(raw)
        await self._grid({**call.scope, "app": self, "path": path, "raw_path": raw}, call.receive, call.send)
        return None


def _not_allowed(method: str, allowed: str) -> Answer:
    answer = refused(MethodNotAllowed(f"{method} is not served here", remedy=f"Use {allowed}."))
    return Answer(answer.status, answer.body, (*answer.headers, (b"allow", allowed.encode())))


def _of_starlette(error: HTTPException, scope: Scope) -> Answer:
    if error.status_code == 405:
        allowed = sorted(name.strip() for name in (error.headers or {}).get("Allow", "").split(","))
        return _not_allowed(scope["method"], ", ".join(allowed))
    return refused(NotFound("no such path", remedy="The document at /schema/ names all of them."))


def application(
    settings: Settings, accounts: Accounts, ends: dict[str, LocalEnds], write_log: Callable[[str], None]
) -> tuple[ASGIApp, socketio.AsyncServer]:
    """The whole server, and its Socket.IO part, which has to be told of the end.

    `ends` are the users' workspaces, the first user's first: its Grid Node is shown to those who have not signed in.

    Raises:
        ConfigProblem: an allowed origin is none.
    """
    tokens = Tokens(accounts.signing_key(), accounts.mark_of, access_s=settings.access_s, refresh_s=settings.refresh_s)
    first = next(iter(ends))

    def node_of(user: str | None) -> LocalGrid:
        return ends[user or first].grid

    def who_of_token(token: str) -> str | None:
        try:
            return tokens.user_of(token, "access")
        except NotSignedIn:
            return None

    async def who(request: Request) -> str | None:
        authorization = request.headers.get("authorization")
        if authorization is None and not settings.has_grid_auth:
            return None
        user = tokens.bearer(authorization)
        note_of(request.scope).user = user
        return user

    em_calls = EMCalls(tokens, Turn(), ends.__getitem__)
    sign_in = SignIn(accounts, tokens)
    calls: dict[tuple[str, str], Handler] = {
        ("/auth", "POST"): sign_in.sign_in,
        ("/auth/refresh", "POST"): sign_in.refresh,
        **Pages(has_grid_auth=settings.has_grid_auth).calls(),
    }
    for route in ROUTES:
        for path in route.paths:
            calls[path, route.method] = _em_handler(em_calls, route.name)
    sockets = socket_server(
        node_of, who_of_token, needs_auth=settings.has_grid_auth, allowed_origins=settings.allowed_origins
    )
    grid = grid_router(node_of, who, settings.patience)
    bounded = SocketBounds(socketio.ASGIApp(sockets), sockets.eio.sockets, settings.patience)
    app: ASGIApp = Dispatcher(calls, grid, bounded, settings)
    app = Gate(Unexpected(app), _own_names(settings), settings.allowed_origins)
    return AccessLog(Rest(app, settings.patience.rest_s), write_log), sockets


def _em_handler(em_calls: EMCalls, name: str) -> Handler:
    return lambda call: em_calls.work(name, call)


def _own_names(settings: Settings) -> tuple[str, ...]:
    return ("localhost", settings.host, socket.gethostname(), *settings.allowed_hosts)
