"""The one way by which a file comes onto the operator's disk: verified and whole under its name, or not at all."""

import errno
import hashlib
import os
import re
import secrets
import stat
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from emtui.backend import Download
from emtui.errors import LocalProblem, VerificationFailed
from emtui.files.names import MAX_NAME_BYTES, cut_to_bytes
from emtui.files.problems import disk_problem
from emtui.threads import in_thread

_CREATE_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL
for _flag in ("O_CLOEXEC", "O_NOFOLLOW", "O_BINARY"):  # not every system has each
    _CREATE_FLAGS |= getattr(os, _flag, 0)

_DEVICES = (Path("/dev"), Path("/dev/fd"))
"""The links here, /dev/stdout among them, are no files to be replaced, wherever they lead."""

_RANDOM_BYTES = 8
_LEFT_BEHIND = re.compile(rf"([.].*[.])[0-9a-f]{{{2 * _RANDOM_BYTES}}}[.]part", re.DOTALL)
_CANNOT = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM, errno.EMLINK)
"""What a system or file system says of a call that it does not have."""


async def write_verified(
    target: Path,
    download: Download,
    *,
    overwrite: bool,
    on_progress: Callable[[int], None] | None = None,
    is_one_of_many: bool = False,
) -> str:
    """Write a download to `target`, whose folder must exist, and return its SHA-256 in hex.

    It is written to `.<name>.<random>.part` beside it, readable by its owner alone, counted, hashed and synced;
    then it gets its name in one step, and the rights that a new file has here (or those of the file that it
    replaces). A link at `target` is replaced, not followed. With `overwrite=False` the step itself refuses a name
    that exists (renameat2 with RENAME_NOREPLACE, else a hard link), so that no race can lose a file. What a killed
    emtui left of an earlier try is removed first. With `is_one_of_many` the caller does that once for all of a folder
    (`sweep`), and makes their names last once they are all there (`sync_folder`).

    `on_progress` gets all bytes so far, after each chunk, on the event loop's thread.

    Raises:
        LocalProblem: `EXISTS`: the name is taken; else no such folder, no rights, disk full.
        VerificationFailed: size or SHA-256 are not as promised.

    Whatever it raises, cancellation too: the temporary file is gone and an older file is whole.
    """
    part = _Part(target)
    try:
        await in_thread(part.open, overwrite, is_one_of_many)
        async for chunk in download.chunks:
            await in_thread(part.write, chunk)
            if download.size_bytes is not None and part.count > download.size_bytes:
                raise VerificationFailed(f"{download.name}: more than the promised {download.size_bytes:,} bytes came")
            if on_progress is not None:
                on_progress(part.count)
        if download.size_bytes is not None and part.count < download.size_bytes:
            raise VerificationFailed(
                f"{download.name}: {part.count:,} bytes came, {download.size_bytes:,} were promised"
            )
        if download.sha256 and part.sha256 != download.sha256.lower():
            raise VerificationFailed(f"{download.name}: SHA-256 {part.sha256}, {download.sha256} was promised")
        await in_thread(part.finish, overwrite, is_one_of_many)
    finally:
        if part.is_open:
            await in_thread(part.close)
    return part.sha256


