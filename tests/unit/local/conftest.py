"""A workspace, an EM on a small engine, a folder of another user, a small disk."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from fake_engine import FakeEngine
from local_limits import NOBODY, mounted

from emtui.local.em import LocalEM
from emtui.local.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    made = Workspace(tmp_path / "workspace")
    yield made
    made.close()


@pytest.fixture
def volume(workspace: Workspace) -> Path:
    return workspace.path / "volume"


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
async def em(workspace: Workspace, engine: FakeEngine) -> AsyncIterator[LocalEM]:
    made = LocalEM(workspace, engine)
    yield made
    await made.aclose()


@pytest.fixture
def common_folder() -> Iterator[Path]:
    """A folder that belongs to a user without rights, on a path that this user can walk."""
    folder = Path(tempfile.mkdtemp(prefix="emtui-test-"))
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    yield folder
    shutil.rmtree(folder, onerror=lambda *_: None)


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 256 KiB."""
    with mounted(tmp_path / "small", "size=256k") as folder:
        yield folder
