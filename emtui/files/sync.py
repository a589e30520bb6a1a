"""What a sync has to send: the files of an uplink that the volume does not hold as they are here.

The volume tells a file's size, its time to the minute by a clock of its own, and a hash of a kind that is not
specified (EM API §2). So what was sent is remembered (`Synced`): as it was here, and as it was listed there afterwards.
While both are as remembered, nothing is to be done, whatever the clocks say. A file that is new or changed here is
compared by its hash: local mode and `emtui serve` list one of a kind that is known, and one of another kind differs.
The times decide only where they alone can: no hash is listed, or it is over there that something has changed. In doubt
it is sent: that costs time, the other way would lose a change.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from emtui.backend import CHUNK_BYTES
from emtui.errors import BadRequest
from emtui.files.plan import plan_uplink
from emtui.files.source import FileSource
from emtui.files.synced import Synced
from emtui.plain import FileNode, Listing

Reason = Literal["new", "size", "hash", "time"]
"""Why a file is to be sent: the volume has none, one of another size or hash, or one that is not newer."""

_Verdict = Reason | Literal["same", "newer there"]


@dataclass(frozen=True, slots=True)
class Change:
    """One file to be sent.

    Attributes:
        folder: where it goes in the volume; empty for the volume itself.
        path: its whole path there.
        source: the file here.
        reason: why.
    """

    folder: str
    path: str
    source: FileSource
    reason: Reason


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """What is to be sent, folders before what is in them, and what is not.

    Attributes:
        changes: the files to be sent.
        same: those that the volume holds as they are here, with their paths there.
        newer: paths of those that were changed in the volume since they were synced, and not here.
        skipped: what of a folder is left out, and why; foreign text.
    """

    changes: tuple[Change, ...]
    same: tuple[tuple[str, FileSource], ...]
    newer: tuple[str, ...]
    skipped: tuple[str, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes to be sent."""
        return sum(change.source.size_bytes for change in self.changes)

    def folders(self) -> Iterator[tuple[str, tuple[Path, ...]]]:
        """Each folder of the volume with the files that go to it."""
        found: dict[str, list[Path]] = {}
        for change in self.changes:
            found.setdefault(change.folder, []).append(change.source.path)
        return ((folder, tuple(paths)) for folder, paths in found.items())

    def all(self) -> Iterator[tuple[str, FileSource]]:
        """Every file that the volume is to hold as it is here, with its path there."""
        yield from self.same
        yield from ((change.path, change.source) for change in self.changes)


def plan_sync(source: Path, dest_path: str, listing: Listing, synced: Synced, ahead_s: float = 0.0) -> SyncPlan:
    """Compare a file or folder with what the volume lists where an uplink would put it. Blocks.

    `ahead_s` is by how many seconds the other side's clock is ahead of this one, as far as it is known.

    Raises:
        LocalProblem, BadRequest: as `plan_uplink`; a file would take the place of a folder, or the reverse.
    """
    plan = plan_uplink((source,), dest_path)
    plan.check_folders()
    listed = dict(listing.walk())
    changes: list[Change] = []
    same: list[tuple[str, FileSource]] = []
    newer: list[str] = []
    checked: set[str] = set()
    for path, file in plan.remote():
        folder = path.rpartition("/")[0]
        if folder not in checked:
            _check_folder(folder, listed)
            checked.add(folder)
        verdict = _verdict(path, file, listed.get(path), synced, ahead_s)
        if verdict == "same":
            same.append((path, file))
        elif verdict == "newer there":
            newer.append(path)
        else:
            changes.append(Change(folder, path, file, verdict))
    return SyncPlan(tuple(changes), tuple(same), tuple(newer), plan.skipped)


def _check_folder(folder: str, listed: dict[str, FileNode]) -> None:
    while folder:
        node = listed.get(folder)
        if node is not None and not node.is_directory:
            raise BadRequest(f"/{folder} is a file of the volume, and a folder here", remedy="Move one out of the way.")
        folder = folder.rpartition("/")[0]


def _verdict(path: str, file: FileSource, node: FileNode | None, synced: Synced, ahead_s: float) -> _Verdict:
    """Why it is to be sent, or why not."""
    if node is None or node.type not in ("file", "directory"):
        return "new"
    if node.is_directory:
        raise BadRequest(f"/{path} is a folder of the volume, and a file here", remedy="Move one out of the way.")
    if node.size != file.size_bytes:
        return "size"
    is_as_left, is_unchanged = synced.remembers_remote(path, node), synced.remembers_local(path, file)
    if (is_as_left and is_unchanged) or (node.hash is not None and _content_hash(file) == node.hash):
        return "same"
    is_newer_there = file.changed_ns < (node.time.timestamp() - max(0.0, ahead_s)) * 1e9
    if is_unchanged and is_newer_there:
        return "newer there"
    if node.hash is not None and not is_unchanged:
        return "hash"
    # Nothing but the times is left. An uplink, say, leaves a file older here than there.
    return "same" if is_newer_there and not (is_as_left and synced.is_of(path, file)) else "time"


def _content_hash(file: FileSource) -> int | None:
    """The signed xxh3 of its content, None where it cannot be read: sending it will tell why."""
    import xxhash

    digest = xxhash.xxh3_64()
    try:
        with file.path.open("rb") as opened:
            while chunk := opened.read(CHUNK_BYTES):
                digest.update(chunk)
    except OSError:
        return None
    number: int = digest.intdigest()
    return number - (1 << 64) if number >= 1 << 63 else number
