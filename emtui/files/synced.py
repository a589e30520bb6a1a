"""What was synced, as it was here and as the volume listed it afterwards: a small file beside the journal.

It saves time and settles what clocks do not. Whatever is wrong with it, it counts as empty; nothing is lost then but
some sending.
"""

import contextlib
import json
import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from emtui.files.source import FileSource
from emtui.plain import FileNode, Listing

FILE_NAME = "synced.json"

_VERSION = 1
# More than a volume of 100,000 files with long names takes.
_MOST_BYTES = 128 << 20


class Synced:
    """The memory of one profile: for each path of the volume the file here, and what was listed there."""

    def __init__(self, entries: dict[str, tuple[str, int, int, str, int | None]] | None = None) -> None:
        self._entries = entries if entries is not None else {}

    @classmethod
    def read(cls, folder: Path) -> "Synced":
        """What the folder of a profile holds of it; empty where that cannot be read. Blocks."""
        path = folder / FILE_NAME
        try:
            if path.stat().st_size > _MOST_BYTES:
                return cls()
            stored = json.loads(path.read_bytes())
            if not isinstance(stored, dict) or stored.get("version") != _VERSION:
                return cls()
            return cls({name: _entry(values) for name, values in stored["files"].items()})
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return cls()

    def write(self, folder: Path) -> None:
        """Keep it, whole or not at all. What cannot be written is not remembered. Blocks."""
        data = json.dumps({"version": _VERSION, "files": self._entries}).encode()
        part = folder / f".{FILE_NAME}.{secrets.token_hex(8)}.part"
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor
                file.write(data)
            part.replace(folder / FILE_NAME)
        except OSError:
            with contextlib.suppress(OSError):
                part.unlink()

    def is_of(self, path: str, file: FileSource) -> bool:
        """Whether it was this very file here that was synced to `path`, be it as it is now or not."""
        entry = self._entries.get(path)
        return entry is not None and entry[0] == str(file.path)

    def remembers_local(self, path: str, file: FileSource) -> bool:
        """Whether the file here is as it was when it was synced."""
        entry = self._entries.get(path)
        return entry is not None and entry[:3] == (str(file.path), file.size_bytes, file.changed_ns)

    def remembers_remote(self, path: str, node: FileNode) -> bool:
        """Whether the volume lists it as it did after that."""
        entry = self._entries.get(path)
        return entry is not None and entry[1:2] + entry[3:] == (node.size, node.time.isoformat(), node.hash)

    def remember(self, files: Iterable[tuple[str, FileSource]], listing: Listing) -> None:
        """Note files that the volume holds as they were here, and forget what it does not list any more."""
        listed = {path: node for path, node in listing.walk() if node.type == "file"}
        self._entries = {path: entry for path, entry in self._entries.items() if path in listed}
        for path, file in files:
            node = listed.get(path)
            if node is not None and node.size == file.size_bytes:
                self._entries[path] = (
                    str(file.path),
                    file.size_bytes,
                    file.changed_ns,
                    node.time.isoformat(),
                    node.hash,
                )


def _entry(values: Any) -> tuple[str, int, int, str, int | None]:
    here, size_bytes, changed_ns, time, hash_ = values
    if not (isinstance(here, str) and isinstance(size_bytes, int) and isinstance(changed_ns, int)):
        raise TypeError("not what was written")
    if not (isinstance(time, str) and isinstance(hash_, int | None)):
        raise TypeError("not what was written")
    return here, size_bytes, changed_ns, time, hash_
