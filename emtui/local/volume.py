"""Downlink and delete: what is read from the volume, and what is removed from it (EM API §3, §4)."""

import contextlib
import hashlib
import os
import secrets
import stat
from collections.abc import AsyncIterator

from emtui.backend import CHUNK_BYTES, Download
from emtui.errors import BadRequest, ContractViolation, NotFound
from emtui.local.handles import DirHandle
from emtui.local.stopping import Stop, disk_errors, remedy_for, stoppable
from emtui.paths import split_path
from emtui.threads import in_thread


class _OpenFile:
    """A regular file of the volume, open for reading, and what it was when it was opened."""

    def __init__(self, fd: int, name: str) -> None:
        self._fd = fd
        self.name = name
        self._before = _identity(os.fstat(fd))
        self.size_bytes = self._before[1]

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def sha256(self, stop: Stop) -> str:
        """Of the whole file, in hex. Blocks.

        Raises:
            ContractViolation: it changed meanwhile.
        """
        digest = hashlib.sha256()
        offset = 0
        while data := self.read(offset):
            stop.check()
            digest.update(data)
            offset += len(data)
        self.check()
        return digest.hexdigest()

    def read(self, offset: int) -> bytes:
        """At most `CHUNK_BYTES`, and nothing beyond the size that the file had at first. Blocks."""
        return os.pread(self._fd, min(CHUNK_BYTES, self.size_bytes - offset), offset)

    def _read_into(self, digest: "hashlib._Hash", offset: int) -> bytes:
        data = self.read(offset)
        digest.update(data)
        return data

    def check(self) -> None:
        if _identity(os.fstat(self._fd)) != self._before:
            raise self.changed()

    def changed(self) -> ContractViolation:
        return ContractViolation(
            f"{self.name}: changed while it was read", remedy="Wait until the pod has written it, then downlink again."
        )

    async def chunks(self, promised: str) -> AsyncIterator[bytes]:
        """The file's bytes; size and SHA-256 are compared with what was promised before the end is told."""
        digest = hashlib.sha256()
        offset = 0
        with disk_errors("downlink"):
            while offset < self.size_bytes:
                data = await in_thread(self._read_into, digest, offset)
                if not data:
                    raise self.changed()
                offset += len(data)
                yield data
            await in_thread(self.check)
        if digest.hexdigest() != promised:
            raise self.changed()


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


@contextlib.asynccontextmanager
async def open_download(volume: DirHandle, path: str) -> AsyncIterator[Download]:
    """A file of the volume for reading, its SHA-256 known before its first chunk.

    The file is read twice, since the hash is promised first; a large or sparse one takes its time, but no memory.

    Raises:
        BadRequest: a folder, or no path.
        Forbidden: the path leaves the volume, or it is a link, device, FIFO, socket or hard link.
        NotFound: no such file.
        ContractViolation: it changed while it was read; also raised by the chunks.
    """
    parts = split_path(path, what="filepath")
    if not parts:
        raise BadRequest("filepath: a file is needed", remedy="Choose a file of the volume.")
    opened: list[_OpenFile] = []
    try:
        with disk_errors("downlink", path):
            # The file is put where it is found also if this call is cancelled meanwhile.
            await in_thread(lambda: opened.append(_open(volume, parts)))
            file = opened[0]
            sha256 = await stoppable(file.sha256)
        chunks = file.chunks(sha256)
        yield Download(name=file.name, size_bytes=file.size_bytes, chunks=chunks, sha256=sha256)
    finally:
        for file in opened:
            file.close()


def _open(volume: DirHandle, parts: tuple[str, ...]) -> _OpenFile:
    fd = volume.open_file(parts)
    try:
        return _OpenFile(fd, parts[-1])
    except BaseException:
        os.close(fd)
        raise


async def delete(staging: DirHandle, volume: DirHandle, path: str) -> None:
    """Remove a file, link, or folder with all that is in it.

    It is moved out of the volume first: killed meanwhile, no half folder is left.

    Raises:
        BadRequest: no such file or folder, the volume itself, or it cannot be removed.
        Forbidden: the path leaves the volume, or a link is in its way.
    """
    parts = split_path(path, what="filepath")
    if not parts:
        raise BadRequest(
            "filepath: the volume itself cannot be deleted", remedy="Name a file or a folder of the volume."
        )
    await in_thread(_delete, staging, volume, parts)


def _delete(staging: DirHandle, volume: DirHandle, parts: tuple[str, ...]) -> None:
    shown = "/".join(parts)
    moved = f"deleted-{secrets.token_hex(8)}"
    try:
        with volume.open_dir(parts[:-1]) as parent:
            _move_out(parent, parts[-1], staging, moved)
            parent.sync()
    except (NotFound, FileNotFoundError):
        raise BadRequest(f"no such file or folder: {shown}", remedy="Look what there is, then choose again.") from None
    except OSError as error:
        problem = f"File delete failed: {shown}: {os.strerror(error.errno or 0)}"
        raise BadRequest(problem, remedy=remedy_for(error, shown)) from error
    with contextlib.suppress(OSError):  # it is out of the volume; what is left of it goes at the next start
        staging.remove(moved)


def _move_out(parent: DirHandle, name: str, staging: DirHandle, moved: str) -> None:
    try:
        parent.rename_to(name, staging, moved)
    except PermissionError:
        if not stat.S_ISDIR(parent.lstat(name).st_mode):
            raise
        parent.make_writable(name)
        parent.rename_to(name, staging, moved)
