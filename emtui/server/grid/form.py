"""A model that is served over HTTP: read from its form piece by piece, in flat memory.

A serialized model is bytes written as text (wire contract), and text in a form is UTF-8. So clients of PyGrid send the
model's file as UTF-8 of its ISO-8859-1 text, while curl sends the bytes themselves. Which of the two a file is shows
when all of it has come.
"""

import codecs
import re
from collections.abc import Iterator
from typing import Any

from emtui.backend import CHUNK_BYTES, LOCAL_UPLINK_LIMIT_BYTES
from emtui.errors import BadRequest, InvalidField
from emtui.local.grid_incoming import IncomingModel
from emtui.server.grid.answers import ServeFields, serve_fields
from emtui.server.http.call import Call
from emtui.server.http.forms import FormReader, PartBegins, PartData
from emtui.threads import in_thread
from emtui.wire.grid import MODEL_CHARSET_HEADER, MODEL_ENCODING, check_encoding, foreign_text

MAX_MODEL_BYTES = LOCAL_UPLINK_LIMIT_BYTES
"""The largest model, counted while it is read."""

CHARSET_FIELD = "_charset_"
"""With `utf-8` it says that the model's file is text of UTF-8 (RFC 7578 §4.6), with `binary` that it is the bytes."""

_MOST_FIELD_BYTES = 64 << 10
_MOST_FIELDS = 32

# No text that somebody wrote has control characters of C1; nearly every serialized model has such bytes.
_C1 = re.compile("[\x80-\x9f]")


class TooLarge(BadRequest):
    """413: the model is over the limit."""

    code = "TOO_LARGE"
    status = 413


class ModelText:
    """Finds out whether the bytes that it is fed are a text of UTF-8, and which."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._is_utf8 = True
        self._is_latin = True
        self._has_c1 = False
        self._bytes = 0
        self._chars = 0

    def feed(self, data: bytes, *, is_last: bool = False) -> None:
        """More of it. Blocks for some milliseconds per MiB."""
        self._bytes += len(data)
        if not self._is_utf8:
            return
        try:
            text = self._decoder.decode(data, is_last)
        except UnicodeDecodeError:
            self._is_utf8 = False
            return
        self._chars += len(text)
        if text.isascii() or not self._is_latin:
            return
        try:
            text.encode("latin-1")  # many times as quick as a look at each character
        except UnicodeEncodeError:
            self._is_latin = False
        self._has_c1 = self._has_c1 or _C1.search(text) is not None

    @property
    def size_bytes(self) -> int:
        """How large the model is, as far as it has come."""
        return self._chars if self._is_utf8 else self._bytes

    def is_text(self, *, is_declared: bool, is_file: bool) -> bool:
        """Whether it is the model as text, not its bytes.

        Raises:
            InvalidField: it is said to be text, and is none.
        """
        if is_declared and not self._is_utf8:
            raise InvalidField("model", "it is said to be UTF-8, and is not")
        if is_declared or not is_file:
            return self._is_utf8
        return self._is_utf8 and self._is_latin and self._has_c1


class ServeForm:
    """The form of a `/serve_model`. Its fields may come before the model or after it."""

    def __init__(self, content_type: str, taken: IncomingModel) -> None:
        self._reader = FormReader(content_type)
        self._taken = taken
        self._fields: dict[str, bytearray] = {}
        self._field: bytearray | None = None
        self._text = ModelText()
        self._buffer = bytearray()
        self._has_model = False
        self._is_in_model = False
        self._is_file = False
        self._declared = ""

    async def read(self, call: Call) -> ServeFields:
        """Read all of it; the model is whole then, and as its encoding has it.

        Raises:
            BadRequest: no form, or too much of it.
            InvalidField: a field is wrong, or the model is missing.
        """
        self._declared = (call.header(MODEL_CHARSET_HEADER.lower().encode()) or "").lower()
        async for chunk in call.chunks():
            for _ in self._events(chunk):
                await self._write_on()
        self._reader.finish()
        wish = serve_fields({name: foreign_text(bytes(value)) for name, value in self._fields.items()})
        check_encoding(wish.encoding)
        if not self._has_model:
            raise InvalidField("model", "is missing", remedy="Send the model as a file in the field model.")
        await self._write_on(is_last=True)
        if self._is_text():
            await self._recode(wish.encoding)
        return wish

    def _is_text(self) -> bool:
        declared = self._declared or bytes(self._fields.get(CHARSET_FIELD, b"")).decode("latin-1").lower()
        if declared == "binary":
            return False
        return self._text.is_text(is_declared=declared == "utf-8", is_file=self._is_file)

    def _events(self, chunk: bytes) -> Iterator[None]:
        """Sort a piece of the form into its fields. It yields where the model has to be written on."""
        for event in self._reader.feed(chunk):
            if isinstance(event, PartBegins):
                self._begin(event)
            elif isinstance(event, PartData) and self._is_in_model:
                self._buffer += event.data
                if len(self._buffer) >= CHUNK_BYTES:
                    yield
            elif isinstance(event, PartData) and self._field is not None:
                self._field += event.data
                if len(self._field) > _MOST_FIELD_BYTES:
                    raise BadRequest(f"a field of more than {_MOST_FIELD_BYTES >> 10} KiB", remedy="Shorten it.")

    def _begin(self, part: PartBegins) -> None:
        self._is_in_model = part.name == "model"
        if self._is_in_model:
            if self._has_model:
                raise InvalidField("model", "is given twice", remedy="Serve one model after the other.")
            self._has_model = True
            self._is_file = part.filename is not None
            return
        if len(self._fields) >= _MOST_FIELDS:
            raise BadRequest(f"more than {_MOST_FIELDS} fields", remedy="Send the specified fields only.")
        self._field = self._fields[part.name] = bytearray()

    async def _write_on(self, *, is_last: bool = False) -> None:
        data = bytes(self._buffer)
        self._buffer.clear()
        await in_thread(self._text.feed, data, is_last=is_last)
        if self._text.size_bytes > MAX_MODEL_BYTES:
            raise TooLarge(f"the model is over {MAX_MODEL_BYTES:,} bytes", remedy="Nothing was kept of it.")
        await self._taken.write(data)

    async def _recode(self, encoding: str) -> None:
        try:
            await self._taken.recode(encoding)
        except UnicodeError:
            problem = f"this model is no text of {encoding}"
            raise InvalidField("encoding", problem, remedy=f"Use {MODEL_ENCODING}, which holds any bytes.") from None


def form_fields(content_type: str, body: bytes) -> dict[str, Any]:
    """The fields of a small form with parts.

    Raises:
        BadRequest: it is no form.
    """
    reader = FormReader(content_type)
    fields: dict[str, bytearray] = {}
    field = bytearray()
    for event in reader.feed(body):
        if isinstance(event, PartBegins):
            field = fields[event.name] = bytearray()
        elif isinstance(event, PartData):
            field += event.data
    reader.finish()
    return {name: foreign_text(bytes(value)) for name, value in fields.items()}
