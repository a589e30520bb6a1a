"""A Socket.IO connection that is watched over: made in the background, and again whenever it is lost.

The library does not come back by itself after the other side has closed the connection, and forgets what is under
way when it is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import socketio  # type: ignore[import-untyped]
from socketio.exceptions import SocketIOError  # type: ignore[import-untyped]

from emtui.client.grid.handshake import NoSocketIO, connected, lost
from emtui.client.http.channel import Channel
from emtui.client.http.tls import tls_context
from emtui.errors import BadRequest, ContractViolation, EmtuiError, NotSignedIn, Unreachable
from emtui.wire.grid import MAX_EVENT_BYTES, json_text
from emtui.wire.grid_packets import UNREADABLE

# What stands around an event's name and body.
_HEADROOM_BYTES = 1024
# Of long polling: the library reads no more than 16 packets at once, on either side.
_MOST_CALLS = 8


@dataclass(frozen=True, slots=True)
class Waits:
    """How long is waited, in seconds; small in a test.

    Attributes:
        ready_s: for the connection, by a call that finds it down.
        connect_s: until a connection stands.
        answer_s: for an acknowledgement.
        serve_s: for that of a model which is served.
        close_s: for a polite end.
        first_retry_s, longest_retry_s: between two tries; it doubles, and each is up to a half shorter by chance.
        steady_s: a connection that has lived so long was a good one: the waits begin anew.
        not_served_s: until it is tried again where no Socket.IO is served.
    """

    ready_s: float = 3.0
    connect_s: float = 10.0
    answer_s: float = 30.0
    serve_s: float = 120.0
    close_s: float = 2.0
    first_retry_s: float = 0.5
    longest_retry_s: float = 30.0
    steady_s: float = 10.0
    not_served_s: float = 300.0

    def within(self, give_up_s: float | None) -> Waits:
        """The same for somebody who gives up on an absent node after `give_up_s` seconds, None for never."""
        if give_up_s is None:
            return self
        ready_s, connect_s, answer_s = (min(one, give_up_s) for one in (self.ready_s, self.connect_s, self.answer_s))
        return replace(self, ready_s=ready_s, connect_s=connect_s, answer_s=answer_s)


class TooLarge(BadRequest):
    """The event is larger than Socket.IO takes. Nothing was sent."""

    code = "TOO_LARGE"

    def __init__(self, size_bytes: int) -> None:
        super().__init__(
            f"too large for Socket.IO: {size_bytes:,} bytes, and a Grid Node takes {MAX_EVENT_BYTES:,}",
            remedy="Serve it over HTTP, where the node has that, or make it smaller.",
        )


def ignore() -> None:
    """Nobody wants to know."""


class Connection:
    """One Socket.IO connection to the address of `channel`, whose token it bears.

    It is made when the first call needs it, and kept until `aclose`. `on_connect` is called on the event loop's
    thread each time that it stands anew: what was pulled before may be old.
    """

    def __init__(
        self,
        channel: Channel,
        *,
        ca_file: str | None = None,
        waits: Waits | None = None,
        on_connect: Callable[[], None] = ignore,
    ) -> None:
        self.waits = waits or Waits()
        self._channel = channel
        self._ca_file = ca_file
        self._on_connect = on_connect
        self._task: asyncio.Task[None] | None = None
        self._client: Any = None  # the library has no types
        self._token: str | None = None
        self._tls: ssl.SSLContext | None = None
        self._problem: EmtuiError | None = None
        self._changed = asyncio.Condition()
        self._retry_now = asyncio.Event()
        self._under_way: set[asyncio.Future[tuple[Any, ...]]] = set()
        self._slots = asyncio.Semaphore(_MOST_CALLS)

    @property
    def is_up(self) -> bool:
        """It stands."""
        return self._client is not None

    async def call(self, event: str, body: Mapping[str, Any] | None, *, wait_s: float) -> Any:
        """Emit an event and wait for what it is acknowledged with. `body` is left out where it is None.

        Raises:
            TooLarge: nothing was sent.
            NoSocketIO, Untrusted, NotSignedIn: there is no connection, for this reason.
            Unreachable: no connection, no answer in time, or lost before it came.
            ContractViolation: the acknowledgement is no JSON.
        """
        _check_size(event, body)
        client = await self._ready()
        async with self._slots:
            answer: asyncio.Future[tuple[Any, ...]] = asyncio.get_running_loop().create_future()
            self._under_way.add(answer)
            try:
                if client is not self._client:
                    raise self._lost(may_have_run=False)
                # What comes late, when nobody waits any more, is ignored.
                await client.emit(event, body, callback=functools.partial(_settle, answer))
                async with asyncio.timeout(wait_s):
                    args = await answer
            except SocketIOError:
                raise self._lost(may_have_run=False) from None
            except TimeoutError:
                raise Unreachable(f"{self._label}: no answer within {wait_s:g} s", may_have_run=True) from None
            finally:
                self._under_way.discard(answer)
                if answer.done() and not answer.cancelled():
                    answer.exception()  # looked at, so that asyncio does not report it as forgotten
        if not args or args[0] is UNREADABLE:
            raise ContractViolation(f"{event.split('/')[1]}: an acknowledgement with a body is promised")
        return args[0]

    async def renew(self, error: NotSignedIn) -> None:
        """The token is no longer accepted: get another one, and connect with it.

        Raises:
            NotSignedIn: there is none to be had without the operator.
        """
        client = self._client
        await self._channel.renew(self._token, error)
        if client is not None and client is self._client:
            self._client = None
            self._retry_now.set()
            with contextlib.suppress(SocketIOError, TimeoutError):
                async with asyncio.timeout(self.waits.close_s):
                    await client.disconnect()

    async def _ready(self) -> socketio.AsyncClient:
        """The client, once it is connected."""
        if self._task is None:
            self._task = asyncio.create_task(self._supervise(), name="grid connection")
        if isinstance(self._problem, NotSignedIn):  # somebody may have signed in meanwhile
            self._problem = None
            self._retry_now.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.waits.ready_s), self._changed:
                # A network that is down may come back; the other reasons stay.
                await self._changed.wait_for(
                    lambda: self._client is not None or type(self._problem) not in (type(None), Unreachable)
                )
        if self._client is None:
            raise self._reason()
        return self._client

    def _reason(self) -> EmtuiError:
        """Why there is no connection, as an error of each caller's own."""
        problem = self._problem
        if problem is None:
            return Unreachable(f"{self._label}: no connection yet", may_have_run=False)
        if isinstance(problem, Unreachable):
            return type(problem)(problem.message, may_have_run=False, remedy=problem.remedy)
        return type(problem)(problem.message, remedy=problem.remedy)

    @property
    def _label(self) -> str:
        return self._channel.address.label

    def _lost(self, *, may_have_run: bool) -> Unreachable:
        return Unreachable(f"{self._label}: the connection was lost", may_have_run=may_have_run)

    # -------------------------------------------------------------------------------------------- the supervisor

    async def _supervise(self) -> None:
        loop = asyncio.get_running_loop()
        wait_s = self.waits.first_retry_s
        while True:
            began = loop.time()
            self._retry_now.clear()
            try:
                await self._live()
                problem: EmtuiError = self._lost(may_have_run=False)
            except EmtuiError as error:
                problem = error
            except Exception as error:  # noqa: BLE001 - whatever it is, the watch goes on
                problem = Unreachable(f"{self._label}: {type(error).__name__}", may_have_run=False)
            await self._tell(problem)
            if loop.time() - began > self.waits.steady_s:
                wait_s = self.waits.first_retry_s
            pause_s = self.waits.not_served_s if isinstance(problem, NoSocketIO) else wait_s
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s * random.uniform(0.5, 1)):  # noqa: S311 - it only spreads the load
                    await self._retry_now.wait()
            wait_s = min(wait_s * 2, self.waits.longest_retry_s)

    async def _live(self) -> None:
        """Connect, and stay until it is lost."""
        async with self._connected() as client:
            self._client = client
            try:
                await self._tell(None)
                self._on_connect()
                await lost(client)
            finally:
                self._client = None
                for answer in self._under_way:
                    if not answer.done():
                        answer.set_exception(self._lost(may_have_run=True))

    async def _tell(self, problem: EmtuiError | None) -> None:
        self._problem = problem
        async with self._changed:
            self._changed.notify_all()

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[socketio.AsyncClient]:
        """A connection with the token in use; where that is refused, once more with a new one."""
        if self._channel.address.scheme == "https" and self._tls is None:
            self._tls = await asyncio.to_thread(tls_context, self._ca_file)
        async with contextlib.AsyncExitStack() as stack:
            self._token = await self._channel.token()
            try:
                client = await self._try(stack)
            except NotSignedIn as error:
                await self._channel.renew(self._token, error)
                self._token = await self._channel.token()
                client = await self._try(stack)
            yield client

    async def _try(self, stack: contextlib.AsyncExitStack) -> socketio.AsyncClient:
        waits = self.waits
        return await stack.enter_async_context(
            connected(self._channel.address, self._token, self._tls, connect_s=waits.connect_s, close_s=waits.close_s)
        )

    async def aclose(self) -> None:
        """End the connection, and whatever makes it anew."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _settle(answer: asyncio.Future[tuple[Any, ...]], *args: Any) -> None:
    if not answer.done():
        answer.set_result(args)


def _check_size(event: str, body: Mapping[str, Any] | None) -> None:
    size_bytes = len(json_text([event] if body is None else [event, body]).encode())
    if size_bytes > MAX_EVENT_BYTES - _HEADROOM_BYTES:
        raise TooLarge(size_bytes)
