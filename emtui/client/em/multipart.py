"""The body of an uplink: a form with files, streamed, its length known before the first byte (EM API §1)."""

import os
import re
import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from urllib.parse import quote

from emtui.backend import Source, changed
from emtui.errors import LocalProblem
from emtui.paths import BaseNames, encode_name

# Small files go together: a write for each would cost more than its bytes.
_ENOUGH_BYTES = 1 << 16
_PLAIN_NAME = re.compile(r'[^\x00-\x1f\x7f"%\\\ud800-\udfff]*')


class Multipart:
    """`multipart/form-data` of text fields and of files under `files`.

    Raises (at once, before anything is sent):
        BadRequest: a name that is none, that stands for no bytes, or that comes twice.
        Forbidden: a name that leaves its folder.
    """

    def __init__(self, fields: Mapping[str, str], files: Sequence[Source], boundary: str = "") -> None:
        # Short: some parsers (aiohttp's) read 32 bytes of a field at a time, and lose their way with longer ones.
        boundary = boundary or f"emtui-{secrets.token_hex(9)}"
        self.content_type = f"multipart/form-data; boundary={boundary}"
        start = f"--{boundary}\r\n".encode()
        self._head = b"".join(start + _text_part(name, value) for name, value in fields.items())
        self._parts = [_Part(start + _file_head(name), source) for name, source in _named(files)]
        self._end = f"--{boundary}--\r\n".encode()
        self.size_bytes = len(self._head) + sum(part.size_bytes for part in self._parts) + len(self._end)

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """The body from its first byte.

        Raises:
            LocalProblem: a file cannot be read, or gives other bytes than it said.
        """
        waiting = self._head
        for part in self._parts:
            waiting += part.head
            async with aclosing(_read(part.source)) as chunks:
                async for chunk in chunks:
                    if len(waiting) + len(chunk) < _ENOUGH_BYTES:
                        waiting += chunk
                        continue
                    if waiting:
                        yield waiting
                    yield chunk
                    waiting = b""
            waiting += b"\r\n"
        yield waiting + self._end


@dataclass(frozen=True, slots=True)
class _Part:
    head: bytes
    source: Source

    @property
    def size_bytes(self) -> int:
        return len(self.head) + self.source.size_bytes + len(b"\r\n")


def _named(files: Sequence[Source]) -> list[tuple[str, Source]]:
    names = BaseNames()
    for source in files:
        names.add(source.name)
    return [(source.name, source) for source in files]


def _text_part(name: str, value: str) -> bytes:
    head = f'Content-Disposition: form-data; name="{name}"\r\n\r\n'.encode()
    return head + encode_name(value, name) + b"\r\n"


def _file_head(name: str) -> bytes:
    raw = os.fsencode(name)
    # As browsers do: what would end the quotes or the line is percent-encoded. Then `%22` could also be meant
    # literally, so that a name which can be mistaken is given a second time, exactly (RFC 5987). A backslash takes
    # the meaning of the sign behind it away, the closing quote's too, and so is doubled.
    quoted = raw.replace(b"\\", b"\\\\").replace(b"\r", b"%0D").replace(b"\n", b"%0A").replace(b'"', b"%22")
    exact = b"" if _PLAIN_NAME.fullmatch(name) else b"; filename*=UTF-8''" + quote(raw, safe="").encode("ascii")
    return (
        b'Content-Disposition: form-data; name="files"; filename="'
        + quoted
        + b'"'
        + exact
        + b"\r\nContent-Type: application/octet-stream\r\n\r\n"
    )


async def _read(source: Source) -> AsyncGenerator[bytes, None]:
    """The bytes of a source: as many as it said, or an error."""
    count = 0
    try:
        async with source.open() as chunks:
            async for chunk in chunks:
                count += len(chunk)
                if count > source.size_bytes:
                    raise changed(source)
                yield chunk
    except OSError as error:
        raise LocalProblem(f"{source.name}: {os.strerror(error.errno or 0)}", remedy="Nothing was kept.") from error
    if count != source.size_bytes:
        raise changed(source)
