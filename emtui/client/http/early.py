"""The network below httpx, with an ear open: an answer that comes while a body is still being sent is noticed.

A busy EM refuses an uplink at once (423). httpx alone would send all 500 MB before it reads that.
"""

import asyncio
import re
import ssl
import time
from collections.abc import Iterable
from typing import Any

import httpcore

# Each piece may take as long as a stall is waited for, which makes the least rate of what is sent. A quick way takes
# larger ones, which cost less.
_PIECE_BYTES = 1 << 16
_LARGE_PIECE_BYTES = 1 << 18
_QUICK_S = 1.0
_READ_BYTES = 1 << 16
# `100 Continue` and its like are no answer yet.
_INFORMATIONAL = re.compile(rb"HTTP/1\.[01] 1\d\d ")


class ListeningBackend(httpcore.AsyncNetworkBackend):
    """Connects as httpcore does; its streams listen while they send."""

    def __init__(self) -> None:
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        stream = await self._inner.connect_tcp(host, port, timeout, local_address, socket_options)
        return _ListeningStream(stream)

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


class _ListeningStream(httpcore.AsyncNetworkStream):
    """From the second write of a request on (the first one is its head) it also reads.

    A write that finds an answer ends with `WriteError`, upon which httpcore reads that answer.
    """

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner
        self._has_written_head = False
        self._piece_bytes = _PIECE_BYTES
        self._ear: asyncio.Task[bytes] | None = None
        self._writing: asyncio.Timeout | None = None

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Send `buffer`. Each piece of it may take `timeout` seconds."""
        if not buffer:
            return
        if self._has_written_head and self._ear is None:
            self._ear = asyncio.create_task(self._listen())
            self._ear.add_done_callback(self._heard)
        self._has_written_head = True
        view = memoryview(buffer)
        while view:
            if self._ear is not None and self._ear.done():
                raise httpcore.WriteError("the other side has answered")
            began = time.monotonic()
            await self._write_piece(view[: self._piece_bytes], timeout)
            view = view[self._piece_bytes :]
            is_quick = time.monotonic() - began < _QUICK_S
            self._piece_bytes = _LARGE_PIECE_BYTES if is_quick else _PIECE_BYTES

    async def _write_piece(self, piece: memoryview, timeout: float | None) -> None:  # noqa: ASYNC109
        try:
            async with asyncio.timeout(timeout) as self._writing:
                await self._inner.write(piece)  # type: ignore[arg-type]  # any buffer is as good as bytes
        except TimeoutError:
            if self._ear is not None and self._ear.done():
                raise httpcore.WriteError("the other side has answered") from None
            raise httpcore.WriteTimeout from None
        finally:
            self._writing = None

    def _heard(self, _ear: "asyncio.Task[bytes]") -> None:
        if self._writing is not None and not self._writing.expired():
            # The other side may read no more: what is being written must not wait for it.
            self._writing.reschedule(asyncio.get_running_loop().time())

    async def _listen(self) -> bytes:
        heard = b""
        while True:
            data = await self._inner.read(_READ_BYTES)
            heard += data
            if not data or not _INFORMATIONAL.match(heard):
                return heard

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        """What came, at most `max_bytes` or what was heard while writing; empty at the end."""
        self._has_written_head = False
        ear = self._ear
        if ear is None:
            return await self._inner.read(max_bytes, timeout)
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
            await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        return _ListeningStream(await self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
