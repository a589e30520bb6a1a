"""A server that answers as a test scripts it: whole, torn, late, or not at all. It writes down what was asked."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from emtui.client.em.backend import HttpEM
from emtui.client.http.address import Address

_MOST_WAIT_S = 20


@dataclass
class Asked:
    """A request as it came. The body is what was read of it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""

    @property
    def line(self) -> str:
        return f"{self.method} {self.target}"

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode("ascii"), keep_blank_values=True, errors="surrogateescape"))

    @property
    def token(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")


@dataclass
class Conversation:
    """A request whose head has come, for a script that answers by its own hand."""

    asked: Asked
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def length(self) -> int:
        return int(self.asked.headers.get("content-length", "0"))

    async def read_body(self, most: int | None = None) -> bytes:
        self.asked.body = await self.reader.readexactly(self.length if most is None else min(most, self.length))
        return self.asked.body

    async def send(self, *parts: bytes) -> None:
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()

    def cut(self) -> None:
        """Reset the connection: nothing more comes, nor is anything said."""
        self.writer.transport.abort()


Script = Callable[[Conversation], Awaitable[None]]


def answer(
    status: int = 200,
    body: Any = None,
    *,
    raw: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    kind: str = "application/json",
) -> bytes:
    """An answer with its length; `raw` in the place of the JSON of `body`."""
    data = json.dumps(body).encode() if raw is None else raw
    head = {"Content-Type": kind, "Content-Length": str(len(data)), **(headers or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items() if value)
    return f"HTTP/1.1 {status} Status\r\n{lines}\r\n".encode("latin-1") + data


@dataclass
class WireServer:
    """`replies` is asked for the answer to each request once its body has come; a `script` does all by itself."""

    replies: Callable[[Asked], bytes | Script]
    script: Script | None = None
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def lines(self) -> list[str]:
        return [asked.line for asked in self.asked]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            async with asyncio.timeout(_MOST_WAIT_S):
                while await self._one(reader, writer):
                    pass
        except (OSError, asyncio.IncompleteReadError, TimeoutError, asyncio.CancelledError):
            pass  # the client has gone, or was to go
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")[:-2]
        method, target, _ = first.split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        asked = Asked(method, target, headers)
        self.asked.append(asked)
        talk = Conversation(asked, reader, writer)
        if self.script is not None:
            await self.script(talk)
            return False
        await talk.read_body()
        reply = self.replies(asked)
        if callable(reply):
            await reply(talk)
            return False
        await talk.send(reply)
        return headers.get("connection") != "close"


@asynccontextmanager
async def wire_server(
    replies: Callable[[Asked], bytes | Script] | bytes | Script, tls: ssl.SSLContext | None = None
) -> AsyncIterator[WireServer]:
    """Serve on a free port of this machine until the context ends."""

    if isinstance(replies, bytes):
        fixed = replies
        server = WireServer(lambda _asked: fixed)
    elif asyncio.iscoroutinefunction(replies):
        server = WireServer(lambda _asked: b"", script=replies)
    else:
        server = WireServer(replies)  # type: ignore[arg-type]
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    server.scheme = "https" if tls else "http"
    tasks_before = asyncio.all_tasks()
    try:
        yield server
    finally:
        listening.close()
        left = [task for task in asyncio.all_tasks() - tasks_before if "WireServer.serve" in repr(task.get_coro())]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


@asynccontextmanager
async def em_on(
    replies: Callable[[Asked], bytes | Script] | bytes | Script, **options: Any
) -> AsyncIterator[tuple[HttpEM, WireServer]]:
    """An `HttpEM` and the scripted server that it talks to."""
    async with wire_server(replies) as server:
        em = HttpEM(Address.parse(server.url), **options)
        try:
            yield em, server
        finally:
            await em.aclose()
