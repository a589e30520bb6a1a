"""One HTTP request: its parts as text that may hold any bytes, and its body as a bounded stream."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from emtui.errors import BadRequest
from emtui.server.settings import Patience
from emtui.wire.deep_json import loads

R = TypeVar("R")

MAX_BODY_BYTES = 1 << 20
"""Of every call that is no transfer."""

LEAST_BYTES = 1024
"""What a transfer must give or take within `Patience.stall_s`: a byte now and then is a stall too."""

_NOTE = "emtui.note"


class ClientGone(Exception):
    """The client has closed the connection; nobody waits for an answer."""


class BrokenOff(Exception):
    """An answer that had begun cannot be ended: the connection is closed, so that nobody takes it for whole."""


class Stalled(Exception):
    """The client gives or takes nothing any more."""


@dataclass(slots=True)
class Note:
    """What is found out about a request on its way, for the access log."""

    user: str = ""
    close: bool = False


def note_of(scope: Scope) -> Note:
    """The request's note; it goes along with the scope."""
    note = scope.setdefault(_NOTE, Note())
    assert isinstance(note, Note)  # noqa: S101 - tells mypy what nobody else puts there
    return note


def header(scope: Scope, name: bytes) -> str | None:
    """A header's value, None where it is missing. `name` in lower case."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)


def parsed_query(query: bytes | str) -> dict[str, str]:
    """Fields of a query or a form. What is no UTF-8 is held by `surrogateescape`; of two of a name the last counts.

    Raises:
        BadRequest: too many fields.
    """
    text = query if isinstance(query, str) else query.decode("utf-8", "surrogateescape")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="surrogateescape", max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise BadRequest(f"more than {_MOST_FIELDS} fields", remedy="Send the specified fields only.") from None
    return dict(pairs)


_MOST_FIELDS = 200


class Call:
    """A request that is being worked on."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, patience: Patience) -> None:
        self.scope = scope
        self.receive = receive
        self.send = send
        self.patience = patience

    def header(self, name: bytes) -> str | None:
        return header(self.scope, name)

    @property
    def content_type(self) -> str:
        """As sent, parameters included; empty where there is none."""
        return self.header(b"content-type") or ""

    @property
    def media_type(self) -> str:
        return self.content_type.partition(";")[0].strip().lower()

    @cached_property
    def query(self) -> dict[str, str]:
        """The query's fields."""
        return parsed_query(self.scope["query_string"])

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes.

        Raises:
            ClientGone: before its end.
            Stalled: the client sends nothing any more.
        """
        loop = asyncio.get_running_loop()
        left_s = self.patience.stall_s  # of waiting: what is done with a chunk is not the client's time
        count = 0
        more = True
        while more:
            began = loop.time()
            try:
                async with asyncio.timeout(left_s):
                    message = await self.receive()
            except TimeoutError:
                raise Stalled from None
            left_s -= loop.time() - began
            if message["type"] == "http.disconnect":
                raise ClientGone
            data = message.get("body", b"")
            more = message.get("more_body", False)
            count += len(data)
            if count >= LEAST_BYTES:
                left_s, count = self.patience.stall_s, 0
            if data:
                yield data

    async def body(self, limit_bytes: int = MAX_BODY_BYTES) -> bytes:
        """The whole body.

        Raises:
            BadRequest: it is over the limit; the rest of it is not read.
            ClientGone, Stalled: as `chunks`.
        """
        data = bytearray()
        async for chunk in self.chunks():
            data += chunk
            if len(data) > limit_bytes:
                raise BadRequest(
                    f"the body is over {limit_bytes:,} bytes", remedy="Send the fields of the specification only."
                )
        return bytes(data)

    async def unless_gone(self, work: Coroutine[object, object, R]) -> R:
        """The result of `work`, which is cancelled when the client goes. The body has been read before.

        Raises:
            ClientGone: it has.
        """
        working = asyncio.ensure_future(work)
        watching = asyncio.ensure_future(self._gone())
        try:
            await asyncio.wait((working, watching), return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise ClientGone
            return working.result()
        finally:
            await _ended((working, watching))

    async def _gone(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass


async def _ended(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel what still runs, and go on once it has ended."""
    left = [task for task in tasks if not task.done()]
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


def json_fields(body: bytes) -> dict[str, object]:
    """The fields of a JSON body.

    Raises:
        BadRequest: it is no JSON, or no object.
    """
    try:
        value = loads(body)
    except (ValueError, RecursionError) as error:
        reason = str(error)[:80] if not isinstance(error, UnicodeDecodeError) else "it is not UTF-8"
        raise BadRequest(f"the body is not JSON: {reason}", remedy="Send one JSON object.") from None
    if not isinstance(value, dict):
        raise BadRequest("the body is not a JSON object", remedy='Send {"name": value, …}.')
    return value
