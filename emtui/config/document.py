"""The configuration's file as TOML: read with bounds, parsed, of a version that is known."""

import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emtui.config.kinds import shown
from emtui.config.migrations import STEPS, Step, migrated, newest
from emtui.config.problems import Problem, Problems, key_of
from emtui.errors import ConfigProblem

if TYPE_CHECKING:
    from emtui.config.positions import Positions

MOST_BYTES = 256 << 10
"""A file beyond this is not one that somebody wrote down."""

_PLACE = re.compile(r" \(at (?:line (?P<line>[0-9]+), column [0-9]+|end of document)\)$")
_CLASH = re.compile(r"Cannot (?:overwrite|declare|mutate)|Duplicate")
_OTHER = "Name another file by --config."


@dataclass(frozen=True)
class Source:
    """The bytes of a file as text, and its stamp: the file is the same as long as its stamp is."""

    file: Path
    text: str
    stamp: tuple[int, ...]


@dataclass(frozen=True)
class Document:
    """A file that is TOML.

    Attributes:
        file: the file.
        values: what is in it, in the form of the newest version.
        version: the version that it was written in.
        positions: where things stand in it.
    """

    file: Path
    values: Mapping[str, Any]
    version: int
    positions: "Positions"

    def problem(self, path: Sequence[str | int], message: str, remedy: str, *, is_warning: bool = False) -> Problem:
        """What is wrong with the key at `path`."""
        return Problem(self.file, message, remedy, key_of(path), self.positions.line(path), is_warning)


def stamp_of(status: os.stat_result) -> tuple[int, ...]:
    """What changes when a file does."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def read_source(file: Path) -> Source:
    """The text of a file. It is opened without waiting, and nothing but a regular file is read. Blocks.

    Raises:
        ConfigProblem: it is missing, is no regular file, may not be read, is too large or no UTF-8.
    """
    try:
        # Looked at before it is opened: to open a device may do something.
        if not stat.S_ISREG(file.stat().st_mode):
            raise ConfigProblem(f"{file}: not a regular file", remedy="Name the file that holds the configuration.")
        with os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as opened:
            status = os.fstat(opened.fileno())
            data = opened.read(MOST_BYTES + 1) if stat.S_ISREG(status.st_mode) else b""
    except FileNotFoundError as error:
        raise ConfigProblem(
            f"{file}: there is no such file", remedy="Write one with a table [profile.NAME] and an em_url in it."
        ) from error
    except OSError as error:
        raise ConfigProblem(f"{file}: {error.strerror}", remedy="Make it readable, or name another one.") from error
    except ValueError as error:
        raise ConfigProblem(f"no file is called so: {error}", remedy=_OTHER) from error
    if len(data) > MOST_BYTES:
        raise ConfigProblem(f"{file}: over {MOST_BYTES >> 10} KiB", remedy=_OTHER)
    try:
        return Source(file, data.decode("utf-8-sig"), stamp_of(status))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        what = f"not TOML: no UTF-8 text (byte 0x{data[error.start]:02x})"
        raise Problems([Problem(file, what, "Write it as UTF-8.", line=line)]) from error


def parse(source: Source, steps: Mapping[int, Step] = STEPS) -> Document:
    """The document in a file's text.

    Raises:
        Problems: it is not TOML, or of a version that is not known here.
    """
    import tomllib

    from emtui.config.positions import positions

    file, text = source.file, source.text
    found = positions(text)
    if found.is_too_deep:  # tomllib would take hours for some of that
        raise Problems([_too_deep(file, found)])
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Problems([_broken(file, found, str(error))]) from None
    except RecursionError:
        raise Problems([_too_deep(file, found)]) from None
    version = _version(Document(file, values, 0, found), newest(steps))
    return Document(file, migrated(values, version, steps), version, found)


def _version(document: Document, known: int) -> int:
    version = document.values.get("version", 0)
    if isinstance(version, bool) or not isinstance(version, int) or version < 0:
        what = f"a whole number is expected, not {shown(version)}"
        raise Problems([document.problem(["version"], what, f"Write version = {known}.")])
    if version > known:
        raise Problems(
            [
                document.problem(
                    ["version"],
                    f"this file is of version {version}, and this emtui knows versions up to {known}",
                    "Install a newer emtui, or write another file for this one and name it by --config.",
                )
            ]
        )
    return version


def _broken(file: Path, found: "Positions", said: str) -> Problem:
    place = _PLACE.search(said)
    what = said[: place.start()] if place else said
    if _CLASH.match(what) and found.twice:
        path, first, later = found.twice[0]
        key = key_of(path)
        return Problem(file, f"not TOML: it is there twice, first in line {first}", "Leave one out.", key, later)
    line = int(place["line"]) if place and place["line"] else None
    if found.stop is not None:
        path, stopped = found.stop
        line = line or stopped
        key = key_of(path) if path and found.line(path) in (line, stopped) else ""
    else:
        key = key_of(next((path for path, at in reversed(found.lines.items()) if at == line), ()))
    return Problem(file, f"not TOML: {what}", "Mend that place.", key, line)


def _too_deep(file: Path, found: "Positions") -> Problem:
    path, line = found.stop or ((), None)
    return Problem(file, "keys, arrays or tables are nested too deeply", "Mend that place.", key_of(path[:3]), line)
