"""The listing's hashes: signed 64-bit xxh3 of a file's content, kept in the store so that no file is read twice.

A hash is kept under the file's device, inode, size, mtime and ctime. The ctime cannot be set by a pod: a file that was
changed and given its old mtime back is seen. Blocks.
"""

import errno
import os
import stat
import struct
import time

import xxhash

from emtui.backend import CHUNK_BYTES
from emtui.local.handles import DirHandle
from emtui.local.stopping import Stop
from emtui.local.store import Store, where_there_is_room

Key = bytes
"""Device, inode, size, mtime and ctime of a file, packed: exact, quick to compare, and small 100,000 times."""

_KEY = struct.Struct("=QQqqq")

YOUNG_NS = 2_000_000_000
"""A file changed so shortly before it was read may change again without its ctime telling: it is read once more.
Two seconds are the coarsest clock of a file system."""

# A file as sparse as this is hashed by its data and where they lie: a pod makes 1 TB of holes in no time.
_SPARSE_SIZE = 1 << 30
_SPARSE_SHARE = 2
_BLOCK_BYTES = 512

_BATCH_ROWS = 5_000


class HashCache:
    """Hashes by file. What the store holds is loaded for the first listing only; after it the listing remembers."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._loaded: dict[tuple[int, int], tuple[int, int, int, int]] | None = None
        self._is_first = True
        self._new: list[tuple[int, int, int, int, int, int]] = []

    def hash_of(
        self, folder: DirHandle, name: str, status: os.stat_result, key: Key, stop: Stop
    ) -> tuple[int | None, bool]:
        """The hash of a file and whether it will hold as long as `key` does.

        None for a file that is not to be read: no rights, gone or replaced meanwhile, or with a second name (a hard
        link), which may lie outside the volume.
        """
        if status.st_nlink > 1:
            return None, True
        known = self._known(status)
        if known is not None:
            return known, True
        try:
            number, after = _read(folder, name, stop)
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
                raise
            return None, False
        is_sound = file_key(after) == key and abs(time.time_ns() - after.st_ctime_ns) > YOUNG_NS
        if is_sound:
            self._remember(status, number)
        return number, is_sound

    def _known(self, status: os.stat_result) -> int | None:
        if self._loaded is None:
            if not self._is_first:
                return None
            self._load()
        assert self._loaded is not None  # noqa: S101 - _load() has set it
        known = self._loaded.pop((status.st_dev, status.st_ino), None)
        if known is None or known[:3] != (status.st_size, _signed(status.st_mtime_ns), _signed(status.st_ctime_ns)):
            return None
        return known[3]

    def _load(self) -> None:
        self._loaded = {
            (_unsigned(device), _unsigned(inode)): (size, mtime, ctime, number)
            for device, inode, size, mtime, ctime, number in self._store.read(
                "SELECT device, inode, size_bytes, mtime_ns, ctime_ns, hash FROM hashes"
            )
        }

    def _remember(self, status: os.stat_result, number: int) -> None:
        self._new.append(
            (
                _signed(status.st_dev),
                _signed(status.st_ino),
                status.st_size,
                _signed(status.st_mtime_ns),
                _signed(status.st_ctime_ns),
                number,
            )
        )
        if len(self._new) >= _BATCH_ROWS:
            self.write()

    def write(self) -> None:
        """Keep what was hashed since. Not synced: what is lost is read again."""
        if not self._new:
            return
        with where_there_is_room(), self._store.change(is_synced=False) as db:
            db.executemany("INSERT OR REPLACE INTO hashes VALUES (?, ?, ?, ?, ?, ?)", self._new)
        self._new.clear()

    def end_of_listing(self) -> None:
        """Write, and after the first whole listing drop what the store held of files that are gone."""
        self.write()
        if self._is_first and self._loaded:
            gone = [(_signed(device), _signed(inode)) for device, inode in self._loaded]
            with where_there_is_room(), self._store.change(is_synced=False) as db:
                db.executemany("DELETE FROM hashes WHERE device = ? AND inode = ?", gone)
        self._is_first = False
        self._loaded = None


def file_key(status: os.stat_result) -> Key:
    """Device, inode, size and times as a `Key`."""
    try:
        return _KEY.pack(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    except struct.error:  # a pod has set a time after the year 2262
        mtime, ctime = _signed(status.st_mtime_ns), _signed(status.st_ctime_ns)
        return _KEY.pack(status.st_dev, status.st_ino, status.st_size, mtime, ctime)


def _read(folder: DirHandle, name: str, stop: Stop) -> tuple[int, os.stat_result]:
    """The hash of a file, and what it is after it was read. Raises OSError, also where it is no file any more."""
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder.fd)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            raise FileNotFoundError(errno.ENOENT, "replaced meanwhile")
        return _hash(fd, status, stop), os.fstat(fd)
    finally:
        os.close(fd)


def _hash(fd: int, status: os.stat_result, stop: Stop) -> int:
    digest = xxhash.xxh3_64()
    if status.st_size > _SPARSE_SIZE and status.st_blocks * _BLOCK_BYTES < status.st_size // _SPARSE_SHARE:
        _read_extents(fd, digest, status.st_size, stop)
    else:
        # One byte more than the size: a short answer is the end, and a small file takes one read.
        wanted = min(status.st_size + 1, CHUNK_BYTES)
        while data := os.read(fd, wanted):
            digest.update(data)
            if len(data) < wanted:
                break
            stop.check()
            wanted = CHUNK_BYTES
    return _signed(digest.intdigest())


def _read_extents(fd: int, digest: "xxhash.xxh3_64", size: int, stop: Stop) -> None:
    offset = 0
    digest.update(struct.pack("=q", size))
    while offset < size:
        try:
            start = os.lseek(fd, offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # a hole up to the end
                return
            raise
        end = os.lseek(fd, start, os.SEEK_HOLE)
        digest.update(struct.pack("=qq", start, end))
        offset = start
        while offset < end:
            stop.check()
            data = os.pread(fd, min(CHUNK_BYTES, end - offset), offset)
            if not data:
                return
            digest.update(data)
            offset += len(data)


def _signed(number: int) -> int:
    """64 bits as SQLite and the wire have them; what is beyond them is cut off."""
    number &= (1 << 64) - 1
    return number - (1 << 64) if number >> 63 else number


def _unsigned(number: int) -> int:
    return number & ((1 << 64) - 1)
