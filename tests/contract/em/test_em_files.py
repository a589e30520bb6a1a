"""Uplink, list, downlink, delete: what every EM does (EM API §1–§4)."""

import asyncio
import hashlib
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from em_sources import Given, Stalled, Zeros, free
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emtui.backend import EM, LOCAL_UPLINK_LIMIT_BYTES
from emtui.errors import BadRequest, ContractViolation, Forbidden, LocalProblem, NotFound
from emtui.plain import FileNode


async def fetch(em: EM, path: str) -> bytes:
    async with em.downlink(path) as download:
        data = b"".join([chunk async for chunk in download.chunks])
        # What is promised after the content is checked by the backend, which then promises nothing itself.
        assert download.size_bytes in (None, len(data))
        assert download.sha256 in ("", hashlib.sha256(data).hexdigest())
        assert download.name == path.rpartition("/")[2]
    return data


async def names(em: EM) -> list[str]:
    return [path for path, _ in (await em.list_files()).walk()]


async def node_at(em: EM, path: str) -> FileNode:
    node = (await em.list_files()).find(path)
    assert node is not None
    return node


# ---------------------------------------------------------------------------------------------------- uplink


async def test_uplink_puts_files_into_a_folder_that_is_made(em: EM, volume_root: Path) -> None:
    result = await em.uplink([Given("a.txt", b"1" * 1024), Given("b.txt", b"2" * 512)], "new/deep")

    assert (result.file_count, result.total_size_kb) == (2, 1.5)
    assert (volume_root / "new/deep/a.txt").read_bytes() == b"1" * 1024
    assert (volume_root / "new/deep/b.txt").read_bytes() == b"2" * 512


@pytest.mark.parametrize("dest_path", ["", ".", "./"])
async def test_uplink_without_a_folder_goes_to_the_volume_itself(em: EM, volume_root: Path, dest_path: str) -> None:
    await em.uplink([Given("a.txt", b"here")], dest_path)

    assert (volume_root / "a.txt").read_bytes() == b"here"


async def test_uplink_replaces_a_file(em: EM, volume_root: Path) -> None:
    (volume_root / "a.txt").write_bytes(b"old and long")

    await em.uplink([Given("a.txt", b"new"), Given("empty")])

    assert (volume_root / "a.txt").read_bytes() == b"new"
    assert (volume_root / "empty").read_bytes() == b""


async def test_uplink_of_nothing(em: EM) -> None:
    with pytest.raises(BadRequest) as caught:
        await em.uplink([])

    assert (caught.value.code, caught.value.message) == ("NO_FILES", "No files were provided for uplink!")
    assert caught.value.status == 400


async def test_uplink_that_says_it_is_too_large_is_refused_before_it_is_read(em: EM) -> None:
    source = Zeros("big", 0, says=LOCAL_UPLINK_LIMIT_BYTES + 1)

    with pytest.raises(BadRequest) as caught:
        await em.uplink([source])

    assert caught.value.code == "MAX_UPLINK_SIZE_EXCEEDED"
    assert caught.value.message == "Total upload size exceeds 500 MB"


@pytest.mark.parametrize(
    "source",
    [
        Given("lies.bin", b"1234", size_bytes=5),
        Given("lies.bin", b"1234", size_bytes=3),
        Given("lies.bin", b"", size_bytes=1),
        Given("lies.bin", b"half", size_bytes=8, fails=LocalProblem("lies.bin: gone")),
        Given("lies.bin", b"half", size_bytes=8, fails=OSError(5, "Input/output error")),
    ],
)
async def test_a_source_that_fails_or_lies_leaves_nothing(em: EM, volume_root: Path, source: Given) -> None:
    (volume_root / "lies.bin").write_bytes(b"old")

    with pytest.raises(LocalProblem, match=r"lies\.bin"):
        await em.uplink([Given("first.txt", b"whole"), source], "")

    await free(em)
    assert await names(em) == ["lies.bin"]
    assert (volume_root / "lies.bin").read_bytes() == b"old"


async def test_a_cancelled_uplink_leaves_nothing(em: EM) -> None:
    source = Stalled("half.bin")
    task = asyncio.create_task(em.uplink([Given("first.txt", b"whole"), source], "made/for/it"))
    await asyncio.wait_for(source.is_reading.wait(), 5)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await free(em)
    assert await names(em) == []


