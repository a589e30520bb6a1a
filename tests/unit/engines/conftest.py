"""What the engines' unit tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from emtui.local.handles import DirHandle


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DirHandle]:
    """An empty folder, open."""
    path = tmp_path / "folder"
    path.mkdir()
    with DirHandle.open_trusted(path) as handle:
        yield handle
