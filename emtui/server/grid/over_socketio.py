"""The Grid Node over Socket.IO: every event of the Grid Node API, its acknowledgement the body alone.

One event of a connection is worked on after the other, and the next is not read before: a client that floods is
slowed down by its own connection, and others are served between its events.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

import engineio  # type: ignore[import-untyped]
import socketio  # type: ignore[import-untyped]
from socketio.exceptions import ConnectionRefusedError as Refused  # type: ignore[import-untyped]

from emtui.errors import BadRequest
from emtui.local.grid import LocalGrid
from emtui.server.grid import answers
from emtui.server.grid.answers import Answer, answered
from emtui.server.grid.socket_bounds import MAX_CLIENTS, is_too_large
from emtui.wire.grid import MAX_EVENT_BYTES, MODEL_ENCODING, NOT_SIGNED_IN, SIZES_HEADER, text_of_model
from emtui.wire.grid_packets import GridPacket

MAX_SOCKET_MODEL_BYTES = 16 << 20
"""The largest model that travels as one acknowledgement; it is in memory several times meanwhile."""

# Acknowledgements that a client has not read yet. Beyond them its next event has to wait.
_MOST_UNREAD = 64
_UNREAD_CHECK_S = 0.02
_UNREAD_DEADLINE_S = 30.0

_log = logging.getLogger(__name__)
# The library's own lines hold what came, tokens included.
_quiet = logging.getLogger(f"{__name__}.library")
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False

_WITH_ID = re.compile(r"/?(is[_-]model[_-]copy[_-]allowed|get[_-]model)(?:/(.*))?", re.DOTALL)


class _Engine(engineio.AsyncServer):  # type: ignore[misc]  # the library has no types
    """Engine.IO, which does not wait until a client that it drops has fetched everything: most never do."""

    async def disconnect(self, sid: str | None = None) -> None:
        for each in list(self.sockets) if sid is None else [sid]:
            socket = self.sockets.get(each)
            if socket is not None:
                await socket.close(wait=False, reason=self.reason.SERVER_DISCONNECT)
                self.sockets.pop(each, None)


class _Sockets(socketio.AsyncServer):  # type: ignore[misc]
    def _engineio_server_class(self) -> type[_Engine]:
        return _Engine


def socket_server(
    node_of: Callable[[str | None], LocalGrid],
    who_of_token: Callable[[str], str | None],
    *,
    needs_auth: bool,
    allowed_origins: Collection[str] = (),
) -> socketio.AsyncServer:
    """A Socket.IO server whose events are those of the Grid Node API. Mount it with `socketio.ASGIApp`.

    `node_of` gives a user's node, and that of those who have not signed in for None. `who_of_token` gives the user
    of a token, None where it is not accepted; it is asked again with each event, so that a token ends when it
    ends. With `needs_auth` nobody is connected without one. Pages of the same origin are let in, and of
    `allowed_origins`.
    """

    def is_allowed(origin: str, environ: Mapping[str, Any]) -> bool:
        return origin in allowed_origins or origin == f"{environ['wsgi.url_scheme']}://{environ.get('HTTP_HOST')}"

    server = _Sockets(
        async_mode="asgi",
        async_handlers=False,
        serializer=GridPacket,
        max_http_buffer_size=MAX_EVENT_BYTES,
        cors_allowed_origins=is_allowed,
        http_compression=False,
        logger=_quiet,
        engineio_logger=_quiet,
    )

    @server.on("connect")  # type: ignore[untyped-decorator]  # the library has no types
    async def connect(sid: str, environ: Mapping[str, Any], auth: object) -> None:
        if sum(1 for _ in server.manager.get_participants("/", None)) > MAX_CLIENTS:
            raise Refused("too many clients are connected; try again later")
        token = _token(environ, auth)
        if (token is None and needs_auth) or (token is not None and who_of_token(token) is None):
            raise Refused(NOT_SIGNED_IN)
        wants_sizes = environ.get("HTTP_" + SIZES_HEADER.upper().replace("-", "_")) == "1"
        await server.save_session(sid, {"token": token, "sizes": wants_sizes})

    @server.on("*")  # type: ignore[untyped-decorator]
    async def event(name: object, sid: str, *args: Any) -> Any:
        session = await server.get_session(sid)
        token = session.get("token")
        who = None if token is None else who_of_token(token)
        if token is not None and who is None:
            answer = answers.not_signed_in()
        elif is_too_large(args):
            answer = await _too_large(name)
        else:
            answer = await _answer(node_of(who), name, args[0] if args else None, with_sizes=session.get("sizes"))
        await _until_read(server, sid)
        return answer.body

    return server


async def _answer(node: LocalGrid, name: object, body: object, *, with_sizes: bool) -> Answer:
    if not isinstance(name, str):
        return await answered(_unreadable, "error")
    with_id = _WITH_ID.fullmatch(name)
    if with_id is not None:
        call = answers.is_model_copy_allowed if with_id[1].startswith("is") else _get_model
        return await call(node, with_id[2] or "")
    plain = name.strip("/").replace("_", "-")
    if plain == "models":
        return await answers.models(node, with_sizes=with_sizes)
    if plain == "dataset-tags":
        return await answers.dataset_tags(node)
    if plain in _WITH_BODY:
        return await _WITH_BODY[plain](node, await asyncio.to_thread(answers.fields_of, body))
    return await answered(_unknown, "error")


_WITH_BODY: Mapping[str, Callable[[LocalGrid, Mapping[str, Any] | None], Awaitable[Answer]]] = {
    "serve-model": answers.serve_model,
    "search-encrypted-models": answers.search_encrypted_models,
    "search": answers.search,
}


async def _get_model(node: LocalGrid, model_id: str) -> Answer:
    async def call() -> dict[str, Any]:
        async with node.get_model(model_id) as download:
            if download.size_bytes is None or download.size_bytes > MAX_SOCKET_MODEL_BYTES:
                raise BadRequest(
                    f"the model is too large for Socket.IO (over {MAX_SOCKET_MODEL_BYTES >> 20} MiB):"
                    " fetch it over HTTP",
                    code="TOO_LARGE",
                    remedy="GET /get_model/<model_id>",
                )
            data = b"".join([chunk async for chunk in download.chunks])
        return {"serialized_model": text_of_model(data, MODEL_ENCODING)}

    return await answered(call, "error")


async def _too_large(name: object) -> Answer:
    async def call() -> None:
        raise BadRequest(
            f"the event is too large for Socket.IO (over {MAX_EVENT_BYTES:,} bytes): send it over HTTP",
            remedy="POST /serve_model",
        )

    if isinstance(name, str) and name.strip("/").replace("_", "-") == "serve-model":
        return await answered(call, "message", success=False)
    return await answered(call, "error", success=False)


async def _unreadable() -> None:
    raise BadRequest("the event cannot be read", remedy="Send the name of an event, and its body as JSON.")


async def _unknown() -> None:
    raise BadRequest("unknown event", remedy="The events are those of the Grid Node API, such as /models.")


def _token(environ: Mapping[str, Any], auth: object) -> str | None:
    """What the connect packet or the header says; an empty one is none."""
    given = auth.get("token") if isinstance(auth, Mapping) else None
    if isinstance(given, str) and given:
        return given.removeprefix("Bearer ")
    scheme, _, token = str(environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


async def _until_read(server: socketio.AsyncServer, sid: str) -> None:
    """Wait while a client leaves its acknowledgements unread, and drop it if it does so for long."""
    socket = server.eio.sockets.get(server.manager.eio_sid_from_sid(sid, "/"))
    deadline = asyncio.get_running_loop().time() + _UNREAD_DEADLINE_S
    while socket is not None and not socket.closed and socket.queue.qsize() > _MOST_UNREAD:
        if asyncio.get_running_loop().time() > deadline:
            _log.warning("a client of the Grid Node does not read its answers; disconnected")
            await server.disconnect(sid)
            return
        await asyncio.sleep(_UNREAD_CHECK_S)
