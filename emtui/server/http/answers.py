"""Answers: small ones as JSON with their length, large ones streamed for as long as the client takes them."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Send

from emtui.errors import EmtuiError, NotSignedIn, RemoteFailed
from emtui.server.http.call import Stalled
from emtui.wire.errors import error_to_wire

Header = tuple[bytes, bytes]

JSON_TYPE: Header = (b"content-type", b"application/json")
CLOSE: Header = (b"connection", b"close")
_CHALLENGE: Header = (b"www-authenticate", b'Bearer realm="em"')

# What waits for a slow client at most; each must be taken within `Patience.stall_s`.
_PIECE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a JSON body."""

    status: int
    body: Mapping[str, Any]
    headers: tuple[Header, ...] = field(default=())

    async def send(self, send: Send) -> None:
        await send_whole(send, self.status, json.dumps(self.body).encode(), (JSON_TYPE, *self.headers))


def ok(message: str, **more: object) -> Answer:
    """A 200 with the specification's `message` and what comes with it."""
    return Answer(200, {"message": message, **more})


def refused(error: EmtuiError) -> Answer:
    """The answer that an error is."""
    status, body = error_to_wire(error)
    return Answer(status, body, (_CHALLENGE,) if isinstance(error, NotSignedIn) else ())


def failed() -> Answer:
    """What a client is told of an error that nobody expected; the log has the rest."""
    return refused(RemoteFailed("the server failed inside", remedy="Try again; if it stays, look at the server's log."))


def timed_out() -> Answer:
    """408: the client sent nothing any more."""
    body = {
        "error": "REQUEST_TIMEOUT",
        "message": "nothing came any more",
        "remedy": "Nothing was kept. Send it again.",
    }
    return Answer(408, body, (CLOSE,))


async def send_whole(send: Send, status: int, body: bytes, headers: tuple[Header, ...]) -> None:
    """An answer that is known as a whole."""
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


async def send_stream(send: Send, pieces: AsyncIterator[bytes], headers: tuple[Header, ...], *, stall_s: float) -> None:
    """A 200 without a length, in small pieces.

    Raises:
        Stalled: the client takes none of them any more.
    """
    await send({"type": "http.response.start", "status": 200, "headers": list(headers)})
    async for piece in pieces:
        view = memoryview(piece)
        for start in range(0, len(view), _PIECE_BYTES):
            await _send_in_time(send, bytes(view[start : start + _PIECE_BYTES]), True, stall_s)
    await _send_in_time(send, b"", False, stall_s)


async def _send_in_time(send: Send, body: bytes, more: bool, stall_s: float) -> None:
    try:
        async with asyncio.timeout(stall_s):
            await send({"type": "http.response.body", "body": body, "more_body": more})
    except TimeoutError:
        raise Stalled from None
