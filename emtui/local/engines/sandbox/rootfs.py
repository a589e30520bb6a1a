"""An image's root folder, resolved as a process inside it would, never as this machine would.

A root holds absolute links (`/usr/bin/x -> /.host/usr/bin/x`, and whatever RUN makes). On this machine they would lead
anywhere, so every path is walked name by name from the root's handle, links are read and taken back to the root, and
`/.host/...` stands for the places of this machine that are mounted there, read-only.

The userland is a farm of such links. Where something is to be written below a folder that is one link, the link is
unfolded: replaced by a real folder of links, one for each entry, as GNU stow does it. So an image can add files
anywhere without a copy of `/usr`.
"""

import errno
import os
import stat
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from emtui.local.engines.sandbox.tree import remove_tree
from emtui.local.handles import DirHandle

HOST = ".host"
_MAX_LINKS = 40
_MAX_UNFOLDED = 20_000

# What of this machine's /etc programs of its userland need. No secret lies there: names, caches, certificates.
HOST_ETC = ("alternatives", "ld.so.cache", "ssl/certs", "fonts", "services", "protocols", "mime.types")
_TOP = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")


def host_places() -> tuple[str, ...]:
    """This machine's paths that are mounted below `/.host`: /usr, what of /bin, /lib, … is no link, some of /etc."""
    tops = [f"/{name}" for name in _TOP if Path(f"/{name}").is_dir() and not Path(f"/{name}").is_symlink()]
    return ("/usr", *tops, *(f"/etc/{name}" for name in HOST_ETC if Path(f"/etc/{name}").exists()))


class RootfsProblem(Exception):
    """A path of an image cannot be used: not a folder, too many links, part of the machine's own mount."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a path leads to. `names` are its real names from the root; `stat` its lstat; `host_path` where it lies on
    this machine if it is part of the userland, else empty."""

    names: tuple[str, ...]
    stat: os.stat_result
    host_path: str = ""

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.stat.st_mode)


