"""The workspace's SQLite database: images, pods, models, datasets, listing hashes.

What a change has committed survives `kill -9` and loss of power. Calls block: use them in a thread.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from emtui.errors import WorkspaceProblem
from emtui.storage.problems import DISK_FULL
from emtui.storage.sqlite import Database

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
        model_id BLOB PRIMARY KEY,             -- free text, as `emtui.storage.sqlite.pack` writes it
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
        ctime_ns INTEGER NOT NULL,
        hash INTEGER NOT NULL,
        PRIMARY KEY (device, inode)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE loaded_images (               -- under names without the user's prefix, as their tar files had them
        username TEXT NOT NULL,
        reference TEXT NOT NULL,
        PRIMARY KEY (username, reference)
    ) STRICT, WITHOUT ROWID;
    """,
)


_APPLICATION_ID = 0x656D7477  # "emtw"


class Store(Database):
    """The database of one workspace.

    Raises:
        WorkspaceProblem: it is corrupt, or of a newer emtui, or there is no room. Every call may raise it.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(
            path,
            MIGRATIONS,
            application_id=_APPLICATION_ID,
            problem=WorkspaceProblem,
            check=True,
            remedy="Move it aside, or open another directory with --local; the files in volume/ are not touched.",
        )


@contextlib.contextmanager
def where_there_is_room() -> Iterator[None]:
    """For what can be done later. A full disk must not keep anybody from seeing what can be deleted."""
    try:
        yield
    except WorkspaceProblem as problem:
        if problem.code != DISK_FULL:
            raise
