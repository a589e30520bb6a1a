"""ADD of a local tar: unpacked entry by entry through handles, inside the image's root.

`tarfile` reads the headers only. Where an entry goes is resolved as a process inside the image would, so that neither
`..`, nor an absolute name, nor a link of the archive leads anywhere else.
"""

import bz2
import gzip
import io
import lzma
import os
import posixpath
import stat
import tarfile
import zlib
from typing import IO, cast

from emtui.local.engines.problems import BuildProblem
from emtui.local.engines.sandbox.rootfs import Rootfs
from emtui.local.engines.sandbox.tree import Check, copy_bytes, remove_tree
from emtui.local.handles import DirHandle

_MAX_ENTRIES = 200_000
_MAX_READ = 4 << 20
_MAGIC = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\0", lzma.open))
_FAULTS = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, ValueError, OverflowError, RecursionError)


class _Bounded(io.RawIOBase):
    """A reader that refuses to read a whole header of gigabytes at once."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > _MAX_READ:
            raise BuildProblem("a header of the archive is too large")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def _opened(file: IO[bytes]) -> IO[bytes]:
    file.seek(0)
    start = file.read(6)
    file.seek(0)
    for magic, opener in _MAGIC:
        if start.startswith(magic):
            return cast(IO[bytes], opener(file, "rb"))
    return file


def is_archive(file: IO[bytes]) -> bool:
    """Whether it is a tar, plain or compressed, as Docker sees it: by its first header."""
    try:
        header = _opened(file).read(tarfile.BLOCKSIZE)
        tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
    except (*_FAULTS, OSError):
        return False
    return True


def unpack(file: IO[bytes], root: Rootfs, target: str, check: Check) -> None:
    """Unpack into the folder `target` of the image.

    Raises:
        BuildProblem: truncated, too many entries, a device in it, or a name that leads out of the target.
    """
    root.open_dir(target).close()
    try:
        with tarfile.open(fileobj=_Bounded(_opened(file)), mode="r:") as archive:
            for count, member in enumerate(archive):
                archive.members.clear()  # type: ignore[attr-defined] # its list of all headers, which the stubs leave out
                check()
                if count >= _MAX_ENTRIES:
                    raise BuildProblem(f"the archive has more than {_MAX_ENTRIES} entries")
                _member(archive, member, root, target, check)
    except _FAULTS as error:
        raise BuildProblem(f"the archive cannot be read: {error}") from error


def _member(archive: tarfile.TarFile, member: tarfile.TarInfo, root: Rootfs, target: str, check: Check) -> None:
    path = _inside(target, member.name)
    if member.isdir():
        with root.open_dir(path) as folder:
            os.fchmod(folder.fd, stat.S_IMODE(member.mode) | 0o700)
        return
    parent_path, name = posixpath.split(path)
    with root.open_dir(parent_path) as parent:
        _clear(parent, name, path)
        if member.issym():
            os.symlink(member.linkname, name, dir_fd=parent.fd)
        elif member.islnk():
            _copy_linked(root, _inside(target, member.linkname), parent, name, check)
        elif member.isfile():
            _write(archive, member, parent, name, check)
        else:
            raise BuildProblem(f"the archive holds a device or FIFO: {member.name}")


def _inside(target: str, name: str) -> str:
    path = posixpath.normpath(name)
    if name.startswith("/") or path == ".." or path.startswith("../") or "\0" in name:
        raise BuildProblem(f"the archive holds a name that leads out of it: {name}")
    return posixpath.normpath(f"{target}/{path}")


def _clear(parent: DirHandle, name: str, shown: str) -> None:
    try:
        is_folder = stat.S_ISDIR(parent.lstat(name).st_mode)
    except FileNotFoundError:
        return
    if is_folder:
        raise BuildProblem(f"the archive puts a file where a folder is: {shown}")
    remove_tree(parent, name)


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, parent: DirHandle, name: str, check: Check) -> None:
    content = archive.extractfile(member)
    with os.fdopen(parent.create_file(name, 0o600), "wb") as made:
        while content is not None and (chunk := content.read(1 << 20)):
            check()
            made.write(chunk)
        made.flush()
        os.fchmod(made.fileno(), stat.S_IMODE(member.mode) & 0o777)


def _copy_linked(root: Rootfs, source: str, parent: DirHandle, name: str, check: Check) -> None:
    """A hard link of the archive becomes a copy: what it names was unpacked before it."""
    found = root.find(source, follow=False)
    if found is None or found.host_path or not stat.S_ISREG(found.stat.st_mode):
        raise BuildProblem(f"the archive holds a hard link to what is not in it: {source}")
    with root.open_parent(found) as folder:
        fd = os.open(found.names[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder.fd)
    try:
        with os.fdopen(parent.create_file(name, 0o600), "wb", 0) as made:
            copy_bytes(fd, made.fileno(), check)
            os.fchmod(made.fileno(), stat.S_IMODE(found.stat.st_mode))
    finally:
        os.close(fd)
