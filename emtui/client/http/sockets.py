"""Connections as plain sockets: what was received stays readable when sending has failed.

A transport of asyncio throws what it has not yet read away with the first write that fails. A server that refuses a
body unread, as Python's own http.server does, is then never heard: it answers, closes, and its system resets.
"""

import asyncio
import contextlib
import selectors
import socket
from collections.abc import Iterable
from itertools import chain, zip_longest

import anyio
from anyio.abc import ByteStream

SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]

# How long an address may take before the next one is tried beside it (RFC 8305).
_HEAD_START_S = 0.25


class SocketStream(ByteStream):
    """A connected socket. What cannot be sent is remembered in `send_error` and not raised, so that reading goes on."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._sending = asyncio.Lock()
        self._under_way: asyncio.Task[None] | None = None
        self._is_stopped = False
        self._is_closed = False
        self.send_error: OSError | None = None

    async def send(self, item: bytes) -> None:
        async with self._sending:  # TLS writes for a reader too
            self._refuse_closed()
            if self._is_stopped or self.send_error is not None:
                return
            try:
                rest = memoryview(item)
                with contextlib.suppress(BlockingIOError, InterruptedError):
                    rest = rest[self._socket.send(rest) :]
                if rest:
                    await self._send_patiently(rest)
            except OSError as error:
                self.send_error = error

    async def _send_patiently(self, rest: memoryview) -> None:
        sending = asyncio.create_task(asyncio.get_running_loop().sock_sendall(self._socket, rest))
        self._under_way = sending
        try:
            await asyncio.wait((sending,))
        finally:
            self._under_way = None
            if not sending.done():
                sending.cancel()
                await asyncio.wait((sending,))
        if not sending.cancelled():
            sending.result()

    def start_sending(self) -> None:
        """What is sent from now on is of the next request."""
        self._is_stopped = False

    def stop_sending(self) -> None:
        """Send no more. What is being sent is given up where it is."""
        self._is_stopped = True
        if self._under_way is not None:
            self._under_way.cancel()

    async def receive(self, max_bytes: int = 1 << 16) -> bytes:
        self._refuse_closed()
        try:
            data = await asyncio.get_running_loop().sock_recv(self._socket, max_bytes)
        except OSError as error:
            raise anyio.BrokenResourceError from error
        if not data:
            raise anyio.EndOfStream
        return data

    @property
    def is_readable(self) -> bool:
        """Something has come, if only the end."""
        if self._is_closed:
            return True
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            return bool(selector.select(0))

    async def send_eof(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)

    async def aclose(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self.stop_sending()
            self._socket.close()

    def _refuse_closed(self) -> None:
        if self._is_closed:
            raise anyio.ClosedResourceError


async def connect(host: str, port: int, options: Iterable[SocketOption] = ()) -> SocketStream:
    """Connect to the first address of `host` that answers.

    Raises:
        OSError: none does, or there is no such name.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    families: dict[int, list[tuple[int, tuple[object, ...]]]] = {}
    for family, _, _, _, address in found:
        families.setdefault(family, []).append((family, address))
    left = [each for each in chain.from_iterable(zip_longest(*families.values())) if each is not None]
    tries: set[asyncio.Task[socket.socket]] = set()
    last_error: OSError | None = None
    try:
        while left or tries:
            if left:
                tries.add(asyncio.create_task(_connected(*left.pop(0))))
            done, tries = await asyncio.wait(
                tries, timeout=_HEAD_START_S if left else None, return_when=asyncio.FIRST_COMPLETED
            )
            made = []
            for each in done:
                try:
                    made.append(each.result())
                except OSError as error:
                    last_error = error
            for other in made[1:]:
                other.close()
            if made:
                return SocketStream(_prepared(made[0], options))
    finally:
        for each in tries:
            each.cancel()
        for late in await asyncio.gather(*tries, return_exceptions=True):
            if isinstance(late, socket.socket):
                late.close()
    raise last_error or OSError(f"{host} has no address")


async def _connected(family: int, address: tuple[object, ...]) -> socket.socket:
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, address)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepared(connection: socket.socket, options: Iterable[SocketOption]) -> socket.socket:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for option in options:
        connection.setsockopt(*option)
    return connection
