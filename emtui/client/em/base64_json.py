"""A file as base64 in a JSON object, decoded as it arrives (EM API §3): `content`, `filename`, `size`, `hash`.

The keys come in any order. What is not the content is bounded, and read as JSON; the content is never held as a
whole. Nothing but standard, padded base64 is accepted: what a lenient decoder skips could be what is missing.
"""

import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import pybase64

from emtui.errors import ContractViolation, VerificationFailed
from emtui.wire.deep_json import loads
from emtui.wire.errors import shown

MOST_METADATA_BYTES = 1 << 16
"""The most that may stand before the content, and behind it."""

_CONTENT = "content"
_SPACE = re.compile(r"[ \t\n\r]*")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_ESCAPE = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
# An escape that the next bytes may complete.
_BEGUN_ESCAPE = re.compile(rb"\\(?:u[0-9a-fA-F]{0,3})?$")
_MOST_DIGITS = 20

_reader = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Promise:
    """What the answer says of the file, as far as it has come: None and empty for what has not."""

    name: str = ""
    size_bytes: int | None = None
    sha256: str = ""


class _Phase(Enum):
    BEFORE = auto()
    CONTENT = auto()
    BEHIND = auto()


class _NotYet(Exception):
    """More bytes are needed."""


class Base64Json:
    """Takes the answer's bytes by `feed`, and `finish` when it is over. Both block as long as decoding takes."""

    def __init__(self) -> None:
        self._phase = _Phase.BEFORE
        self._around = b""  # what is not content, as far as it is not yet read
        self._carry = b""  # base64 that is no whole group of four yet
        self._is_padded = False
        self._fields: dict[str, Any] = {}
        self._hash = hashlib.sha256()
        self.count = 0
        self.promise = Promise()

    @property
    def has_begun(self) -> bool:
        """The content has begun: what stands before it is known."""
        return self._phase is not _Phase.BEFORE

    @property
    def is_whole(self) -> bool:
        """The content has ended, and the object with it."""
        if self._phase is not _Phase.BEHIND:
            return False
        try:
            self._read_behind(self._around)
        except ContractViolation:
            return False
        return True

    def feed(self, data: bytes) -> bytes:
        """The bytes of the file that `data` brings.

        Raises:
            ContractViolation: it is no such JSON, or no base64.
        """
        if self._phase is _Phase.BEFORE:
            self._around += data
            start = self._read_before()
            if start is None:
                return b""
            data, self._around = self._around[start:], b""
            self._phase = _Phase.CONTENT
        if self._phase is _Phase.CONTENT:
            return self._decode(data)
        self._keep_behind(data)
        return b""

    def finish(self) -> None:
        """The answer is over: compare the file with what was promised.

        Raises:
            VerificationFailed: size or SHA-256 is another one.
            ContractViolation: it broke off, a field is missing or wrong, or the answer says that the file is none.
        """
        if self._phase is not _Phase.BEHIND:
            raise ContractViolation(f"{_CONTENT}: the answer ended within it or before it: {self._seen()}")
        self._take(self._read_behind(self._around))
        promise = self.promise
        if promise.size_bytes is None:
            raise ContractViolation("size: the file's bytes are promised, and the answer has no size")
        if not promise.sha256:
            raise ContractViolation("hash: the file's SHA-256 is promised, and the answer has no hash")
        if self.count != promise.size_bytes:
            raise VerificationFailed(f"size: {self.count:,} bytes came, {promise.size_bytes:,} were promised")
        if self._hash.hexdigest() != promise.sha256:
            raise VerificationFailed(f"hash: SHA-256 {self._hash.hexdigest()}, {promise.sha256} was promised")

    def last_words(self) -> ContractViolation | None:
        """What the server said behind the content before it broke the answer off, None if it said nothing."""
        if self._phase is not _Phase.BEHIND:
            return None
        behind = self._around.strip()
        try:
            return said_error(self._read_behind(behind if behind.endswith(b"}") else behind + b"}"))
        except ContractViolation:
            return None

    # ------------------------------------------------------------------------------------------ around the content

    def _read_before(self) -> int | None:
        """Where the content begins, None if that has not come yet."""
        # Latin-1 has one character for each byte, so that places in the text are places in the bytes.
        text = self._around[:MOST_METADATA_BYTES].decode("latin-1")
        try:
            return self._members(text)
        except _NotYet:
            if len(self._around) >= MOST_METADATA_BYTES:
                raise ContractViolation(
                    f"{_CONTENT}: not within the first {MOST_METADATA_BYTES:,} bytes: {self._seen()}"
                ) from None
            return None

    def _members(self, text: str) -> int:
        at = self._expect(text, 0, "{")
        fields: dict[str, Any] = {}
        while True:
            if text[(at := _skip(text, at)) : at + 1] != '"':
                raise self._broken(text, at)
            key, at = self._value(text, at)
            at = self._expect(text, at, ":")
            if key == _CONTENT:
                start = self._expect(text, at, '"')
                self._take(fields)
                return start
            fields[key], at = self._value(text, at)
            if text[(at := _skip(text, at)) : at + 1] == "}":
                raise said_error(fields) or ContractViolation(f"{_CONTENT}: the answer has none: {self._seen()}")
            at = self._expect(text, at, ",")

    def _expect(self, text: str, at: int, sign: str) -> int:
        at = _skip(text, at)
        if text[at : at + 1] != sign:
            raise self._broken(text, at)
        return at + 1

    def _broken(self, text: str, at: int) -> Exception:
        return _NotYet() if at >= len(text) else ContractViolation(f"a JSON object is promised, not: {self._seen()}")

    def _value(self, text: str, at: int) -> tuple[Any, int]:
        at = _skip(text, at)
        try:
            _, end = _reader.raw_decode(text, at)
            if end >= len(text):
                raise _NotYet  # a number may go on
            return loads(self._around[at:end]), end
        except json.JSONDecodeError:
            raise _NotYet from None  # half a value and a broken one look alike; the bound ends it
        except (ValueError, RecursionError) as error:
            raise ContractViolation(f"not JSON: {error}: {self._seen()}") from None

    def _keep_behind(self, data: bytes) -> None:
        self._around += data
        if len(self._around) > MOST_METADATA_BYTES:
            raise ContractViolation(f"more than {MOST_METADATA_BYTES:,} bytes behind the content: {self._seen()}")

    def _read_behind(self, behind: bytes) -> Mapping[str, Any]:
        rest = behind.strip()
        try:
            if not rest.startswith(b","):
                fields = loads(b"{" + rest)
            elif rest[1:].strip().startswith(b"}"):
                raise ValueError("a comma too many")
            else:
                fields = loads(b"{" + rest[1:])
        except ValueError as error:
            raise ContractViolation(f"not JSON behind the content ({error}): {self._seen()}") from None
        if not isinstance(fields, dict) or _CONTENT in fields:
            raise ContractViolation(f"{_CONTENT}: it comes twice")
        if rest.startswith(b",") != bool(fields):
            raise ContractViolation(f"not JSON behind the content: {self._seen()}")
        return fields

    def _take(self, fields: Mapping[str, Any]) -> None:
        if error := said_error(fields):
            raise error
        self._fields |= fields
        name = self._fields.get("filename")
        self.promise = Promise(
            name if isinstance(name, str) else "",
            _size(self._fields.get("size")),
            _sha256(self._fields.get("hash")),
        )

    def _seen(self) -> str:
        return shown(self._around[:400].decode("utf-8", "replace"))

    # ------------------------------------------------------------------------------------------------- the content

    def _decode(self, data: bytes) -> bytes:
        end = data.find(b'"')
        text = data if end < 0 else data[:end]
        if self._carry:
            text = self._carry + text
        if b"\\" in text:
            text, begun = _unescaped(text, is_last=end >= 0)
        else:
            begun = b""
        if end >= 0:
            self._phase = _Phase.BEHIND
            self._carry = b""
            self._keep_behind(data[end + 1 :])
            if len(text) % 4:
                raise ContractViolation(f"{_CONTENT}: truncated base64")
        else:
            whole = len(text) - len(text) % 4
            self._carry = text[whole:] + begun
            text = text[:whole]
        return self._decode_groups(text)

    def _decode_groups(self, text: bytes) -> bytes:
        if not text:
            return b""
        if self._is_padded:
            raise ContractViolation(f"{_CONTENT}: base64 goes on behind its end")
        try:
            data = pybase64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise ContractViolation(f"{_CONTENT}: not standard base64 ({error})") from None
        self._is_padded = text.endswith(b"=")
        self._hash.update(data)
        self.count += len(data)
        return data


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space else at


