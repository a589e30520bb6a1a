"""The volume's calls on the wire: uplink, list, downlink and delete (EM API §1–4)."""

import itertools
import json
from collections.abc import AsyncIterator, Iterator

import pybase64

from emtui.backend import LOCAL_UPLINK_LIMIT_BYTES, Download, no_files, too_large
from emtui.errors import BadRequest, EmtuiError
from emtui.local.em import LocalEM
from emtui.local.uplink import Incoming
from emtui.plain import Listing
from emtui.server.http.answers import JSON_TYPE, Answer, ok, send_stream, send_whole
from emtui.server.http.call import BrokenOff, Call
from emtui.server.http.fields import Fields
from emtui.server.http.forms import Event, FormReader, PartBegins, PartData, is_form
from emtui.threads import in_thread
from emtui.wire.errors import error_to_wire
from emtui.wire.listing import listing_json

_WRITE_BYTES = 1 << 20
_LIST_PIECE_BYTES = 1 << 18
_MOST_FIELD_BYTES = 1 << 16


class _UplinkForm:
    """Puts the files of a form into the volume's staging as they come; `dest_path` may come last."""

    def __init__(self, taken: Incoming) -> None:
        self.dest_path = ""
        self._taken = taken
        self._part: PartBegins | None = None
        self._is_file = False
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._other_bytes = 0

    async def take(self, event: Event) -> None:
        if isinstance(event, PartBegins):
            self._part = event
            # A browser sends a file without a name where none was chosen.
            self._is_file = event.name == "files" and bool(event.filename)
            self._pending, self._pending_bytes = [], 0
            if self._is_file and event.filename:
                await self._taken.begin(event.filename)
        elif isinstance(event, PartData):
            await self._data(event.data)
        else:
            await self._end()

    async def _data(self, data: bytes) -> None:
        if self._is_file:
            self._pending.append(data)
            self._pending_bytes += len(data)
            if self._pending_bytes >= _WRITE_BYTES:
                await self._flush()
            return
        self._other_bytes += len(data)
        if self._other_bytes > LOCAL_UPLINK_LIMIT_BYTES:
            raise too_large()
        if self._part is not None and self._part.filename is None:
            self._pending.append(data)
            self._pending_bytes += len(data)
            if self._pending_bytes > _MOST_FIELD_BYTES:
                raise BadRequest(
                    f"a field of over {_MOST_FIELD_BYTES:,} bytes", remedy="Send content as files, with their names."
                )

    async def _flush(self) -> None:
        data = b"".join(self._pending)
        self._pending, self._pending_bytes = [], 0
        await self._taken.write(data)

    async def _end(self) -> None:
        if self._is_file:
            if self._pending:
                await self._flush()
            await self._taken.end()
        elif self._part is not None and self._part.name == "dest_path":
            self.dest_path = b"".join(self._pending).decode("utf-8", "surrogateescape")
        self._pending, self._pending_bytes = [], 0


async def uplink(call: Call, em: LocalEM) -> Answer:
    """Read a form into the volume: all of its files, or none."""
    if not is_form(call.content_type):
        raise no_files()
    reader = FormReader(call.content_type)
    async with em.incoming() as taken:
        form = _UplinkForm(taken)
        async for chunk in call.chunks():
            for event in reader.feed(chunk):
                await form.take(event)
        reader.finish()
        result = await taken.commit(form.dest_path)
    return ok("Successfully uplinked files", data=result.model_dump(mode="json"))


async def delete(fields: Fields, em: LocalEM) -> Answer:
    return ok(await em.delete(fields.text("filepath")))


async def send_listing(call: Call, listing: Listing, headers: tuple[tuple[bytes, bytes], ...]) -> None:
    """The answer of a list call. Encoded in a thread: a large volume's listing is megabytes."""
    parts = itertools.chain(['{"message": "Successfully listed files", "data": '], listing_json(listing.nodes), ["}"])
    first = await in_thread(_next_piece, parts)
    if len(first) < _LIST_PIECE_BYTES:
        await send_whole(call.send, 200, first, (JSON_TYPE, *headers))
        return

    async def pieces() -> AsyncIterator[bytes]:
        piece = first
        while piece:
            yield piece
            piece = await in_thread(_next_piece, parts)

    await call.unless_gone(send_stream(call.send, pieces(), (JSON_TYPE, *headers), stall_s=call.patience.stall_s))


def _next_piece(parts: Iterator[str]) -> bytes:
    """At least `_LIST_PIECE_BYTES` of the parts, fewer only at their end."""
    gathered: list[str] = []
    count = 0
    for part in parts:
        gathered.append(part)
        count += len(part)
        if count >= _LIST_PIECE_BYTES:
            break
    return "".join(gathered).encode()  # ASCII: json escapes the rest


async def send_downlink(call: Call, em: LocalEM, headers: tuple[tuple[bytes, bytes], ...]) -> None:
    """A file of the volume as base64 in JSON, streamed. It ends with the last byte, or when the client goes.

    Raises:
        BrokenOff: the file changed while it was read; the answer says so, and has no end.
        EmtuiError: before anything was sent.
    """
    await call.unless_gone(_downlink(call, em, headers))


async def _downlink(call: Call, em: LocalEM, headers: tuple[tuple[bytes, bytes], ...]) -> None:
    async with em.downlink(call.query.get("filepath", "")) as download:
        await send_stream(call.send, _downlink_json(download), (JSON_TYPE, *headers), stall_s=call.patience.stall_s)


async def _downlink_json(download: Download) -> AsyncIterator[bytes]:
    yield b'{"content": "'
    rest = b""
    try:
        async for chunk in download.chunks:
            data = rest + chunk if rest else chunk
            whole = len(data) - len(data) % 3
            rest = data[whole:]
            if whole:
                yield pybase64.b64encode(memoryview(data)[:whole])
    except EmtuiError as error:
        body = json.dumps(error_to_wire(error)[1])
        yield f'", {body[1:]}'.encode()
        raise BrokenOff(error.message) from error
    if rest:
        yield pybase64.b64encode(rest)
    told = {"filename": download.name, "size": download.size_bytes, "hash": download.sha256}
    yield f'", {json.dumps(told)[1:]}'.encode()
