"""Bodies of requests: JSON, a form, or anything that knows its length and can be sent again from its start."""

import json
import os
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Protocol
from urllib.parse import quote


class Body(Protocol):
    """What a request carries. `stream` gives exactly `size_bytes` bytes, from the first one at each call."""

    @property
    def content_type(self) -> str: ...

    @property
    def size_bytes(self) -> int: ...

    def stream(self) -> AsyncGenerator[bytes, None]: ...


class BytesBody:
    """A body that is in memory."""

    def __init__(self, content_type: str, data: bytes) -> None:
        self.content_type = content_type
        self._data = data

    @property
    def size_bytes(self) -> int:
        return len(self._data)

    async def stream(self) -> AsyncGenerator[bytes, None]:
        yield self._data

    def __repr__(self) -> str:
        return f"BytesBody({self.content_type!r}, {self.size_bytes} B)"  # it may hold a password


def json_body(fields: Mapping[str, Any]) -> BytesBody:
    """An object in JSON, in ASCII: names that are not UTF-8 go as the escapes of their surrogates."""
    return BytesBody("application/json", json.dumps(fields, ensure_ascii=True, allow_nan=False).encode("ascii"))


def form_body(fields: Mapping[str, Any]) -> BytesBody:
    """A form's body (`application/x-www-form-urlencoded`)."""
    return BytesBody("application/x-www-form-urlencoded", encoded(fields).encode("ascii"))


def encoded(fields: Mapping[str, Any]) -> str:
    """`a=1&b=%FF`: for a query or a form. Names of files are the bytes that they stand for."""
    return "&".join(f"{_quoted(key)}={_quoted(value)}" for key, value in fields.items())


def _quoted(value: object) -> str:
    return quote(os.fsencode(value if isinstance(value, str) else str(value)), safe="/")
