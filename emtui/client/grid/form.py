"""Models in forms (`multipart/form-data`), both ways, in flat memory (wire contract).

A serialized model is bytes written as text, and text in a form is UTF-8: so nodes of PyGrid read and write it.
"""

from __future__ import annotations

import codecs
import email.message
import re
import secrets
from collections.abc import AsyncGenerator, AsyncIterator

from emtui.backend import CHUNK_BYTES, Source, changed
from emtui.errors import ContractViolation
from emtui.wire.grid import MODEL_ENCODING

# Nodes in the field take no larger field that is not a file.
_MOST_FIELD_BYTES = 256 << 10
_MOST_HEAD_BYTES = 16 << 10
_HEAD_END = b"\r\n\r\n"


class ModelForm:
    """The form of a `/serve-model/`, a body that streams its model from `source`. Make it with `of`.

    Attributes:
        charset: `utf-8` where it holds the model as text, `binary` where it holds its bytes.
    """

    def __init__(self, source: Source, fields: dict[str, str], text_bytes: int, *, is_text: bool) -> None:
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self._source = source
        self._is_text = is_text
        self._text_bytes = text_bytes
        # No field `_charset_` (RFC 7578 §4.6) says it: aiohttp loses its way in a form that has one.
        self.charset = "utf-8" if is_text else "binary"
        head = b"".join(_part(boundary, f'name="{name}"', value) for name, value in fields.items())
        # Small ones as a field like the others: the oldest nodes read no files.
        is_file = not is_text or text_bytes > _MOST_FIELD_BYTES
        kind = '; filename="model"\r\nContent-Type: application/octet-stream' if is_file else ""
        self._head = head + _part(boundary, f'name="model"{kind}', "")[:-2]
        self._tail = f"\r\n--{boundary}--\r\n".encode()

    @classmethod
    async def of(cls, source: Source, fields: dict[str, str]) -> ModelForm:
        """Read the source once, to know how long its text is.

        Raises:
            LocalProblem: it cannot be read, or gives other bytes than it said.
        """
        is_text = fields["encoding"].upper() == MODEL_ENCODING
        text_bytes = 0
        async for chunk in _exactly(source):
            text_bytes += len(_as_text(chunk)) if is_text else len(chunk)
        return cls(source, fields, text_bytes, is_text=is_text)

    @property
    def size_bytes(self) -> int:
        return len(self._head) + self._text_bytes + len(self._tail)

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """The form from its first byte."""
        yield self._head
        left = self._text_bytes
        async for chunk in _exactly(self._source):
            data = _as_text(chunk) if self._is_text else chunk
            left -= len(data)
            if left < 0:
                raise changed(self._source)
            yield data
        if left:
            raise changed(self._source)
        yield self._tail


def _part(boundary: str, disposition: str, value: str) -> bytes:
    head = f"--{boundary}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n"
    return f"{head}{value}\r\n".encode("utf-8", "surrogatepass")


def _as_text(chunk: bytes) -> bytes:
    return chunk if chunk.isascii() else chunk.decode(MODEL_ENCODING).encode()


async def _exactly(source: Source) -> AsyncIterator[bytes]:
    count = 0
    async with source.open() as chunks:
        async for chunk in chunks:
            count += len(chunk)
            if count > source.size_bytes:
                raise changed(source)
            yield chunk
    if count != source.size_bytes:
        raise changed(source)


def boundary_of(content_type: str) -> bytes:
    """The boundary that a form's type names.

    Raises:
        ContractViolation: none.
    """
    message = email.message.Message()
    message["content-type"] = content_type
    boundary = message.get_param("boundary")
    if not isinstance(boundary, str) or not boundary.isascii() or not boundary:
        raise ContractViolation("get_model: a form without a boundary came")
    return boundary.encode("ascii")


async def model_in_form(content_type: str, pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """The model in a form of the one field `serialized_model`, in chunks of at most `CHUNK_BYTES`.

    Raises:
        ContractViolation: it is no such form, cut short, or its text is no model.
    """
    end = b"\r\n--" + boundary_of(content_type)
    head, rest = await _head(pieces, end)
    text = _Text(head)
    buffer = bytearray(rest)
    while True:
        at = buffer.find(end)
        if at >= 0:
            for chunk in text.read(bytes(buffer[:at]), is_last=True):
                yield chunk
            break
        safe = len(buffer) - len(end)
        if safe >= CHUNK_BYTES // 4:
            for chunk in text.read(bytes(buffer[:safe])):
                yield chunk
            del buffer[:safe]
        piece = await anext(pieces, None)
        if piece is None:
            raise ContractViolation("get_model: the form is cut short")
        buffer += piece
    async for _ in pieces:  # so that the connection can be used again
        pass


async def _head(pieces: AsyncIterator[bytes], end: bytes) -> tuple[bytes, bytes]:
    """The head of the form's first part, and what has come of its content."""
    buffer = b"\r\n"
    async for piece in pieces:
        buffer += piece
        start = buffer.find(end)
        at = buffer.find(_HEAD_END, start)
        if start >= 0 and at >= 0:
            head = buffer[start + len(end) : at]
            # An empty content's end may use the break of the line before it.
            return head, buffer[at + len(_HEAD_END) :]
        if len(buffer) > _MOST_HEAD_BYTES + len(piece):
            break
    raise ContractViolation("get_model: a form with the field serialized_model is promised")


class _Text:
    """Makes the model's bytes of a part's content."""

    def __init__(self, head: bytes) -> None:
        if not re.search(rb'name\*?="?serialized_model', head, re.IGNORECASE):
            raise ContractViolation("serialized_model: a form with this field is promised")
        charset = re.search(rb'content-type:[^\r\n]*charset="?([\w-]+)', head, re.IGNORECASE)
        is_binary = re.search(rb"content-type:\s*application/octet-stream", head, re.IGNORECASE) is not None
        name = charset[1].decode().lower() if charset else ""
        self._is_sure = name in ("utf-8", "utf8")
        self._is_text = self._is_sure or not (is_binary or name)
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def read(self, data: bytes, *, is_last: bool = False) -> list[bytes]:
        """More of the content, as bytes of the model."""
        if self._is_text:
            before = self._decoder.getstate()
            try:
                text = self._decoder.decode(data, is_last)
                model = text.encode(MODEL_ENCODING)
                self._is_sure = self._is_sure or not text.isascii()
            except UnicodeError:
                if self._is_sure:
                    raise ContractViolation(f"serialized_model: no text of {MODEL_ENCODING} in UTF-8") from None
                # It began like any ASCII: these are the bytes themselves.
                self._is_text = False
                model = before[0] + data
        else:
            model = data
        return [model[start : start + CHUNK_BYTES] for start in range(0, len(model), CHUNK_BYTES)]
