"""What is around every request: the log line, the rest of its body, and what happens to errors nobody expected."""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emtui.server.http.answers import CLOSE, failed, timed_out
from emtui.server.http.call import BrokenOff, ClientGone, Stalled, header, note_of
from emtui.text import safe_str, timestamp

_LOG = logging.getLogger("emtui.server")

MAX_REST_BYTES = 600_000_000
"""How much of a body is read and thrown away after its answer: more than the largest uplink that is allowed."""

_MOST_PATH_CHARS = 200
_GONE = 499  # as nginx writes it: the client closed the connection

Abort = Callable[[], None]


class AccessLog:
    """Writes a line for each request: when, from where, who, what, status, bytes and seconds. Never a query."""

    def __init__(self, app: ASGIApp, write: Callable[[str], None]) -> None:
        self._app = app
        self._write = write

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        note = note_of(scope)
        began = time.monotonic()
        status, count = 0, 0

        async def sent(message: Message) -> None:
            nonlocal status, count
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "websocket.accept":
                status = 101
            count += len(message.get("body") or message.get("bytes") or message.get("text") or b"")
            await send(message)

        try:
            await self._app(scope, receive, sent)
        finally:
            host = scope["client"][0] if scope.get("client") else "-"
            method = scope.get("method", "WEBSOCKET")
            path = safe_str(scope["path"], _MOST_PATH_CHARS).replace(" ", "%20")
            seconds = time.monotonic() - began
            when = timestamp(datetime.now(UTC))
            who = safe_str(note.user, 64) or "-"
            self._write(f"{when} {host} {who} {method} {path} {status or _GONE} {count} {seconds:.3f}")


class Rest:
    """Lets a client that is told no in the middle of its body read the answer.

    Most clients send everything before they read, and see only a broken connection if the server closes it. So the
    answer goes out at once, and what still comes is thrown away, within bounds.
    """

    def __init__(self, app: ASGIApp, rest_s: float) -> None:
        self._app = app
        self._rest_s = rest_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _has_body(scope):
            await self._app(scope, receive, send)
            return
        is_over = False
        closes = False

        async def received() -> Message:
            nonlocal is_over
            message = await receive()
            is_over = is_over or message["type"] == "http.disconnect" or not message.get("more_body", False)
            return message

        async def sent(message: Message) -> None:
            nonlocal closes
            if message["type"] == "http.response.start":
                closes = CLOSE in message.get("headers", ())
            is_last = message["type"] == "http.response.body" and not message.get("more_body", False)
            if is_over or closes or not is_last:
                await send(message)
                return
            await send({**message, "more_body": True})
            await self._throw_away(scope, received)
            await send({"type": "http.response.body", "body": b""})

        await self._app(scope, received, sent)

    async def _throw_away(self, scope: Scope, received: Receive) -> None:
        count = 0
        try:
            async with asyncio.timeout(self._rest_s):
                while True:
                    message = await received()
                    count += len(message.get("body", b""))
                    if message["type"] == "http.disconnect" or not message.get("more_body", False):
                        return
                    if count > MAX_REST_BYTES:
                        break
        except TimeoutError:
            pass
        abort(scope)


def _has_body(scope: Scope) -> bool:
    return header(scope, b"transfer-encoding") is not None or header(scope, b"content-length") not in (None, "0")


def abort(scope: Scope) -> None:
    """Close the request's connection at once, also where the client takes nothing any more."""
    extension = scope.get("extensions", {}).get("emtui.abort")
    if extension is not None:
        extension["abort"]()


class Unexpected:
    """Ends what nobody caught: told to the log with its traceback, to the client without."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def sent(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, sent)
        except (ClientGone, asyncio.CancelledError):
            # Broken off at the end of the server, it may have been done or undone: only no answer says neither.
            abort(scope)
        except Stalled:
            if has_begun:
                abort(scope)
            else:
                await timed_out().send(send)
        except BrokenOff:
            pass  # uvicorn closes a connection whose answer has no end, once what was written is out
        except Exception:  # noqa: BLE001 - what nobody expected must not end the server
            _LOG.exception("%s %s failed", scope.get("method", "websocket"), safe_str(scope["path"], _MOST_PATH_CHARS))
            if scope["type"] == "http" and not has_begun:
                await failed().send(send)
