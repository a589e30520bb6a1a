"""The types that the first frame and the first listing need: plain dataclasses.

Importing pydantic costs as much as all of the console's own modules, and a volume may hold 100,000 files, for which
a slotted dataclass is smaller and quicker to make. `emtui.models` has the rest, and how these travel on the wire.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

FileType = Literal["file", "directory", "link", "other"]


@dataclass(frozen=True, slots=True)
class FileNode:
    """One entry of the volume (EM API §2).

    Attributes:
        type: `file` or `directory` as specified; local mode also lists `link` (never followed) and `other`
            (device, FIFO, socket).
        name: the entry's own name, without its folders.
        size: bytes; for a directory the sum below it. A string of decimal digits on the wire.
        time: last change, UTC, to the minute on the wire.
        hash: signed 64-bit, changes when the content does; None where there is no content to hash.
        contents: the entries of a directory, else None.
    """

    type: FileType
    name: str
    size: int
    time: datetime
    hash: int | None = None
    contents: "tuple[FileNode, ...] | None" = None

    @property
    def is_directory(self) -> bool:
        return self.type == "directory"


@dataclass(frozen=True, slots=True)
class Listing:
    """The whole volume at one moment.

    Attributes:
        nodes: the entries of the volume's root. An entry that has not changed since the listing before is the
            same object, so that a reader can skip what is identical (`is`).
        fingerprint: equal for two listings of one endpoint exactly if nothing changed.
        file_count: files in the whole tree.
        size_bytes: their sum.
    """

    nodes: tuple[FileNode, ...]
    fingerprint: str
    file_count: int
    size_bytes: int

    def walk(self) -> Iterator[tuple[str, FileNode]]:
        """Every entry with its path, parents first, without recursion (a tree may be 1,000 deep)."""
        stack = [("", node) for node in reversed(self.nodes)]
        while stack:
            prefix, node = stack.pop()
            path = f"{prefix}{node.name}"
            yield path, node
            if node.contents:
                stack.extend((f"{path}/", child) for child in reversed(node.contents))

    def find(self, path: str) -> FileNode | None:
        """The entry at `path` (relative, `/` between folders), None where there is none."""
        nodes: tuple[FileNode, ...] = self.nodes
        found: FileNode | None = None
        for part in path.strip("/").split("/"):
            found = next((node for node in nodes if node.name == part), None)
            if found is None:
                return None
            nodes = found.contents or ()
        return found


@dataclass(frozen=True, slots=True)
class EndpointInfo:
    """Who answers: for the header. `engine` is `docker`, `sandbox`, `simulated`, or empty for a remote.

    `notes` is what is special about it, for whoever asks; `warnings` what the operator has to know unasked.
    """

    label: str
    user: str
    engine: str = ""
    notes: tuple[str, ...] = field(default=())
    details: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Vitals:
    """What is known of a remote end besides its answers, for the header.

    Attributes:
        token_expires_at: when the token in use ends (UTC), None where there is none or it does not say.
        skew_s: by how many seconds its clock is ahead of this machine's, None until it has told the time.
        needs_sign_in: nothing goes on until somebody signs in.
    """

    token_expires_at: datetime | None = None
    skew_s: float | None = None
    needs_sign_in: bool = False
