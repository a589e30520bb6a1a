"""Uplink, downlink and delete of the volume, where the disk, the source or the caller gives up."""

import asyncio
import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from local_limits import mounted, open_files, without_rights

from emtui.errors import BadRequest, Forbidden, LocalProblem
from emtui.files.source import MemorySource
from emtui.local import uplink
from emtui.local import volume as volume_module
from emtui.local.em import LocalEM
from emtui.local.handles import DirHandle
from emtui.local.stopping import disk_errors, to_end
from emtui.local.uplink import receive
from emtui.local.volume import delete, open_download
from emtui.local.workspace import Workspace


class Large:
    """Gives `gives` bytes where it says `size_bytes`, and counts what was taken."""

    def __init__(self, name: str, gives: int, size_bytes: int) -> None:
        self.name = name
        self.size_bytes = size_bytes
        self._gives = gives
        self.given = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[AsyncIterator[bytes]]:
        yield self._chunks()

    async def _chunks(self) -> AsyncIterator[bytes]:
        while self.given < self._gives:
            part = bytes(min(1000, self._gives - self.given))
            self.given += len(part)
            yield part


def left_in(workspace: Workspace) -> list[str]:
    return [path.name for folder in ("staging", "volume") for path in (workspace.path / folder).iterdir()]


async def test_the_limit_counts_all_files_of_a_call(workspace: Workspace) -> None:
    files = [MemorySource("a", bytes(600)), MemorySource("b", bytes(400))]
    result = await receive(workspace.staging, workspace.volume, files, "", limit_bytes=1000)
    assert result.total_size_kb == 0.98

    with pytest.raises(BadRequest) as caught:
        await receive(workspace.staging, workspace.volume, files, "x", limit_bytes=999)

    assert caught.value.code == "MAX_UPLINK_SIZE_EXCEEDED"
    assert sorted(left_in(workspace)) == ["a", "b"]


async def test_the_limit_is_met_while_it_is_read(workspace: Workspace) -> None:
    source = Large("lies", 10_000_000, size_bytes=10)

    with pytest.raises(BadRequest) as caught:
        await receive(workspace.staging, workspace.volume, [source], "", limit_bytes=500)

    assert caught.value.code == "MAX_UPLINK_SIZE_EXCEEDED"
    assert source.given == 1000
    assert left_in(workspace) == []


async def test_a_full_disk_is_said_and_nothing_is_kept(full_disk: Path) -> None:
    folder = full_disk / "w"
    with mounted(full_disk, "size=4m"):
        workspace = Workspace(folder)
        (folder / "volume/big").write_bytes(b"old")
        files = [MemorySource("small", b"x"), MemorySource("big", bytes(6 << 20))]

        with pytest.raises(LocalProblem, match="No space left on device") as caught:
            await receive(workspace.staging, workspace.volume, files, "new")

        assert "Free some space" in caught.value.remedy
        assert left_in(workspace) == ["big"]
        assert (folder / "volume/big").read_bytes() == b"old"
        workspace.close()


