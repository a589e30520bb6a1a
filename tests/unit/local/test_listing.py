"""The listing and its hashes: what is read again, what stays the same object, and how the walk goes."""

import asyncio
import os
import random
import shutil
import struct
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import xxhash
from local_limits import open_files, without_rights

from emtui.local import hashes, listing
from emtui.local.handles import DirHandle
from emtui.local.hashes import HashCache
from emtui.local.listing import Lister
from emtui.local.stopping import Stop, StopRequested, stoppable
from emtui.local.workspace import Workspace
from emtui.plain import FileNode


def lister(workspace: Workspace) -> Lister:
    return Lister(workspace.volume, HashCache(workspace.store))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were opened to be hashed."""
    names: list[str] = []
    plain = HashCache._known

    def counted(self: HashCache, status: os.stat_result) -> int | None:
        known = plain(self, status)
        if known is None:
            names.append(str(status.st_ino))
        return known

    monkeypatch.setattr(HashCache, "_known", counted)
    return names


@pytest.fixture
def old_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as settled at once."""
    monkeypatch.setattr(hashes, "YOUNG_NS", -1)


def node_at(found: listing.Listing, path: str) -> FileNode:
    node = found.find(path)
    assert node is not None
    return node


def test_a_hash_is_xxh3_of_the_content_as_a_signed_number(workspace: Workspace, volume: Path) -> None:
    seen = set()
    for number in range(40):
        (volume / f"{number}").write_bytes(b"%d" % number)
    (volume / "big").write_bytes(random.Random(1).randbytes(3_000_001))

    found = lister(workspace).list(Stop())

    for node in found.nodes:
        content = (volume / node.name).read_bytes()
        assert node.hash is not None
        assert node.hash % 2**64 == xxhash.xxh3_64_intdigest(content)
        seen.add(node.hash < 0)
    assert seen == {True, False}


@pytest.mark.usefixtures("old_enough")
def test_an_unchanged_tree_is_the_same_listing_and_opens_nothing(
    workspace: Workspace, volume: Path, opened: list[str]
) -> None:
    for number in range(50):
        path = volume / f"d{number % 5}" / f"e{number % 2}" / f"{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d" % number)
    own = lister(workspace)
    first = own.list(Stop())
    assert len(opened) == 50
    opened.clear()

    assert own.list(Stop()) is first
    assert opened == []


@pytest.mark.usefixtures("old_enough")
def test_only_what_changed_is_a_new_object(workspace: Workspace, volume: Path) -> None:
    for name in ("a/x/1", "a/x/2", "a/y/3", "b/4", "5"):
        (volume / name).parent.mkdir(parents=True, exist_ok=True)
        (volume / name).write_bytes(name.encode())
    own = lister(workspace)
    before = own.list(Stop())
    (volume / "a/x/2").write_bytes(b"a/x/9")

    after = own.list(Stop())

    for path, is_same in {
        "a": False,
        "a/x": False,
        "a/x/1": True,
        "a/x/2": False,
        "a/y": True,
        "a/y/3": True,
        "b": True,
        "5": True,
    }.items():
        assert (node_at(after, path) is node_at(before, path)) == is_same, path
    assert after.fingerprint != before.fingerprint


