"""A file comes onto the operator's disk verified and whole, or not at all."""

import asyncio
import errno
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from emtui.backend import Download
from emtui.errors import LocalProblem, VerificationFailed
from emtui.files import write_verified, writing

DEADLINE_S = 30
DATA = b"abc" * 1000
SHA256 = hashlib.sha256(DATA).hexdigest()


async def stream(*steps: object) -> AsyncIterator[bytes]:
    for step in steps:
        if isinstance(step, Exception):
            raise step
        if isinstance(step, asyncio.Event):
            step.set()
            await asyncio.Event().wait()
        else:
            assert isinstance(step, bytes)
            yield step


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def write(target: Path, *steps: object, overwrite: bool = False, **promise: Any) -> str:
    return await write_verified(
        target, Download("remote", promise.get("size"), stream(*steps), promise.get("sha256", "")), overwrite=overwrite
    )


async def test_a_file_is_written_counted_and_hashed(tmp_path: Path) -> None:
    progress: list[int] = []
    download = Download("r", len(DATA), stream(DATA[:1000], b"", DATA[1000:]), SHA256.upper())
    assert await write_verified(tmp_path / "f", download, overwrite=False, on_progress=progress.append) == SHA256
    assert (tmp_path / "f").read_bytes() == DATA
    assert names(tmp_path) == ["f"]
    assert progress == [1000, 1000, 3000]


async def test_an_empty_file_without_promises(tmp_path: Path) -> None:
    assert await write(tmp_path / "f") == hashlib.sha256(b"").hexdigest()
    assert (tmp_path / "f").read_bytes() == b""


async def test_rights_are_those_of_a_new_file_or_of_the_replaced_one(tmp_path: Path) -> None:
    seen = []
    event = asyncio.Event()
    task = asyncio.create_task(write(tmp_path / "partial", b"x", event))
    await asyncio.wait_for(event.wait(), DEADLINE_S)
    seen = [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == [0o600]
    (tmp_path / "plain").touch()
    await write(tmp_path / "new", DATA)
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "plain").stat().st_mode
    (tmp_path / "new").chmod(0o640)
    await write(tmp_path / "new", b"other", overwrite=True)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "new").read_bytes() == b"other"


@pytest.mark.parametrize(
    ("steps", "promise"),
    [
        ((b"abc",), {"size": 4}),
        ((b"abcde", b"fgh"), {"size": 4}),
        ((b"abcd",), {"size": 4, "sha256": SHA256}),
        ((b"abcd",), {"sha256": "nonsense"}),
        ((b"ab", OSError("cut")), {"size": 4}),
        ((b"ab", VerificationFailed("late")), {}),
    ],
)
async def test_what_is_not_as_promised_leaves_nothing_and_the_old_file_whole(
    tmp_path: Path, steps: tuple[object, ...], promise: dict[str, Any]
) -> None:
    with pytest.raises((VerificationFailed, OSError)):
        await write(tmp_path / "new", *steps, **promise)
    assert names(tmp_path) == []
    (tmp_path / "old").write_bytes(b"old")
    with pytest.raises((VerificationFailed, OSError)):
        await write(tmp_path / "old", *steps, overwrite=True, **promise)
    assert names(tmp_path) == ["old"]
    assert (tmp_path / "old").read_bytes() == b"old"


async def test_a_cancelled_download_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"old")
    event = asyncio.Event()
    task = asyncio.create_task(write(tmp_path / "old", b"half", event, overwrite=True))
    await asyncio.wait_for(event.wait(), DEADLINE_S)
    assert len(names(tmp_path)) == 2
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, DEADLINE_S)
    assert names(tmp_path) == ["old"]
    assert (tmp_path / "old").read_bytes() == b"old"


async def test_a_name_that_is_taken_is_refused_before_and_after(tmp_path: Path) -> None:
    target = tmp_path / "f"
    target.write_bytes(b"old")
    with pytest.raises(LocalProblem, match="exists already") as caught:
        await write(target, AssertionError("nothing may be read"))
    assert caught.value.code == "EXISTS"
    target.unlink()

    async def racing() -> AsyncIterator[bytes]:
        yield b"mine"
        target.write_bytes(b"somebody was quicker")

    with pytest.raises(LocalProblem, match="exists already") as caught:
        await write_verified(target, Download("r", None, racing()), overwrite=False)
    assert caught.value.code == "EXISTS"
    assert target.read_bytes() == b"somebody was quicker"
    assert names(tmp_path) == ["f"]


