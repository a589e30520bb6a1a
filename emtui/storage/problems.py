"""What SQLite says of a file, as an error with its remedy."""

import errno
import os
import sqlite3
from pathlib import Path

from emtui.errors import LocalProblem

DISK_FULL = "DISK_FULL"
"""The code of an error that says so: what is only kept to save time need not be kept then."""

_FULL = "Free some space on this disk, then try again."
_WAS_FULL = "Free some space on this disk, then start emtui again."
_IN_USE = "Another program holds it; close that one, then try again."
_RIGHTS = "Give yourself the rights to the file and its folder."
_FAILING = "The disk may be failing: look at the system's log."
_REMEDIES = {
    sqlite3.SQLITE_BUSY: _IN_USE,
    sqlite3.SQLITE_LOCKED: _IN_USE,
    sqlite3.SQLITE_CANTOPEN: _RIGHTS,
    sqlite3.SQLITE_READONLY: _RIGHTS,
    sqlite3.SQLITE_PERM: _RIGHTS,
    sqlite3.SQLITE_IOERR: _FAILING,
}

# SQLite says these too where it has no room for the files that it needs beside a database.
_PERHAPS_FULL = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
# What the larger of those files begins with is half of it.
_NEEDED_BYTES = 1 << 16


def kind_of(error: sqlite3.Error) -> int:
    """Its primary result code."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def is_of_full_disk(error: sqlite3.Error, path: Path) -> bool:
    """Whether it says of the database at `path` that its disk, or the quota on it, is full. Blocks."""
    kind = kind_of(error)
    return kind == sqlite3.SQLITE_FULL or (kind in _PERHAPS_FULL and not _has_room(path.parent))


def _has_room(folder: Path) -> bool:
    import tempfile  # costs time, and is seldom needed

    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            return file.write(bytes(_NEEDED_BYTES)) == _NEEDED_BYTES
    except OSError as error:
        return error.errno not in (errno.ENOSPC, errno.EDQUOT)


def full_disk(path: Path, problem: type[LocalProblem], *, was_full: bool = False) -> LocalProblem:
    """What is said where there is no room for the database at `path`, or was none when it was opened."""
    remedy = _WAS_FULL if was_full else _FULL
    return problem(f"{path}: {os.strerror(errno.ENOSPC)}", code=DISK_FULL, remedy=remedy)


def problem_of(
    error: sqlite3.Error, path: Path, problem: type[LocalProblem], *, remedy: str, failed: str = ""
) -> LocalProblem:
    """`error`, met with the database at `path`; `remedy` is what helps where the file is spoilt. Blocks."""
    if is_of_full_disk(error, path):
        return full_disk(path, problem)
    kind = kind_of(error)
    is_spoilt = kind in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    what = failed or ("not a sound database" if is_spoilt else "")
    return problem(f"{path}: {what} ({error})" if what else f"{path}: {error}", remedy=_REMEDIES.get(kind, remedy))
