"""Requests and answers over HTTP: one address, bounded in time, and honest about what may have been executed.

What an answer says is somebody else's: here it is bytes. Nothing here knows the EM or a Grid Node.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urljoin, urlsplit

import httpcore
import httpx

from emtui import __version__
from emtui.client.http.address import Address
from emtui.client.http.bodies import Body
from emtui.client.http.failures import failure
from emtui.client.http.limits import Limits, Wait
from emtui.client.http.pace import Pace
from emtui.client.http.pool import PoolTransport
from emtui.client.http.secrets import Secrets
from emtui.client.http.tls import tls_context
from emtui.errors import ContractViolation, EmtuiError, Unreachable, Untrusted
from emtui.text import safe_str

_MOST_KEPT = 8


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Attributes:
        method: `GET` or `POST`.
        path: below the address's base path, with its query, percent-encoded ASCII.
        wait: how long it may take.
        changes: it changes something over there, so that it goes over a connection of its own and is never repeated.
        body: what it carries.
        headers: more headers; the values may be secret.
    """

    method: str
    path: str
    wait: Wait
    changes: bool = False
    body: Body | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class Redirected(Untrusted):
    """The other side sends us elsewhere, where nothing is sent.

    Attributes:
        http_status: what it was said with.
        target: the whole address that it names, as it says it; empty where that is none.
    """

    def __init__(self, message: str, *, remedy: str | None = None, http_status: int = 307, target: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.http_status = http_status
        self.target = target


class Answer:
    """An answer whose body is still to come.

    Attributes:
        status: HTTP's.
        headers: by their names, whatever the case.
        received_at: when its head came, in seconds of `time.time()`.
        round_trip_s: seconds from the last byte of the request to the head of the answer.
    """

    def __init__(self, response: httpx.Response, transport: "Transport", deadline: float, round_trip_s: float) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self.received_at = time.time()
        self.round_trip_s = round_trip_s
        self._response = response
        self._transport = transport
        self._deadline = deadline

    @property
    def secrets(self) -> Secrets:
        """What nothing that is shown of it may say."""
        return self._transport.secrets

    @property
    def length(self) -> int | None:
        """What its Content-Length says, None where it says none."""
        text = self.headers.get("content-length", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None

    @property
    def ends_with_the_connection(self) -> bool:
        """Only the end of the connection ends it, so that one which was cut off cannot be told from a whole one."""
        return "content-length" not in self.headers and "transfer-encoding" not in self.headers

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The body as it arrives.

        Raises:
            ContractViolation: it is compressed, which nobody asked for.
            Unreachable: it stalled or was cut off.
        """
        coding = self.headers.get("content-encoding", "").strip().lower()
        if coding not in ("", "identity"):
            raise ContractViolation(
                f"{self._transport.address.label}: the answer is compressed by {safe_str(coding, 40)}, unasked",
                remedy="Something between here and the server compresses answers; have it switched off.",
            )
        limits = self._transport.limits
        pace = Pace(limits.least_rate_bytes_s, limits.rate_window_s)
        async with aclosing(cast("AsyncGenerator[bytes, None]", self._response.aiter_raw())) as raw:
            while True:
                began = time.monotonic()
                piece = await self._next(raw)
                if piece is None:
                    return
                if pace.is_stalled(len(piece), time.monotonic() - began):
                    raise self._stalled(f"under {limits.least_rate_bytes_s:,} bytes a second")
                yield piece

    async def aclose(self) -> None:
        """Read no more of it."""
        await self._response.aclose()

    async def _next(self, raw: AsyncIterator[bytes]) -> bytes | None:
        limits = self._transport.limits
        now = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(min(self._deadline, now + limits.chunk_s)):
                return await anext(raw, None)
        except TimeoutError:
            late = now + limits.chunk_s > self._deadline
            raise self._stalled("its time is over" if late else f"nothing came for {limits.chunk_s:g} s") from None
        except _NETWORK_ERRORS as error:
            raise failure(error, self._transport.address, connect_s=limits.connect_s) from error

    def _stalled(self, how: str) -> Unreachable:
        return Unreachable(f"{self._transport.address.label}: the answer has stalled: {how}", may_have_run=True)

    async def read(self, most_bytes: int) -> tuple[bytes, bool]:
        """The body, and whether it is all of it: no more than `most_bytes` are read."""
        parts: list[bytes] = []
        left = most_bytes
        async with aclosing(self.pieces()) as pieces:
            async for piece in pieces:
                if len(piece) > left:
                    parts.append(piece[:left])
                    return b"".join(parts), False
                left -= len(piece)
                parts.append(piece)
        return b"".join(parts), True


_NETWORK_ERRORS = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    httpcore.UnsupportedProtocol,
    OSError,
)


class Transport:
    """The way to one address. Connections are made when the first request needs one."""

    def __init__(self, address: Address, *, ca_file: str | None = None, limits: Limits | None = None) -> None:
        self.address = address
        self.limits = limits or Limits()
        self.secrets = Secrets()
        self._ca_file = ca_file
        self._clients: tuple[httpx.AsyncClient, httpx.AsyncClient] | None = None
        self._connecting = asyncio.Lock()

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncIterator[Answer]:
        """Send a request; its answer is read, or given up, within the context. Redirects are not followed.

        Raises:
            Unreachable: no answer, with whether it may have been executed.
            Untrusted: the other side is not who it should be, or sends us elsewhere.
            LocalProblem: what the body raises; the request is broken off.
        """
        deadline = asyncio.get_running_loop().time() + request.wait.total_s
        reusable, fresh = await self._ready()
        client = fresh if request.changes else reusable
        is_new = _IsNew()
        try:
            answer = await self._send(client, request, deadline, is_new)
        except (httpcore.ReadError, httpcore.WriteError, httpcore.RemoteProtocolError) as error:
            if request.changes or is_new:
                raise self._failure(error) from error
            # The other side had closed the connection of the request before.
            try:
                answer = await self._send(fresh, request, deadline, is_new)
            except _NETWORK_ERRORS as second:
                raise self._failure(second) from second
        except _NETWORK_ERRORS as error:
            raise self._failure(error) from error
        async with aclosing(answer._response):
            self._refuse_redirect(answer, request)
            yield answer

    def _failure(self, error: Exception) -> EmtuiError:
        return failure(error, self.address, connect_s=self.limits.connect_s)

    async def _send(self, client: httpx.AsyncClient, request: Request, deadline: float, is_new: "_IsNew") -> Answer:
        headers = {
            "Host": self.address.label,
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"emtui/{__version__}",
            **request.headers,
        }
        stream: _Sent | None = None
        if request.body is not None:
            headers |= {"Content-Type": request.body.content_type, "Content-Length": str(request.body.size_bytes)}
            stream = _Sent(request.body)
        elif request.method == "POST":
            headers["Content-Length"] = "0"
        limits = self.limits
        timeouts = {
            "connect": limits.connect_s,
            "pool": limits.connect_s,
            "read": request.wait.answer_s,
            "write": limits.rate_window_s,  # for each piece, which makes a least rate
        }
        built = httpx.Request(
            request.method,
            httpx.URL(self.address.origin, raw_path=self.address.target(request.path).encode("ascii")),
            headers=headers,
            stream=stream,
            extensions={"timeout": timeouts, "trace": is_new.trace},
        )
        try:
            async with asyncio.timeout_at(deadline):
                response = await client.send(built, stream=True)
        except TimeoutError:
            raise Unreachable(
                f"{self.address.label}: stalled: not done within {request.wait.total_s:g} s", may_have_run=True
            ) from None
        except httpcore.ReadTimeout:
            raise Unreachable(
                f"{self.address.label}: stalled: no answer within {request.wait.answer_s:g} s", may_have_run=True
            ) from None
        except httpcore.WriteTimeout:
            raise Unreachable(
                f"{self.address.label}: stalled: the other side takes no more of it", may_have_run=True
            ) from None
        finally:
            if stream is not None:
                await stream.aclose()
        if stream is not None and not stream.is_whole and response.is_success:
            await response.aclose()
            raise Unreachable(
                f"{self.address.label}: it says that all is well before all of it was sent", may_have_run=True
            )
        return Answer(response, self, deadline, time.monotonic() - is_new.sent_at)

    def _refuse_redirect(self, answer: Answer, request: Request) -> None:
        if answer.status not in (301, 302, 303, 307, 308):
            return
        asked = f"{self.address.origin}{self.address.target(request.path)}"
        try:
            target = urljoin(asked, answer.headers.get("location", ""))
            parts = urlsplit(target)
            where = safe_str(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", 120)
        except ValueError:
            target, where = "", "an address that is none"
        raise Redirected(
            f"{self.address.label}: it sends us to {where}, where nothing is sent",
            remedy=f"If that is right, use {where} as the address. A captive portal of this network does so too.",
            http_status=answer.status,
            target=target,
        )

    async def _ready(self) -> tuple[httpx.AsyncClient, httpx.AsyncClient]:
        async with self._connecting:
            if self._clients is None:
                context = (
                    await asyncio.to_thread(tls_context, self._ca_file) if self.address.scheme == "https" else None
                )
                reusable, fresh = (
                    httpx.AsyncClient(transport=PoolTransport(context, kept=kept), trust_env=False)
                    for kept in (_MOST_KEPT, 0)
                )
                self._clients = reusable, fresh
            return self._clients

    async def aclose(self) -> None:
        """Close all connections."""
        clients, self._clients = self._clients, None
        for client in clients or ():
            await client.aclose()


class _IsNew:
    """Whether a request went over a new connection, and when all of it had left."""

    def __init__(self) -> None:
        self._is_new = False
        self.sent_at = time.monotonic()

    def __bool__(self) -> bool:
        return self._is_new

    async def trace(self, event: str, _info: Mapping[str, Any]) -> None:
        if event == "connection.connect_tcp.started":
            self._is_new = True
        elif event in ("http11.send_request_body.complete", "http11.send_request_body.failed"):
            self.sent_at = time.monotonic()


class _Sent(httpx.AsyncByteStream):
    """A body on its way. It is ended with the request, also where the other side took only half of it."""

    def __init__(self, body: Body) -> None:
        self._stream = body.stream()
        self._left = body.size_bytes

    @property
    def is_whole(self) -> bool:
        """All of it was given to the network."""
        return self._left == 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._stream:
            self._left -= len(piece)
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()
