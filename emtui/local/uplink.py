"""Uplink: files are received in `staging/`, counted while they are read, and committed together (EM API §1)."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING

from emtui.backend import LOCAL_UPLINK_LIMIT_BYTES, Source
from emtui.errors import BadRequest, Forbidden, LocalProblem
from emtui.local.commit import batch_name, check_target, commit
from emtui.local.handles import DirHandle, split_path
from emtui.local.stopping import disk_errors
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
        raise BadRequest("No files were provided for uplink!", code="NO_FILES", remedy="Choose at least one file.")
    parts = split_path(dest_path, what="dest_path")
    names = _checked_names(files)
    if sum(source.size_bytes for source in files) > limit_bytes:
        raise _too_large()
    with disk_errors("uplink"):
        await in_thread(check_target, volume, parts, names)
        batch = _Batch(staging)
        try:
            await in_thread(batch.make)
            total = 0
            for index, source in enumerate(files):
                total += await _stage(batch.folder, str(index), source, limit_bytes - total)
            await in_thread(commit, batch.folder, volume, parts, names)
        finally:
            await in_thread(batch.drop)
    from emtui.models import UplinkResult  # pydantic: the first listing does without it

    return UplinkResult(file_count=len(files), total_size_kb=round(total / 1024, 2))


class _Batch:
    """A folder of its own in `staging/`."""

    def __init__(self, staging: DirHandle) -> None:
        self._staging = staging
        self._name = batch_name(secrets.token_hex(8))
        self._folder: DirHandle | None = None

    @property
    def folder(self) -> DirHandle:
        assert self._folder is not None, "make() comes first"  # noqa: S101 - tells mypy what receive() does
        return self._folder

    def make(self) -> None:
        os.mkdir(self._name, 0o700, dir_fd=self._staging.fd)
        self._folder = self._staging.open_dir((self._name,))

    def drop(self) -> None:
        if self._folder is not None:
            self._folder.close()
        with contextlib.suppress(OSError):  # what is left is removed at the next start
            self._staging.remove(self._name)


def _checked_names(files: Sequence[Source]) -> list[str]:
    names = [_checked_name(source.name) for source in files]
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise BadRequest(
                f"two files of one uplink have the same name: {name}", remedy="Send them in two calls, or rename one."
            )
        seen.add(name)
    return names


def _checked_name(name: str) -> str:
    if "/" in name:
        raise Forbidden(f"a base name is needed, not a path: {name}", remedy="Put the folder into dest_path.")
    if split_path(name, what="file name") != (name,):
        raise BadRequest(f"not a name of a file: {name!r}", remedy="Rename it.")
    return name


async def _stage(batch: DirHandle, staged_name: str, source: Source, room_bytes: int) -> int:
    """Write one source into the batch and sync it. Returns its bytes."""
    opened: list[int] = []
    try:
        # The descriptor is put where it is found also if this call is cancelled meanwhile.
        await in_thread(lambda: opened.append(batch.create_file(staged_name)))
        count = await _copy(source, opened[0], room_bytes)
        await in_thread(os.fsync, opened[0])
    finally:
        for fd in opened:
            os.close(fd)
    return count


async def _copy(source: Source, fd: int, room_bytes: int) -> int:
    count = 0
    expected = source.size_bytes
    try:
        async with source.open() as chunks:
            async for chunk in chunks:
                count += len(chunk)
                if count > room_bytes:
                    raise _too_large()
                if count > expected:
                    raise _changed(source)
                with disk_errors("uplink"):
                    await in_thread(_write_all, fd, chunk)
    except OSError as error:
        raise LocalProblem(f"{source.name}: {os.strerror(error.errno or 0)}", remedy="Nothing was kept.") from error
    if count != expected:
        raise _changed(source)
    return count


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _too_large() -> BadRequest:
    return BadRequest(
        "Total upload size exceeds 500 MB",
        code="MAX_UPLINK_SIZE_EXCEEDED",
        remedy="Send the files in several calls. Nothing was kept.",
    )


def _changed(source: Source) -> LocalProblem:
    return LocalProblem(f"{source.name}: changed while it was read", remedy="Nothing was kept. Send it again.")