@pytest.mark.parametrize("name", ["../x", "a/b", "/etc/x", "..", "..\\x", "C:\\x", "%2e%2e%2fx", "%252e%252e%252fx"])
async def test_a_name_that_leaves_its_folder_is_forbidden(em: EM, name: str) -> None:
    with pytest.raises((Forbidden, BadRequest)):
        await em.uplink([Given(name, b"x")])

    assert await names(em) == []


@pytest.mark.parametrize("name", ["", ".", "a\0b", "x" * 256, "\ud800"])
async def test_a_name_that_is_none_is_refused(em: EM, name: str) -> None:
    with pytest.raises(BadRequest):
        await em.uplink([Given(name, b"x")])

    assert await names(em) == []


async def test_the_same_name_twice_is_refused(em: EM) -> None:
    with pytest.raises(BadRequest, match="same name"):
        await em.uplink([Given("a", b"1"), Given("a", b"2")])

    assert await names(em) == []


async def test_a_file_does_not_replace_a_folder(em: EM, volume_root: Path) -> None:
    (volume_root / "folder").mkdir()

    with pytest.raises(BadRequest, match="in the way"):
        await em.uplink([Given("first", b"1"), Given("folder", b"2")])

    assert await names(em) == ["folder"]


async def test_a_file_in_the_way_of_a_folder(em: EM, volume_root: Path) -> None:
    (volume_root / "file").write_bytes(b"x")

    with pytest.raises(BadRequest, match="not a folder"):
        await em.uplink([Given("a", b"1")], "file/below")

    assert await names(em) == ["file"]


async def test_three_hundred_files_in_one_call(em: EM) -> None:
    result = await em.uplink([Given(f"{number:03}.dat", b"%d" % number) for number in range(300)], "many")

    assert result.file_count == 300
    listing = await em.list_files()
    assert listing.file_count == 300
    assert [node.name for node in (listing.find("many") or listing.nodes[0]).contents or ()] == [
        f"{number:03}.dat" for number in range(300)
    ]
    assert await fetch(em, "many/137.dat") == b"137"


# ------------------------------------------------------------------------------------------------------ list


async def test_an_empty_volume(em: EM) -> None:
    listing = await em.list_files()

    assert (listing.nodes, listing.file_count, listing.size_bytes) == ((), 0, 0)


async def test_a_listing_tells_types_sizes_times_and_hashes(em: EM, volume_root: Path) -> None:
    await em.uplink([Given("one", b"1" * 10)], "b")
    await em.uplink([Given("two", b"2" * 20)], "b/c")
    await em.uplink([Given("top", b"3")])
    moment = datetime(2025, 11, 20, 12, 31, 17, tzinfo=UTC)
    os.utime(volume_root / "top", (moment.timestamp(), moment.timestamp()))

    listing = await em.list_files()

    assert [path for path, _ in listing.walk()] == ["b", "b/c", "b/c/two", "b/one", "top"]
    assert (listing.file_count, listing.size_bytes) == (3, 31)
    folder, top = listing.nodes
    assert (folder.type, folder.size, folder.hash) == ("directory", 30, None)
    assert (top.type, top.size, top.contents) == ("file", 1, None)
    assert top.time.replace(second=0) == moment.replace(second=0)
    assert abs(datetime.now(UTC) - folder.time) < timedelta(minutes=2)


async def test_a_hash_changes_exactly_when_the_content_does(em: EM, volume_root: Path) -> None:
    await em.uplink([Given("a", b"same"), Given("b", b"same"), Given("c", b"othe")])
    before = {name: (await node_at(em, name)).hash for name in "abc"}

    assert before["a"] == before["b"] != before["c"]
    assert all(isinstance(value, int) and -(2**63) <= value < 2**63 for value in before.values())

    # Another content of the same size and with the same mtime, as a pod can make it.
    status = (volume_root / "a").stat()
    (volume_root / "a").write_bytes(b"SAME")
    os.utime(volume_root / "a", ns=(status.st_atime_ns, status.st_mtime_ns))

    assert (await node_at(em, "a")).hash != before["a"]
    assert (await node_at(em, "b")).hash == before["b"]


