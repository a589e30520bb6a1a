"""What is LocalGrid's own: files on disk, what a kill leaves, damage from outside."""

import asyncio
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from emtui.errors import ContractViolation, InvalidField, LocalProblem, RemoteFailed
from emtui.files import MemorySource
from emtui.local import grid_store
from emtui.local.grid import MAX_ID_BYTES, LocalGrid
from emtui.local.handles import DirHandle
from emtui.local.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    made = Workspace(tmp_path / "w")
    yield made
    made.close()


@pytest.fixture
async def grid(workspace: Workspace) -> LocalGrid:
    return LocalGrid(workspace)


def files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if not path.is_dir())


async def serve(grid: LocalGrid, model_id: str, data: bytes = b"weights") -> None:
    await grid.serve_model(MemorySource("m", data), model_id, allow_download=True)


async def fetch(grid: LocalGrid, model_id: str) -> bytes:
    async with grid.get_model(model_id) as download:
        return b"".join([chunk async for chunk in download.chunks])


def only_blob(workspace: Workspace) -> Path:
    (blob,) = files_below(workspace.blobs / "models")
    return blob


async def test_a_models_file_is_whole_and_never_named_after_it(workspace: Workspace, grid: LocalGrid) -> None:
    await serve(grid, "mnist")
    assert only_blob(workspace).read_bytes() == b"weights"
    assert "mnist" not in only_blob(workspace).name
    assert files_below(workspace.path / "staging") == []


async def test_what_was_saved_is_there_after_a_restart(tmp_path: Path) -> None:
    first = Workspace(tmp_path / "w")
    grid = LocalGrid(first)
    await serve(grid, "caf\udce9 \ud800")
    await grid.register_dataset("d", ["mnist"])
    await grid.register_encrypted_model("e", ["alice"], ["bob"])
    await grid.aclose()
    first.close()
    second = Workspace(tmp_path / "w")
    grid = LocalGrid(second)
    assert await grid.models() == ["caf\udce9 \ud800"]
    assert await fetch(grid, "caf\udce9 \ud800") == b"weights"
    assert await grid.search("mnist")
    assert (await grid.search_encrypted_models("e")).crypto_provider == ("bob",)
    assert (await grid.info()).details == {"workspace": str(tmp_path / "w")}
    await grid.aclose()
    second.close()


async def test_files_without_a_row_are_removed_when_it_is_opened(workspace: Workspace, grid: LocalGrid) -> None:
    await serve(grid, "kept")
    kept = only_blob(workspace)
    (workspace.blobs / "models" / "model-0123").write_bytes(b"renamed, but never committed")
    again = LocalGrid(workspace)
    assert only_blob(workspace) == kept
    assert await fetch(again, "kept") == b"weights"


async def test_a_missing_file_is_told(workspace: Workspace, grid: LocalGrid) -> None:
    await serve(grid, "m")
    only_blob(workspace).unlink()
    with pytest.raises(RemoteFailed, match="file of model m cannot be read: No such file"):
        await fetch(grid, "m")


async def test_a_link_in_the_place_of_a_file_is_not_followed(workspace: Workspace, grid: LocalGrid) -> None:
    await serve(grid, "m")
    blob = only_blob(workspace)
    blob.unlink()
    blob.symlink_to("/etc/passwd")
    with pytest.raises(RemoteFailed, match="cannot be read"):
        await fetch(grid, "m")


async def test_a_truncated_file_is_told(workspace: Workspace, grid: LocalGrid) -> None:
    await serve(grid, "m")
    os.truncate(only_blob(workspace), 3)
    with pytest.raises(RemoteFailed, match="has 3 bytes, 7 were saved"):
        await fetch(grid, "m")


async def test_a_file_that_shrinks_while_it_is_read_is_told(workspace: Workspace, grid: LocalGrid) -> None:
    await serve(grid, "m", bytes(3 << 20))
    async with grid.get_model("m") as download:
        assert len(await anext(download.chunks)) == 1 << 20
        os.truncate(only_blob(workspace), 1 << 20)
        with pytest.raises(ContractViolation, match="has changed on disk"):
            await anext(download.chunks)


