"""One try to connect to a Grid Node by Socket.IO: by WebSocket first, and why it did not come about.

The library does not tell why it could not connect, follows redirects with the token, and reads without a bound.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator, Mapping

import aiohttp
import engineio  # type: ignore[import-untyped]
import httpcore
import socketio  # type: ignore[import-untyped]
from socketio.exceptions import SocketIOError  # type: ignore[import-untyped]

from emtui import __version__
from emtui.client.grid.elsewhere import is_slash_apart
from emtui.client.http.address import Address
from emtui.client.http.failures import failure
from emtui.errors import EmtuiError, NotSignedIn, Unreachable, Untrusted
from emtui.text import safe_str
from emtui.wire.grid import SIZES_HEADER
from emtui.wire.grid_packets import GridPacket

MAX_ANSWER_BYTES = 32 << 20
"""The largest acknowledgement that is taken. A larger one ends the connection; such models go over HTTP."""

_quiet = logging.getLogger(f"{__name__}.library")
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False


class NoSocketIO(Unreachable):
    """The other side answers, but speaks no Socket.IO."""


@contextlib.asynccontextmanager
async def connected(
    address: Address, token: str | None, tls: ssl.SSLContext | None, *, connect_s: float, close_s: float
) -> AsyncIterator[socketio.AsyncClient]:
    """A client that is connected to `address`, by WebSocket, or by long polling where that is refused.

    It stays until the context ends, or until it is lost; it does not come back by itself.

    Raises:
        NoSocketIO: something else answers.
        NotSignedIn: the node wants a token, or another one.
        Unreachable: no connection within `connect_s`, or it does not let us in for some other reason.
        Untrusted: TLS, or it sends us elsewhere.
    """
    for transport in ("websocket", "polling"):
        watch = _Watch()
        session = _session(token, tls, watch, connect_s)
        client = socketio.AsyncClient(
            reconnection=False,
            handle_sigint=False,
            serializer=GridPacket,
            logger=_quiet,
            engineio_logger=_quiet,
            http_session=session,
            websocket_extra_options={"max_msg_size": MAX_ANSWER_BYTES, "compress": 0},
        )
        try:
            problem = await _connect(client, address, token, transport=transport, watch=watch, connect_s=connect_s)
            if problem is None:
                yield client
                return
            if transport == "polling" or not isinstance(problem, NoSocketIO):
                raise problem
        finally:
            await _ended(client, close_s)
            await session.close()


async def lost(client: socketio.AsyncClient) -> None:
    """Wait until a connection is lost, by whoever's doing."""
    ended = asyncio.Event()
    client.on("disconnect", lambda *_: ended.set())
    tasks = [asyncio.ensure_future(ended.wait()), asyncio.ensure_future(client.eio.wait())]
    try:
        if client.connected and client.eio.state == "connected":
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        tasks[0].cancel()  # the other one ends with what it waits for
        await asyncio.gather(tasks[0], return_exceptions=True)


async def _connect(
    client: socketio.AsyncClient,
    address: Address,
    token: str | None,
    *,
    transport: str,
    watch: _Watch,
    connect_s: float,
) -> EmtuiError | None:
    """None once it is connected, else why it is not."""
    client.on("connect_error", watch.refused)
    try:
        async with asyncio.timeout(connect_s):
            await client.connect(
                address.origin,
                auth={"token": token} if token else None,
                transports=[transport],
                socketio_path=address.target("socket.io"),
                wait_timeout=connect_s,
            )
    except TimeoutError:
        return Unreachable(f"{address.label}: no Socket.IO connection within {connect_s:g} s", may_have_run=False)
    except Exception as error:  # noqa: BLE001 - whatever the other side has said, it is no connection
        return watch.problem(error, address, connect_s)
    if client.eio.state != "connected":
        return Unreachable(f"{address.label}: it closed the connection at once", may_have_run=False)
    return None


def _session(token: str | None, tls: ssl.SSLContext | None, watch: _Watch, connect_s: float) -> aiohttp.ClientSession:
    headers = {"User-Agent": f"emtui/{__version__}", "Accept-Encoding": "identity", SIZES_HEADER: "1"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=tls or True),
        headers=headers,
        trust_env=False,
        auto_decompress=False,
        middlewares=(watch,),
        response_class=_BoundedResponse,
        timeout=aiohttp.ClientTimeout(total=None, connect=connect_s),
    )


class _Watch:
    """Looks at each answer of the handshake: a redirect is not followed, and a status is kept."""

    def __init__(self) -> None:
        self._status: int | None = None
        self._asked = ""
        self._location = ""
        self._refusal: object = None

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        response = await handler(request)
        self._status = response.status
        if response.status in (301, 302, 303, 307, 308):
            self._asked = str(response.url)
            self._location = response.headers.get("location", "")
            response.close()
            raise _Redirected
        return response

    def refused(self, reason: object = None) -> None:
        """The node itself does not let us in."""
        self._refusal = reason or "no reason was given"

    def problem(self, error: Exception, address: Address, connect_s: float) -> EmtuiError:
        label = address.label
        cause = _cause(error)
        if isinstance(cause, _Redirected) and not is_slash_apart(self._asked, self._location):
            return Untrusted(
                f"{label}: it sends us elsewhere, where nothing is sent",
                remedy="Use the address that is meant. A captive portal of this network does so too.",
            )
        if self._status is None:
            broken = httpcore.ConnectError()
            broken.__cause__ = cause
            return failure(broken, address, connect_s=connect_s)
        if isinstance(self._refusal, Mapping):
            message = safe_str(str(self._refusal.get("message", "no reason was given")), 200)
            if any(word in message.lower() for word in ("auth", "credential", "token", "sign")):
                return NotSignedIn(message)
            return Unreachable(f"{label}: it does not let us in: {message}", may_have_run=False)
        if self._status in (401, 403) and self._refusal is None:
            return NotSignedIn(f"Socket.IO answered {self._status}")
        return NoSocketIO(f"{label}: no Socket.IO is served there ({self._status})", may_have_run=False)


class _Redirected(aiohttp.ClientConnectionError):
    pass


def _cause(error: BaseException) -> BaseException:
    """What the system or TLS has said. aiohttp's own errors pose as the ones of `ssl`, and lack what those tell."""
    current: BaseException | None = error
    while current is not None:
        if isinstance(current, aiohttp.ClientConnectorCertificateError):
            return current.certificate_error
        if isinstance(current, aiohttp.ClientConnectorError):
            return current.os_error
        if isinstance(current, _Redirected):
            return current
        current = current.__cause__ or current.__context__
    return error


class _BoundedResponse(aiohttp.ClientResponse):
    """Of long polling: no more is read than an acknowledgement may have."""

    async def read(self) -> bytes:
        data = bytearray()
        while more := await self.content.read(MAX_ANSWER_BYTES + 1 - len(data)):
            data += more
            if len(data) > MAX_ANSWER_BYTES:
                self.close()
                raise ValueError("an answer of too many bytes")
        return bytes(data)


async def _ended(client: socketio.AsyncClient, close_s: float) -> None:
    """End a connection, politely if that is quick, and leave nothing of it."""
    with contextlib.suppress(TimeoutError, SocketIOError, aiohttp.ClientError, OSError):
        async with asyncio.timeout(close_s):
            await client.disconnect()
    tasks = [task for task in (client.eio.read_loop_task, client.eio.write_loop_task) if task is not None]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    with contextlib.suppress(ValueError):
        engineio.base_client.connected_clients.remove(client.eio)
