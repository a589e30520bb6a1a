"""What the local Grid Node keeps: models as files in `blobs/models`, and rows in the workspace's database.

All calls block. A model's file has a random name, never its id: ids are free text.
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from emtui.errors import Conflict, RemoteFailed
from emtui.files import disk_problem
from emtui.local.handles import DirHandle
from emtui.local.store import where_there_is_room
from emtui.local.workspace import Workspace
from emtui.storage.sqlite import pack, unpack
from emtui.wire.grid import ID_TAKEN

if TYPE_CHECKING:
    from emtui.models import EncryptedModel


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A hosted model: `blob` is its file's name below `blobs/models`."""

    model_id: str
    blob: str
    size_bytes: int
    allow_download: bool


class GridStore:
    """The Grid Node's part of a workspace. Close it before the workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._store = workspace.store
        self._staging = workspace.staging
        self._blobs = DirHandle.open_trusted(workspace.blobs / "models")
        with where_there_is_room():
            self._remove_orphans()

    def close(self) -> None:
        self._blobs.close()

    def _remove_orphans(self) -> None:
        """Files without a row: what was renamed when emtui was killed before it could commit."""
        with self._store.change() as db:  # nothing can be saved meanwhile
            known = {row["blob"] for row in db.execute("SELECT blob FROM models")}
            for entry in list(self._blobs.scan()):
                if entry.name not in known:
                    self._blobs.remove(entry.name)

    # ------------------------------------------------------------------------------------------------ models

    def ids(self) -> list[str]:
        """In the order in which they were saved."""
        return [unpack(row["model_id"]) for row in self._store.read("SELECT model_id FROM models ORDER BY rowid")]

    def sizes(self) -> dict[str, int]:
        rows = self._store.read("SELECT model_id, size_bytes FROM models ORDER BY rowid")
        return {unpack(row["model_id"]): row["size_bytes"] for row in rows}

    def find(self, model_id: str) -> ModelRow | None:
        rows = self._store.read(
            "SELECT blob, size_bytes, allow_download FROM models WHERE model_id = ?", (pack(model_id),)
        )
        return ModelRow(model_id, rows[0][0], rows[0][1], bool(rows[0][2])) if rows else None

    def open_model(self, row: ModelRow) -> int:
        """A descriptor of a model's file, for reading.

        Raises:
            RemoteFailed: the file is missing, or not the size that was saved.
        """
        remedy = "Serve it again under another id; this one's file was changed from outside."
        try:
            fd = os.open(row.blob, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self._blobs.fd)
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            raise RemoteFailed(f"the file of model {row.model_id} cannot be read: {reason}", remedy=remedy) from error
        size_bytes = os.fstat(fd).st_size
        if size_bytes != row.size_bytes:
            os.close(fd)
            raise RemoteFailed(
                f"the file of model {row.model_id} has {size_bytes:,} bytes, {row.size_bytes:,} were saved",
                remedy=remedy,
            )
        return fd

    def save(self, staged: StagedModel, model_id: str, *, allow_download: bool, encoding: str) -> None:
        """Give a staged file its place and its row, both or neither.

        The row comes first, so that of two with one id the second is refused before its file moves; it is committed
        last, so that a row without its file cannot be.

        Raises:
            Conflict: `Model id already exists.`
        """
        staged.seal()
        saved_at = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            with self._store.change() as db:
                db.execute(
                    "INSERT INTO models (model_id, blob, size_bytes, allow_download, encoding, saved_at)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (pack(model_id), staged.name, staged.count, allow_download, encoding, saved_at),
                )
                staged.move_to(self._blobs)
        except sqlite3.IntegrityError:
            raise Conflict(ID_TAKEN) from None

    def stage(self) -> StagedModel:
        return StagedModel(self._staging)

    # -------------------------------------------------------------------------- datasets and encrypted models

    def add_dataset(self, name: str, tags: Iterable[str]) -> None:
        with self._store.change() as db:
            db.executemany(
                "INSERT OR IGNORE INTO datasets (name, tag) VALUES (?, ?)", [(pack(name), pack(tag)) for tag in tags]
            )

    def tags(self) -> list[str]:
        rows = self._store.read("SELECT tag FROM datasets GROUP BY tag ORDER BY min(rowid)")
        return [unpack(row["tag"]) for row in rows]

    def has_tag(self, tag: str) -> bool:
        return bool(self._store.read("SELECT 1 FROM datasets WHERE tag = ? LIMIT 1", (pack(tag),)))

    def add_encrypted(self, model_id: str, model: EncryptedModel) -> None:
        with self._store.change() as db:
            db.execute(
                "INSERT OR REPLACE INTO encrypted_models (model_id, workers, crypto_provider) VALUES (?, ?, ?)",
                (pack(model_id), json.dumps(model.workers), json.dumps(model.crypto_provider)),
            )

    def find_encrypted(self, model_id: str) -> EncryptedModel | None:
        rows = self._store.read(
            "SELECT workers, crypto_provider FROM encrypted_models WHERE model_id = ?", (pack(model_id),)
        )
        if not rows:
            return None
        workers, crypto_provider = (tuple(json.loads(column)) for column in rows[0])
        from emtui.models import EncryptedModel

        return EncryptedModel(workers=workers, crypto_provider=crypto_provider)


class StagedModel:
    """A model that is not whole yet: a file in `staging/`, which is emptied at every start. Its calls block.

    Raises:
        LocalProblem: disk full, I/O error. Every call may raise it.
    """

    def __init__(self, staging: DirHandle) -> None:
        self._staging = staging
        self.name = f"model-{secrets.token_hex(16)}"
        self._fd = -1
        self._exists = False
        self.count = 0

    def open(self) -> None:
        try:
            self._fd = self._staging.create_file(self.name)
        except OSError as error:
            raise disk_problem(error, "the workspace") from error
        self._exists = True

    def write(self, chunk: bytes) -> None:
        try:
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError as error:
            raise disk_problem(error, "the workspace") from error
        self.count += len(chunk)

    def read_again(self) -> int:
        """A descriptor that reads what has been written so far."""
        try:
            return self._staging.open_file((self.name,))
        except OSError as error:
            raise disk_problem(error, "the workspace") from error

    def seal(self) -> None:
        """Sync and close it."""
        try:
            os.fsync(self._fd)
            fd, self._fd = self._fd, -1
            os.close(fd)
        except OSError as error:
            raise disk_problem(error, "the workspace") from error

    def move_to(self, folder: DirHandle) -> None:
        try:
            self._staging.rename_to(self.name, folder, self.name)
            self._exists = False
            folder.sync()
        except OSError as error:
            raise disk_problem(error, "the workspace") from error

    def discard(self) -> None:
        """Let go of it; remove it unless it has moved. Best effort: `staging/` is emptied at the next start too."""
        try:
            if self._fd >= 0:
                os.close(self._fd)
            if self._exists:
                self._staging.remove(self.name)
        except OSError:
            return
        finally:
            self._fd = -1
            self._exists = False
