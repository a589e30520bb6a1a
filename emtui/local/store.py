"""The workspace's SQLite database: images, pods, models, datasets, listing hashes.

What a change has committed survives `kill -9` and loss of power (WAL, `synchronous=FULL`). Calls block: use them in
a thread. One connection is shared by all threads behind a lock.
"""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from emtui.errors import WorkspaceProblem

# Each entry takes the schema from its index to the next number; `user_version` says how far a database is. Never
# change one that has landed: add another.
MIGRATIONS = (
    """
    CREATE TABLE images (
        reference TEXT PRIMARY KEY,            -- repository:tag, with the user's prefix
        image_id TEXT NOT NULL,                -- sha256:… of its content and configuration
        origin TEXT NOT NULL CHECK (origin IN ('built', 'loaded')),
        created TEXT NOT NULL,                 -- ISO 8601, UTC
        size_bytes INTEGER NOT NULL,
        config TEXT NOT NULL,                  -- JSON: entrypoint, cmd, env, workdir, user, labels, ports
        root TEXT                              -- folder below blobs/images; NULL where nothing was unpacked
    ) STRICT;
    CREATE TABLE pods (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        pod_id TEXT NOT NULL UNIQUE,
        username TEXT NOT NULL,
        spec TEXT NOT NULL,                    -- JSON of the PodSpec
        reference TEXT,                        -- the image that was found; NULL where none was
        engine TEXT NOT NULL,
        asked_at TEXT NOT NULL,
        final_state TEXT                       -- JSON of the PodState once it is final
    ) STRICT;
    CREATE TABLE models (
        model_id BLOB PRIMARY KEY,             -- free text, as surrogateescape bytes
        blob TEXT NOT NULL UNIQUE,             -- file below blobs/models
        size_bytes INTEGER NOT NULL,
        allow_download INTEGER NOT NULL,
        encoding TEXT NOT NULL,
        saved_at TEXT NOT NULL
    ) STRICT;
    CREATE TABLE datasets (name BLOB NOT NULL, tag BLOB NOT NULL, PRIMARY KEY (name, tag)) STRICT;
    CREATE TABLE encrypted_models (
        model_id BLOB PRIMARY KEY,
        workers TEXT NOT NULL,                 -- JSON list
        crypto_provider TEXT NOT NULL          -- JSON list
    ) STRICT;
    CREATE TABLE hashes (
        device INTEGER NOT NULL,
        inode INTEGER NOT NULL,
        size_bytes INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        hash INTEGER NOT NULL,
        PRIMARY KEY (device, inode)
    ) STRICT, WITHOUT ROWID;
    """,
)


class Store:
    """The database of one workspace.

    Raises:
        WorkspaceProblem: it is corrupt, or of a newer emtui.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10.0)
        try:
            self._db.row_factory = sqlite3.Row
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._migrate(path)
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise WorkspaceProblem(
                f"{path}: not a sound database ({error})",
                remedy="Move it aside, or open another directory with --local; the files in volume/ are not touched.",
            ) from error
        except BaseException:
            self._db.close()
            raise

    def _migrate(self, path: Path) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > len(MIGRATIONS):
            raise WorkspaceProblem(
                f"{path}: made by a newer emtui (schema {version}, this one knows {len(MIGRATIONS)})",
                remedy="Use that emtui, or open another directory with --local.",
            )
        for number in range(version, len(MIGRATIONS)):
            self._db.executescript(f"BEGIN; {MIGRATIONS[number]} PRAGMA user_version = {number + 1}; COMMIT;")

    def read(self, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """All rows of a query."""
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """One transaction: committed and synced when the block ends, undone when it raises."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def close(self) -> None:
        with self._lock:
            self._db.close()