@pytest.mark.parametrize("fails_at", ["write", "fsync"])
async def test_an_io_error_leaves_the_old_file_whole(
    workspace: Workspace, volume: Path, monkeypatch: pytest.MonkeyPatch, fails_at: str
) -> None:
    (volume / "file").write_bytes(b"old")

    def failing(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(uplink.os, fails_at, failing)
        with pytest.raises(LocalProblem, match="Input/output error"):
            await receive(workspace.staging, workspace.volume, [MemorySource("file", b"new")], "")

    assert left_in(workspace) == ["file"]
    assert (volume / "file").read_bytes() == b"old"


@pytest.mark.parametrize("fails_at", [0, 1, 2])
async def test_a_move_that_fails_midway_is_moved_back(
    workspace: Workspace, volume: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    (volume / "b").write_bytes(b"old b")
    rename = DirHandle.rename_to

    def failing(self: DirHandle, name: str, target: DirHandle, new_name: str) -> None:
        if name == str(fails_at):
            raise OSError(errno.EIO, "Input/output error")
        rename(self, name, target, new_name)

    monkeypatch.setattr(DirHandle, "rename_to", failing)
    files = [MemorySource(name, b"new") for name in ("b", "c", "d")]
    with pytest.raises(LocalProblem):
        await receive(workspace.staging, workspace.volume, files, "")
    with pytest.raises(LocalProblem):
        await receive(workspace.staging, workspace.volume, files, "made/for/it")
    monkeypatch.undo()

    assert left_in(workspace) == ["b"]
    assert (volume / "b").read_bytes() == b"old b"
    assert (volume / "b").stat().st_nlink == 1


async def test_a_name_with_a_slash_is_forbidden(workspace: Workspace) -> None:
    with pytest.raises(Forbidden, match="base name"):
        await receive(workspace.staging, workspace.volume, [MemorySource("a/b", b"")], "")


async def test_an_uplink_that_is_cancelled_at_any_step_is_whole_or_not_there(
    workspace: Workspace, volume: Path
) -> None:
    """Cancelled after 0, 1, 2, … turns of the loop, until it is quicker."""
    before = open_files()
    files = [MemorySource(f"{number}", b"x" * 10) for number in range(3)]
    turns = 0
    while True:
        task = asyncio.create_task(receive(workspace.staging, workspace.volume, files, f"folder-{turns}/below"))
        for _ in range(turns):
            await asyncio.sleep(0.0005)
        if not task.cancel():
            break
        await asyncio.wait([task])
        turns += 1
    await task

    assert turns > 3
    assert open_files() == before
    assert list((workspace.path / "staging").iterdir()) == []
    for folder in volume.iterdir():
        assert sorted(path.name for path in (folder / "below").iterdir()) == ["0", "1", "2"]


async def test_a_downlink_that_is_cancelled_lets_go_of_the_file(workspace: Workspace, volume: Path) -> None:
    with (volume / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    before = open_files()

    async def fetch() -> None:
        async with open_download(workspace.volume, "sparse"):
            pass

    for turns in (0, 1, 2, 20):
        task = asyncio.create_task(fetch())
        for _ in range(turns):
            await asyncio.sleep(0.002)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 2)

    assert open_files() == before


async def test_chunks_do_not_outlive_their_download(workspace: Workspace, volume: Path) -> None:
    (volume / "file").write_bytes(b"x")
    async with open_download(workspace.volume, "file") as download:
        pass

    with pytest.raises(LocalProblem):
        await anext(download.chunks)


async def test_a_file_that_is_gone_right_after_it_was_opened(
    workspace: Workspace, volume: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (volume / "file").write_bytes(b"x")
    before = open_files()

    def failing(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(volume_module, "_OpenFile", failing)
    with pytest.raises(LocalProblem):
        async with open_download(workspace.volume, "file"):
            pass

    assert open_files() == before


async def test_a_folder_without_rights_is_deleted(common_folder: Path) -> None:
    def work() -> None:
        workspace = Workspace(common_folder / "w")
        volume = common_folder / "w/volume"
        (volume / "closed/inner").mkdir(parents=True)
        (volume / "closed/inner/file").touch()
        (volume / "closed/inner").chmod(0o500)
        (volume / "closed").chmod(0o500)
        volume_module._delete(workspace.staging, workspace.volume, ("closed",))
        assert left_in(workspace) == []
        workspace.close()

    without_rights(work)


async def test_what_may_not_be_deleted_says_so(common_folder: Path) -> None:
    def work() -> None:
        workspace = Workspace(common_folder / "w")
        volume = common_folder / "w/volume"
        (volume / "folder").mkdir()
        (volume / "folder/file").touch()
        (volume / "folder").chmod(0o500)
        with pytest.raises(BadRequest, match="File delete failed: folder/file: Permission denied"):
            volume_module._delete(workspace.staging, workspace.volume, ("folder", "file"))
        assert (volume / "folder/file").exists()
        workspace.close()

    without_rights(work)


async def test_what_cannot_be_emptied_is_deleted_all_the_same(
    workspace: Workspace, volume: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (volume / "folder").mkdir()

    def failing(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(DirHandle, "remove", failing)
    await delete(workspace.staging, workspace.volume, "folder")
    monkeypatch.undo()

    assert list(volume.iterdir()) == []
    workspace.staging.empty()


async def test_a_hundred_thousand_bytes_of_memory_are_enough_for_a_large_file(em: LocalEM, volume: Path) -> None:
    with (volume / "large").open("wb") as file:
        file.truncate(64 << 20)
    most = 0
    async with em.downlink("large") as download:
        async for chunk in download.chunks:
            most = max(most, len(chunk))

    assert most == 1 << 20


async def test_work_goes_to_its_end_though_its_caller_is_cancelled_twice() -> None:
    done = asyncio.Event()
    go_on = asyncio.Event()

    async def work() -> None:
        await go_on.wait()
        done.set()

    task = asyncio.create_task(to_end(work()))
    for _ in range(2):
        await asyncio.sleep(0)
        task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done.is_set()


def test_an_error_of_the_disk_without_a_remedy() -> None:
    with pytest.raises(LocalProblem, match="list: Too many open files") as caught, disk_errors("list"):
        raise OSError(errno.EMFILE, "Too many open files")

    assert caught.value.remedy == ""