@pytest.mark.usefixtures("old_enough")
@pytest.mark.parametrize(
    "change",
    [
        lambda volume: (volume / "a/file").unlink(),
        lambda volume: (volume / "a/new").touch(),
        lambda volume: (volume / "a/file").rename(volume / "a/renamed"),
        lambda volume: (volume / "a").rename(volume / "z"),
        lambda volume: (volume / "empty").rmdir(),
        lambda volume: ((volume / "a/file").unlink(), (volume / "a/file").mkdir()),
        lambda volume: ((volume / "a/file").unlink(), (volume / "a/file").symlink_to("x")),
        lambda volume: os.utime(volume / "a/file", (1, 1)),
        lambda volume: os.utime(volume / "empty", (1, 1)),
        lambda volume: shutil.rmtree(volume / "a"),
    ],
)
def test_every_change_is_another_fingerprint(workspace: Workspace, volume: Path, change) -> None:  # type: ignore[no-untyped-def]
    (volume / "a").mkdir()
    (volume / "empty").mkdir()
    (volume / "a/file").write_bytes(b"x")
    own = lister(workspace)
    before = own.list(Stop())

    change(volume)
    after = own.list(Stop())

    assert after.fingerprint != before.fingerprint
    fresh = lister(workspace).list(Stop())
    assert list(after.walk()) == list(fresh.walk())
    assert (after.file_count, after.size_bytes) == (fresh.file_count, fresh.size_bytes)


def test_random_changes_are_listed_as_a_fresh_lister_would(workspace: Workspace, volume: Path) -> None:
    chance = random.Random(7)
    own = lister(workspace)
    for _ in range(60):
        folder = volume / chance.choice(["", "a", "a/b", "c"])
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / chance.choice(["1", "2", "3"])
        if path.exists() and chance.random() < 0.4:
            path.unlink()
        else:
            path.write_bytes(chance.randbytes(chance.choice([0, 1, 5])))
        if chance.random() < 0.1:
            shutil.rmtree(volume / "a", ignore_errors=True)
        found = own.list(Stop())
        assert list(found.walk()) == list(lister(workspace).list(Stop()).walk())


def test_a_file_that_has_just_changed_is_read_once_more(workspace: Workspace, volume: Path, opened: list[str]) -> None:
    (volume / "young").write_bytes(b"x")
    own = lister(workspace)

    first = own.list(Stop())
    second = own.list(Stop())

    assert len(opened) == 2
    assert second is first
    assert workspace.store.read("SELECT * FROM hashes") == []


@pytest.mark.usefixtures("old_enough")
def test_hashes_outlive_the_process_and_stale_ones_go(workspace: Workspace, volume: Path, opened: list[str]) -> None:
    for number in range(20):
        (volume / f"{number}").write_bytes(b"%d" % number)
    first = lister(workspace).list(Stop())
    for number in range(5):
        (volume / f"{number}").unlink()
    opened.clear()

    again = lister(workspace).list(Stop())

    assert opened == []
    assert again.nodes == tuple(node for node in first.nodes if int(node.name) >= 5)
    assert len(workspace.store.read("SELECT * FROM hashes")) == 15


@pytest.mark.usefixtures("old_enough")
def test_many_hashes_are_written_in_batches(
    workspace: Workspace, volume: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashes, "_BATCH_ROWS", 7)
    for number in range(20):
        (volume / f"{number}").touch()

    lister(workspace).list(Stop())

    assert len(workspace.store.read("SELECT * FROM hashes")) == 20


def test_folders_come_first_then_names_in_the_order_of_their_bytes(workspace: Workspace, volume: Path) -> None:
    names = ["b", "B", "ä", "10", "9", "-x", os.fsdecode(b"\xff"), "\U0001f600", "\ufffd"]
    for name in names:
        (volume / name).touch()
    (volume / "zz").mkdir()
    (volume / "a").mkdir()

    found = [node.name for node in lister(workspace).list(Stop()).nodes]

    assert found == ["a", "zz", *sorted(names, key=os.fsencode)]


@pytest.mark.parametrize(("set_to", "year"), [(-(2**40), 1900), (0, 1970), (2**38, 9999), (1_700_000_000.9, 2023)])
def test_any_time_a_pod_may_set_is_listed(workspace: Workspace, volume: Path, set_to: float, year: int) -> None:
    (volume / "file").touch()
    try:
        os.utime(volume / "file", (set_to, set_to))
    except OSError:
        pytest.skip("this file system does not hold such a time")

    node = lister(workspace).list(Stop()).nodes[0]

    assert node.time.tzinfo is UTC
    assert node.time.microsecond == 0
    kept = (volume / "file").stat().st_mtime
    assert node.time.year == (year if kept == set_to else datetime.fromtimestamp(kept, UTC).year)


