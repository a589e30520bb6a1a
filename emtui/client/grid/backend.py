"""The Grid Node of a remote profile: over Socket.IO, and over HTTP where that is not to be had or too small."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from emtui.backend import Download, GridNode, Source
from emtui.client.grid.calls import NotServed
from emtui.client.grid.connection import TooLarge, Waits, ignore
from emtui.client.grid.handshake import NoSocketIO
from emtui.client.grid.over_http import HttpGrid
from emtui.client.grid.over_socketio import SocketIOGrid
from emtui.client.http.address import Address
from emtui.client.http.channel import Channel
from emtui.client.http.limits import Limits
from emtui.client.http.sign_in import Credentials
from emtui.client.http.vitals import ignore as ignore_vitals
from emtui.errors import (
    EmtuiError,
    Forbidden,
    NotFound,
    NotSignedIn,
    Unreachable,
    Untrusted,
)
from emtui.plain import EndpointInfo, Vitals
from emtui.wire.grid import MODEL_ENCODING

if TYPE_CHECKING:
    from emtui.models import EncryptedModel

R = TypeVar("R")

# A larger model is asked for over HTTP first: an acknowledgement is in memory as a whole.
_LARGE_MODEL_BYTES = 1 << 20


class RemoteGrid:
    """A Grid Node (`GridNode`) at an address. Each call goes over Socket.IO first.

    Where Socket.IO is not to be had, a call goes over HTTP; so do models that Socket.IO cannot carry. A connection
    is tried again all the while. What may have been executed is not asked a second time, unless it changes nothing.

    Besides what `GridNode` names, every call may raise `Untrusted` and `ConfigProblem`.
    """

    def __init__(
        self,
        address: Address,
        credentials: Credentials | None = None,
        *,
        ca_file: str | None = None,
        limits: Limits | None = None,
        waits: Waits | None = None,
        on_vitals: Callable[[Vitals], None] = ignore_vitals,
        on_connect: Callable[[], None] = ignore,
    ) -> None:
        """Nothing is sent before the first call.

        `on_vitals` gets each change of what is known by the way. `on_connect` is called each time that the Socket.IO
        connection stands anew: what was pulled before may be old.
        """
        self._channel = Channel(address, credentials, ca_file=ca_file, limits=limits, on_vitals=on_vitals)
        self._socket = SocketIOGrid(self._channel, ca_file=ca_file, waits=waits, on_connect=on_connect)
        self._http = HttpGrid(self._channel)
        self._is_over_http = False
        self._sizes: dict[str, int] = {}

    @property
    def vitals(self) -> Vitals:
        """What is known of the node besides its answers."""
        return self._channel.vitals

    async def sign_in(self, username: str, password: str) -> None:
        """Sign in as the operator has just typed it.

        Raises:
            NotSignedIn: refused, with what the node says.
            Unreachable: no answer.
        """
        await self._channel.sign_in(username, password)

    async def models(self) -> Sequence[str]:
        """The ids of the hosted models (`/models`)."""
        return await self._read(lambda grid: grid.models())

    async def is_model_copy_allowed(self, model_id: str) -> bool:
        """Whether the model may be downloaded (`/is_model_copy_allowed/<model_id>`)."""
        return await self._read(lambda grid: grid.is_model_copy_allowed(model_id))

    async def dataset_tags(self) -> Sequence[str]:
        """The tags of the node's datasets (`/dataset-tags`)."""
        return await self._read(lambda grid: grid.dataset_tags())

    async def search(self, query: str) -> bool:
        """Whether a dataset bears the tag (`/search`)."""
        return await self._read(lambda grid: grid.search(query))

    async def search_encrypted_models(self, model_id: str) -> EncryptedModel:
        """Where an encrypted model is shared (`/search-encrypted-models`)."""
        return await self._read(lambda grid: grid.search_encrypted_models(model_id))

    async def model_sizes(self) -> dict[str, int]:
        """Bytes of the models whose size the node tells."""
        self._sizes = await self._read(lambda grid: grid.model_sizes())
        return self._sizes

    async def _read(self, call: Callable[[GridNode], Awaitable[R]]) -> R:
        """A call that changes nothing: over HTTP too where Socket.IO does not answer."""
        over_http = self._over_http(call)
        if self._is_over_http and not self._socket.is_up:
            # HTTP has answered before: no call waits for the connection, which is tried all the while.
            try:
                return await over_http()
            except (NotServed, Unreachable):
                self._is_over_http = False
        try:
            return await call(self._socket)
        except Unreachable as error:
            return await _instead(error, over_http)

    def _over_http(self, call: Callable[[GridNode], Awaitable[R]]) -> Callable[[], Awaitable[R]]:
        """Does `call` over HTTP, but once: whoever does it again gets what it met the first time."""
        met: list[NotServed | Unreachable] = []

        async def once() -> R:
            if met:
                raise met[0]
            try:
                answer = await call(self._http)
            except (NotServed, Unreachable) as error:
                met.append(error)
                raise
            except Untrusted:
                raise
            except EmtuiError:
                self._is_over_http = True
                raise
            self._is_over_http = True
            return answer

        return once

    @asynccontextmanager
    async def get_model(self, model_id: str) -> AsyncIterator[Download]:
        """Download a model (`/get_model/<model_id>`)."""
        async with AsyncExitStack() as stack:
            yield await self._open(stack, model_id)

    async def _open(self, stack: AsyncExitStack, model_id: str) -> Download:
        async def open_at(grid: GridNode) -> Download:
            return await stack.enter_async_context(grid.get_model(model_id))

        over_http = self._over_http(open_at)
        is_large = self._sizes.get(model_id, 0) > _LARGE_MODEL_BYTES
        if is_large or (self._is_over_http and not self._socket.is_up):
            with contextlib.suppress(NotServed, Unreachable):
                return await over_http()
        try:
            return await open_at(self._socket)
        except (Forbidden, NotFound, NotSignedIn, Untrusted):
            raise
        except EmtuiError as error:  # too large for an acknowledgement, however the node says that
            return await _instead(error, over_http)

    async def serve_model(
        self, source: Source, model_id: str, *, allow_download: bool, encoding: str = MODEL_ENCODING
    ) -> str:
        """Host a model (`/serve_model`); one that no event can hold goes over HTTP.

        Raises:
            TooLarge: it is too large for Socket.IO, and the node does not take it over HTTP.
        """

        def serve(grid: GridNode) -> Awaitable[str]:
            return grid.serve_model(source, model_id, allow_download=allow_download, encoding=encoding)

        over_http = self._over_http(serve)
        if self._is_over_http and not self._socket.is_up:
            with contextlib.suppress(NotServed):
                return await over_http()
        try:
            return await serve(self._socket)
        except TooLarge as error:
            try:
                return await over_http()
            except NotServed:
                raise error from None
        except Unreachable as error:
            if error.may_have_run:
                raise
            return await _instead(error, over_http)

    async def info(self) -> EndpointInfo:
        """Who answers, and which transport carries it."""
        is_http = self._is_over_http and not self._socket.is_up
        return await (self._http if is_http else self._socket).info()

    async def aclose(self) -> None:
        """End all connections."""
        await self._socket.aclose()
        await self._channel.aclose()


async def _instead(error: EmtuiError, over_http: Callable[[], Awaitable[R]]) -> R:
    """Do over HTTP what has met `error` over Socket.IO; where HTTP cannot tell more, that is the error."""
    try:
        return await over_http()
    except NotServed as second:
        raise (second if isinstance(error, NoSocketIO) else error) from None
    except Unreachable as second:
        has_left = second.may_have_run and isinstance(error, Unreachable) and not error.may_have_run
        tells_more = has_left or second.retry_after_s is not None or isinstance(error, NoSocketIO)
        raise (second if tells_more else error) from None