@pytest.mark.parametrize("can_link", [True, False])
async def test_disks_and_systems_without_renameat2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_link: bool
) -> None:
    def cannot(*_: object, **__: object) -> None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(writing, "_rename_noreplace", cannot)
    if can_link:
        await write(tmp_path / "f", DATA)
        assert (tmp_path / "f").read_bytes() == DATA
        assert (tmp_path / "f").stat().st_nlink == 1
    else:
        monkeypatch.setattr(os, "link", cannot)
        with pytest.raises(LocalProblem, match="without replacing"):
            await write(tmp_path / "f", DATA)
        assert names(tmp_path) == []
        (tmp_path / "f").write_bytes(b"old")
        await write(tmp_path / "f", DATA, overwrite=True)
    assert names(tmp_path) == ["f"]


async def test_a_hard_link_refuses_a_taken_name_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot(*_: object) -> None:
        raise OSError(errno.ENOSYS, "")

    async def racing() -> AsyncIterator[bytes]:
        yield b"mine"
        (tmp_path / "f").write_bytes(b"theirs")

    monkeypatch.setattr(writing, "_rename_noreplace", cannot)
    with pytest.raises(LocalProblem, match="exists already"):
        await write_verified(tmp_path / "f", Download("r", None, racing()), overwrite=False)
    assert names(tmp_path) == ["f"]
    assert (tmp_path / "f").read_bytes() == b"theirs"


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("step", ["write", "fsync", "rename"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
async def test_a_disk_that_is_full_or_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overwrite: bool, step: str, number: int
) -> None:
    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    if overwrite:
        (tmp_path / "f").write_bytes(b"old")
    with monkeypatch.context() as patch:
        if step == "rename":
            patch.setattr(Path, "replace", fail)
            patch.setattr(writing, "_rename_noreplace", fail)
        else:
            patch.setattr(os, step, fail)
        with pytest.raises(LocalProblem, match=os.strerror(number)) as caught:
            await write(tmp_path / "f", DATA, overwrite=overwrite)
    assert caught.value.remedy
    assert names(tmp_path) == (["f"] if overwrite else [])
    if overwrite:
        assert (tmp_path / "f").read_bytes() == b"old"


async def test_places_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "fifo")
    for target, reason in [
        (tmp_path / "missing" / "f", "No such file"),
        (tmp_path / "file" / "f", "Not a directory"),
        (tmp_path / "folder", "is in the way"),
        (tmp_path / "fifo", "is in the way"),
        (tmp_path / ("x" * 256), "too long"),
        (tmp_path / "nul\0", "no path of this system"),
    ]:
        with pytest.raises(LocalProblem, match=reason) as caught:
            await write(target, DATA, overwrite=True)
        assert caught.value.remedy
    assert names(tmp_path) == ["fifo", "file", "folder"]


async def test_a_link_among_the_devices_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Not the real /dev/stdout: everybody on this machine would have to live without it.
    monkeypatch.setattr("emtui.files.writing._DEVICES", (tmp_path,))
    (tmp_path / "real").write_bytes(b"untouched")
    (tmp_path / "stdout").symlink_to("real")
    with pytest.raises(LocalProblem, match="device") as caught:
        await write(tmp_path / "stdout", DATA, overwrite=True)
    assert "- is stdout" in caught.value.remedy
    assert (tmp_path / "stdout").is_symlink()
    assert names(tmp_path) == ["real", "stdout"]


async def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"untouched")
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(LocalProblem, match="exists already"):
        await write(tmp_path / "link", DATA)
    await write(tmp_path / "link", DATA, overwrite=True)
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"untouched"


@pytest.mark.parametrize("name", ["x" * 255, "é" * 127, "caf\udce9", "-rf", "a\nb", ".hidden"], ids=ascii)
async def test_any_name_that_the_disk_takes(tmp_path: Path, name: str) -> None:
    await write(tmp_path / name, DATA)
    assert names(tmp_path) == [name]


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from emtui.backend import Download
from emtui.files import write_verified

async def chunks():
    yield b"half"
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(write_verified(Path(sys.argv[1]), Download("r", 8, chunks()), overwrite=True))
"""


async def test_what_a_killed_download_left_goes_with_the_next_one(tmp_path: Path) -> None:
    target = tmp_path / "f[1]"
    target.write_bytes(b"old")
    other = tmp_path / ".f.0123456789abcdef.part"
    other.touch()
    killed = subprocess.run([sys.executable, "-c", KILLED, str(target)], timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert target.read_bytes() == b"old"
    assert len(names(tmp_path)) == 3
    await write(target, DATA, overwrite=True)
    assert target.read_bytes() == DATA
    assert names(tmp_path) == [other.name, target.name]


async def test_two_downloads_to_one_name_do_not_sweep_each_other(tmp_path: Path) -> None:
    event = asyncio.Event()
    first = asyncio.create_task(write(tmp_path / "f", b"half", event))
    await asyncio.wait_for(event.wait(), DEADLINE_S)
    await write(tmp_path / "f", DATA)
    assert len(names(tmp_path)) == 2
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(first, DEADLINE_S)
    assert (tmp_path / "f").read_bytes() == DATA
