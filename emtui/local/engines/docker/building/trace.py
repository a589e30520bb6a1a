"""BuildKit's trace as `POST /build` gives it: `moby.buildkit.v1.StatusResponse`, in protobuf.

The few fields that a log needs are read here. The protobuf library would cost more than it brings: generated code, a
compiled dependency, and the same bounds to check afterwards.
"""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass

from emtui.local.engines.docker.problems import DaemonProblem

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_VARINT_BYTES = 10
_SIZES = {_FIXED64: 8, _FIXED32: 4}


@dataclass(frozen=True, slots=True)
class Vertex:
    """One step of the builder's. It comes again whenever something about it changes."""

    digest: str
    name: str
    is_cached: bool
    has_started: bool
    has_completed: bool
    error: str


@dataclass(frozen=True, slots=True)
class Output:
    """What a RUN has printed; not always whole lines. `stream` is 1 for stdout and 2 for stderr."""

    vertex: str
    stream: int
    text: bytes


@dataclass(frozen=True, slots=True)
class Trace:
    vertexes: tuple[Vertex, ...]
    outputs: tuple[Output, ...]


def parse_trace(encoded: object) -> Trace:
    """The `aux` of a `moby.buildkit.trace`, in base64.

    Raises:
        DaemonProblem: it is not one, or is cut off.
    """
    if not isinstance(encoded, str):
        raise _unreadable()
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _unreadable() from error
    vertexes = []
    outputs = []
    for number, value in _fields(data):
        if not isinstance(value, bytes):
            continue
        if number == 1:
            vertexes.append(_vertex(value))
        elif number == 3:
            outputs.append(_output(value))
    return Trace(tuple(vertexes), tuple(outputs))


def _vertex(data: bytes) -> Vertex:
    found = dict(_fields(data))
    return Vertex(
        digest=_text(found.get(1)),
        name=_text(found.get(3)),
        is_cached=bool(found.get(4)),
        has_started=5 in found,
        has_completed=6 in found,
        error=_text(found.get(7)),
    )


def _output(data: bytes) -> Output:
    found = dict(_fields(data))
    stream = found.get(3)
    text = found.get(4)
    return Output(
        _text(found.get(1)), stream if isinstance(stream, int) else 0, text if isinstance(text, bytes) else b""
    )


def _text(value: int | bytes | None) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Every field of a message: its number, and its value as a number or as bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            size, at = _varint(data, at)
        elif kind in _SIZES:
            size = _SIZES[kind]
        else:
            raise _unreadable()
        if size > len(data) - at:
            raise _unreadable()
        yield key >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place, byte in enumerate(data[at : at + _MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at + place + 1
    raise _unreadable()


def _unreadable() -> DaemonProblem:
    return DaemonProblem("the Docker Engine's progress cannot be read: a message of BuildKit's is cut off")