class Rootfs:
    """One root folder. `folder` stays the caller's."""

    def __init__(self, folder: DirHandle) -> None:
        self.folder = folder
        self._places = host_places()

    # ---------------------------------------------------------------------------------------------- reading

    def find(self, path: str, *, follow: bool = True) -> Found | None:
        """What a path of the image leads to, None where it leads nowhere. The last link is kept if not `follow`."""
        names: list[str] = []
        waiting = deque(_parts(path))
        links = 0
        found = Found((), os.fstat(self.folder.fd))
        while waiting:
            part = waiting.popleft()
            if part == "..":
                del names[-1:]
                continue
            here = (*names, part)
            try:
                status, target = self._look(here)
            except OSError:
                return None
            if target is not None and (waiting or follow):
                links += 1
                if links > _MAX_LINKS:
                    return None
                if target.startswith("/"):
                    names.clear()
                waiting.extendleft(reversed(_parts(target)))
                continue
            if waiting and not stat.S_ISDIR(status.st_mode):
                return None
            names.append(part)
        if names:
            try:
                status, _ = self._look(tuple(names))
            except OSError:
                return None
            found = Found(tuple(names), status, self._host_path(tuple(names)))
        return found

    def _host_path(self, names: tuple[str, ...]) -> str:
        return "/" + "/".join(names[1:]) if names[0] == HOST and len(names) > 1 else ""

    def _look(self, names: tuple[str, ...]) -> tuple[os.stat_result, str | None]:
        """The lstat and, of a link, the target."""
        host_path = self._host_path(names)
        if host_path:
            if not any(_is_along(host_path, place) for place in self._places):
                raise FileNotFoundError(errno.ENOENT, "not mounted", host_path)
            status = os.lstat(host_path)
            # A place that is itself a link on this machine is mounted as what it leads to.
            if host_path in self._places:
                return Path(host_path).stat(), None
            return status, str(Path(host_path).readlink()) if stat.S_ISLNK(status.st_mode) else None
        with self._open(names[:-1]) as parent:
            status = parent.lstat(names[-1])
            is_link = stat.S_ISLNK(status.st_mode)
            return status, os.readlink(names[-1], dir_fd=parent.fd) if is_link else None

    def _open(self, names: tuple[str, ...]) -> DirHandle:
        current = self.folder.duplicate()
        for name in names:
            with current:
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                current = DirHandle(os.open(name, flags, dir_fd=current.fd))
        return current

    def open_found(self, found: Found) -> DirHandle:
        """The folder that was found; it lies in the image, not in the userland. Raises OSError."""
        return self._open(found.names)

    def open_parent(self, found: Found) -> DirHandle:
        """The folder that holds what was found."""
        return self._open(found.names[:-1])

    def read_text(self, path: str, limit: int = 1 << 20) -> str:
        """The text of a small file of the image, empty where there is none."""
        found = self.find(path)
        return os.fsdecode(self.read_head(found, limit)) if found is not None else ""

    def read_head(self, found: Found, limit: int = 64) -> bytes:
        """The first bytes of what was found, none where it is no regular file."""
        if not stat.S_ISREG(found.stat.st_mode):
            return b""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        if found.host_path:
            fd = os.open(found.host_path, flags & ~os.O_NOFOLLOW)
        else:
            with self.open_parent(found) as parent:
                fd = os.open(found.names[-1], flags, dir_fd=parent.fd)
        with os.fdopen(fd, "rb") as file:
            return file.read(limit)

    # ---------------------------------------------------------------------------------------------- writing

    def open_dir(self, path: str) -> DirHandle:
        """A folder of the image for writing, made where it is missing, unfolded where it is the userland's.

        Raises:
            RootfsProblem: a file is in the way, too many links, or it lies in `/.host`.
            OSError: no space, no rights.
        """
        names: list[str] = []
        waiting = deque(_parts(path))
        links = 0
        while waiting:
            part = waiting.popleft()
            if part == "..":
                del names[-1:]
                continue
            if not names and part == HOST:
                raise RootfsProblem(f"{path}: /{HOST} is this machine's and cannot be written to")
            with self._open(tuple(names)) as current:
                try:
                    status = current.lstat(part)
                except FileNotFoundError:
                    os.mkdir(part, 0o755, dir_fd=current.fd)
                    status = current.lstat(part)
                if stat.S_ISLNK(status.st_mode):
                    target = os.readlink(part, dir_fd=current.fd)
                    if target.startswith(f"/{HOST}/"):
                        self.unfold(current, part, target)
                    else:
                        links += 1
                        if links > _MAX_LINKS:
                            raise RootfsProblem(f"{path}: too many levels of symbolic links")
                        if target.startswith("/"):
                            names.clear()
                        waiting.extendleft(reversed(_parts(target)))
                        continue
                elif not stat.S_ISDIR(status.st_mode):
                    raise RootfsProblem(f"{path}: {part} is not a directory")
            names.append(part)
        return self._open(tuple(names))

    def unfold(self, parent: DirHandle, name: str, target: str) -> None:
        """Replace a link into the userland by a real folder of links to each of its entries.

        Raises:
            RootfsProblem: it leads to no folder, or to one that is too large.
        """
        found = self.find(target)
        if found is None or not found.is_folder or not found.host_path:
            raise RootfsProblem(f"{target}: not a directory of the userland")
        entries = [entry.name for entry in Path(found.host_path).iterdir()]
        if len(entries) > _MAX_UNFOLDED:
            raise RootfsProblem(f"{target}: too large to be unfolded")
        temporary = f".unfold-{name}"
        os.mkdir(temporary, 0o755, dir_fd=parent.fd)
        with self._child(parent, temporary) as folder:
            for entry in entries:
                os.symlink(f"/{HOST}{found.host_path}/{entry}", entry, dir_fd=folder.fd)
        os.unlink(name, dir_fd=parent.fd)
        parent.rename_to(temporary, parent, name)

    @staticmethod
    def _child(parent: DirHandle, name: str) -> DirHandle:
        return DirHandle(os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent.fd))

    def ensure_mountpoints(self, places: tuple[str, ...]) -> None:
        """Make sure that what is mounted over is real: a RUN may have put a link in its place.

        Each is a folder at a path without links, or a file for a place of this machine that is a file.
        """
        wanted = [(f"/{HOST}{place}", Path(place).is_dir()) for place in self._places]
        wanted += [(place, True) for place in places]
        for path, is_folder in wanted:
            *folders, last = _parts(path)
            with self.folder.duplicate() as top:
                current = top
                opened: list[DirHandle] = []
                try:
                    for name in folders:
                        self._real(current, name, is_folder=True)
                        current = self._child(current, name)
                        opened.append(current)
                    self._real(current, last, is_folder=is_folder)
                finally:
                    for handle in opened:
                        handle.close()

    @staticmethod
    def _real(parent: DirHandle, name: str, *, is_folder: bool) -> None:
        try:
            status = parent.lstat(name)
            if stat.S_ISDIR(status.st_mode) if is_folder else stat.S_ISREG(status.st_mode):
                return
            remove_tree(parent, name)
        except FileNotFoundError:
            pass
        if is_folder:
            os.mkdir(name, 0o755, dir_fd=parent.fd)
        else:
            os.close(parent.create_file(name, 0o644))


def _is_along(path: str, place: str) -> bool:
    """Whether a path is a mounted place, below it, or on the way to it."""
    return path == place or path.startswith(f"{place}/") or place.startswith(f"{path}/")


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]
