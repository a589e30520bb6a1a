"""The engine's images: rows of the workspace's database, and the folders that they point at."""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from emtui.local.engines.config import ImageConfig
from emtui.local.engines.sandbox.tree import remove_tree
from emtui.local.handles import DirHandle
from emtui.local.store import Store
from emtui.local.workspace import Workspace
from emtui.models import Image

Origin = Literal["built", "loaded"]


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A row. `root` is the folder below `blobs/images`, None where nothing was unpacked or executed."""

    reference: str
    image_id: str
    origin: Origin
    created: str
    size_bytes: int
    config: ImageConfig
    root: str | None

    def to_image(self) -> Image:
        repository, _, tag = self.reference.rpartition(":")
        return Image(repository=repository, tag=tag, id=self.image_id, created=self.created, size=str(self.size_bytes))


class ImageTable:
    """The images of one workspace. Every call blocks."""

    def __init__(self, workspace: Workspace) -> None:
        self._store: Store = workspace.store
        self._folder: Path = workspace.blobs / "images"

    def put(
        self,
        reference: str,
        image_id: str,
        *,
        origin: Origin,
        size_bytes: int,
        config: ImageConfig,
        root: str | None = None,
    ) -> StoredImage:
        """Record an image in the place of one of the same reference, in one transaction, and drop what nobody needs."""
        created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        with self._store.change() as db:
            db.execute(
                "INSERT OR REPLACE INTO images (reference, image_id, origin, created, size_bytes, config, root) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (reference, image_id, origin, created, size_bytes, config.to_json(), root),
            )
        self.sweep()
        return StoredImage(reference, image_id, origin, created, size_bytes, config, root)

    def all(self) -> Sequence[StoredImage]:
        """By name."""
        return [_from_row(row) for row in self._store.read("SELECT * FROM images ORDER BY reference")]

    def get(self, reference: str) -> StoredImage | None:
        rows = self._store.read("SELECT * FROM images WHERE reference = ?", (reference,))
        return _from_row(rows[0]) if rows else None

    def path_of(self, root: str) -> Path:
        """The folder of an image: `rootfs/` is in it."""
        return self._folder / root

    def lock(self, root: str) -> int:
        """Keep an image's folder from being removed, until the descriptor and its copies are closed. Raises OSError."""
        fd = os.open(self._folder / root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_SH)
        except BaseException:
            os.close(fd)
            raise
        return fd

    @contextlib.contextmanager
    def kept(self, root: str) -> Iterator[Path]:
        """An image's folder, which stays as long as the context lasts."""
        fd = self.lock(root)
        try:
            yield self._folder / root
        finally:
            os.close(fd)

    def sweep(self) -> None:
        """Remove the folders that no row points at and that nobody copies from at the moment."""
        used = {row["root"] for row in self._store.read("SELECT root FROM images")}
        with DirHandle.open_trusted(self._folder) as images:
            for entry in list(images.scan()):
                if entry.name in used or entry.type != "directory":
                    continue
                fd = os.open(entry.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=images.fd)
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    remove_tree(images, entry.name)
                except BlockingIOError:
                    continue  # a pod is copying it; it goes with the next sweep
                finally:
                    os.close(fd)


def _from_row(row: "object") -> StoredImage:
    values = dict(row)  # type: ignore[call-overload] # a sqlite3.Row is a mapping, which its type does not say
    return StoredImage(**{**values, "config": ImageConfig.from_json(values["config"])})
