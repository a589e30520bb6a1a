"""The Grid Node over Socket.IO: each call an event, its acknowledgement the body alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from emtui.backend import Download, Source, changed
from emtui.client.grid.calls import GridCalls, message_of, model_data, read_body
from emtui.client.grid.connection import Connection, TooLarge, Waits, ignore
from emtui.client.http.channel import Channel
from emtui.errors import NotSignedIn
from emtui.files import MemorySource
from emtui.plain import EndpointInfo
from emtui.wire.grid import (
    MAX_EVENT_BYTES,
    MODEL_ENCODING,
    error_of,
    saved,
    served_error,
    text_of_model,
)


class SocketIOGrid(GridCalls):
    """A Grid Node (`GridNode`) over Socket.IO. Models over its limit are refused before they are sent.

    Besides what `GridNode` names, every call may raise `NoSocketIO` (an `Unreachable`) and `Untrusted`.
    """

    def __init__(
        self,
        channel: Channel,
        *,
        ca_file: str | None = None,
        waits: Waits | None = None,
        on_connect: Callable[[], None] = ignore,
    ) -> None:
        super().__init__()
        self._channel = channel
        self._connection = Connection(channel, ca_file=ca_file, waits=waits, on_connect=on_connect)

    @property
    def is_up(self) -> bool:
        """The connection stands."""
        return self._connection.is_up

    async def _ask(
        self, call: str, fields: Mapping[str, Any] | None = None, *, model_id: str | None = None
    ) -> tuple[Any, int | None]:
        event = call if model_id is None else f"{call}/{model_id}"
        return await self._emit(event, fields, self._connection.waits.answer_s), None

    async def _emit(self, event: str, fields: Mapping[str, Any] | None, wait_s: float) -> Any:
        body = read_body(await self._connection.call(event, fields, wait_s=wait_s))
        error = error_of(body)
        if isinstance(error, NotSignedIn):  # it was not executed
            await self._connection.renew(error)
            body = read_body(await self._connection.call(event, fields, wait_s=wait_s))
        return body

    @asynccontextmanager
    async def get_model(self, model_id: str) -> AsyncIterator[Download]:
        """Download a model (`/get_model/<model_id>`); it is in memory as a whole."""
        data = await asyncio.to_thread(model_data, *await self._ask("/get_model", model_id=model_id))
        async with MemorySource(model_id, data).open() as chunks:
            yield Download(model_id, len(data), chunks)

    async def serve_model(
        self, source: Source, model_id: str, *, allow_download: bool, encoding: str = MODEL_ENCODING
    ) -> str:
        """Host a model (`/serve_model`).

        Raises:
            TooLarge: it is more than one event takes. Nothing was sent.
        """
        if source.size_bytes > MAX_EVENT_BYTES:
            raise TooLarge(source.size_bytes)
        data = await whole(source)
        fields = {
            "encoding": encoding,
            "model_id": model_id,
            "allow_download": allow_download,
            "allow_remote_inference": False,
            "model": text_of_model(data, encoding),
        }
        body = await self._emit("/serve_model", fields, self._connection.waits.serve_s)
        error = served_error(body)
        if error is not None:
            raise error
        return message_of(body, saved(model_id))

    async def info(self) -> EndpointInfo:
        """Who answers."""
        return EndpointInfo(
            label=self._channel.address.label, user=self._channel.username, details={"transport": "Socket.IO"}
        )

    async def aclose(self) -> None:
        """End the connection."""
        await self._connection.aclose()


async def whole(source: Source) -> bytes:
    """All bytes of a small source.

    Raises:
        LocalProblem: it cannot be read, or gives other bytes than it said.
    """
    data = bytearray()
    async with source.open() as chunks:
        async for chunk in chunks:
            data += chunk
            if len(data) > source.size_bytes:
                raise changed(source)
    if len(data) != source.size_bytes:
        raise changed(source)
    return bytes(data)
