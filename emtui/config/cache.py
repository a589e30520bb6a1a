"""What a configuration says, kept until the file changes: pydantic is then not needed at the start.

It is taken for true only where it is a file of ours that nobody else can write or read, made by this emtui of this
very file. Whatever is off about it, and where it cannot be kept, the configuration itself is read.
"""

import contextlib
import hashlib
import json
import os
import secrets
import stat
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emtui import __version__
from emtui.config.kinds import Choice
from emtui.config.model import keys_of

_FORM = 1
_MOST_BYTES = 4 << 20
# A file that has just been written can change again without a sign of it in its times.
_SETTLED_NS = 2_000_000_000
_TABLES = ("console", "local", "command_line")


@dataclass(frozen=True)
class Kept:
    """What was kept: the tables as `emtui.config.checking` gives them, the lines of their keys, and what is odd."""

    tables: Mapping[str, Any]
    lines: Mapping[str, int]
    odd: tuple[tuple[str, str], ...]


def recall(file: Path, stamp: Sequence[int]) -> Kept | None:
    """What was kept of a file with this stamp; None where nothing was, or it is not to be trusted. Blocks."""
    try:
        found = json.loads(_read(_place(file)))
        if found["about"] != _about(file, stamp):
            return None
        lines = {_text(key): int(line) for key, line in found["lines"].items()}
        odd = tuple((_text(what), _text(remedy)) for what, remedy in found["odd"])
        return Kept(_reread(found["tables"]), lines, odd)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def keep(file: Path, stamp: Sequence[int], kept: Kept) -> None:
    """Keep it for the next start; where that cannot be, it is not kept. Blocks."""
    mtime_ns = stamp[3]
    if time.time_ns() - mtime_ns < _SETTLED_NS:
        return
    text = json.dumps({"about": _about(file, stamp), "tables": kept.tables, "lines": kept.lines, "odd": kept.odd})
    with contextlib.suppress(OSError):
        place = _place(file)
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = place.with_name(f".{place.name}.{secrets.token_hex(8)}.part")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(part, flags, 0o600), "w", encoding="utf-8") as opened:
                opened.write(text)
            part.replace(place)
        finally:
            part.unlink(missing_ok=True)


def _place(file: Path) -> Path:
    from platformdirs import user_cache_path

    mark = hashlib.sha256(_absolute(file).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return user_cache_path("emtui") / f"config-{mark}.json"


def _about(file: Path, stamp: Sequence[int]) -> dict[str, Any]:
    return {"form": _FORM, "emtui": __version__, "file": _absolute(file), "stamp": list(stamp)}


def _absolute(file: Path) -> str:
    return os.path.abspath(file)  # noqa: PTH100 - never raises, and follows no link


def _read(place: Path) -> bytes:
    """The file, if it is ours alone. Raises OSError or ValueError."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with os.fdopen(os.open(place, flags), "rb") as opened:
        status = os.fstat(opened.fileno())
        is_ours = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and status.st_nlink == 1
        if not is_ours or stat.S_IMODE(status.st_mode) & 0o077 or status.st_size > _MOST_BYTES:
            raise ValueError("not a file of ours alone")
        return opened.read(_MOST_BYTES)


def _reread(tables: Mapping[str, Any]) -> dict[str, Any]:
    """The tables, each value read as out of the file. Raises ValueError, KeyError, TypeError or AttributeError."""
    found: dict[str, Any] = {name: _table(name, tables[name]) for name in _TABLES}
    found["profile"] = {name: _table("profile", table) for name, table in tables["profile"].items()}
    found["keys"] = {name: _text(value) for name, value in tables["keys"].items()}
    if "default_profile" in tables:
        found["default_profile"] = _text(tables["default_profile"])
    return found


def _table(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    known = keys_of(name)
    return {key: _value(known[key].about.kind, value) for key, value in values.items()}


def _value(kind: Any, value: object) -> object:
    # Which themes there are is told where one is put on; to look for them here would cost what is to be saved.
    return _text(value) if isinstance(kind, Choice) else kind.read(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value