@pytest.mark.parametrize("step", ["create_file", "fsync", "write", "rename_to", "sync"])
async def test_a_full_disk_leaves_nothing(
    workspace: Workspace, grid: LocalGrid, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(grid_store.os if step in ("fsync", "write") else DirHandle, step, full)
        with pytest.raises(LocalProblem, match="No space left") as caught:
            await serve(grid, "m")
        assert "Free some space" in caught.value.remedy
    assert await grid.models() == []
    assert files_below(workspace.path / "staging") == []
    again = LocalGrid(workspace)
    assert files_below(workspace.blobs / "models") == []
    await serve(again, "m")


async def test_a_serve_that_is_cancelled_or_refused_leaves_no_file(workspace: Workspace, grid: LocalGrid) -> None:
    task = asyncio.create_task(serve(grid, "m", bytes(50 << 20)))
    while not files_below(workspace.path / "staging") and not task.done():
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert files_below(workspace.path / "staging") == []
    assert files_below(workspace.blobs / "models") == []


async def test_fields_that_are_not_acceptable(grid: LocalGrid) -> None:
    with pytest.raises(InvalidField, match="model_id"):
        await serve(grid, "x" * (MAX_ID_BYTES + 1))
    for encoding in ("", "\ud800", "two\nlines", "x" * 65):
        with pytest.raises(InvalidField, match="encoding"):
            await grid.serve_model(MemorySource("m", b""), "m", allow_download=True, encoding=encoding)
    with pytest.raises(InvalidField, match="name"):
        await grid.register_dataset("", ["a"])
    for tags in ([], ["a", ""]):
        with pytest.raises(InvalidField, match="tags"):
            await grid.register_dataset("d", tags)
    with pytest.raises(InvalidField, match="model_id"):
        await grid.register_encrypted_model("", [], [])
    assert await grid.models() == []


async def test_an_encrypted_model_can_be_registered_anew(grid: LocalGrid) -> None:
    await grid.register_encrypted_model("e", ["alice"], ["bob"])
    await grid.register_encrypted_model("e", ["carol"], [])
    found = await grid.search_encrypted_models("e")
    assert (found.workers, found.crypto_provider) == (("carol",), ())


SERVER = """
import asyncio, os, signal, sys
from pathlib import Path
from emtui.files import MemorySource
from emtui.local import grid_store
from emtui.local.grid import LocalGrid
from emtui.local.handles import DirHandle
from emtui.local.workspace import Workspace

step = sys.argv[2]
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

class Half(MemorySource):
    async def _chunks(self):
        yield b"half"
        die()

async def main():
    grid = LocalGrid(Workspace(Path(sys.argv[1])))
    await grid.serve_model(MemorySource("m", b"whole"), "before", allow_download=True)
    if step == "seal":
        grid_store.StagedModel.seal = die
    if step == "before the rename":
        DirHandle.rename_to = die
    if step == "before the commit":
        DirHandle.sync = die
    source = Half("m", b"halfhalf") if step == "reading" else MemorySource("m", b"new")
    await grid.serve_model(source, "killed", allow_download=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("step", ["reading", "seal", "before the rename", "before the commit"])
async def test_killed_while_it_saves_it_has_the_whole_model_or_none(tmp_path: Path, step: str) -> None:
    killed = subprocess.run([sys.executable, "-c", SERVER, str(tmp_path / "w"), step], timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    workspace = Workspace(tmp_path / "w")
    try:
        grid = LocalGrid(workspace)
        assert await grid.models() == ["before"]
        assert await fetch(grid, "before") == b"whole"
        assert only_blob(workspace).read_bytes() == b"whole"
        assert files_below(workspace.path / "staging") == []
        await serve(grid, "killed", b"again")
        assert await fetch(grid, "killed") == b"again"
        await grid.aclose()
    finally:
        workspace.close()
