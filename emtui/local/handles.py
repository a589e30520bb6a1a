"""Directory handles: the only way by which local mode reaches a volume's files.

A pod can plant a symlink or swap a directory at any moment, so a checked path means nothing a moment later. Here
every step is taken from an open directory with `O_NOFOLLOW`, and what was opened is what was checked. Paths are
relative, `/` between folders, `surrogateescape` text.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from emtui.errors import BadRequest, Forbidden, LocalProblem, NotFound

EntryType = Literal["file", "directory", "link", "other"]

_DIR_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def entry_type(mode: int) -> EntryType:
    """What a `st_mode` is in a listing."""
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "directory"
    return "link" if stat.S_ISLNK(mode) else "other"


@dataclass(frozen=True, slots=True)
class Entry:
    """A name in a directory and its `lstat`."""

    name: str
    stat: os.stat_result

    @property
    def type(self) -> EntryType:
        return entry_type(self.stat.st_mode)


class DirHandle:
    """An open directory. Close it, or use it as a context manager. It may be shared by threads."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @classmethod
    def open_trusted(cls, path: Path) -> Self:
        """A directory that emtui itself chose, by its path. Raises OSError."""
        return cls(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))

    @property
    def fd(self) -> int:
        return self._fd

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def duplicate(self) -> "DirHandle":
        """The same directory, opened once more: its `scan` does not disturb that of another thread. Raises OSError."""
        return DirHandle(os.open(".", _DIR_FLAGS, dir_fd=self._fd))

    def scan(self) -> Iterator[Entry]:
        """The entries, in no order; one that goes away meanwhile is left out. Raises OSError."""
        with os.scandir(self._fd) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    yield Entry(entry.name, entry.stat(follow_symlinks=False))

    def lstat(self, name: str) -> os.stat_result:
        """Of one entry, never followed. Raises OSError."""
        return os.stat(name, dir_fd=self._fd, follow_symlinks=False)

    def open_dir(self, parts: tuple[str, ...], *, create: bool = False) -> "DirHandle":
        """A folder below, step by step, made where it is missing and `create`.

        Raises:
            NotFound: no such folder.
            BadRequest: a file is in the way.
            Forbidden: a link is in the way.
        """
        current = self.duplicate()
        try:
            for part in parts:
                following = current._step(part, create=create)
                current.close()
                current = following
        except BaseException:
            current.close()
            raise
        return current

    def _step(self, name: str, *, create: bool) -> "DirHandle":
        if create:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o777, dir_fd=self._fd)
        try:
            return DirHandle(os.open(name, _DIR_FLAGS, dir_fd=self._fd))
        except FileNotFoundError:
            raise NotFound(f"no such folder: {name}") from None
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ENOTDIR):
                raise
        if self._is_swapped_or_link(name):
            raise Forbidden(f"a link is never followed: {name}", remedy="Replace it by a real folder.")
        raise BadRequest(f"not a folder: {name}", remedy="Name a folder of the volume, or a new one.")

    def _is_swapped_or_link(self, name: str) -> bool:
        """Of what could not be opened as a folder: a folder by now was a link a moment ago."""
        with contextlib.suppress(FileNotFoundError):
            return entry_type(self.lstat(name).st_mode) in ("link", "directory")
        return True

    def open_file(self, parts: tuple[str, ...]) -> int:
        """A descriptor of a regular file below, for reading. It never blocks and never follows a link.

        Raises OSError, and:
            NotFound: no such file.
            BadRequest: it is a directory, or the volume itself.
            Forbidden: it is a link, device, FIFO or socket, or has a second name (a hard link) that may lie outside.
        """
        if not parts:
            raise BadRequest("a file is needed, not the volume itself")
        with self.open_dir(parts[:-1]) as parent:
            try:
                before = parent.lstat(parts[-1])
            except FileNotFoundError:
                raise NotFound(f"no such file: {'/'.join(parts)}") from None
            _check_readable(before, "/".join(parts))
            try:
                fd = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent.fd)
            except OSError as error:
                raise _gone_or_denied(error, "/".join(parts)) from None
        try:
            _check_readable(os.fstat(fd), "/".join(parts))
        except BaseException:
            os.close(fd)
            raise
        return fd

    def create_file(self, name: str, mode: int = 0o666) -> int:
        """A descriptor of a new file for writing. Raises FileExistsError and other OSError."""
        return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=self._fd)

    def rename_to(self, name: str, target: "DirHandle", new_name: str) -> None:
        """Move an entry into another directory under a new name, replacing a file there. Raises OSError."""
        os.rename(name, new_name, src_dir_fd=self._fd, dst_dir_fd=target._fd)

    def remove(self, name: str) -> None:
        """Remove an entry with all that is below it, never following a link. Raises OSError.

        No recursion, and one open directory for each level is avoided by moving deep folders up: a tree may be
        thousands deep.
        """
        if not stat.S_ISDIR(self.lstat(name).st_mode):
            os.unlink(name, dir_fd=self._fd)
            return
        with self._open_to_empty(name) as top:
            top.empty()
        os.rmdir(name, dir_fd=self._fd)

    def make_writable(self, name: str) -> None:
        """Give the owner all rights to a folder, which a pod may have taken away. A link is not followed.

        Raises OSError.
        """
        # A folder without rights cannot be opened; through this descriptor its mode can be changed all the same.
        if not hasattr(os, "O_PATH"):
            raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
        fd = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._fd)
        try:
            os.chmod(f"/proc/self/fd/{fd}", stat.S_IRWXU)  # noqa: PTH101 - the path of a descriptor, not of a file
        finally:
            os.close(fd)

    def _open_to_empty(self, name: str) -> "DirHandle":
        status = self.lstat(name)
        if stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_IRWXU != stat.S_IRWXU:
            with contextlib.suppress(OSError):  # what it was to allow fails next, with the reason
                self.make_writable(name)
        return DirHandle(os.open(name, _DIR_FLAGS, dir_fd=self._fd))

    def empty(self) -> None:
        """Remove everything in this directory. Raises OSError.

        Each folder found further down is first moved up to this level, so that no recursion and only two open
        directories are needed, however deep the tree is.
        """
        moved = 0
        while folders := self._unlink_files():
            for folder in folders:
                with self._open_to_empty(folder) as inner:
                    for below in inner._unlink_files():
                        inner._let_move(below)
                        while True:
                            lifted = f".emtui-removed-{moved}"
                            moved += 1
                            try:
                                self.lstat(lifted)
                            except FileNotFoundError:
                                break
                        inner.rename_to(below, self, lifted)
                os.rmdir(folder, dir_fd=self._fd)

    def _let_move(self, name: str) -> None:
        """A folder without write permission cannot be moved: its `..` changes."""
        with contextlib.suppress(OSError):  # the move fails next, with the reason
            if self.lstat(name).st_mode & stat.S_IRWXU != stat.S_IRWXU:
                self.make_writable(name)

    def _unlink_files(self) -> list[str]:
        """Unlink all that is not a folder; the folders' names are left."""
        folders = []
        for entry in list(self.scan()):
            if entry.type == "directory":
                folders.append(entry.name)
            else:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(entry.name, dir_fd=self._fd)
        return folders

    def sync(self) -> None:
        """Make renames in this directory last."""
        os.fsync(self._fd)


def _check_readable(status: os.stat_result, shown: str) -> None:
    kind = entry_type(status.st_mode)
    if kind == "directory":
        raise BadRequest(f"a folder, not a file: {shown}", remedy="Choose the files in it.")
    if kind == "link":
        raise Forbidden(f"a link is never followed: {shown}", remedy="Have the pod write a real file.")
    if kind == "other":
        raise Forbidden(f"a device, FIFO or socket, not a file: {shown}", remedy="Have the pod write a real file.")
    if status.st_nlink > 1:
        raise Forbidden(
            f"a hard link, whose other name may lie outside the volume: {shown}", remedy="Have the pod copy it instead."
        )


def _gone_or_denied(error: OSError, shown: str) -> Exception:
    if error.errno == errno.ENOENT:
        return NotFound(f"no such file: {shown}")
    if error.errno in (errno.ELOOP, errno.ENXIO):
        return Forbidden(f"a link or device is never opened: {shown}")
    from emtui.local.stopping import remedy_for  # asyncio with it, which a pod's supervisor does without

    return LocalProblem(f"{shown}: {os.strerror(error.errno or 0)}", remedy=remedy_for(error, shown))
