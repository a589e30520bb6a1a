"""The operator's own disk: what is read from it, and what foreign names are on it."""

import asyncio
import errno
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emtui.backend import CHUNK_BYTES
from emtui.errors import LocalProblem
from emtui.files import FileSource, MemorySource, are_one_file, collisions, local_name, told_apart
from emtui.threads import in_thread

DEADLINE_S = 30
DATA = b"abc" * 1000


async def read(source: Any) -> bytes:
    async with source.open() as chunks:
        return b"".join([chunk async for chunk in chunks])


# ------------------------------------------------------------------------------------------------- reading


async def test_a_file_is_read_in_chunks_and_again(tmp_path: Path) -> None:
    path = tmp_path / "caf\udce9 [red]"
    path.write_bytes(b"x" * (2 * CHUNK_BYTES + 5))
    source = FileSource(path)
    assert (source.name, source.size_bytes) == ("caf\udce9 [red]", 2 * CHUNK_BYTES + 5)
    assert "FileSource" in repr(source)
    for _ in range(2):
        async with source.open() as chunks:
            assert [len(chunk) async for chunk in chunks] == [CHUNK_BYTES, CHUNK_BYTES, 5]


async def test_a_link_that_was_named_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(DATA)
    (tmp_path / "link").symlink_to("real")
    source = FileSource(tmp_path / "link")
    assert (source.name, source.size_bytes) == ("link", len(DATA))
    assert await read(source) == DATA


async def test_memory_is_a_source_too() -> None:
    source = MemorySource("m", b"x" * (CHUNK_BYTES + 1))
    assert (source.name, source.size_bytes) == ("m", CHUNK_BYTES + 1)
    assert len(await read(source)) == CHUNK_BYTES + 1
    assert await read(MemorySource("m", b"")) == b""


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    for path, reason in [
        (tmp_path, "a folder"),
        (tmp_path / "fifo", "a device, FIFO or socket"),
        (Path("/dev/zero"), "a device, FIFO or socket"),
        (tmp_path / "missing", "No such file"),
        (tmp_path / "dangling", "No such file"),
        (tmp_path / "loop", "symbolic links"),
        (tmp_path / "nul\0", "no path of this system"),
        (tmp_path / "\ud800", "no path of this system"),
    ]:
        with pytest.raises(LocalProblem, match=reason) as caught:
            FileSource(path)
        assert caught.value.remedy


async def test_a_file_that_became_a_fifo_does_not_block(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(DATA)
    source = FileSource(tmp_path / "f")
    (tmp_path / "f").unlink()
    os.mkfifo(tmp_path / "f")
    with pytest.raises(LocalProblem, match="FIFO"):
        await asyncio.wait_for(read(source), DEADLINE_S)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda path: path.write_bytes(b"more than before" + DATA), "since it was chosen"),
        (lambda path: path.write_bytes(b"less"), "since it was chosen"),
        (lambda path: path.unlink(), "No such file"),
    ],
)
async def test_a_file_that_changed_since_it_was_chosen(tmp_path: Path, change: Any, reason: str) -> None:
    (tmp_path / "f").write_bytes(DATA)
    source = FileSource(tmp_path / "f")
    change(tmp_path / "f")
    with pytest.raises(LocalProblem, match=reason):
        await read(source)


def rewrite(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size - 4)
        file.write(b"!!!!")
    os.utime(path, (1, 1))


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more" * CHUNK_BYTES)


@pytest.mark.parametrize(
    "change", [rewrite, append, lambda path: os.truncate(path, 10)], ids=["same size", "grew", "shrank"]
)
async def test_a_file_that_changes_while_it_is_read(tmp_path: Path, change: Any) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x" * (3 * CHUNK_BYTES))
    source = FileSource(path)
    async with source.open() as chunks:
        await anext(chunks)
        change(path)
        with pytest.raises(LocalProblem, match="while it was read"):
            assert [chunk async for chunk in chunks]


async def test_a_disk_that_fails_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "f").write_bytes(DATA)

    def fail(*_: object) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "read", fail)
    with pytest.raises(LocalProblem, match="Input/output error") as caught:
        await read(FileSource(tmp_path / "f"))
    assert "disk may be failing" in caught.value.remedy


