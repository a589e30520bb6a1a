"""What comes between a client and Socket.IO: bounds that its library has not, or keeps without a word.

A long-polling request is read as a whole, and refused where it is too large. A websocket's event that is too large is
told so, in its acknowledgement, and its connection lives. What is no packet at all ends its connection quietly.
"""

import asyncio
import re
import secrets
from collections.abc import Collection, Mapping, Sequence

from engineio.packet import Packet  # type: ignore[import-untyped]
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emtui.errors import BadRequest, EmtuiError
from emtui.server.grid.form import TooLarge
from emtui.server.http.answers import Answer, refused
from emtui.server.http.call import Call, ClientGone, Stalled
from emtui.server.settings import Patience
from emtui.wire.grid import MAX_EVENT_BYTES

MAX_CLIENTS = 256
"""Connections at once: enough for a team, and each of them holds buffers."""

# Sessions that have not said who they are count too, until the library's own ping ends them.
_MOST_SESSIONS = 2 * MAX_CLIENTS

# Of the events in one long-polling request.
_WORK_S = 60.0

_SESSION = re.compile(rb"(?:^|&)sid=[^&]")
_EVENT = re.compile(r'(42(?:/[^,"]{0,100},)?\d{0,18}\["(?:[^"\\]|\\.){0,1000}"),')

# Stand in for what was too large; nobody can guess them.
_TOO_LARGE_TEXT = secrets.token_hex(32)
_TOO_LARGE_BYTES = _TOO_LARGE_TEXT.encode()


class _Full(EmtuiError):
    """503: more clients than there is room for."""

    code = "TOO_MANY_CLIENTS"
    status = 503


def is_too_large(arguments: Sequence[object]) -> bool:
    """Whether these came instead of an event's arguments that were over the limit."""
    return any(
        argument in (_TOO_LARGE_TEXT, _TOO_LARGE_BYTES)
        or (isinstance(argument, Mapping) and _TOO_LARGE_BYTES in argument.values())
        for argument in arguments
    )


class SocketBounds:
    """Socket.IO's application within bounds. `sessions` are those that it has now."""

    def __init__(self, app: ASGIApp, sessions: Collection[str], patience: Patience) -> None:
        self._app = app
        self._sessions = sessions
        self._patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_websocket = scope["type"] == "websocket"
        if len(self._sessions) >= _MOST_SESSIONS and not _SESSION.search(scope["query_string"]):
            if is_websocket:
                await receive()
                await send({"type": "websocket.close", "code": 1013})
            else:
                await _full().send(send)
        elif is_websocket:
            await self._app(scope, _readable(receive), send)
        elif scope["method"] == "POST":
            await self._post(Call(scope, receive, send, self._patience))
        else:
            await self._app(scope, receive, send)

    async def _post(self, call: Call) -> None:
        """Raises ClientGone where the client has gone, or its events take too long: they are broken off."""
        body = await self._body(call)
        if body is None:
            await _too_large().send(call.send)
            return
        unknown = (b"content-length", b"transfer-encoding")
        headers = [(name, value) for name, value in call.scope["headers"] if name not in unknown]
        scope = {**call.scope, "headers": [*headers, (b"content-length", str(len(body)).encode())]}

        async def received() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        try:
            async with asyncio.timeout(_WORK_S):
                await call.unless_gone(_run(self._app, scope, received, call.send))
        except TimeoutError:
            raise ClientGone from None

    async def _body(self, call: Call) -> bytes | None:
        """The whole body, None where it is over the limit."""
        if int(call.header(b"content-length") or 0) > MAX_EVENT_BYTES:
            return None
        try:
            async with asyncio.timeout(self._patience.rest_s):
                return await call.body(MAX_EVENT_BYTES)
        except BadRequest:
            return None
        except TimeoutError:
            raise Stalled from None


async def _run(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    await app(scope, receive, send)


def _full() -> Answer:
    return refused(_Full("too many clients are connected", remedy="Try again in a minute."))


def _too_large() -> Answer:
    remedy = "Send less at once; a model goes over HTTP too: POST /serve_model."
    return refused(TooLarge(f"a request of over {MAX_EVENT_BYTES:,} bytes", remedy=remedy))


def _readable(receive: Receive) -> Receive:
    """The frames of a websocket, as the library can take them."""

    async def received() -> Message:
        message = await receive()
        if message["type"] != "websocket.receive":
            return message
        data, text = message.get("bytes"), message.get("text")
        if data is not None:
            return {**message, "bytes": _TOO_LARGE_BYTES} if len(data) > MAX_EVENT_BYTES else message
        if text is not None and len(text) > MAX_EVENT_BYTES:
            event = _EVENT.match(text)
            text = f'{event[1]},"{_TOO_LARGE_TEXT}"]' if event else None
        if text is None or not _is_packet(text):
            return {"type": "websocket.disconnect", "code": 1002}
        return {**message, "text": text}

    return received


def _is_packet(text: str) -> bool:
    try:
        Packet(encoded_packet=text)
    except (ValueError, RecursionError):
        return False
    return True
