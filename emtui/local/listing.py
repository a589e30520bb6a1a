"""The listing of the volume (EM API §2): quick where nothing changed, and the same objects for what did not.

Walked by directory handles, without recursion and with a bounded number of open directories: a pod can make a tree
thousands deep. Links are listed, never followed. What was found is remembered by folder, so that the next listing
compares one packed key for each file and opens none that is unchanged. Blocks: use it in a thread.
"""

import os
import secrets
import stat
from dataclasses import dataclass, field
from datetime import UTC, datetime

from emtui.errors import BadRequest, Forbidden, NotFound
from emtui.local.handles import DirHandle, entry_type
from emtui.local.hashes import HashCache, Key, file_key
from emtui.local.stopping import Stop
from emtui.plain import FileNode, Listing

# Open directories during a walk. Those further up are closed and found again by their names.
_MAX_OPEN = 128

# A key that no file has: the entry is looked at again in the next listing.
_NEVER = b""

# What the wire's four digits of a year can hold; a pod may set any time.
_FIRST_S = datetime(1900, 1, 1, tzinfo=UTC).timestamp()
_LAST_S = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


@dataclass(slots=True)
class _Folder:
    """What is remembered of a folder: its entries with their keys, the folders in it, and its own node."""

    entries: dict[str, tuple[Key, FileNode]] = field(default_factory=dict)
    folders: "dict[str, _Folder]" = field(default_factory=dict)
    contents: tuple[FileNode, ...] = ()
    node: FileNode | None = None
    file_count: int = 0
    size_bytes: int = 0


@dataclass(slots=True)
class _Frame:
    """A folder on the way: opened, its files looked at, its folders being walked one after the other."""

    name: str
    status: os.stat_result
    handle: DirHandle | None
    old: _Folder
    entries: dict[str, tuple[Key, FileNode]] = field(default_factory=dict)
    pending: list[tuple[str, os.stat_result]] = field(default_factory=list)
    folders: dict[str, _Folder] = field(default_factory=dict)


class Lister:
    """Lists one volume again and again."""

    def __init__(self, volume: DirHandle, hashes: HashCache) -> None:
        self._volume = volume
        self._hashes = hashes
        self._root = _Folder()
        self._listing: Listing | None = None
        # Fingerprints of two runs never meet; within one they are counted.
        self._token = secrets.token_hex(8)
        self._generation = 0

    def list(self, stop: Stop) -> Listing:
        """The volume as it is now; the very same object as before where nothing changed.

        Raises OSError, StopRequested, and WorkspaceProblem of the store.
        """
        try:
            root = _Walk(self._volume, self._hashes, stop).run(self._root)
        except BaseException:
            self._hashes.write()  # what was read need not be read again
            raise
        self._hashes.end_of_listing()
        if self._listing is None or root.contents is not self._root.contents:
            self._generation += 1
            self._listing = Listing(
                nodes=root.contents,
                fingerprint=f"{self._token}-{self._generation}",
                file_count=root.file_count,
                size_bytes=root.size_bytes,
            )
        self._root = root
        return self._listing