async def test_a_cancelled_caller_waits_for_its_thread() -> None:
    begun, end = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    done = []

    def work() -> None:
        loop.call_soon_threadsafe(begun.set)
        asyncio.run_coroutine_threadsafe(end.wait(), loop).result(DEADLINE_S)
        done.append(True)

    task = asyncio.create_task(in_thread(work))
    await asyncio.wait_for(begun.wait(), DEADLINE_S)
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    end.set()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, DEADLINE_S)
    assert done == [True]


# --------------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("foreign", "local"),
    [
        ("a.txt", "a.txt"),
        ("org/model", "org_model"),
        ("../../etc/passwd", ".._.._etc_passwd"),
        ("/", "_"),
        ("nul\0", "nul_"),
        ("lone \ud800", "lone _"),
        ("caf\udce9", "caf\udce9"),
        ("...", "..."),
        ("line\nbreak", "line\nbreak"),
        ("x" * 300 + ".tar.gz", "x" * 252 + ".gz"),
        ("é" * 300, "é" * 127),
        ("x." + "y" * 300, "x." + "y" * 253),
    ],
    ids=ascii,
)
def test_foreign_names_here(foreign: str, local: str) -> None:
    assert local_name(foreign, windows=False) == local


@pytest.mark.parametrize(
    ("foreign", "local"),
    [("con.txt", "_con.txt"), ("NUL", "_NUL"), ("a:b?", "a_b_"), ("name. ", "name"), ("a\tb", "a_b"), ("a.b", "a.b")],
)
def test_foreign_names_on_windows(foreign: str, local: str) -> None:
    assert local_name(foreign, windows=True) == local


@pytest.mark.parametrize("foreign", ["", ".", ".."])
def test_names_that_nothing_is_left_of(foreign: str) -> None:
    for windows in (False, True):
        with pytest.raises(LocalProblem, match="cannot be the name"):
            local_name(foreign, windows=windows)


@given(st.text(st.characters(exclude_categories=[]), max_size=300))
def test_a_local_name_is_one_step_below_its_folder(foreign: str) -> None:
    for windows in (False, True):
        try:
            name = local_name(foreign, windows=windows)
        except LocalProblem:
            continue
        encoded = os.fsencode(name)
        assert 0 < len(encoded) <= 255
        assert b"/" not in encoded
        assert b"\0" not in encoded
        assert name not in (".", "..")
        assert local_name(name, windows=windows) == name


def test_names_that_would_be_one_file() -> None:
    assert collisions(["a", "b", "A/b", "a/b"]) == [("A/b", "a/b")]
    assert collisions(["Read.me", "README", "read.ME", "read.me"]) == [("Read.me", "read.ME"), ("Read.me", "read.me")]
    assert collisions(["\u00e9", "e\u0301", "É"]) == [("\u00e9", "e\u0301"), ("\u00e9", "É")]
    assert collisions(["x", "x"]) == [("x", "x")]
    assert collisions(["straße", "STRASSE", "caf\udce9", "café"]) == [("straße", "STRASSE")]
    assert collisions([]) == []


def test_the_disk_is_tried_for_names_that_collide(tmp_path: Path) -> None:
    is_blind = _is_blind(tmp_path)
    for folder in (tmp_path, tmp_path / "not/there/yet"):
        assert are_one_file(folder / "a/README", folder / "a/readme") is is_blind
        assert are_one_file(folder / "A/x", folder / "a/x") is is_blind
        assert are_one_file(folder / "x", folder / "x")
    assert list(tmp_path.iterdir()) == []


def _is_blind(folder: Path) -> bool:
    (folder / "Case").touch()
    is_blind = (folder / "cASE").exists()
    (folder / "Case").unlink()
    return is_blind


def test_names_are_told_apart_by_what_differs() -> None:
    assert told_apart("README", "readme") == ("README", "readme")
    assert told_apart("\u00fc", "u\u0308") == ("\\xfc", "u\\u0308")
