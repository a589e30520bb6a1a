"""HTTP/1.1 as uvicorn speaks it, with bounds that it does not have: a head must come in time, and errors are JSON."""

import asyncio
import json
from typing import Any

import h11
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from emtui.errors import BadRequest
from emtui.wire.errors import error_to_wire

MAX_HEAD_BYTES = 1 << 16
"""Of a request's head, and of what may wait unread of it."""


_GOODBYE_S = 0.5


def protocol_class(headers_s: float) -> type[H11Protocol]:
    """The protocol of connections whose heads must be whole within `headers_s`."""

    class BoundedProtocol(H11Protocol):
        """One connection."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.app = _with_abort(self.app, self._abort)
            self._head_timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._watch_head()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch_head()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._watch_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_timer()
            super().connection_lost(exc)

        def shutdown(self) -> None:
            super().shutdown()
            if self.transport.is_closing():
                # Over TLS the client would have to say goodbye first, which an idle one does not.
                self.loop.call_later(_GOODBYE_S, self._abort)

        def handle_websocket_upgrade(self, event: h11.Request) -> None:
            self._stop_timer()
            super().handle_websocket_upgrade(event)

        def send_400_response(self, msg: str) -> None:
            if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
                self.transport.close()  # an answer has begun: there is no place for another one
                return
            error = BadRequest(msg, remedy="Let an HTTP library write the request.")
            body = json.dumps(error_to_wire(error)[1]).encode()
            headers = [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                (b"connection", b"close"),
            ]
            events = (
                h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
                h11.Data(data=body),
                h11.EndOfMessage(),
            )
            self.transport.write(b"".join(self.conn.send(each) or b"" for each in events))
            self.transport.close()

        def _watch_head(self) -> None:
            """Run the clock while a head is awaited. More of it does not set the clock back."""
            is_awaited = self.conn.their_state is h11.IDLE and not self.transport.is_closing()
            if not is_awaited:
                self._stop_timer()
            elif self._head_timer is None:
                self._head_timer = self.loop.call_later(headers_s, self._abort)

        def _stop_timer(self) -> None:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None

        def _abort(self) -> None:
            self.transport.abort()

    return BoundedProtocol


def _with_abort(app: ASGIApp, abort: Any) -> ASGIApp:
    """The application, told how to end a connection whose client takes nothing any more."""

    async def with_abort(scope: Scope, receive: Receive, send: Send) -> None:
        scope["extensions"] = {**scope.get("extensions", {}), "emtui.abort": {"abort": abort}}
        await app(scope, receive, send)

    return with_abort
