"""Files that are sent: a `Source` of the operator's disk, and one of memory."""

import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from emtui.backend import CHUNK_BYTES
from emtui.errors import LocalProblem
from emtui.files.problems import disk_problem
from emtui.threads import in_thread

# A FIFO must not block, and a terminal not become ours. Windows knows neither flag.
_READ_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
_READ_FLAGS |= getattr(os, "O_BINARY", 0)

_CHANGED = "Wait until nothing writes to it any more, then send it again."


class FileSource:
    """A regular file of the operator's disk (`Source`). A link that the operator named is followed.

    Attributes:
        path: where it is.
        name: its base name.
        size_bytes: its bytes when it was chosen; `open` gives exactly as many, or raises.
        changed_ns: when it was changed last, in nanoseconds since 1970.
    """

    __slots__ = ("changed_ns", "name", "path", "size_bytes")

    def __init__(self, path: Path, status: os.stat_result | None = None) -> None:
        """Blocks, unless its `status` is known already.

        Raises:
            LocalProblem: missing, not readable, or no regular file (a folder, device, FIFO or socket).
        """
        if status is None:
            try:
                status = path.stat()
            except (OSError, ValueError) as error:
                raise disk_problem(error, path) from error
        _check_regular(status, path)
        self.path = path
        self.name = path.name
        self.size_bytes = status.st_size
        self.changed_ns = status.st_mtime_ns

    def __repr__(self) -> str:
        return f"FileSource({self.path!r}, {self.size_bytes} B)"

    @asynccontextmanager
    async def open(self) -> AsyncIterator[AsyncIterator[bytes]]:
        """A fresh stream from the first byte, in chunks of at most `CHUNK_BYTES`.

        Raises:
            LocalProblem: it cannot be read, is no longer the size it was chosen with, or changes while it is read.
        """
        handle = _Handle(self.path)
        try:
            status = await in_thread(handle.open)
            if status.st_size != self.size_bytes:
                raise self._changed("since it was chosen")
            yield self._chunks(handle, status)
        finally:
            await in_thread(handle.close)

    async def _chunks(self, handle: "_Handle", before: os.stat_result) -> AsyncIterator[bytes]:
        count = 0
        while chunk := await in_thread(handle.read):
            count += len(chunk)
            if count > self.size_bytes:
                raise self._changed("while it was read (it grew)")
            yield chunk
        after = await in_thread(handle.status)
        if count < self.size_bytes or (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            raise self._changed("while it was read")

    def _changed(self, when: str) -> LocalProblem:
        return LocalProblem(f"{self.path}: it changed {when}", remedy=_CHANGED)


class MemorySource:
    """Bytes in memory as a file (`Source`)."""

    __slots__ = ("_data", "name")

    def __init__(self, name: str, data: bytes) -> None:
        self.name = name
        self._data = data

    @property
    def size_bytes(self) -> int:
        return len(self._data)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[AsyncIterator[bytes]]:
        """A fresh stream from the first byte."""
        yield self._chunks()

    async def _chunks(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._data), CHUNK_BYTES):
            yield self._data[start : start + CHUNK_BYTES]


class _Handle:
    """An open file whose calls are made in threads. What `open` opened is closed even if its caller was cancelled."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1

    def open(self) -> os.stat_result:
        try:
            self._fd = os.open(self._path, _READ_FLAGS)
            status = os.fstat(self._fd)
        except (OSError, ValueError) as error:
            raise disk_problem(error, self._path) from error
        _check_regular(status, self._path)
        return status

    def read(self) -> bytes:
        try:
            return os.read(self._fd, CHUNK_BYTES)
        except OSError as error:
            raise disk_problem(error, self._path) from error

    def status(self) -> os.stat_result:
        return os.fstat(self._fd)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _check_regular(status: os.stat_result, path: Path) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise LocalProblem(f"{path}: a folder, not a file", remedy="Choose a file.")
    if not stat.S_ISREG(status.st_mode):
        raise LocalProblem(f"{path}: a device, FIFO or socket, not a file", remedy="Choose a regular file.")
