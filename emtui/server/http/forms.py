"""Forms with files (`multipart/form-data`, RFC 7578), read piece by piece and in bounded memory."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from emtui.errors import BadRequest

MOST_PARTS = 10_000
"""Of one form. More are not sent by anybody who means it."""

_MOST_HEADER_BYTES = 8192
_MOST_HEADERS = 16

_FORM = "multipart/form-data"
_PARAMETER = re.compile(rb';\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;"\s]*))', re.DOTALL)
# A backslash escapes itself and the quote; before anything else it is one of a name, as browsers write it.
_ESCAPED = re.compile(rb'\\([\\"])')
# How browsers write what cannot stand in a quoted name.
_ENCODED = {b"%22": b'"', b"%0D": b"\r", b"%0A": b"\n", b"%0d": b"\r", b"%0a": b"\n"}
_ENCODED_PATTERN = re.compile(rb"%22|%0D|%0A", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PartBegins:
    """A part of the form: its field's name, and the file's name where it is a file. Both foreign."""

    name: str
    filename: str | None


@dataclass(frozen=True, slots=True)
class PartData:
    """More of the part's content."""

    data: bytes


@dataclass(frozen=True, slots=True)
class PartEnds:
    """The part is whole."""


Event = PartBegins | PartData | PartEnds


def is_form(content_type: str) -> bool:
    """Whether a body of this type is a form that may hold files."""
    return content_type.partition(";")[0].strip().lower() == _FORM


class FormReader:
    """Reads one form: `feed` it the body's pieces, then `finish`.

    Raises:
        BadRequest: the type names no boundary.
    """

    def __init__(self, content_type: str) -> None:
        boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
        if not boundary:
            raise BadRequest("the form has no boundary", remedy="Let the HTTP library write the Content-Type.")
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_part_data": self._data,
                    "on_part_end": self._end,
                    "on_header_field": self._header_name,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_end,
                    "on_headers_finished": self._headers_end,
                    "on_end": self._whole,
                },
                max_header_count=_MOST_HEADERS,
                max_header_size=_MOST_HEADER_BYTES,
            )
        except FormParserError as error:
            raise _broken(error) from None
        self._events: list[Event] = []
        self._count = 0
        self._is_whole = False
        self._name = b""
        self._value = b""
        self._disposition = b""

    def feed(self, data: bytes) -> Iterator[Event]:
        """What a piece of the body holds.

        Raises:
            BadRequest: it is not a form, or has too many parts.
        """
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise _broken(error) from None
        events, self._events = self._events, []
        yield from events

    def finish(self) -> None:
        """The body has ended.

        Raises:
            BadRequest: the form has not.
        """
        if not self._is_whole:
            raise BadRequest("the form is cut short", remedy="Nothing was kept. Send it again.")

    def _begin(self) -> None:
        self._count += 1
        if self._count > MOST_PARTS:
            raise BadRequest(f"a form of more than {MOST_PARTS:,} parts", remedy="Send the files in several calls.")
        self._name = self._value = self._disposition = b""

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = self._value
        self._name = self._value = b""

    def _headers_end(self) -> None:
        self._events.append(_part_of(self._disposition))

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._events.append(PartData(data[start:end]))

    def _end(self) -> None:
        self._events.append(PartEnds())

    def _whole(self) -> None:
        self._is_whole = True


def _broken(error: Exception) -> BadRequest:
    return BadRequest(f"not a form: {str(error)[:80]}", remedy="Let the HTTP library write the form.")


def _part_of(disposition: bytes) -> PartBegins:
    kind, _, _ = disposition.partition(b";")
    found: dict[bytes, bytes] = {}
    at = len(kind)
    while at < len(disposition):
        match = _PARAMETER.match(disposition, at)
        if match is None:
            break
        found[match[1].lower()] = match[3] if match[2] is None else _ESCAPED.sub(rb"\1", match[2])
        at = match.end()
    if kind.strip().lower() != b"form-data" or disposition[at:].strip(b" ;") or b"name" not in found:
        raise BadRequest(
            "a part of the form does not say which field it is", remedy="Let the HTTP library write the form."
        )
    return PartBegins(_text(_decoded(found[b"name"])), _filename(found))


def _filename(found: dict[bytes, bytes]) -> str | None:
    extended = found.get(b"filename*")
    if extended is not None:
        charset, quote, rest = extended.partition(b"'")
        _, second, value = rest.partition(b"'")
        if quote and second and charset.lower() in (b"utf-8", b""):
            return _text(unquote_to_bytes(value))
    plain = found.get(b"filename")
    return None if plain is None else _text(_decoded(plain))


def _decoded(value: bytes) -> bytes:
    return _ENCODED_PATTERN.sub(lambda match: _ENCODED[match[0]], value)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")