class _Part:
    """A file on its way to its name. Its calls block."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._path: Path | None = None
        self._fd = -1
        self._mode = 0o600
        self._hash = hashlib.sha256()
        self.count = 0

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    @property
    def is_open(self) -> bool:
        """There is something of it that has not got its name."""
        return self._fd >= 0 or self._path is not None

    def open(self, overwrite: bool, is_one_of_many: bool) -> None:
        try:
            old = self._look(overwrite)
            if not is_one_of_many:
                sweep(self._target)
            while self._fd < 0:
                self._create()
            self._mode = stat.S_IMODE(old.st_mode) & 0o777 if old else self._mode
        except (OSError, ValueError) as error:
            raise disk_problem(error, self._target) from error

    def _look(self, overwrite: bool) -> os.stat_result | None:
        """Refuse early what would be refused in the end. Returns the regular file that is to be replaced."""
        try:
            old = self._target.lstat()
        except FileNotFoundError:
            return None
        if not overwrite:
            raise _exists(self._target)
        is_link = stat.S_ISLNK(old.st_mode) and self._target.absolute().parent not in _DEVICES
        if not (stat.S_ISREG(old.st_mode) or is_link):
            raise LocalProblem(
                f"{self._target}: a folder, device, FIFO or socket is in the way",
                remedy="Choose another name. On the command line - is stdout.",
            )
        return None if is_link else old

    def _create(self) -> None:
        path = self._target.with_name(f"{_stem(self._target)}{secrets.token_hex(_RANDOM_BYTES)}.part")
        fd = os.open(path, _CREATE_FLAGS, 0o666)
        self._path, self._fd = path, fd
        # The umask cannot be asked for without being changed for all threads; a new file shows it.
        self._mode = stat.S_IMODE(os.fstat(fd).st_mode)
        with suppress(PermissionError):  # a disk without rights
            path.chmod(0o600)
        with suppress(OSError):  # a disk without marks: nobody will sweep there
            _mark(fd, wait=True)
        if os.fstat(fd).st_nlink == 0:  # swept by another emtui before it was marked
            os.close(fd)
            self._path, self._fd = None, -1

    def write(self, chunk: bytes) -> None:
        try:
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError as error:
            raise disk_problem(error, self._target) from error
        self._hash.update(chunk)
        self.count += len(chunk)

    def finish(self, overwrite: bool, is_one_of_many: bool) -> None:
        if self._path is None:
            raise AssertionError("open() comes first")
        try:
            with suppress(PermissionError):
                self._path.chmod(self._mode)
            os.fsync(self._fd)
            fd, self._fd = self._fd, -1
            os.close(fd)  # its error counts: it may be the only word of a lost write
            if overwrite:
                self._path.replace(self._target)
            else:
                _give_new_name(self._path, self._target)
            self._path = None
            if not is_one_of_many:
                sync_folder(self._target.parent)
        except FileExistsError:
            raise _exists(self._target) from None
        except OSError as error:
            raise disk_problem(error, self._target) from error

    def close(self) -> None:
        """Let go of it; what did not get its name is removed."""
        if self._fd >= 0:
            with suppress(OSError):  # nothing of it is kept
                os.close(self._fd)
            self._fd = -1
        if self._path is not None:
            with suppress(OSError):  # gone already, or the disk is; the error that led here is the one to tell
                self._path.unlink()
            self._path = None


def existing(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Those that are there already, links whose target is gone among them. Blocks."""
    return tuple(path for path in paths if os.path.lexists(path))


def sync_folder(folder: Path) -> None:
    """Make new names in a folder last. Raises OSError. Windows cannot open folders, and needs it not."""
    if sys.platform == "win32":
        return
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _exists(target: Path) -> LocalProblem:
    return LocalProblem(
        f"{target}: exists already", code="EXISTS", remedy="Choose another name, or allow it to be overwritten."
    )


def _give_new_name(path: Path, target: Path) -> None:
    """Rename, unless the name is taken: FileExistsError. In one step, so that nobody can come between."""
    if sys.platform == "win32":
        path.rename(target)  # refuses a name that is taken
        return
    try:
        _rename_noreplace(path, target)
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
    else:
        return
    try:
        os.link(path, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
        raise LocalProblem(
            f"{target}: this disk cannot give a name without replacing what has it",
            remedy="Choose a folder on another disk, or allow it to be overwritten.",
        ) from error
    path.unlink()


def _rename_noreplace(path: Path, target: Path) -> None:
    """Linux's renameat2 with RENAME_NOREPLACE. Raises OSError, ENOSYS where the system does not have it."""
    import ctypes  # costs time, and is seldom needed

    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "renameat2"):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    at_fdcwd, rename_noreplace = -100, 1
    if library.renameat2(at_fdcwd, os.fsencode(path), at_fdcwd, os.fsencode(target), rename_noreplace) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(target))


def _stem(target: Path) -> str:
    room = MAX_NAME_BYTES - len("..") - 2 * _RANDOM_BYTES - len(".part")
    return f".{cut_to_bytes(target.name, room)}."


def sweep(target: Path, *others: Path) -> None:
    """Remove what a killed emtui left of earlier tries at these targets, all in one folder. Blocks; raises OSError.

    A file that is being written is marked by its writer, and stays.
    """
    stems = {_stem(one) for one in (target, *others)}
    with os.scandir(target.parent) as entries:
        left = [
            entry.path
            for entry in entries
            if (part := _LEFT_BEHIND.fullmatch(entry.name))
            and part[1] in stems
            and entry.is_file(follow_symlinks=False)
        ]
    for path in left:
        with suppress(OSError):  # marked by its writer, or gone already
            fd = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
            try:
                _mark(fd)
                os.unlink(path)  # noqa: PTH108 - the path is a str here
            finally:
                os.close(fd)


def _mark(fd: int, *, wait: bool = False) -> None:
    """Mark a file as being written, until it is closed or its process ends. BlockingIOError: another one does."""
    if sys.platform == "win32":
        return
    import fcntl  # Windows has none

    fcntl.flock(fd, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
