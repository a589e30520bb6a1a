"""JSON that may be deep: a volume's tree may be 1,000 folders deep, and Python's own reader recurses.

Python's reader is asked first; only what is too deep for it is read here, without recursion and with a bound.
"""

import json
import re
from json.decoder import scanstring  # type: ignore[attr-defined]  # there, and missing in the stubs only
from typing import Any, NoReturn

MAX_DEPTH = 20_000
"""More than twice the deepest path that a volume can have; what is deeper is an attack."""

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?P<fraction>\.\d+)?(?P<exponent>[eE][-+]?\d+)?", re.ASCII)
_WORDS = {"true": True, "false": False, "null": None}
_MORE = object()


def loads(data: bytes | str) -> Any:
    """The value that `data` is JSON of. NaN and Infinity are no JSON here.

    Raises:
        ValueError: it is not JSON, deeper than `MAX_DEPTH`, or a number in it has thousands of digits.
    """
    text = data if isinstance(data, str) else data.decode("utf-8-sig", "surrogatepass")
    try:
        return json.loads(text, parse_constant=_no_number)
    except RecursionError:
        return _Reader(text).read()


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


class _Reader:
    """Reads one value. The open arrays and objects are a list, not the interpreter's stack."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._open: list[Any] = []
        self._keys: list[str] = []  # under which the next value goes into each open one; empty for an array

    def read(self) -> Any:
        while True:
            character = self._skip()
            if character in ("[", "{"):
                value: Any = [] if character == "[" else {}
                self._at += 1
                if self._skip() != _end_of(value):
                    self._enter(value)
                    continue
                self._at += 1
            else:
                value = self._scalar(character)
            whole = self._put(value)
            if whole is not _MORE:
                return whole

    def _enter(self, value: Any) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise ValueError(f"JSON deeper than {MAX_DEPTH:,}")
        self._open.append(value)
        self._keys.append(self._key() if isinstance(value, dict) else "")

    def _put(self, value: Any) -> Any:
        """Put a value where it belongs, and close what ends with it. The outermost one, or `_MORE` before its end."""
        while self._open:
            holder = self._open[-1]
            if isinstance(holder, dict):
                holder[self._keys[-1]] = value
            else:
                holder.append(value)
            following = self._skip()
            self._at += 1
            if following == ",":
                if isinstance(holder, dict):
                    self._keys[-1] = self._key()
                return _MORE
            if following != _end_of(holder):
                raise self._wrong(f"no {_end_of(holder)}")
            value = self._open.pop()
            self._keys.pop()
        if self._skip():
            raise self._wrong("more than one value")
        return value

    def _scalar(self, character: str) -> Any:
        if character == '"':
            return self._string()
        for word, value in _WORDS.items():
            if self._text.startswith(word, self._at):
                self._at += len(word)
                return value
        number = _NUMBER.match(self._text, self._at)
        if number is None:
            raise self._wrong("no value")
        self._at = number.end()
        return float(number[0]) if number["fraction"] or number["exponent"] else int(number[0])

    def _string(self) -> str:
        text, self._at = scanstring(self._text, self._at + 1, True)
        return str(text)

    def _key(self) -> str:
        if self._skip() != '"':
            raise self._wrong("no key")
        key = self._string()
        if self._skip() != ":":
            raise self._wrong("no :")
        self._at += 1
        return key

    def _skip(self) -> str:
        """The next character that is no space; empty at the end."""
        space = _SPACE.match(self._text, self._at)
        self._at = space.end() if space else self._at
        return self._text[self._at : self._at + 1]

    def _wrong(self, what: str) -> ValueError:
        return ValueError(f"not JSON: {what} at character {self._at:,}")


def _end_of(value: Any) -> str:
    return "}" if isinstance(value, dict) else "]"
