"""A foreign tar file, plain or gzip, read entry by entry and never extracted.

Every number is bounded: entries, the size of a header, what a compressed file grows to. It is read once from its start
to its end, and may be read again: the same file gives the same entries under the same numbers.
"""

import contextlib
import gzip
import io
import os
import posixpath
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO

from emtui.local.engines.problems import LoadProblem

MAX_ENTRIES = 100_000
MAX_HEADER_BYTES = 4 << 20
MAX_UNPACKED_BYTES = 64 << 30
CHUNK_BYTES = 1 << 20
_GZIP = b"\x1f\x8b"

_TAR_FAULTS = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, ValueError, OverflowError, RecursionError)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a tar: its place among the entries (from 0), its name in plain form, its size in bytes."""

    number: int
    name: str
    size: int


class Member:
    """The entry that the reading has come to. Its content can be read until the next one is taken."""

    def __init__(self, tar: tarfile.TarFile, info: tarfile.TarInfo, number: int) -> None:
        self._tar = tar
        self.info = info
        self.entry = Entry(number, inside(info.name), info.size)

    def read(self) -> Iterator[bytes]:
        """Its content: at first one byte, which tells what it may be, then chunks of `CHUNK_BYTES` at most.

        Raises:
            LoadProblem: it is cut off.
        """
        file = self._tar.extractfile(self.info)
        left = self.entry.size
        size = 1
        while file is not None and left and (chunk := file.read(min(size, left))):
            left -= len(chunk)
            size = CHUNK_BYTES
            yield chunk
        if left:
            raise LoadProblem(f"truncated archive: {left} bytes of {self.entry.name!r} are missing")


class _Bounded(io.RawIOBase):
    """A reader that refuses to read much at once, to seek past a bound, and asks `check` now and then."""

    def __init__(self, file: IO[bytes], check: Callable[[], None]) -> None:
        self._file = file
        self._check = check

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > MAX_HEADER_BYTES:
            raise LoadProblem(f"an entry's header of {size} bytes is larger than an image's can be")
        self._check()
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        if offset > MAX_UNPACKED_BYTES:
            raise LoadProblem(f"larger than {MAX_UNPACKED_BYTES} bytes when unpacked")
        position = self._file.tell()
        # A compressed file is unpacked on the way; in steps, so that it can be cancelled.
        while whence == 0 and isinstance(self._file, gzip.GzipFile) and position < offset:
            self._check()
            step = len(self._file.read(min(CHUNK_BYTES, offset - position)))
            if not step:
                break
            position += step
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


@contextlib.contextmanager
def members(fd: int, check: Callable[[], None]) -> Iterator[Iterator[Member]]:
    """The entries of a tar file. `fd` stays the caller's and is read from its start.

    Raises:
        LoadProblem: it is no tar, it is truncated, or it holds what no image's does; also out of the body.
    """
    with os.fdopen(os.dup(fd), "rb") as raw:
        raw.seek(0)
        is_gzip = raw.read(2) == _GZIP
        raw.seek(0)
        try:
            with contextlib.ExitStack() as stack:
                plain = stack.enter_context(gzip.GzipFile(fileobj=raw)) if is_gzip else raw
                # tarfile wants a file object; this one has all that it uses.
                file = _Bounded(plain, check)  # type: ignore[arg-type] # GzipFile is a reader
                yield _members(stack.enter_context(tarfile.open(fileobj=file, mode="r:")))
        except _TAR_FAULTS as error:
            raise LoadProblem(f"invalid tar header or truncated archive: {error}") from error


def _members(tar: tarfile.TarFile) -> Iterator[Member]:
    for number, info in enumerate(tar):
        # The archive keeps every header otherwise.
        tar.members.clear()  # type: ignore[attr-defined] # the stubs leave it out
        if number >= MAX_ENTRIES:
            raise LoadProblem(f"more than {MAX_ENTRIES} entries")
        yield Member(tar, info, number)


def inside(name: str) -> str:
    """A path of the archive in its plain form. Raises LoadProblem where it leads out of it."""
    path = posixpath.normpath(name)
    if name.startswith("/") or path == ".." or path.startswith("../") or "\0" in name:
        raise LoadProblem(f"entry {name!r} leads out of the image")
    return path
