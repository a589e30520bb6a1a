"""The directory of local mode: taken into use, locked, and opened.

DIR/volume/     the user's files: `DIR/volume/a.txt` is what the console shows as `a.txt`
DIR/emtui.db    images, pods, models, listing hashes
DIR/blobs/      images/ pods/ models/: what the database points at
DIR/staging/    what is not whole yet; emptied at every start
DIR/lock        held by the one emtui that has it open
"""

import contextlib
import errno
import fcntl
import os
from pathlib import Path

from emtui.errors import WorkspaceProblem
from emtui.local.handles import DirHandle
from emtui.local.store import Store

_FOLDERS = ("volume", "blobs", "blobs/images", "blobs/pods", "blobs/models", "staging")
_OURS = frozenset({"volume", "blobs", "staging", "lock", "emtui.db", "emtui.db-wal", "emtui.db-shm", "journal.db"})


class Workspace:
    """An open workspace: its store and the handles of its folders.

    Attributes:
        path: DIR, absolute.
        volume, staging: open handles.
        store: the database.
    """

    def __init__(self, path: Path) -> None:
        """Take `path` into use, making it where it is missing. Blocks.

        Raises:
            WorkspaceProblem: a file is in the way, no rights, no space, not a workspace, in use by another emtui.
        """
        self.path = Path(os.path.abspath(path.expanduser()))  # noqa: PTH100 - resolve() would follow a link that is meant
        made = self._take()
        try:
            self._lock_fd = self._lock()
            try:
                for folder in _FOLDERS:
                    (self.path / folder).mkdir(exist_ok=True)
                self.volume = DirHandle.open_trusted(self.path / "volume")
                self.staging = DirHandle.open_trusted(self.path / "staging")
                self.staging.empty()
                self.store = Store(self.path / "emtui.db")
            except BaseException:
                os.close(self._lock_fd)
                raise
        except OSError as error:
            self._undo(made)
            raise _problem(self.path, error) from error

    @property
    def blobs(self) -> Path:
        return self.path / "blobs"

    def close(self) -> None:
        self.store.close()
        self.volume.close()
        self.staging.close()
        os.close(self._lock_fd)

    def _take(self) -> list[Path]:
        """Check that the directory is ours or free, and make it. Returns what was made."""
        missing = []
        for folder in (self.path, *self.path.parents):
            if folder.exists():
                break
            missing.append(folder)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            names = {entry.name for entry in os.scandir(self.path)}
        except FileExistsError as error:
            raise WorkspaceProblem(
                f"{self.path}: a file, not a directory", remedy="Give --local a directory, or a name that is free."
            ) from error
        except OSError as error:
            self._undo(missing)
            raise _problem(self.path, error) from error
        foreign = sorted(names - _OURS)
        if foreign and "emtui.db" not in names:
            raise WorkspaceProblem(
                f"{self.path}: not a workspace of emtui (it holds {foreign[0]!r})",
                remedy="Give --local a new or empty directory; files to rehearse with belong into its volume/.",
            )
        return missing

    def _lock(self) -> int:
        fd = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(fd, 32).decode("ascii", "replace").strip()
            os.close(fd)
            raise WorkspaceProblem(
                f"{self.path}: in use by another emtui{f' (process {holder})' if holder.isdigit() else ''}",
                remedy="Close that one, or open another directory with --local.",
            ) from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        return fd

    @staticmethod
    def _undo(made: list[Path]) -> None:
        for folder in made:
            with contextlib.suppress(OSError):
                folder.rmdir()


def _problem(path: Path, error: OSError) -> WorkspaceProblem:
    reason = os.strerror(error.errno or 0)
    remedies = {
        errno.EACCES: "Give yourself the rights to it, or choose another directory with --local.",
        errno.EPERM: "Give yourself the rights to it, or choose another directory with --local.",
        errno.EROFS: "Choose a directory that can be written to with --local.",
        errno.ENOSPC: "Free some space, or choose another disk with --local.",
        errno.EDQUOT: "Free some space, or choose another disk with --local.",
        errno.ENOTDIR: "A file is in the way; choose another directory with --local.",
    }
    return WorkspaceProblem(
        f"{path}: {reason}", remedy=remedies.get(error.errno or 0, "Choose another directory with --local.")
    )
