"""Uplink: files are received in `staging/`, counted while they are read, and committed together (EM API §1)."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from emtui.backend import LOCAL_UPLINK_LIMIT_BYTES, Source, changed, no_files, too_large
from emtui.errors import LocalProblem
from emtui.local.commit import batch_name, check_target, commit
from emtui.local.handles import DirHandle
from emtui.local.stopping import disk_errors
from emtui.paths import BaseNames, split_path
from emtui.threads import in_thread

if TYPE_CHECKING:
    from emtui.models import UplinkResult


async def receive(
    staging: DirHandle,
    volume: DirHandle,
    files: Sequence[Source],
    dest_path: str,
    limit_bytes: int = LOCAL_UPLINK_LIMIT_BYTES,
) -> UplinkResult:
    """Store `files` in the folder `dest_path` of the volume, all or none.

    Raises:
        BadRequest: `NO_FILES`, `MAX_UPLINK_SIZE_EXCEEDED`, a name that is none, the same name twice, a folder in the
            way.
        Forbidden: a name or `dest_path` leaves the volume, or a link is in the way.
        LocalProblem: a source cannot be read or changed while it was read, or the disk refuses.
    """
    if not files:
        raise no_files()
    parts = split_path(dest_path, what="dest_path")
    names = BaseNames()
    for source in files:
        names.add(source.name)
    if sum(source.size_bytes for source in files) > limit_bytes:
        raise too_large()
    with disk_errors("uplink", dest_path):
        await in_thread(check_target, volume, parts, names.all)
    async with incoming(staging, volume, limit_bytes) as taken:
        for source in files:
            await _take(taken, source)
        return await taken.commit(dest_path)


@contextlib.asynccontextmanager
async def incoming(
    staging: DirHandle, volume: DirHandle, limit_bytes: int = LOCAL_UPLINK_LIMIT_BYTES
) -> AsyncIterator[Incoming]:
    """An uplink whose files come one after the other, and whose folder may be told last, as a form has them."""
    taken = Incoming(staging, volume, limit_bytes)
    try:
        with disk_errors("uplink"):
            await in_thread(taken.make)
        yield taken
    finally:
        await in_thread(taken.drop)


class Incoming:
    """Files on their way: staged in a folder of `staging/`, counted while they come, committed together.

    What is not committed is gone when its context ends.
    """

    def __init__(self, staging: DirHandle, volume: DirHandle, limit_bytes: int) -> None:
        self._volume = volume
        self._batch = _Batch(staging)
        self._limit_bytes = limit_bytes
        self._names = BaseNames()
        self._fd: int | None = None
        self.total_bytes = 0

    def make(self) -> None:
        self._batch.make()

    def drop(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
        self._batch.drop()

    async def begin(self, name: str) -> None:
        """The next file.

        Raises:
            BadRequest: a name that is none, or that came before.
            Forbidden: a name that leaves its folder.
        """
        self._names.add(name)
        with disk_errors("uplink"):
            # Kept in a field at once, so that it is closed also if this call is cancelled meanwhile.
            await in_thread(self._open, str(len(self._names.all) - 1))

    def _open(self, staged_name: str) -> None:
        self._fd = self._batch.folder.create_file(staged_name)

    async def write(self, data: bytes) -> None:
        """More of the file that was begun.

        Raises:
            BadRequest: `MAX_UPLINK_SIZE_EXCEEDED`.
        """
        self.total_bytes += len(data)
        if self.total_bytes > self._limit_bytes:
            raise too_large()
        with disk_errors("uplink"):
            await in_thread(_write_all, self._begun, data)

    async def end(self) -> None:
        """The file that was begun is whole."""
        with disk_errors("uplink"):
            await in_thread(self._close)

    def _close(self) -> None:
        os.fsync(self._begun)
        fd, self._fd = self._begun, None
        os.close(fd)

    @property
    def _begun(self) -> int:
        assert self._fd is not None, "begin() comes first"  # noqa: S101 - tells mypy what the callers do
        return self._fd

    async def commit(self, dest_path: str) -> UplinkResult:
        """Put all files into the folder `dest_path` of the volume, which is made where it is missing.

        Raises:
            BadRequest: `NO_FILES`, or something is in the way.
            Forbidden: `dest_path` leaves the volume, or a link is in the way.
        """
        names = self._names.all
        if not names:
            raise no_files()
        parts = split_path(dest_path, what="dest_path")
        with disk_errors("uplink", dest_path):
            await in_thread(commit, self._batch.folder, self._volume, parts, names)
        from emtui.models import UplinkResult  # pydantic: the first listing does without it

        return UplinkResult(file_count=len(names), total_size_kb=round(self.total_bytes / 1024, 2))


class _Batch:
    """A folder of its own in `staging/`."""

    def __init__(self, staging: DirHandle) -> None:
        self._staging = staging
        self._name = batch_name(secrets.token_hex(8))
        self._folder: DirHandle | None = None

    @property
    def folder(self) -> DirHandle:
        assert self._folder is not None, "make() comes first"  # noqa: S101 - tells mypy what incoming() does
        return self._folder

    def make(self) -> None:
        os.mkdir(self._name, 0o700, dir_fd=self._staging.fd)
        self._folder = self._staging.open_dir((self._name,))

    def drop(self) -> None:
        if self._folder is not None:
            self._folder.close()
        with contextlib.suppress(OSError):  # what is left is removed at the next start
            self._staging.remove(self._name)


async def _take(taken: Incoming, source: Source) -> None:
    """Read one source into the uplink."""
    await taken.begin(source.name)
    count = 0
    try:
        async with source.open() as chunks:
            async for chunk in chunks:
                count += len(chunk)
                await taken.write(chunk)
                if count > source.size_bytes:
                    raise changed(source)
    except OSError as error:
        raise LocalProblem(f"{source.name}: {os.strerror(error.errno or 0)}", remedy="Nothing was kept.") from error
    if count != source.size_bytes:
        raise changed(source)
    await taken.end()


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
