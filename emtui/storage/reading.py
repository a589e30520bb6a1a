"""Reading one of emtui's SQLite files without opening it as its owner does: it is not made, changed or kept.

Another emtui may have the file open and write to it meanwhile. SQLite may put its own `-wal` and `-shm` beside it.
Calls block.
"""

import errno
import os
import sqlite3
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from emtui.errors import LocalProblem
from emtui.storage.problems import is_of_full_disk, kind_of, problem_of
from emtui.storage.sqlite import BUSY_TIMEOUT_S, as_it_is, has_wal


def read_rows(
    path: Path,
    sql: str,
    values: Sequence[Any] = (),
    *,
    application_id: int,
    newest: int,
    problem: type[LocalProblem],
    remedy: str,
    check: bool = False,
    patience_s: float = BUSY_TIMEOUT_S,
) -> list[sqlite3.Row]:
    """The rows of one query; none where there is no such file, or nothing has been written into it yet.

    `newest` is the youngest schema that the query understands. `check` reads all of the file once and looks for
    damage. `patience_s` is how long another process may keep it from being read.

    Raises:
        LocalProblem: as `problem`, its class: no database, not ours, of a newer emtui, damaged, not readable.
    """
    if not _is_there(path, problem, remedy):
        return []
    try:
        db = _open(path, patience_s)
        try:
            db.row_factory = sqlite3.Row
            (owner,) = db.execute("PRAGMA application_id").fetchone()
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if (owner, version) == (0, 0) and not db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall():
                return []  # another emtui is making it
            if owner != application_id:
                raise problem(f"{path}: a database, but not this one of emtui", remedy=remedy)
            if version > newest:
                raise problem(
                    f"{path}: made by a newer emtui (schema {version}, this one knows {newest})",
                    remedy=f"Use that emtui. Or: {remedy}",
                )
            if check and (found := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                raise problem(f"{path}: damaged ({found})", remedy=remedy)
            return db.execute(sql, values).fetchall()
        finally:
            db.close()
    except sqlite3.DatabaseError as error:
        raise problem_of(error, path, problem, remedy=remedy, failed="cannot be read") from error


def _is_there(path: Path, problem: type[LocalProblem], remedy: str) -> bool:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno or 0) if isinstance(error, OSError) else str(error)
        raise problem(f"{path}: {reason}", remedy="Give yourself the rights to the file and its folder.") from error
    if not stat.S_ISREG(status.st_mode):
        raise problem(f"{path}: not a regular file", remedy=remedy)
    if not os.access(path, os.R_OK):
        raise problem(
            f"{path}: {os.strerror(errno.EACCES)}", remedy="Give yourself the rights to the file and its folder."
        )  # SQLite would only say that it is unable to open it
    return True


def _open(path: Path, patience_s: float) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=ro"
    db = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=patience_s)
    try:
        db.execute("PRAGMA schema_version").fetchone()
    except sqlite3.OperationalError as error:
        db.close()
        # In a folder that is full, or cannot be written to, WAL can only be read where nobody has anything in it.
        is_shut = kind_of(error) in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY) or is_of_full_disk(error, path)
        if not is_shut or has_wal(path):
            raise
        return sqlite3.connect(as_it_is(path), uri=True, isolation_level=None, timeout=patience_s)
    except BaseException:
        db.close()
        raise
    return db
