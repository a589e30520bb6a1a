"""What an uplink will send, known to the byte before the first one leaves.

An uplink call carries base names only (wire contract), so a tree goes up as one call for each folder.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from emtui.backend import MAX_UPLINK_BYTES, MAX_UPLINK_FILES
from emtui.errors import BadRequest, Forbidden
from emtui.files.problems import disk_problem
from emtui.files.source import FileSource
from emtui.paths import BaseNames, split_path


@dataclass(frozen=True, slots=True)
class UplinkBatch:
    """One uplink call: at most `MAX_UPLINK_FILES` files of one folder, at most `MAX_UPLINK_BYTES` in all.

    `dest_path` is the folder of the volume, `/` between folders, empty for the volume itself.
    """

    dest_path: str
    sources: tuple[FileSource, ...]
    size_bytes: int


@dataclass(frozen=True, slots=True)
class UplinkPlan:
    """All calls of an uplink, folders before what is in them.

    `skipped` says what of a folder is left out, and why, one line each (`docs/link: a link is not followed`): links,
    devices, FIFOs, sockets and empty folders, which the API cannot make. Foreign text.
    """

    batches: tuple[UplinkBatch, ...]
    file_count: int
    size_bytes: int
    skipped: tuple[str, ...]

    def remote(self) -> Iterator[tuple[str, FileSource]]:
        """Each file with the path that it will have in the volume."""
        for batch in self.batches:
            folder = "/".join(part for part in batch.dest_path.split("/") if part not in ("", "."))
            for source in batch.sources:
                yield (f"{folder}/{source.name}" if folder else source.name), source

    def check_folders(self) -> None:
        """Raises `BadRequest` for a folder that the volume would refuse by its name."""
        for dest_path in dict.fromkeys(batch.dest_path for batch in self.batches):
            try:
                split_path(dest_path)
            except (BadRequest, Forbidden) as error:
                raise BadRequest(f"/{dest_path}: the volume takes no such name", remedy="Rename it.") from error


def plan_uplink(sources: Sequence[Path], dest_path: str = "") -> UplinkPlan:
    """Expand the files and folders that are to go into the folder `dest_path` of the volume. Blocks.

    A file `a` goes to `dest_path/a`, a folder `foo` to `dest_path/foo/…` with its tree kept. A link to a file that
    was named is followed, any other link is left out. Files of one folder that are more than one call carries become
    several calls.

    Raises:
        LocalProblem: a path is missing or cannot be read, or is a device, FIFO or socket.
        BadRequest: `MAX_UPLINK_SIZE_EXCEEDED` for one file, `NO_FILES`, or two files that would be one there.
    """
    found = _Found(dest_path.rstrip("/") or dest_path)
    for source in dict.fromkeys(sources):
        try:
            path = source.expanduser()
            if path.name in ("", ".."):
                path = path.resolve()  # `.` and `..` have no name of their own to be kept
            status = path.lstat()
            if stat.S_ISLNK(status.st_mode) and not path.is_dir():
                status = path.stat()
        except (OSError, ValueError, RuntimeError) as error:
            raise disk_problem(error, source) from error
        if stat.S_ISDIR(status.st_mode):
            found.add_folder(path)
        elif stat.S_ISLNK(status.st_mode):
            found.skipped.append(f"{path}: a link to a folder is not followed")
        else:
            found.add_file(FileSource(path, status))
    return found.plan()


class _Found:
    """Files by the folder of the volume that they go to, in the order in which the folders were found."""

    def __init__(self, dest_path: str) -> None:
        self._dest_path = dest_path
        self._folders: dict[str, dict[str, FileSource]] = {}
        self.skipped: list[str] = []

    def add_file(self, source: FileSource, dest_path: str | None = None) -> None:
        """Into `dest_path`, or where the whole uplink goes."""
        if dest_path is None:
            dest_path = self._dest_path
        if source.size_bytes > MAX_UPLINK_BYTES:
            raise BadRequest(
                f"{source.path}: {source.size_bytes:,} bytes; one uplink carries {MAX_UPLINK_BYTES:,} at most",
                code="MAX_UPLINK_SIZE_EXCEEDED",
                remedy="Split it (split -b 400M FILE PART.), uplink the parts, and join them in the pod with cat.",
            )
        if not os.access(source.path, os.R_OK):
            raise disk_problem(PermissionError(13, "Permission denied"), source.path)
        try:
            BaseNames().add(source.name)
        except (BadRequest, Forbidden) as error:
            raise BadRequest(
                f"{source.path}: the volume takes no such name ({error.message})", remedy="Rename it."
            ) from error
        there = self._folders.setdefault(dest_path, {})
        if source.name in there:
            raise BadRequest(
                f"{there[source.name].path} and {source.path} would be one file in /{dest_path}",
                remedy="Uplink them one after the other, to other folders.",
            )
        there[source.name] = source

    def add_folder(self, root: Path) -> None:
        """All of a folder, without recursion, in the order of the names."""
        pending = [(root, _join(self._dest_path, root.name))]
        while pending:
            folder, dest_path = pending.pop()
            folders = []
            is_empty = True
            for entry in _entries(folder):
                is_empty = False
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue  # gone since the folder was read: not there to be sent
                except OSError as error:
                    raise disk_problem(error, folder / entry.name) from error
                path = folder / entry.name
                if stat.S_ISDIR(status.st_mode):
                    folders.append((path, _join(dest_path, entry.name)))
                elif stat.S_ISREG(status.st_mode):
                    self.add_file(FileSource(path, status), dest_path)
                elif stat.S_ISLNK(status.st_mode):
                    self.skipped.append(f"{path}: a link is not followed")
                else:
                    self.skipped.append(f"{path}: a device, FIFO or socket")
            if is_empty:
                self.skipped.append(f"{folder}: an empty folder cannot be sent")
            pending.extend(reversed(folders))

    def plan(self) -> UplinkPlan:
        self._check_folders()
        batches = tuple(
            batch for dest_path, there in self._folders.items() for batch in _batches(dest_path, there.values())
        )
        if not batches:
            left_out = f" ({self.skipped[0]})" if self.skipped else ""
            raise BadRequest(
                f"No files were provided for uplink!{left_out}",
                code="NO_FILES",
                remedy="Choose at least one file, or a folder that holds one.",
            )
        return UplinkPlan(
            batches,
            sum(len(batch.sources) for batch in batches),
            sum(batch.size_bytes for batch in batches),
            tuple(self.skipped),
        )

    def _check_folders(self) -> None:
        """No file may have the name of a folder that another source brings."""
        for dest_path in self._folders:
            step = dest_path
            while step:
                step, _, name = step.rpartition("/")
                if name in self._folders.get(step, ()):
                    raise BadRequest(
                        f"{self._folders[step][name].path} would be a file and a folder in /{step}",
                        remedy="Uplink them one after the other, to other folders.",
                    )


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise disk_problem(error, folder) from error


def _join(dest_path: str, name: str) -> str:
    return "/".join(part for part in (dest_path.rstrip("/"), name) if part) if dest_path != "/" else f"/{name}"


def _batches(dest_path: str, sources: Iterable[FileSource]) -> Iterator[UplinkBatch]:
    batch: list[FileSource] = []
    size_bytes = 0
    for source in sources:
        is_full = len(batch) == MAX_UPLINK_FILES or size_bytes + source.size_bytes > MAX_UPLINK_BYTES
        if batch and is_full:
            yield UplinkBatch(dest_path, tuple(batch), size_bytes)
            batch, size_bytes = [], 0
        batch.append(source)
        size_bytes += source.size_bytes
    if batch:
        yield UplinkBatch(dest_path, tuple(batch), size_bytes)