def _unescaped(text: bytes, *, is_last: bool) -> tuple[bytes, bytes]:
    """`text` without JSON's escapes, and what may be the beginning of one at its end."""
    begun = b""
    if not is_last and (tail := _BEGUN_ESCAPE.search(text)):
        begun, text = tail[0], text[: tail.start()]
    return _ESCAPE.sub(_plain, text), begun


def _plain(escape: "re.Match[bytes]") -> bytes:
    # Of base64's own signs only the slash has a short escape. What else is escaped stays, and is refused.
    if escape[1] is not None:
        code = int(escape[1], 16)
        return bytes((code,)) if code < 0x80 else b"\\"
    return b"/" if escape[2] == b"/" else b"\\"


def said_error(fields: Mapping[str, Any]) -> ContractViolation | None:
    """The error that an object says in the place of a file, None if it says none."""
    if not isinstance(fields.get("error"), str):
        return None
    message = fields.get("message")
    remedy = fields.get("remedy")
    return ContractViolation(
        message if isinstance(message, str) and message else fields["error"],
        remedy=remedy if isinstance(remedy, str) and remedy else None,
    )


def _size(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ContractViolation(f"size: decimal bytes are promised, not {shown(repr(value))}")


def _sha256(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str) and _SHA256.fullmatch(value):
        return value.lower()
    raise ContractViolation(f"hash: a SHA-256 in hex is promised, not {shown(repr(value))}")
