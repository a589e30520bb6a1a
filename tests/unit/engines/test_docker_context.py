"""The tar that a Docker Engine is sent."""

import io
import os
import tarfile
from collections.abc import Generator
from pathlib import Path

import pytest

from emtui.local.engines.context import BuildContext
from emtui.local.engines.docker.building.context_tar import BLOCK_BYTES, Body, sendable, tar_blocks
from emtui.local.engines.problems import BuildProblem
from emtui.local.handles import DirHandle


def write(folder: DirHandle, path: str, data: bytes = b"x") -> None:
    *folders, name = path.split("/")
    with folder.open_dir(tuple(folders), create=True) as parent, os.fdopen(parent.create_file(name), "wb") as file:
        file.write(data)


def blocks(folder: DirHandle, inside: str = "ctx") -> Generator[bytes, None, None]:
    context = BuildContext(folder)
    return tar_blocks("FROM x\n", "Dockerfile", context, sendable(context), inside)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def members(data: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {info.name: info for info in tar}


def test_everything_that_can_be_sent(folder: DirHandle) -> None:
    long = "n" * 200
    for path in ("Dockerfile", f"d/{long}/{long}", "d/e", os.fsdecode(b"\xff\xc3\xa9"), "a\nb", "hidden"):
        write(folder, path)
    write(folder, ".dockerignore", b"hidden\n")
    os.chmod("Dockerfile", 0o751, dir_fd=folder.fd)
    os.utime("Dockerfile", (1, 1_600_000_000), dir_fd=folder.fd)
    os.symlink("e", "d/link", dir_fd=folder.fd)
    found = members(b"".join(blocks(folder)))
    assert list(found)[:2] == ["Dockerfile", "ctx"]
    assert set(found) == {
        "Dockerfile", "ctx", "ctx/Dockerfile", "ctx/.dockerignore", "ctx/d", "ctx/d/e", "ctx/d/link", f"ctx/d/{long}",
        f"ctx/d/{long}/{long}", "ctx/" + os.fsdecode(b"\xff\xc3\xa9"), "ctx/a\nb",
    }  # fmt: skip
    assert found["ctx/d/link"].linkname == "e"
    one = found["ctx/Dockerfile"]
    assert (one.mode, one.mtime, one.uid, one.gid, one.size) == (0o751, 1_600_000_000, 0, 0, 1)
    assert found["Dockerfile"].size == len("FROM x\n")


def test_nothing_of_the_outside_is_sent(folder: DirHandle) -> None:
    write(folder, "a")
    os.link("a", "hard", src_dir_fd=folder.fd, dst_dir_fd=folder.fd)
    os.mkfifo("fifo", dir_fd=folder.fd)
    os.symlink("../x", "out", dir_fd=folder.fd)
    for number in range(10):
        os.symlink("/etc/passwd", f"out{number}", dir_fd=folder.fd)
    found = sendable(BuildContext(folder))
    assert list(members(b"".join(blocks(folder, "")))) == ["Dockerfile"]
    assert found.note().startswith("left out of the build context: a: a hard link")
    assert found.note().endswith("; and 9 more")


@pytest.mark.parametrize("planted", ["Dockerfile", "Dockerfile/a"])
def test_nothing_takes_the_place_of_the_checked_dockerfile(folder: DirHandle, planted: str) -> None:
    write(folder, planted, b"FROM evil")
    write(folder, "Dockerfiles")
    found = members(b"".join(blocks(folder, "")))
    assert list(found) == ["Dockerfile", "Dockerfiles"]
    assert found["Dockerfile"].size == len("FROM x\n")


def test_a_link_that_takes_the_place_of_a_file(folder: DirHandle) -> None:
    write(folder, "a")
    sending = blocks(folder)
    os.unlink("a", dir_fd=folder.fd)
    os.symlink("/etc/passwd", "a", dir_fd=folder.fd)
    with pytest.raises(BuildProblem, match="a: changed while it was read"):
        b"".join(sending)


def test_a_folder_that_becomes_a_link(folder: DirHandle) -> None:
    write(folder, "d/a")
    context = BuildContext(folder)
    sending = tar_blocks("FROM x\n", "Dockerfile", context, sendable(context), "ctx")
    os.rename("d", "e", src_dir_fd=folder.fd, dst_dir_fd=folder.fd)
    os.symlink("e", "d", dir_fd=folder.fd)
    with pytest.raises(BuildProblem, match="changed while it was read"):
        b"".join(sending)


def test_blocks_are_of_one_size(folder: DirHandle) -> None:
    write(folder, "large", bytes(5 * BLOCK_BYTES + 7))
    for number in range(100):
        write(folder, f"small{number}")
    sizes = [len(block) for block in blocks(folder)]
    assert max(sizes) < 2 * BLOCK_BYTES + 4096
    assert len(sizes) < 10


async def test_a_body_keeps_what_ended_it(folder: DirHandle) -> None:
    def failing() -> Generator[bytes, None, None]:
        yield b"a"
        raise BuildProblem("no more")

    body = Body(failing())
    with pytest.raises(BuildProblem):
        [block async for block in body]
    assert isinstance(body.problem, BuildProblem)
    assert not body.is_whole
    body = Body(block for block in (b"a", b"b"))
    assert [block async for block in body] == [b"a", b"b"]
    assert body.is_whole


async def test_a_closed_body_lets_go_of_its_files(folder: DirHandle) -> None:
    write(folder, "large", bytes(3 * BLOCK_BYTES))
    before = open_files()
    body = Body(blocks(folder))
    chunks = aiter(body)
    await anext(chunks)
    assert open_files() > before
    body.close()
    assert open_files() == before
    assert not body.is_whole
