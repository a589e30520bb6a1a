"""A folder to try things in, which is gone at the end, however the end comes."""

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from emtui.doctor.folders import nearest_folder

PREFIX = ".emtui-doctor-"

# A probe that is told to stop ends its children first.
_USERS_S = 2.0
_REMOVAL_S = 2.0
_AGAIN_S = 0.02
# An examination has ended by then; what is older and in nobody's hands was left by one that was killed.
_OLD_S = 900.0


class Scratch:
    """The folder is made when it is first needed. What works in it is told to stop before it is removed."""

    def __init__(self, beside: Path) -> None:
        """`beside` is the folder next to which it is made, on the same disk, where that can be."""
        self._beside = beside
        self._changed = threading.Condition(threading.RLock())
        self._made: Path | None = None
        self._lock_fd: int | None = None
        self._is_over = False
        self._is_gone = False
        self._stops: list[Callable[[], None]] = []

    def parent(self) -> tuple[Path, bool]:
        """Where it is made, and whether that is beside the workspace and not where temporary files are. Blocks."""
        beside = nearest_folder(self._beside.parent)
        if beside != Path(beside.root) and os.access(beside, os.W_OK | os.X_OK):
            return beside, True
        return Path(tempfile.gettempdir()), False

    def folder(self) -> Path:
        """It. Blocks. Raises OSError where it cannot be made, and once it has been removed."""
        with self._changed:
            if self._is_over:
                raise FileNotFoundError("the examination is over")
            if self._made is None:
                parent, _ = self.parent()
                remove_leftovers(parent)
                self._made = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
                self._lock_fd = _locked(self._made)
            return self._made

    @contextlib.contextmanager
    def used(self, stop: Callable[[], None]) -> Iterator[Path]:
        """It, for as long as somebody works in it. Blocks.

        `stop` is called from another thread, if it is to be removed meanwhile: work has to end soon then.

        Raises:
            OSError: as `folder`.
        """
        with self._changed:
            folder = self.folder()
            self._stops.append(stop)
        try:
            yield folder
        finally:
            with self._changed:
                self._stops.remove(stop)
                self._changed.notify_all()

    def remove(self) -> None:
        """Stop who works in it, and remove it with all that is in it. It cannot be made again. Blocks for some seconds.

        A signal that raises meanwhile interrupts only the wait; calling it again waits again.
        """
        remover = threading.Thread(target=self._remove, name="doctor removal", daemon=True)
        remover.start()
        remover.join(_USERS_S + 2 * _REMOVAL_S)

    def _remove(self) -> None:
        with self._changed:
            if self._is_gone:
                return
            if not self._is_over:
                self._is_over = True
                for stop in self._stops:
                    stop()
            self._changed.wait_for(lambda: not self._stops, _USERS_S)
        if self._made is None:
            return
        # Who has not stopped yet finds nothing under the old name, where it could go on making files.
        moved = self._made.with_name(f"{self._made.name}-over")
        with contextlib.suppress(OSError):
            self._made.rename(moved)
        until = time.monotonic() + _REMOVAL_S
        is_gone = _is_removed(self._made, moved)
        while not is_gone and time.monotonic() < until:
            time.sleep(_AGAIN_S)
            is_gone = _is_removed(self._made, moved)
        with self._changed:
            self._is_gone = is_gone
            if self._lock_fd is not None:
                os.close(self._lock_fd)
                self._lock_fd = None


def _is_removed(*folders: Path) -> bool:
    """Remove folders with all that is in them, as far as that can be done, and tell whether they are gone."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    return not any(map(os.path.lexists, folders))


def remove_leftovers(parent: Path) -> None:
    """Remove what killed examinations have left in `parent`: old, of this user, and in nobody's hands. Blocks."""
    try:
        with os.scandir(parent) as entries:
            left = [Path(entry) for entry in entries if entry.name.startswith(PREFIX) and _is_old(entry)]
    except OSError:
        return
    for path in left:
        fd = _locked(path)
        if fd is not None:
            shutil.rmtree(path, ignore_errors=True)
            os.close(fd)


def _is_old(entry: "os.DirEntry[str]") -> bool:
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return False
    is_own_folder = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
    return is_own_folder and status.st_mtime < time.time() - _OLD_S


def _locked(folder: Path) -> int | None:
    """A descriptor by which a folder is in use; None where another process has it, or the disk knows no locks."""
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return None
    return fd
