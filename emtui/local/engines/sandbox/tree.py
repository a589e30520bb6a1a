"""Whole trees of files: copied, measured, removed. Through handles only, no link is ever followed."""

import contextlib
import hashlib
import os
import stat
from collections.abc import Callable

from emtui.local.handles import DirHandle, Entry

# Each level of a copy holds two open directories; no image needs more, and a hostile one must not use them all up.
MAX_DEPTH = 200

_COPY_BYTES = 8 << 20
_DIR_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

Check = Callable[[], None]
"""Called now and then; raises when the work is to stop."""


def nothing() -> None:
    """The check that never stops anything."""


def copy_bytes(source: int, target: int, check: Check = nothing) -> int:
    """Copy a file's bytes between descriptors; the kernel shares the blocks where the file system can."""
    copied = 0
    kernel_can = hasattr(os, "copy_file_range")
    while True:
        check()
        if kernel_can:
            try:
                count = os.copy_file_range(source, target, _COPY_BYTES)
            except OSError:
                if copied:
                    raise
                kernel_can = False
                continue
            if count or copied:
                if not count:
                    return copied
                copied += count
                continue
            kernel_can = False  # some file systems give 0 for files that have no size until they are read
        chunk = os.read(source, 1 << 20)
        if not chunk:
            return copied
        view = memoryview(chunk)
        while view:
            view = view[os.write(target, view) :]
        copied += len(chunk)


def copy_tree(source: DirHandle, target: DirHandle, check: Check = nothing, depth: int = 0) -> None:
    """Copy everything below `source` into `target`: files, folders, links as links, FIFOs; sockets are left out.

    Raises:
        OSError: also when the tree is deeper than `MAX_DEPTH`.
    """
    if depth > MAX_DEPTH:
        raise OSError(f"a folder deeper than {MAX_DEPTH} levels")
    for entry in list(source.scan()):
        check()
        if entry.type == "directory":
            os.mkdir(entry.name, 0o700, dir_fd=target.fd)
            with (
                open_folder(source, entry.name) as inner_source,
                open_folder(target, entry.name) as inner_target,
            ):
                copy_tree(inner_source, inner_target, check, depth + 1)
                os.fchmod(inner_target.fd, stat.S_IMODE(entry.stat.st_mode))
        else:
            _copy_entry(source, target, entry, check)


def _copy_entry(source: DirHandle, target: DirHandle, entry: Entry, check: Check) -> None:
    if entry.type == "link":
        os.symlink(os.readlink(entry.name, dir_fd=source.fd), entry.name, dir_fd=target.fd)
    elif entry.type == "file":
        with _readable(source, entry) as inner, os.fdopen(target.create_file(entry.name, 0o600), "wb", 0) as outer:
            copy_bytes(inner, outer.fileno(), check)
            os.fchmod(outer.fileno(), stat.S_IMODE(entry.stat.st_mode))
    elif stat.S_ISFIFO(entry.stat.st_mode):
        os.mkfifo(entry.name, stat.S_IMODE(entry.stat.st_mode), dir_fd=target.fd)


@contextlib.contextmanager
def _readable(source: DirHandle, entry: Entry):  # type: ignore[no-untyped-def] # a generator of one descriptor
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        fd = os.open(entry.name, flags, dir_fd=source.fd)
    except PermissionError:
        _grant(source, entry.name, stat.S_IMODE(entry.stat.st_mode) | 0o400)
        fd = os.open(entry.name, flags, dir_fd=source.fd)
    try:
        yield fd
    finally:
        os.close(fd)


def open_folder(parent: DirHandle, name: str) -> DirHandle:
    """A folder of ours, made accessible first where a RUN has taken the rights away. Raises OSError."""
    try:
        folder = DirHandle(os.open(name, _DIR_FLAGS, dir_fd=parent.fd))
        if os.access(".", os.R_OK | os.X_OK, dir_fd=folder.fd):
            return folder
        folder.close()
    except PermissionError:
        pass
    _grant(parent, name, 0o700)
    return DirHandle(os.open(name, _DIR_FLAGS, dir_fd=parent.fd))


def _grant(parent: DirHandle, name: str, mode: int) -> None:
    """chmod that does not follow a link, which Linux has no plain call for."""
    fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent.fd)
    try:
        if not stat.S_ISLNK(os.fstat(fd).st_mode):
            os.chmod(f"/proc/self/fd/{fd}", mode)  # noqa: PTH101 - a descriptor, not a path
    finally:
        os.close(fd)


def digest_tree(root: DirHandle, check: Check = nothing) -> tuple[str, int]:
    """SHA-256 (hex) of everything below `root`, names and modes included, and the bytes of its regular files."""
    digest = hashlib.sha256()
    size = _digest(root, b"", digest, check, 0)
    return digest.hexdigest(), size


def _digest(folder: DirHandle, path: bytes, digest: "hashlib._Hash", check: Check, depth: int) -> int:
    if depth > MAX_DEPTH:
        raise OSError(f"a folder deeper than {MAX_DEPTH} levels")
    size = 0
    for entry in sorted(folder.scan(), key=lambda entry: os.fsencode(entry.name)):
        check()
        name = path + b"/" + os.fsencode(entry.name)
        digest.update(b"%d %s %o %d\0" % (len(name), name, entry.stat.st_mode, 0))
        if entry.type == "directory":
            with open_folder(folder, entry.name) as inner:
                size += _digest(inner, name, digest, check, depth + 1)
        elif entry.type == "link":
            digest.update(os.fsencode(os.readlink(entry.name, dir_fd=folder.fd)) + b"\0")
        elif entry.type == "file":
            size += entry.stat.st_size
            with _readable(folder, entry) as fd:
                while chunk := os.read(fd, 1 << 20):
                    check()
                    digest.update(chunk)
    return size


def remove_tree(parent: DirHandle, name: str) -> None:
    """Remove an entry with all below it, also where rights were taken away; nothing happens where it is missing."""
    try:
        parent.remove(name)
    except FileNotFoundError:
        return
    except PermissionError:
        _grant_all(parent, name)
        parent.remove(name)


def _grant_all(parent: DirHandle, name: str) -> None:
    waiting: list[tuple[str, ...]] = [(name,)]
    while waiting:
        parts = waiting.pop()
        with parent.open_dir(parts[:-1]) as above:
            try:
                with open_folder(above, parts[-1]) as folder:
                    os.fchmod(folder.fd, 0o700)
                    waiting.extend((*parts, entry.name) for entry in folder.scan() if entry.type == "directory")
            except NotADirectoryError:
                continue
