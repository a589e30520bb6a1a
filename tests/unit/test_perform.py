"""Each command, carried out through the Link on the local EM and Grid Node."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from emtui.commands import (
    BuildImage,
    Command,
    Delete,
    Downlink,
    GetModel,
    LoadImage,
    RunPod,
    ServeModel,
    Uplink,
)
from emtui.errors import Forbidden
from emtui.link.perform import downlink_targets
from emtui.models import PodSpec
from emtui.plain import FileNode, Listing
from emtui.views import CommandState, Stage
from tests.unit.local_pair import Pair, local_pair

DEADLINE_S = 20.0


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    async with local_pair(tmp_path / "ws") as made:
        yield made


async def run(pair: Pair, command: Command) -> CommandState:
    number = await pair.session.submit(command)
    return await asyncio.wait_for(pair.session.link(command).finished(number), DEADLINE_S)


async def test_a_folder_goes_up_with_its_tree_and_comes_back_the_same(pair: Pair, tmp_path: Path) -> None:
    source = tmp_path / "payload"
    (source / "deep/er").mkdir(parents=True)
    (source / "a.bin").write_bytes(bytes(range(256)) * 5000)
    (source / "deep/b").write_bytes(b"")
    (source / "deep/er/c").write_bytes(b"c")
    up = await run(pair, Uplink((source,), "in"))
    assert (up.stage, up.note) == (Stage.COMPLETE, "3 files, 1.2 MiB, listed")
    assert up.done_bytes == up.total_bytes == 256 * 5000 + 1
    assert (pair.volume / "in/payload/deep/er/c").read_bytes() == b"c"
    target = tmp_path / "out"
    target.mkdir()
    down = await run(pair, Downlink(("in/payload",), target))
    assert down.stage is Stage.COMPLETE
    assert "3 files" in down.note
    assert "sha256 OK" in down.note
    for path in ("a.bin", "deep/b", "deep/er/c"):
        assert (target / "payload" / path).read_bytes() == (source / path).read_bytes()


async def test_one_file_goes_to_a_name_or_into_a_folder(pair: Pair, tmp_path: Path) -> None:
    (pair.volume / "a.txt").write_text("hello")
    assert (await run(pair, Downlink(("a.txt",), tmp_path / "b.txt"))).stage is Stage.COMPLETE
    assert (tmp_path / "b.txt").read_text() == "hello"
    assert (await run(pair, Downlink(("a.txt",), tmp_path))).stage is Stage.COMPLETE
    assert (tmp_path / "a.txt").read_text() == "hello"


async def test_a_folder_that_is_not_there_yet_is_made(pair: Pair, tmp_path: Path) -> None:
    (pair.volume / "d").mkdir()
    (pair.volume / "d/a.txt").write_text("hello")
    new = tmp_path / "new/er"
    assert (await run(pair, Downlink(("d/a.txt",), new, is_folder=True))).stage is Stage.COMPLETE
    assert (new / "a.txt").read_text() == "hello"
    assert (await run(pair, Downlink(("d",), tmp_path / "other", is_folder=True))).stage is Stage.COMPLETE
    assert (tmp_path / "other/d/a.txt").read_text() == "hello"


async def test_what_a_killed_emtui_left_is_removed_in_each_folder_of_a_downlink(pair: Pair, tmp_path: Path) -> None:
    target = tmp_path / "out"
    left, others = [], []
    for folder in ("d", "d/e"):
        (pair.volume / folder).mkdir()
        (target / folder).mkdir(parents=True)
        for name in ("a", "b"):
            (pair.volume / folder / name).write_text(name)
            left.append(target / folder / f".{name}.0123456789abcdef.part")
        others.append(target / folder / ".c.0123456789abcdef.part")
    for path in (*left, *others):
        path.write_text("half")
    assert (await run(pair, Downlink(("d",), target, is_folder=True))).stage is Stage.COMPLETE
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in others)


async def test_the_names_of_a_downlink_are_made_to_last_once_for_each_folder(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("d", "d/e"):
        (pair.volume / folder).mkdir()
        for number in range(10):
            (pair.volume / folder / f"f{number}").write_text("x")
    synced: list[bool] = []
    fsync = os.fsync

    def counted(fd: int) -> None:
        synced.append(stat.S_ISDIR(os.fstat(fd).st_mode))
        fsync(fd)

    monkeypatch.setattr(os, "fsync", counted)
    assert (await run(pair, Downlink(("d",), tmp_path / "out", is_folder=True))).stage is Stage.COMPLETE
    assert (synced.count(False), synced.count(True)) == (20, 2)


async def test_what_lies_in_a_folder_that_goes_is_not_deleted_twice(pair: Pair) -> None:
    (pair.volume / "d/e").mkdir(parents=True)
    for name in ("d/a", "d/e/b", "d-not-in-it"):
        (pair.volume / name).write_text("")
    done = await run(pair, Delete(("d/e/b", "d/a", "d", "d-not-in-it")))
    assert (done.stage, done.note) == (Stage.COMPLETE, "2 entries")
    assert list(pair.volume.iterdir()) == []


async def test_thousands_of_names_are_looked_up_in_one_walk(pair: Pair, tmp_path: Path) -> None:
    walks = 0

    class Counted(Listing):
        def walk(self) -> Iterator[tuple[str, FileNode]]:
            nonlocal walks
            walks += 1
            return super().walk()

        def find(self, path: str) -> FileNode | None:
            raise AssertionError("a search for each name")

    nodes = tuple(FileNode("file", f"f{number}", 1, datetime.now(UTC)) for number in range(3000))
    names = tuple(node.name for node in nodes)
    found = downlink_targets(Downlink(names, tmp_path / "out"), Counted(nodes, "", 3000, 3000))
    assert [path for path, _, _ in found] == list(names)
    assert walks == 1


async def test_the_progress_of_a_downlink_is_its_bytes(pair: Pair, tmp_path: Path) -> None:
    (pair.volume / "big").write_bytes(bytes(5_000_000))
    seen: list[int] = []
    pair.session.em.ledger.on_state = lambda state: seen.append(state.done_bytes)
    ended = await run(pair, Downlink(("big",), tmp_path / "big"))
    assert ended.done_bytes == ended.total_bytes == 5_000_000
    assert seen == sorted(seen)
    await run(pair, ServeModel(tmp_path / "big", "m", allow_download=True))
    got = await run(pair, GetModel("m", tmp_path / "copy"))
    assert got.done_bytes == got.total_bytes == 5_000_000


async def test_a_folder_and_what_is_in_it_are_deleted_once(pair: Pair) -> None:
    (pair.volume / "f").mkdir()
    (pair.volume / "f/x").write_text("x")
    assert (await run(pair, Delete(("f/x", "f")))).stage is Stage.COMPLETE
    (pair.volume / "a").write_text("a")
    failed = await run(pair, Delete(("a", "gone")))
    assert "1 of 2 were deleted before it" in failed.error


async def test_nothing_is_overwritten_unasked(pair: Pair, tmp_path: Path) -> None:
    (pair.volume / "a.txt").write_text("new")
    (tmp_path / "a.txt").write_text("old")
    refused = await run(pair, Downlink(("a.txt",), tmp_path))
    assert refused.stage is Stage.FAILED
    assert "exists" in refused.error
    assert refused.remedy
    assert (tmp_path / "a.txt").read_text() == "old"
    assert (await run(pair, Downlink(("a.txt",), tmp_path, overwrite=True))).stage is Stage.COMPLETE
    assert (tmp_path / "a.txt").read_text() == "new"


async def test_what_is_not_there_says_so(pair: Pair, tmp_path: Path) -> None:
    missing = await run(pair, Downlink(("nope",), tmp_path))
    assert (missing.stage, missing.error) == (Stage.FAILED, "the volume does not list nope")
    (pair.volume / "empty").mkdir()
    assert "no file in it" in (await run(pair, Downlink(("empty",), tmp_path))).error
    assert (await run(pair, Uplink((tmp_path / "nope",)))).stage is Stage.FAILED
    assert (await run(pair, Delete(("nope",)))).stage is Stage.FAILED


async def test_deleting(pair: Pair) -> None:
    (pair.volume / "d").mkdir()
    (pair.volume / "d/x").write_text("x")
    (pair.volume / "y").write_text("y")
    ended = await run(pair, Delete(("d", "y")))
    assert (ended.stage, ended.note) == (Stage.COMPLETE, "2 entries")
    assert list(pair.volume.iterdir()) == []


async def test_building_and_a_build_that_fails(pair: Pair) -> None:
    (pair.volume / "app").mkdir()
    (pair.volume / "app/Dockerfile").write_text("FROM alpine\n")
    built = await run(pair, BuildImage("app/Dockerfile", "app", "echo"))
    assert (built.stage, built.note) == (Stage.COMPLETE, "Docker Image built successfully")
    (pair.volume / "app/Dockerfile").write_text("FROM alpine\nRUN false\n")
    failed = await run(pair, BuildImage("app/Dockerfile", "app", "echo"))
    assert failed.stage is Stage.FAILED
    assert failed.error == "Docker build failed"
    assert "RUN false\n" in failed.log_tail


async def test_loading_what_is_not_there(pair: Pair) -> None:
    ended = await run(pair, LoadImage("test2.tar", "x"))
    assert ended.stage is Stage.FAILED
    assert ended.error == "Docker Image tarfile failed to load"
    assert any("No such file or directory" in line for line in ended.log_tail)


async def test_running(pair: Pair) -> None:
    ended = await run(pair, RunPod(PodSpec(docker_image="alpine", max_duration=1, node="FPGA")))
    assert (ended.stage, ended.note) == (Stage.COMPLETE, "Docker run scheduled successfully")
    assert pair.engine.requests[0].node == "FPGA"


async def test_a_model_goes_and_comes_back(pair: Pair, tmp_path: Path) -> None:
    weights = bytes(range(256)) * 9000
    (tmp_path / "m.pt").write_bytes(weights)
    served = await run(pair, ServeModel(tmp_path / "m.pt", "mnist/🛰", allow_download=True))
    assert (served.stage, served.note) == (Stage.COMPLETE, "Model saved with id: mnist/🛰")
    again = await run(pair, ServeModel(tmp_path / "m.pt", "mnist/🛰", allow_download=True))
    assert (again.stage, again.error) == (Stage.FAILED, "Model id already exists.")
    got = await run(pair, GetModel("mnist/🛰", tmp_path / "copy.pt"))
    assert got.stage is Stage.COMPLETE
    assert (tmp_path / "copy.pt").read_bytes() == weights
    refused = await run(pair, GetModel("mnist/🛰", tmp_path / "copy.pt"))
    assert "exists" in refused.error


async def test_a_model_that_may_not_be_copied(pair: Pair, tmp_path: Path) -> None:
    (tmp_path / "m.pt").write_bytes(b"x")
    await run(pair, ServeModel(tmp_path / "m.pt", "secret", allow_download=False))
    refused = await run(pair, GetModel("secret", tmp_path / "copy.pt"))
    assert refused.error == "You're not allowed to download this model."
    assert not (tmp_path / "copy.pt").exists()


async def test_read_only_refuses_what_changes_the_other_side(tmp_path: Path) -> None:
    async with local_pair(tmp_path / "ws", is_read_only=True) as pair:
        (pair.volume / "a.txt").write_text("a")
        with pytest.raises(Forbidden, match="read-only"):
            await pair.session.submit(Delete(("a.txt",)))
        assert (await run(pair, Downlink(("a.txt",), tmp_path))).stage is Stage.COMPLETE


async def test_an_uplink_that_is_cancelled_leaves_nothing(pair: Pair, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * 100_000_000)
    command = Uplink((tmp_path / "big",))
    number = await pair.session.submit(command)

    async def moving() -> None:
        while pair.session.em.states[number].stage is not Stage.EXECUTING:
            await asyncio.sleep(0.001)

    await asyncio.wait_for(moving(), DEADLINE_S)
    assert pair.session.em.cancel(number)
    ended = await asyncio.wait_for(pair.session.em.finished(number), DEADLINE_S)
    assert ended.stage is Stage.CANCELLED
    assert list(pair.volume.iterdir()) == []
    assert list((pair.volume.parent / "staging").iterdir()) == []