async def test_an_unchanged_volume_gives_the_same_fingerprint(em: EM, volume_root: Path) -> None:
    await em.uplink([Given("a", b"1")], "folder")
    await em.uplink([Given("b", b"2")], "other")
    first = await em.list_files()
    second = await em.list_files()
    (volume_root / "folder/a").write_bytes(b"3")
    third = await em.list_files()

    assert first.fingerprint == second.fingerprint != third.fingerprint
    assert first.nodes[1] is second.nodes[1] is third.nodes[1]
    assert first.nodes[0] is second.nodes[0] is not third.nodes[0]


# -------------------------------------------------------------------------------------------------- downlink


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1, 5_000_000])
async def test_downlink_gives_what_was_uplinked(em: EM, size: int) -> None:
    data = os.urandom(size)
    await em.uplink([Given("data.bin", data)], "folder")

    assert await fetch(em, "folder/data.bin") == data


async def test_downlink_of_what_is_not_there(em: EM, volume_root: Path) -> None:
    (volume_root / "folder").mkdir()

    for path in ("missing", "folder/missing", "nowhere/missing"):
        with pytest.raises(NotFound) as caught:
            await fetch(em, path)
        assert caught.value.status == 404


async def test_downlink_of_a_folder_is_a_bad_request(em: EM, volume_root: Path) -> None:
    (volume_root / "folder").mkdir()

    with pytest.raises(BadRequest):
        await fetch(em, "folder")


def make_large(path: Path) -> None:
    """A file of more than the buffers of a connection hold."""
    path.write_bytes(b"")
    os.truncate(path, 64 << 20)


async def test_a_file_that_changes_while_it_is_read_is_not_taken_for_whole(em: EM, volume_root: Path) -> None:
    make_large(volume_root / "grows.bin")

    async with em.downlink("grows.bin") as download:
        await anext(download.chunks)
        with (volume_root / "grows.bin").open("r+b") as file:
            file.seek(60 << 20)
            file.write(b"changed")
        with pytest.raises(ContractViolation, match="changed while it was read"):
            async for _ in download.chunks:
                pass


async def test_a_file_that_shrinks_while_it_is_read(em: EM, volume_root: Path) -> None:
    make_large(volume_root / "shrinks.bin")

    async with em.downlink("shrinks.bin") as download:
        await anext(download.chunks)
        os.truncate(volume_root / "shrinks.bin", 1 << 20)
        with pytest.raises(ContractViolation, match="changed while it was read"):
            async for _ in download.chunks:
                pass


# ---------------------------------------------------------------------------------------------------- delete


async def test_delete_of_a_file_and_of_a_folder(em: EM) -> None:
    await em.uplink([Given("a", b"1"), Given("b", b"2")], "folder/deep")
    await em.uplink([Given("c", b"3")])

    assert await em.delete("folder/deep/a") == "File deleted successfully"
    assert await names(em) == ["folder", "folder/deep", "folder/deep/b", "c"]
    assert await em.delete("folder/") == "File deleted successfully"
    assert await names(em) == ["c"]


@pytest.mark.parametrize("path", ["missing", "nowhere/missing", "file/below"])
async def test_delete_of_what_is_not_there(em: EM, path: str) -> None:
    await em.uplink([Given("file", b"1")])

    with pytest.raises(BadRequest) as caught:
        await em.delete(path)

    assert caught.value.status == 400
    assert await names(em) == ["file"]


@pytest.mark.parametrize("path", ["", ".", "./"])
async def test_the_volume_itself_is_not_deleted(em: EM, path: str) -> None:
    await em.uplink([Given("file", b"1")])

    with pytest.raises(BadRequest):
        await em.delete(path)

    assert await names(em) == ["file"]


# ------------------------------------------------------------------------------------------------ round trip


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.binary(min_size=1, max_size=255)
    .filter(lambda raw: not set(raw) & {0, ord("/")})
    .map(os.fsdecode)
    .filter(lambda name: name not in (".", "..")),
    data=st.binary(max_size=4096),
)
async def test_any_name_and_any_bytes_make_the_round_trip(em: EM, name: str, data: bytes) -> None:
    try:
        await em.uplink([Given(name, data)], "folder")
    except Forbidden:
        # What could be taken for a way out of the volume is refused, and only that.
        assert ".." in name or "%" in name or ":" in name
        return
    assert await names(em) == ["folder", f"folder/{name}"]
    assert await fetch(em, f"folder/{name}") == data
    await em.delete("folder")
    assert await names(em) == []
