"""The folder of the profile: whether it is there or can be made, is ours, is in use, and has room."""

import fcntl
import os
import stat
import struct
from itertools import takewhile
from pathlib import Path

from emtui.doctor.case import Case
from emtui.doctor.checks import Check
from emtui.doctor.disks import disk_check
from emtui.doctor.folders import denied_folder, is_read_only, nearest_folder
from emtui.storage.folder_lock import LOCK, read_holder

SECTION = "workspace"

_ELSEWHERE = "Give yourself the rights to it, or choose another directory with --local."
_WRITABLE = "Choose a directory that can be written to with --local."
_FREE = "Free some space, or choose a directory on another disk with --local."
_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100


def look_at_folder(case: Case) -> list[Check]:
    """The folder, its user, its database. Blocks."""
    folder = case.workspace
    if "\0" in str(folder):
        return [_failed(f"{folder}: a NUL character cannot be in a path", "Remove it.")]
    try:
        is_folder = stat.S_ISDIR(folder.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return [_to_be_made(folder)]
    except PermissionError:
        return [_failed(f"{folder}: you have no rights to {denied_folder(folder)}", _ELSEWHERE)]
    except OSError as error:
        return [_failed(f"{folder}: {os.strerror(error.errno or 0)}", "Choose another directory with --local.")]
    unfit = _unfit(folder, is_folder=is_folder, is_ours=case.has_local_end)
    if unfit is not None:
        return [unfit]
    user = _user(folder) if case.has_local_end else ()  # several may have the folder of remote ends open
    return [Check(SECTION, "folder", "ok", str(folder)), *user, *_database(folder)]


def _unfit(folder: Path, *, is_folder: bool, is_ours: bool) -> Check | None:
    """Why what is there cannot be used; `is_ours` says that it is to be a workspace."""
    if not is_folder:
        return _failed(f"{folder}: a file, not a directory", "Give --local a directory.")
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        if is_read_only(folder):
            return _failed(f"{folder}: its file system is read-only", _WRITABLE)
        return _failed(f"{folder}: you have no rights to it", _ELSEWHERE)
    foreign = _foreign(folder) if is_ours else ""
    if foreign:
        return _failed(
            f"{folder}: not a workspace of emtui (it holds {foreign!r})", "Give --local a new or empty directory."
        )
    return None


def look_at_disk(case: Case) -> list[Check]:
    """The room on the folder's disk. Blocks."""
    return [disk_check(SECTION, "disk", nearest_folder(case.workspace), _FREE)]


def _failed(found: str, todo: str) -> Check:
    return Check(SECTION, "folder", "fail", found, todo)


def _to_be_made(folder: Path) -> Check:
    parent = nearest_folder(folder)
    missing = takewhile(lambda path: path != parent, (folder, *folder.parents))
    in_the_way = next((path for path in missing if os.path.lexists(path)), None)
    if in_the_way is not None:
        kind = "a link that leads nowhere" if in_the_way.is_symlink() else "a file"
        return _failed(f"{in_the_way}: {kind} is in the way", "Choose another directory.")
    if not os.access(parent, os.W_OK | os.X_OK):
        if is_read_only(parent):
            return _failed(f"{folder} cannot be made: the file system of {parent} is read-only", _WRITABLE)
        return _failed(f"{folder} cannot be made: no rights to {parent}", _ELSEWHERE)
    return Check(SECTION, "folder", "ok", f"{folder} will be made")


def _foreign(folder: Path) -> str:
    """The first entry of a folder that is not a workspace."""
    from emtui.local.workspace import foreign_entries

    return next(iter(foreign_entries(folder)), "")


def _user(folder: Path) -> list[Check]:
    """Whether another emtui has it open. Its lock is asked for in a way that keeps nobody out for longer than that."""
    try:
        fd = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return [Check(SECTION, "in use", "ok", "no")]
    except OSError as error:
        return [Check(SECTION, "in use", "fail", f"{folder / LOCK}: {os.strerror(error.errno or 0)}", _ELSEWHERE)]
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = read_holder(fd)
        found = f"by {holder}; the engines were tried beside it"
        todo = holder.remedy(folder, "Close that one, or open another directory with --local.")
        return [Check(SECTION, "in use", "note", found, todo)]
    finally:
        os.close(fd)
    return [Check(SECTION, "in use", "ok", "no")]


def _database(folder: Path) -> list[Check]:
    """Whether the database is one that this emtui can open. Only its head is read: opening it would change it."""
    from emtui.local.store import MIGRATIONS

    path = folder / "emtui.db"
    try:
        with path.open("rb") as file:
            head = file.read(_HEADER_BYTES)
    except FileNotFoundError:
        return []
    except OSError as error:
        return [Check(SECTION, "database", "fail", f"{path}: {os.strerror(error.errno or 0)}", _ELSEWHERE)]
    if not head:
        return []  # made and not yet written to
    aside = "Move it aside, or open another directory with --local; the files in volume/ are not touched."
    if len(head) < _HEADER_BYTES or not head.startswith(_MAGIC):
        return [Check(SECTION, "database", "fail", f"{path}: not a database", aside)]
    (schema,) = struct.unpack_from(">I", head, 60)  # user_version, in SQLite's file format
    if schema > len(MIGRATIONS):
        found = f"{path}: made by a newer emtui (schema {schema}, this one knows {len(MIGRATIONS)})"
        return [Check(SECTION, "database", "fail", found, "Use that emtui, or another directory with --local.")]
    return [Check(SECTION, "database", "ok", f"emtui.db, schema {schema}")]
