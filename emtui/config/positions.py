"""In which line each key of a TOML document stands. TOML's own reader does not tell.

It judges nothing, and where it cannot go on, it stops: `tomllib` will tell why. It takes time in proportion to the
text, whatever that is.
"""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field

Path = tuple[str | int, ...]
"""Keys from the outside in; a number is an array's element."""

_DEEPEST = 100

_SPACE = re.compile(r"[ \t]*")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRINGS = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}'
    r"|'''(?:[^']|'(?!''))*'{3,5}"
    r'|"(?:[^"\\\n]|\\[^\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\n]+")


class _Stop(Exception):
    """Here it cannot go on."""


class _TooDeep(_Stop):
    """Here it could, but nobody writes that."""


@dataclass
class Positions:
    """Where things stand in a document.

    Attributes:
        lines: the line of each key, table and array element, the first is 1.
        twice: keys that are there more than once: path, first line, later line.
        stop: path and line of where reading had to stop; None where all was read.
        is_too_deep: it stopped since keys, arrays or tables are nested more deeply than anybody writes.
    """

    lines: dict[Path, int] = field(default_factory=dict)
    twice: list[tuple[Path, int, int]] = field(default_factory=list)
    stop: tuple[Path, int] | None = None
    is_too_deep: bool = False

    def line(self, path: Sequence[str | int]) -> int | None:
        """The line of `path`, or of the nearest thing around it that has one; None for the whole document."""
        found = tuple(path)
        while found and found not in self.lines:
            found = found[:-1]
        return self.lines.get(found)


def positions(text: str) -> Positions:
    """Where everything in `text` stands. Never raises."""
    reader = _Reader(text)
    try:
        reader.document()
    except _Stop as stop:
        reader.found.stop = (reader.path, reader.line(reader.at))
        reader.found.is_too_deep = isinstance(stop, _TooDeep)
    return reader.found


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found = Positions()
        self.path: Path = ()
        self._counted = (0, 1)
        self._arrays: dict[Path, int] = {}
        # What has been set, so that it must not be set again by a header; and what of that are no open tables.
        self._set: set[Path] = set()
        self._values: set[Path] = set()

    def line(self, at: int) -> int:
        """The number of the line at a place. Places mostly grow, so that counting goes on from the last one."""
        before, number = self._counted if self._counted[0] <= at else (0, 1)
        number += self.text.count("\n", before, at)
        self._counted = (at, number)
        return number

    def document(self) -> None:
        table: Path = ()
        while self._skip(_BLANK):
            start = self.at
            if self.text.startswith("[[", self.at):
                table = self._array_table(start)
            elif self.text.startswith("[", self.at):
                table = self._table(start)
            else:
                self._pair(table, 0)
            self._skip(_SPACE)
            if self.at < len(self.text) and self.text[self.at] not in "#\r\n":
                raise _Stop

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        """Skip what fits; whether anything is left."""
        found = pattern.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return self.at < len(self.text)

    def _take(self, sign: str) -> None:
        self._skip(_SPACE)
        if not self.text.startswith(sign, self.at):
            raise _Stop
        self.at += len(sign)

    def _table(self, start: int) -> Path:
        self._take("[")
        keys = self._key()
        self._take("]")
        path = self._resolved(keys, start)
        self._header(path, start)
        return path

    def _array_table(self, start: int) -> Path:
        self._take("[[")
        keys = self._key()
        self._take("]]")
        path = (*self._resolved(keys[:-1], start), keys[-1])
        self._once(path, start)
        self._note(path, start)
        self._arrays[path] = self._arrays.get(path, -1) + 1
        path = (*path, self._arrays[path])
        self._note(path, start)
        return path

    def _header(self, path: Path, start: int) -> None:
        self._once(path, start)
        # Until here it may have had the line of a table that is in it.
        self.found.lines[path] = self.line(start)
        self._set.add(path)

    def _once(self, path: Path, start: int) -> None:
        """A table or value that is there already is there twice."""
        if path in self._set:
            self.found.twice.append((path, self.found.lines[path], self.line(start)))

    def _resolved(self, keys: Path, start: int) -> Path:
        """A header's keys; those of arrays of tables mean their last element."""
        path: Path = ()
        for number, key in enumerate(keys, 1):
            path = (*path, key)
            if number < len(keys) and path in self._values:
                self._once(path, start)
            self._note(path, start)
            if path in self._arrays:
                path = (*path, self._arrays[path])
        return path

    def _key(self) -> Path:
        """Keys with dots between."""
        keys: list[str] = []
        while True:
            self._skip(_SPACE)
            if bare := _BARE_KEY.match(self.text, self.at):
                keys.append(bare[0])
                self.at = bare.end()
            else:
                keys.append(self._quoted())
            self._skip(_SPACE)
            if not self.text.startswith(".", self.at):
                return tuple(keys)
            if len(keys) > _DEEPEST:
                raise _TooDeep
            self.at += 1

    def _quoted(self) -> str:
        found = _STRINGS.match(self.text, self.at)
        if found is None or found[0].startswith(('"""', "'''")):
            raise _Stop
        self.at = found.end()
        if "\\" not in found[0]:
            return found[0][1:-1]
        try:
            return str(tomllib.loads(f"key = {found[0]}")["key"])
        except tomllib.TOMLDecodeError:
            raise _Stop from None

    def _pair(self, table: Path, depth: int) -> None:
        start = self.at
        keys = self._key()
        for length in range(1, len(keys)):
            outer = (*table, *keys[:length])
            if outer in self._values:
                self._once(outer, start)
            self._note(outer, start)
            self._set.add(outer)
        path = self.path = (*table, *keys)
        self._once(path, start)
        self._note(path, start)
        self._set.add(path)
        self._values.add(path)
        self._take("=")
        self._skip(_SPACE)
        self._value(path, depth)

    def _note(self, path: Path, at: int) -> None:
        if path not in self.found.lines:
            self.found.lines[path] = self.line(at)

    def _value(self, path: Path, depth: int) -> None:
        if depth > _DEEPEST:
            raise _TooDeep
        if self.text.startswith("[", self.at):
            self._array(path, depth)
        elif self.text.startswith("{", self.at):
            self._inline(path, depth)
        elif self.text.startswith(('"', "'"), self.at):
            found = _STRINGS.match(self.text, self.at)
            if found is None:
                raise _Stop
            self.at = found.end()
        else:
            found = _SCALAR.match(self.text, self.at)
            if found is None or not found[0].strip():
                raise _Stop
            self.at = found.end()

    def _array(self, path: Path, depth: int) -> None:
        self._take("[")
        number = 0
        while self._skip(_BLANK) and not self.text.startswith("]", self.at):
            self._note((*path, number), self.at)
            self._value((*path, number), depth + 1)
            number += 1
            self._skip(_BLANK)
            if not self.text.startswith(",", self.at):
                break
            self.at += 1
        self._take("]")

    def _inline(self, path: Path, depth: int) -> None:
        self._take("{")
        while self._skip(_BLANK) and not self.text.startswith("}", self.at):
            self._pair(path, depth + 1)
            self._skip(_BLANK)
            if not self.text.startswith(",", self.at):
                break
            self.at += 1
        self._take("}")
