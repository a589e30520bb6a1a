"""The network below httpx, with an ear open: an answer that comes while a body is still being sent is noticed.

A busy EM refuses an uplink at once (423). httpx alone would send all 500 MB before it reads that.
"""

import asyncio
import re
import ssl
import time
from collections.abc import Iterable
from typing import Any

import anyio
import httpcore
from anyio.abc import ByteStream
from anyio.streams.tls import TLSAttribute, TLSStream

from emtui.client.http.sockets import SocketStream, connect

# Each piece may take as long as a stall is waited for, which makes the least rate of what is sent. A quick way takes
# larger ones, which cost less.
_PIECE_BYTES = 1 << 16
_LARGE_PIECE_BYTES = 1 << 18
_QUICK_S = 1.0
_READ_BYTES = 1 << 16
# `100 Continue` and its like are no answer yet: whole heads of them, and the beginning of another one.
_INTERIM_HEADS = re.compile(rb"(?:HTTP/1\.[01] 1\d\d[^\n]*\n(?:[^\r\n][^\n]*\n)*\r?\n)*")
_INTERIM_BEGUN = re.compile(rb"HTTP/1\.[01] 1")
_INTERIM_STARTS = (b"HTTP/1.0 1", b"HTTP/1.1 1")
_MOST_INTERIM_BYTES = 1 << 16


class ListeningBackend(httpcore.AsyncNetworkBackend):
    """Connects to the first address that answers; its streams listen while they send."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,  # noqa: ARG002 - not used here
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                stream = await connect(host, port, socket_options or ())
        except TimeoutError as error:
            raise httpcore.ConnectTimeout from error
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        return _ListeningStream(stream, stream)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _ListeningStream(httpcore.AsyncNetworkStream):
    """From the second write of a request on (the first one is its head) it also reads.

    A write that finds an answer, or fails, ends with `WriteError`, upon which httpcore reads what has come.
    """

    def __init__(self, socket: SocketStream, stream: ByteStream) -> None:
        """`stream` is `socket` itself, or TLS on it."""
        self._socket = socket
        self._stream = stream
        self._has_written_head = False
        self._piece_bytes = _PIECE_BYTES
        self._ear: asyncio.Task[bytes] | None = None

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Send `buffer`. Each piece of it may take `timeout` seconds."""
        if not buffer:
            return
        if self._has_written_head and self._ear is None:
            self._ear = asyncio.create_task(self._listen())
            # The other side may read no more: what is being written must not wait for it.
            self._ear.add_done_callback(lambda _ear: self._socket.stop_sending())
        if not self._has_written_head:
            self._socket.start_sending()
        self._has_written_head = True
        view = memoryview(buffer)
        while view:
            began = time.monotonic()
            await self._write_piece(view[: self._piece_bytes], timeout)
            view = view[self._piece_bytes :]
            is_quick = time.monotonic() - began < _QUICK_S
            self._piece_bytes = _LARGE_PIECE_BYTES if is_quick else _PIECE_BYTES

    async def _write_piece(self, piece: memoryview, timeout: float | None) -> None:  # noqa: ASYNC109
        if self._ear is not None and self._ear.done():
            raise httpcore.WriteError("the other side has answered")
        try:
            async with asyncio.timeout(timeout):
                await self._stream.send(piece)  # type: ignore[arg-type]  # any buffer is as good as bytes
        except TimeoutError:
            raise httpcore.WriteTimeout from None
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise httpcore.WriteError(str(error)) from error
        if self._socket.send_error is not None:
            raise httpcore.WriteError(str(self._socket.send_error)) from self._socket.send_error
        if self._ear is not None and self._ear.done():
            raise httpcore.WriteError("the other side has answered")

    async def _listen(self) -> bytes:
        heard = b""
        while True:
            data = await self._receive(_READ_BYTES)
            heard += data
            if not data or len(heard) > _MOST_INTERIM_BYTES or not _is_interim(heard):
                return heard

    async def _receive(self, max_bytes: int) -> bytes:
        try:
            return await self._stream.receive(max_bytes)
        except anyio.EndOfStream:
            return b""
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, ssl.SSLError) as error:
            raise httpcore.ReadError(str(error)) from error

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        """What came, at most `max_bytes` or what was heard while writing; empty at the end."""
        self._has_written_head = False
        ear = self._ear
        if ear is None:
            try:
                async with asyncio.timeout(timeout):
                    return await self._receive(max_bytes)
            except TimeoutError:
                raise httpcore.ReadTimeout from None
        await asyncio.wait((ear,), timeout=timeout)
        if not ear.done():
            raise httpcore.ReadTimeout
        self._ear = None
        return ear.result()

    async def aclose(self) -> None:
        ear, self._ear = self._ear, None
        try:
            if ear is not None:
                ear.cancel()
                await asyncio.wait((ear,))
                if not ear.cancelled():
                    ear.exception()  # looked at, so that asyncio does not report it as forgotten
        finally:
            await self._socket.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                stream = await TLSStream.wrap(
                    self._socket,
                    ssl_context=ssl_context,
                    hostname=server_hostname,
                    standard_compatible=False,
                    server_side=False,
                )
        except BaseException as error:
            await self._socket.aclose()
            if isinstance(error, TimeoutError):
                raise httpcore.ConnectTimeout from error
            if isinstance(error, anyio.BrokenResourceError | anyio.EndOfStream | ssl.SSLError):
                raise httpcore.ConnectError(str(error)) from error
            raise
        return _ListeningStream(self._socket, stream)

    def get_extra_info(self, info: str) -> Any:
        if info == "ssl_object":
            return self._stream.extra(TLSAttribute.ssl_object, None)  # noqa: S610 - nothing of Django's
        return self._socket.is_readable if info == "is_readable" else None


def _is_interim(heard: bytes) -> bool:
    """Whether nothing but interim answers has come yet."""
    heads = _INTERIM_HEADS.match(heard)
    rest = heard[heads.end() :] if heads else heard
    return bool(_INTERIM_BEGUN.match(rest)) or any(start.startswith(rest) for start in _INTERIM_STARTS)
