"""One emtui at a time in a folder: a lock that ends with its process, however it ends."""

import contextlib
import fcntl
import os
from pathlib import Path

from emtui.errors import WorkspaceProblem

LOCK = "lock"
"""The file's name. It holds the number of the process that has it."""


def lock_folder(folder: Path, *, remedy: str) -> tuple[int, bool]:
    """Take a folder for this process. Returns the lock's descriptor, and whether its file was made now. Blocks.

    Raises:
        WorkspaceProblem: another process has it; its number is named.
        OSError: as the disk has it.
    """
    path = folder / LOCK
    while True:
        is_new = not path.exists()
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(fd, 32).decode("ascii", "replace").strip()
            os.close(fd)
            raise WorkspaceProblem(
                f"{folder}: in use by another emtui{f' (process {holder})' if holder.isdigit() else ''}",
                remedy=remedy,
            ) from None
        except BaseException:
            os.close(fd)
            raise
        # One that failed to open a new workspace removes its lock again; a removed file locks nothing.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(fd), path.stat()):
                break
        os.close(fd)
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    except OSError:
        if is_new:
            path.unlink()
        os.close(fd)
        raise
    return fd, is_new
