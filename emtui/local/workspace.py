"""The directory of local mode: taken into use, locked, and opened.

DIR/volume/     the user's files: `DIR/volume/a.txt` is what the console shows as `a.txt`
DIR/emtui.db    images, pods, models, listing hashes
DIR/grid.toml   the operator's own: datasets and encrypted models of the Grid Node
DIR/blobs/      images/ pods/ models/: what the database points at
DIR/staging/    what is not whole yet; emptied at every start
DIR/serve/      `emtui serve`: accounts and the key of its tokens
DIR/users/      `emtui serve`: a workspace for each user but the first, whose volume is DIR/volume
DIR/lock        held by the one emtui that has it open; says which one that is
"""

import contextlib
import errno
import os
from pathlib import Path

from emtui.errors import WorkspaceProblem
from emtui.local.commit import finish_batches
from emtui.local.handles import DirHandle
from emtui.local.store import Store
from emtui.storage.folder_lock import LOCK, lock_folder

_FOLDERS = ("volume", "blobs", "blobs/images", "blobs/pods", "blobs/models", "staging")
GRID_REGISTRY = "grid.toml"
"""Where the operator writes down datasets and encrypted models; see `emtui.local.grid_registry`."""

_OURS = frozenset(
    {
        "volume",
        "blobs",
        "staging",
        "serve",
        "users",
        "lock",
        GRID_REGISTRY,
        "emtui.db",
        "emtui.db-wal",
        "emtui.db-shm",
        "journal.db",
        "journal.db-wal",
        "journal.db-shm",
    }
)


class Workspace:
    """An open workspace: its store and the handles of its folders.

    Attributes:
        path: DIR, absolute.
        volume, staging: open handles.
        store: the database.
    """

    def __init__(self, path: Path, holder: str = "") -> None:
        """Take `path` into use, making it where it is missing. Blocks.

        `holder` says to others what this process is, as `emtui.storage.folder_lock.note_holder` has it.

        Raises:
            WorkspaceInUse: another emtui has it.
            WorkspaceProblem: a file is in the way, no rights, no space, not a workspace. What was made until then is
                removed again.
        """
        self.path = _absolute(path)
        made: list[Path] = []
        with contextlib.ExitStack() as undo:
            undo.callback(_remove, made)
            try:
                self._take(made)
                self._lock_fd = self._lock(made, holder)
                undo.callback(os.close, self._lock_fd)
                for folder in _FOLDERS:
                    _make_folder(self.path / folder, made)
                self.volume = undo.enter_context(DirHandle.open_trusted(self.path / "volume"))
                self.staging = undo.enter_context(DirHandle.open_trusted(self.path / "staging"))
                self._check_disks()
                finish_batches(self.staging, self.volume)
                with contextlib.suppress(PermissionError):  # what a pod wrote under another user stays there
                    self.staging.empty()
                self.store = self._open_store(made)
            except OSError as error:
                raise _problem(self.path, error) from error
            undo.pop_all()

    @property
    def blobs(self) -> Path:
        return self.path / "blobs"

    def close(self) -> None:
        self.store.close()
        self.volume.close()
        self.staging.close()
        os.close(self._lock_fd)

    def _take(self, made: list[Path]) -> None:
        """Check that the directory is ours or free, and make it. What was made is added to `made`."""
        for folder in reversed(self.path.parents):
            _make_folder(folder, made)
        # A pod that is root may leave programs in it that make root of whoever starts them.
        _make_folder(self.path, made, mode=0o700)
        foreign = foreign_entries(self.path)
        if foreign:
            raise WorkspaceProblem(
                f"{self.path}: not a workspace of emtui (it holds {foreign[0]!r})",
                remedy="Give --local a new or empty directory; files to rehearse with belong into its volume/.",
            )

    def _lock(self, made: list[Path], holder: str) -> int:
        remedy = "Close that one, or open another directory with --local."
        fd, is_new = lock_folder(self.path, remedy=remedy, holder=holder)
        if is_new:
            made.append(self.path / LOCK)
        return fd

    def _check_disks(self) -> None:
        if os.fstat(self.volume.fd).st_dev != os.fstat(self.staging.fd).st_dev:
            raise WorkspaceProblem(
                f"{self.path}: volume/ and staging/ are on different disks, so that no file can be moved whole",
                remedy="Put the whole workspace on one disk.",
            )

    def _open_store(self, made: list[Path]) -> Store:
        path = self.path / "emtui.db"
        if not path.exists():
            made.extend((path, self.path / "emtui.db-wal", self.path / "emtui.db-shm"))
        return Store(path)


def foreign_entries(folder: Path) -> list[str]:
    """What a folder holds that shows it to be something else than a workspace; nothing for one of ours. Blocks."""
    names = {entry.name for entry in os.scandir(folder)}
    return [] if "emtui.db" in names else sorted(names - _OURS)


def is_unmade(path: Path) -> bool:
    """Whether opening a workspace in `path` would make one: nothing is there. Blocks.

    Raises:
        WorkspaceProblem: it is no path.
    """
    try:
        return not any(_absolute(path).iterdir())
    except FileNotFoundError:
        return True
    except OSError:  # what is in the way is told when it is opened
        return False


def _absolute(path: Path) -> Path:
    try:
        expanded = path.expanduser()
    except RuntimeError as error:
        raise WorkspaceProblem(f"{path}: {error}", remedy="Write the directory in full.") from error
    if "\0" in str(expanded):
        raise WorkspaceProblem(f"{str(path)!r}: a NUL character cannot be in a path", remedy="Remove it.")
    return Path(os.path.abspath(expanded))  # noqa: PTH100 - resolve() would follow a link that is meant


def _make_folder(folder: Path, made: list[Path], mode: int = 0o777) -> None:
    try:
        folder.mkdir(mode)
    except FileExistsError as error:
        if not folder.is_dir():
            raise WorkspaceProblem(
                f"{folder}: a file, not a directory", remedy="Give --local a directory, or a name that is free."
            ) from error
    except OSError:
        # A folder that exists already may lie where nothing can be made, as / does.
        if not folder.is_dir():
            raise
    else:
        made.append(folder)


def _remove(made: list[Path]) -> None:
    for path in reversed(made):
        with contextlib.suppress(OSError):  # what is not empty holds something that is not ours
            if path.is_dir():
                path.rmdir()
            else:
                path.unlink()


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