class _Walk:
    """One walk, depth first, a folder's node made after those below it."""

    def __init__(self, volume: DirHandle, hashes: HashCache, stop: Stop) -> None:
        self._volume = volume
        self._hashes = hashes
        self._stop = stop
        self._stack: list[_Frame] = []
        self._open = 0  # handles on the stack
        self._oldest = 0  # no frame below this index has one

    def run(self, old: _Folder) -> _Folder:
        try:
            self._enter("", os.fstat(self._volume.fd), self._volume.duplicate(), old)
            while True:
                self._stop.check()
                frame = self._stack[-1]
                if frame.pending:
                    self._descend(frame)
                    continue
                self._stack.pop()
                self._close(frame)
                folder = _finish(frame)
                if not self._stack:
                    return folder
                self._stack[-1].folders[frame.name] = folder
        finally:
            for frame in self._stack:
                self._close(frame)

    def _enter(self, name: str, status: os.stat_result, handle: DirHandle, old: _Folder) -> None:
        frame = _Frame(name, status, handle, old)
        self._stack.append(frame)
        self._open += 1
        self._scan(frame, handle)
        if not frame.pending:
            self._close(frame)
        elif self._open > _MAX_OPEN:
            while self._stack[self._oldest].handle is None:
                self._oldest += 1
            self._close(self._stack[self._oldest])

    def _close(self, frame: _Frame) -> None:
        if frame.handle is not None:
            frame.handle.close()
            frame.handle = None
            self._open -= 1

    def _descend(self, frame: _Frame) -> None:
        """Open the next folder of a frame. One that is gone or was replaced meanwhile is left out."""
        name, status = frame.pending.pop()
        try:
            if frame.handle is None:
                frame.handle = self._reopen()
                self._open += 1
                self._oldest = min(self._oldest, len(self._stack) - 1)
            handle = frame.handle.open_dir((name,))
        except (NotFound, Forbidden, BadRequest):
            return
        except PermissionError:
            frame.folders[name] = _finish(_Frame(name, status, None, frame.old.folders.get(name) or _Folder()))
            return
        finally:
            if not frame.pending:
                self._close(frame)
        self._enter(name, status, handle, frame.old.folders.get(name) or _Folder())

    def _reopen(self) -> DirHandle:
        """The folder on top of the stack once more, by names from the volume: those above it are closed too.

        Raises:
            NotFound, Forbidden, BadRequest: it is gone, or another folder has its name now.
        """
        handle = self._volume.open_dir(tuple(frame.name for frame in self._stack[1:]))
        if not os.path.samestat(os.fstat(handle.fd), self._stack[-1].status):
            handle.close()
            raise NotFound(f"no such folder any more: {self._stack[-1].name}")
        return handle

    def _scan(self, frame: _Frame, handle: DirHandle) -> None:
        """Look at every entry of an open folder; hash those whose key is new."""
        known_entries = frame.old.entries
        entries = frame.entries
        changed: list[tuple[str, os.stat_result, Key]] = []
        with os.scandir(handle.fd) as found:
            for entry in found:
                try:
                    status = entry.stat(follow_symlinks=False)
                except (FileNotFoundError, PermissionError):  # gone, or in a folder that may be read but not entered
                    continue
                if stat.S_ISDIR(status.st_mode):
                    frame.pending.append((entry.name, status))
                    continue
                key = file_key(status)
                known = known_entries.get(entry.name)
                if known is not None and known[0] == key:
                    entries[entry.name] = known
                else:
                    changed.append((entry.name, status, key))
        for name, status, key in changed:
            self._stop.check()
            entries[name] = self._look(handle, name, status, key, known_entries.get(name))

    def _look(
        self, handle: DirHandle, name: str, status: os.stat_result, key: Key, known: tuple[Key, FileNode] | None
    ) -> tuple[Key, FileNode]:
        kind = entry_type(status.st_mode)
        number, is_sound = None, True
        if kind == "file":
            number, is_sound = self._hashes.hash_of(handle, name, status, key, self._stop)
        # A link has no size of its own: a folder's size is the sum of its files.
        size = status.st_size if kind == "file" else 0
        time = _time(status)
        old = known[1] if known is not None else None
        if old is None or (old.type, old.size, old.time, old.hash) != (kind, size, time, number):
            old = FileNode(kind, name, size, time, number)
        return (key if is_sound else _NEVER), old


def _finish(frame: _Frame) -> _Folder:
    """The folder of a frame whose folders are all done; what did not change is taken from the listing before."""
    old = frame.old
    contents = old.contents
    if not (_same_entries(frame.entries, old.entries) and _same_folders(frame.folders, old.folders)):
        files = [entry[1] for entry in frame.entries.values()]
        folders = [folder.node for folder in frame.folders.values() if folder.node is not None]
        contents = (*sorted(folders, key=_byte_order), *sorted(files, key=_byte_order))
    own = [node for _, node in frame.entries.values() if node.type == "file"] if contents is not old.contents else []
    if contents is old.contents:
        file_count, size = old.file_count, old.size_bytes
    else:
        file_count = len(own) + sum(folder.file_count for folder in frame.folders.values())
        size = sum(node.size for node in own) + sum(folder.size_bytes for folder in frame.folders.values())
    time = _time(frame.status)
    node = old.node
    if node is None or node.contents is not contents or node.time != time:
        node = FileNode("directory", frame.name, size, time, None, contents)
    return _Folder(frame.entries, frame.folders, contents, node, file_count, size)


def _same_entries(new: dict[str, tuple[Key, FileNode]], old: dict[str, tuple[Key, FileNode]]) -> bool:
    if len(new) != len(old):
        return False
    for name, entry in new.items():
        before = old.get(name)
        if before is None or before[1] is not entry[1]:
            return False
    return True


def _same_folders(new: dict[str, _Folder], old: dict[str, _Folder]) -> bool:
    if len(new) != len(old):
        return False
    return all(name in old and old[name].node is folder.node for name, folder in new.items())


def _byte_order(node: FileNode) -> bytes:
    return os.fsencode(node.name)


def _time(status: os.stat_result) -> datetime:
    return datetime.fromtimestamp(int(min(max(status.st_mtime, _FIRST_S), _LAST_S)), UTC)
