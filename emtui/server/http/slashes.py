"""Paths as clients in the field write them: slashes may be doubled, and one may be at the end."""

import re

_SLASHES = re.compile(r"/+")
_RAW_SLASHES = re.compile(rb"/+")
_SOCKET_IO = "/socket.io"


def plain_path(path: str) -> str:
    """The path with single slashes and none at its end."""
    return _SLASHES.sub("/", path).removesuffix("/") or "/"


def single_slashes(raw: bytes) -> bytes:
    """The same of a path as it was sent; one at its end stays."""
    return _RAW_SLASHES.sub(b"/", raw)


def is_socket_io(path: str) -> bool:
    """Whether it is Socket.IO's."""
    plain = plain_path(path)
    return plain == _SOCKET_IO or plain.startswith(f"{_SOCKET_IO}/")
