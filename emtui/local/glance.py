"""A look at a workspace that another emtui may have open: its folders and its database are read, nothing is locked.

For completion in a shell. What is not there, or cannot be read, is nothing. Calls block.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from emtui.errors import EmtuiError, WorkspaceProblem
from emtui.local.handles import DirHandle
from emtui.storage.reading import read_rows
from emtui.storage.sqlite import unpack

# The database's own, and the youngest schema of it that is understood here. A test compares them.
_APPLICATION_ID = 0x656D7477
_SCHEMA = 1

# Whoever types waits for it.
_PATIENCE_S = 0.5

_QUERIES = {
    "images": "SELECT reference FROM images ORDER BY created DESC LIMIT 10000",
    "models": "SELECT model_id FROM models ORDER BY rowid LIMIT 10000",
    "tags": "SELECT tag FROM datasets GROUP BY tag ORDER BY min(rowid) LIMIT 10000",
}


def names_in(workspace: Path, kind: Literal["images", "models", "tags"]) -> list[str]:
    """The names that a workspace's database has; foreign text. Images of a Docker Engine are not in it."""
    with contextlib.suppress(EmtuiError, ValueError, RuntimeError):
        rows = read_rows(
            workspace.expanduser() / "emtui.db",
            _QUERIES[kind],
            application_id=_APPLICATION_ID,
            newest=_SCHEMA,
            problem=WorkspaceProblem,
            remedy="",
            patience_s=_PATIENCE_S,
        )
        return [unpack(row[0]) if isinstance(row[0], bytes) else row[0] for row in rows]
    return []


def entries_of(workspace: Path, folder: tuple[str, ...], most: int) -> Iterator[tuple[str, bool]]:
    """The names in a folder of the volume, and whether each is a folder; at most `most`, in no order. Foreign text."""
    with contextlib.suppress(OSError, EmtuiError, ValueError, RuntimeError):
        with DirHandle.open_trusted(workspace.expanduser() / "volume") as volume, volume.open_dir(folder) as inner:
            found = [
                (entry.name, entry.type == "directory") for entry, _ in zip(inner.scan(), range(most), strict=False)
            ]
        yield from found
