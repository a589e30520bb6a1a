"""`kill -9` in the middle of local mode's writes: nothing half made is ever seen, and the next start opens."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from emtui.local.commit import batch_name, commit
from emtui.local.handles import DirHandle
from emtui.local.workspace import Workspace

# The engine is never reached: what is killed here are the volume's own calls.
CHILD = """
import asyncio, sys
from contextlib import asynccontextmanager
from pathlib import Path
from emtui.local.em import LocalEM
from emtui.local.workspace import Workspace

class Engine:
    name, notes, warnings = "none", (), ()

class Source:
    def __init__(self, name, size):
        self.name, self.size_bytes = name, size
    @asynccontextmanager
    async def open(self):
        yield self.chunks()
    async def chunks(self):
        block = self.name.encode() * (65536 // len(self.name))
        left = self.size_bytes
        while left:
            part = block[:left]
            left -= len(part)
            yield part

async def main(folder, work):
    em = LocalEM(Workspace(Path(folder)), Engine())
    print("ready", flush=True)
    number = 0
    while True:
        if work == "uplink":
            await em.uplink([Source(f"n{index:03}", 70_000) for index in range(40)], f"batch-{number}")
        elif work == "list":
            await em.list_files()
        else:
            await em.uplink([Source(f"n{index:03}", 100) for index in range(200)], "folder")
            print("uplinked", flush=True)
            await em.delete("folder")
        number += 1

asyncio.run(main(*sys.argv[1:]))
"""


def killed(folder: Path, work: str, after_s: float) -> None:
    """Let a process work in a workspace and kill it, `after_s` seconds after it is ready."""
    with subprocess.Popen([sys.executable, "-c", CHILD, str(folder), work], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        time.sleep(after_s)
        child.send_signal(signal.SIGKILL)
        child.wait(10)
    assert child.returncode == -signal.SIGKILL


def reopened(folder: Path) -> Path:
    """The volume after a start and a clean end; staging is empty by then."""
    workspace = Workspace(folder)
    try:
        assert list((folder / "staging").iterdir()) == []
    finally:
        workspace.close()
    return folder / "volume"


@pytest.mark.parametrize("after_s", [0.01, 0.05, 0.11, 0.17, 0.23, 0.31, 0.41])
def test_an_uplink_that_was_killed_is_whole_or_not_there(tmp_path: Path, after_s: float) -> None:
    folder = tmp_path / "workspace"

    killed(folder, "uplink", after_s)

    for batch in reopened(folder).iterdir():
        names = sorted(path.name for path in batch.iterdir())
        assert names == [f"n{index:03}" for index in range(40)]
        for path in batch.iterdir():
            data = path.read_bytes()
            assert len(data) == 70_000
            assert data.startswith(path.name.encode() * 16000)


@pytest.mark.parametrize("after_s", [0.05, 0.13, 0.2, 0.29, 0.37])
def test_a_delete_that_was_killed_leaves_no_half_folder(tmp_path: Path, after_s: float) -> None:
    folder = tmp_path / "workspace"

    killed(folder, "delete", after_s)

    for left in reopened(folder).iterdir():
        assert left.name == "folder"
        assert len(list(left.iterdir())) == 200


def test_a_listing_that_was_killed_leaves_a_sound_database(tmp_path: Path) -> None:
    folder = tmp_path / "workspace"
    reopened(folder)
    for index in range(2000):
        (folder / "volume" / f"{index}").write_bytes(b"%d" % index)

    killed(folder, "list", 0.05)

    workspace = Workspace(folder)
    assert [tuple(row) for row in workspace.store.read("PRAGMA integrity_check")] == [("ok",)]
    workspace.close()


class Killed(BaseException):
    """Stands for the end of the process at an exact point."""


def interrupted_commit(folder: Path, monkeypatch: pytest.MonkeyPatch, moves: int) -> None:
    """Leave a workspace as a process would that is killed after so many moves of a commit of three files."""
    workspace = Workspace(folder)
    (folder / "volume" / "b").write_bytes(b"old b")
    name = batch_name("0123")
    (folder / "staging" / name).mkdir()
    for index, letter in enumerate("abc"):
        (folder / "staging" / name / str(index)).write_bytes(b"new " + letter.encode())
    done = 0
    rename = DirHandle.rename_to

    def counted(self: DirHandle, old: str, target: DirHandle, new: str) -> None:
        nonlocal done
        if new in "abc":
            if done == moves:
                raise Killed
            done += 1
        rename(self, old, target, new)

    monkeypatch.setattr(DirHandle, "rename_to", counted)
    # What a killed process cannot do either:
    monkeypatch.setattr("emtui.local.commit._move_back", lambda *_: None)
    monkeypatch.setattr("emtui.local.commit._unmake", lambda *_: None)
    with workspace.staging.open_dir((name,)) as batch, pytest.raises(Killed):
        commit(batch, workspace.volume, (), ["a", "b", "c"])
    monkeypatch.undo()
    workspace.close()


@pytest.mark.parametrize("moves", [0, 1, 2])
def test_a_commit_that_was_killed_is_carried_out_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moves: int
) -> None:
    folder = tmp_path / "workspace"

    interrupted_commit(folder, monkeypatch, moves)

    volume = reopened(folder)
    assert {path.name: path.read_bytes() for path in volume.iterdir()} == {
        "a": b"new a",
        "b": b"new b",
        "c": b"new c",
    }
    assert os.stat(volume / "b").st_nlink == 1  # noqa: PTH116 - as the listing sees it


def test_what_came_in_the_way_of_a_killed_commit_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "workspace"
    interrupted_commit(folder, monkeypatch, 1)
    (folder / "volume" / "c").mkdir()

    volume = reopened(folder)

    assert (volume / "a").read_bytes() == b"new a"
    assert (volume / "c").is_dir()


def test_a_plan_that_is_not_whole_is_dropped(tmp_path: Path) -> None:
    folder = tmp_path / "workspace"
    reopened(folder)
    batch = folder / "staging" / batch_name("4567")
    batch.mkdir()
    (batch / "0").write_bytes(b"x")
    (batch / "plan.new").write_text(json.dumps({"parts": [], "names": ["x"]})[:10])

    assert list(reopened(folder).iterdir()) == []
