"""What every SQLite file of emtui has in common: opened safely, brought to the present schema, changed in transactions.

A file that is corrupt, foreign or of a newer emtui is refused with the remedy and never written to. Calls block: use
them in a thread. One connection is shared by all threads behind a lock; several processes may have a file open.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from emtui.errors import LocalProblem
from emtui.storage.problems import full_disk, is_of_full_disk, problem_of

BUSY_TIMEOUT_S = 10.0
"""How long another process may hold the file before a call gives up: longer than any transaction of emtui."""


def pack(text: str) -> bytes:
    """Foreign text for a BLOB column: SQLite's own text cannot hold lone surrogates. The inverse is `unpack`."""
    return text.encode("utf-8", "surrogatepass")


def unpack(data: bytes) -> str:
    """Foreign text out of a BLOB column."""
    return data.decode("utf-8", "surrogatepass")


class Database:
    """An SQLite file: WAL, `synchronous=FULL`, at the schema of `migrations`.

    Each migration takes the schema from its index to the next number; `user_version` says how far a file is, and
    `application_id` that it is ours. On a full disk one that is whole can still be read.

    Raises:
        LocalProblem: as `problem`, its class: corrupt (`remedy` says what to do), foreign, of a newer emtui, not
            readable, disk full. Every call may raise it.
    """

    def __init__(
        self,
        path: Path,
        migrations: Sequence[str],
        *,
        application_id: int,
        problem: type[LocalProblem],
        remedy: str,
        check: bool = False,
    ) -> None:
        """Open the file, making it where it is missing. `check` reads all of it once and looks for damage."""
        self.path = path
        self._problem = problem
        self._remedy = remedy
        self._lock = threading.RLock()
        self._is_full = False
        with self._translated():
            self._db = self._connected(str(path))
        try:
            with self._translated():
                self._prepare(migrations, application_id, check=check)
        except BaseException:
            self._db.close()
            raise

    def _connected(self, name: str, *, is_uri: bool = False) -> sqlite3.Connection:
        db = sqlite3.connect(name, uri=is_uri, isolation_level=None, check_same_thread=False, timeout=BUSY_TIMEOUT_S)
        db.row_factory = sqlite3.Row
        return db

    def _prepare(self, migrations: Sequence[str], application_id: int, *, check: bool) -> None:
        try:
            self._take(migrations, application_id)
            if check:
                self._check()
            self._enter_wal()
            self._db.execute("PRAGMA synchronous = FULL")
        except sqlite3.OperationalError as error:
            if not is_of_full_disk(error, self.path) or has_wal(self.path):
                raise
            # There is no room for what SQLite puts beside it. Who wants to make room has to see what is there.
            self._db.close()
            self._db = self._connected(as_it_is(self.path), is_uri=True)
            self._is_full = True
            if self._version(migrations, application_id) != len(migrations):
                raise

    def _take(self, migrations: Sequence[str], application_id: int) -> None:
        """Make sure that the file is ours, and bring it to the present schema."""
        self._db.execute("BEGIN")  # one look: another process may be making the file
        try:
            version = self._version(migrations, application_id)
        finally:
            self._roll_back()
        if version == len(migrations):
            return
        # Asked again inside the transaction: another process may have been quicker.
        with self.change():
            for number in range(self._version(migrations, application_id), len(migrations)):
                for statement in _statements(migrations[number]):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {number + 1}")
            self._db.execute(f"PRAGMA application_id = {application_id}")

    def _version(self, migrations: Sequence[str], application_id: int) -> int:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        (owner,) = self._db.execute("PRAGMA application_id").fetchone()
        (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if owner != application_id and (owner or version or tables):
            raise self._problem(f"{self.path}: a database, but not this one of emtui", remedy=self._remedy)
        if version > len(migrations):
            raise self._problem(
                f"{self.path}: made by a newer emtui (schema {version}, this one knows {len(migrations)})",
                remedy=f"Use that emtui. Or: {self._remedy}",
            )
        return int(version)

    def _check(self) -> None:
        (found,) = self._db.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise self._problem(f"{self.path}: damaged ({found})", remedy=self._remedy)

    def _enter_wal(self) -> None:
        """SQLite does not wait for another process that enters WAL in the same moment, so it is asked again."""
        deadline = time.monotonic() + BUSY_TIMEOUT_S
        while True:
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """SQLite's errors as the family's. A broken constraint stays what it is: the caller knows what it means."""
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except sqlite3.DatabaseError as error:
            raise problem_of(error, self.path, self._problem, remedy=self._remedy) from error

    def read(self, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """All rows of a query."""
        with self._lock, self._translated():
            return self._db.execute(sql, values).fetchall()

    @contextmanager
    def change(self, *, is_synced: bool = True) -> Iterator[sqlite3.Connection]:
        """One transaction: committed when the block ends, undone when it raises.

        Synced, it survives the loss of power; with `is_synced=False` only the end of the process, `kill -9` too.
        """
        with self._lock, self._translated():
            if self._is_full:
                raise full_disk(self.path, self._problem, was_full=True)
            if not is_synced:
                self._db.execute("PRAGMA synchronous = NORMAL")
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise
            finally:
                if not is_synced:
                    self._db.execute("PRAGMA synchronous = FULL")

    def _roll_back(self) -> None:
        if self._db.in_transaction:  # SQLite has ended it itself where the disk is full
            self._db.execute("ROLLBACK")

    def close(self) -> None:
        with self._lock:
            self._db.close()


def as_it_is(path: Path) -> str:
    """The address of a database that is read as it stands in its file, without locks and without a WAL."""
    return f"{path.absolute().as_uri()}?mode=ro&immutable=1"


def has_wal(path: Path) -> bool:
    """Whether a part of the database stands in its WAL. Blocks."""
    try:
        return path.with_name(f"{path.name}-wal").stat().st_size > 0
    except OSError:
        return False


def _statements(script: str) -> Iterator[str]:
    """The single statements of a script: `executescript` would end the transaction that they belong to."""
    statement = ""
    for part in script.split(";"):
        statement += part + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