def test_a_comb_deeper_than_the_open_directories_is_listed(
    workspace: Workspace, volume: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_MAX_OPEN", 8)
    depth = 60
    folder = volume
    for level in range(depth):
        # The order of a directory is its own affair; with other names on every level each order comes up.
        side, folder = folder / f"side-{level}", folder / f"down-{level}"
        folder.mkdir()
        side.mkdir()
        (side / "file").write_bytes(b"%d" % level)
    most = 0
    plain = DirHandle.open_dir

    def counted(self: DirHandle, parts: tuple[str, ...], *, create: bool = False) -> DirHandle:
        nonlocal most
        most = max(most, open_files())
        return plain(self, parts, create=create)

    workspace.store.read("SELECT hash FROM hashes")  # opens what SQLite keeps open
    before = open_files()
    monkeypatch.setattr(DirHandle, "open_dir", counted)

    found = lister(workspace).list(Stop())

    assert found.file_count == depth
    assert sum(1 for _ in found.walk()) == 3 * depth
    assert most > before
    assert most - before <= 8 + 4
    assert open_files() == before


def test_what_goes_away_during_the_walk_is_left_out(
    workspace: Workspace, volume: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("gone", "swapped", "stays"):
        (volume / name).mkdir()
        (volume / name / "file").touch()
    plain = DirHandle.open_dir

    def racing(self: DirHandle, parts: tuple[str, ...], *, create: bool = False) -> DirHandle:
        if parts == ("gone",):
            shutil.rmtree(volume / "gone")
        if parts == ("swapped",):
            shutil.rmtree(volume / "swapped")
            (volume / "swapped").symlink_to("/etc")
        return plain(self, parts, create=create)

    monkeypatch.setattr(DirHandle, "open_dir", racing)

    assert [path for path, _ in lister(workspace).list(Stop()).walk()] == ["stays", "stays/file"]


def test_a_file_that_is_replaced_before_it_is_read_has_no_hash_yet(
    workspace: Workspace, volume: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (volume / "file").write_bytes(b"x")
    plain = HashCache._known

    def racing(self: HashCache, status: os.stat_result) -> int | None:
        (volume / "file").unlink()
        os.mkfifo(volume / "file")
        return plain(self, status)

    monkeypatch.setattr(HashCache, "_known", racing)
    own = lister(workspace)
    assert own.list(Stop()).nodes[0].hash is None
    monkeypatch.undo()
    assert own.list(Stop()).nodes[0].type == "other"


def test_a_folder_that_was_replaced_while_it_was_closed_is_left_out(
    workspace: Workspace, volume: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_MAX_OPEN", 1)
    for name in ("a/x/1", "a/y/2", "a/z/3"):
        (volume / name).mkdir(parents=True)
        (volume / name / "file").touch()
    plain = DirHandle.open_dir
    is_done = False

    def racing(self: DirHandle, parts: tuple[str, ...], *, create: bool = False) -> DirHandle:
        nonlocal is_done
        if parts and parts[0] in "123" and not is_done:
            is_done = True
            (volume / "a").rename(volume.parent / "moved")
            (volume / "a").mkdir()
            (volume / "a/other").touch()
        return plain(self, parts, create=create)

    monkeypatch.setattr(DirHandle, "open_dir", racing)

    paths = [path for path, _ in lister(workspace).list(Stop()).walk()]

    # The first of the three had been entered; the others would have been looked for in another folder.
    assert len(paths) == 4
    assert paths[0] == "a"
    assert paths[3].endswith("/file")


def test_a_hard_link_is_listed_without_its_content(workspace: Workspace, volume: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(b"secret")
    os.link(tmp_path / "outside", volume / "hard")

    node = lister(workspace).list(Stop()).nodes[0]

    assert (node.type, node.size, node.hash) == ("file", 6, None)


def test_what_may_not_be_read_is_listed_all_the_same(common_folder: Path) -> None:
    def work() -> None:
        workspace = Workspace(common_folder / "w")
        volume = common_folder / "w/volume"
        (volume / "closed/inner").mkdir(parents=True)
        (volume / "file").write_bytes(b"x")
        (volume / "file").chmod(0)
        (volume / "closed").chmod(0)
        (volume / "half").mkdir()
        (volume / "half/seen").touch()
        (volume / "half").chmod(0o400)
        found = lister(workspace).list(Stop())
        (volume / "closed").chmod(0o700)
        (volume / "half").chmod(0o700)
        workspace.close()
        assert [(path, node.type, node.hash) for path, node in found.walk()] == [
            ("closed", "directory", None),
            ("half", "directory", None),
            ("file", "file", None),
        ]

    without_rights(work)


def test_a_sparse_file_is_hashed_by_its_data(workspace: Workspace, volume: Path) -> None:
    def sparse(name: str, *places: int) -> None:
        with (volume / name).open("wb") as file:
            for place in places:
                file.seek(place)
                file.write(b"data")
            file.truncate(1 << 41)

    sparse("empty")
    sparse("one", 1 << 30)
    sparse("two", 1 << 30, 1 << 40)
    sparse("moved", (1 << 30) + 8192)
    begun = time.monotonic()

    found = lister(workspace).list(Stop())

    assert time.monotonic() - begun < 5
    numbers = [node.hash for node in found.nodes]
    assert None not in numbers
    assert len(set(numbers)) == 4
    size = xxhash.xxh3_64_intdigest(struct.pack("=q", 1 << 41))
    assert node_at(found, "empty").hash in (size, size - 2**64)


def test_a_walk_can_be_stopped_and_keeps_what_it_has_read(
    workspace: Workspace, volume: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashes, "YOUNG_NS", -1)
    for number in range(50):
        (volume / f"{number}").write_bytes(b"x")
    stop = Stop()
    plain = HashCache._remember

    def counted(self: HashCache, status: os.stat_result, number: int) -> None:
        plain(self, status, number)
        if len(self._new) == 10:
            stop.set()

    monkeypatch.setattr(HashCache, "_remember", counted)
    own = lister(workspace)
    workspace.store.read("SELECT hash FROM hashes")  # opens what SQLite keeps open
    before = open_files()

    with pytest.raises(StopRequested):
        own.list(stop)

    assert len(workspace.store.read("SELECT * FROM hashes")) == 10
    assert open_files() == before
    assert own.list(Stop()).file_count == 50


async def test_a_large_hash_ends_when_its_caller_is_cancelled(workspace: Workspace, volume: Path) -> None:
    with (volume / "large").open("wb") as file:
        file.truncate(900 << 20)  # below the size at which holes are skipped
    task = asyncio.create_task(stoppable(lister(workspace).list))
    await asyncio.sleep(0.02)
    begun = time.monotonic()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert time.monotonic() - begun < 0.5


async def test_the_event_loop_breathes_while_a_large_volume_is_listed(workspace: Workspace, volume: Path) -> None:
    for folder in range(20):
        (volume / f"{folder}").mkdir()
        for number in range(500):
            (volume / f"{folder}" / f"{number}").touch()
    own = lister(workspace)
    await stoppable(own.list)
    await asyncio.sleep(2.1)  # until the files are old enough to be believed
    await stoppable(own.list)
    late: list[float] = []

    async def beat() -> None:
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(0.001)
            late.append(time.perf_counter() - begun - 0.001)

    beating = asyncio.create_task(beat())
    first = await stoppable(own.list)
    second = await stoppable(own.list)
    beating.cancel()

    assert second is first
    assert len(late) > 5
    # The machine may be busy with other things; the middle one tells what the listing does.
    assert sorted(late)[len(late) // 2] < 0.01
