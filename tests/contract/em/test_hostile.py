"""Hostile paths, names, links and special files: nothing outside the volume is read or written (EM API §1–§5)."""

import asyncio
import ctypes
import os
import socket
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from em_sources import Given, free

from emtui.backend import EM
from emtui.errors import BadRequest, BuildFailed, Forbidden, LoadFailed
from emtui.models import PodSpec

ATTACKS = [
    "../x",
    "a/../../x",
    "a/..",
    "..",
    "/etc/passwd",
    "//x",
    "///etc/passwd",
    "%2e%2e%2fx",
    "%2E%2e/x",
    "%252e%252e%252fx",
    "..%2fx",
    "..%5cx",
    "..\\x",
    "a\\..\\..\\x",
    "C:\\x",
    "C:/x",
    " .. /x",
    "..\t/x",
]
NOT_PATHS = ["a\0b", "\0", "x" * 256, "a/" + "x" * 300, "\ud800", "/".join(["a"] * 5000)]

HOSTILE_NAMES = [
    "a\nb",
    "a\tb",
    "\x1b[31mred\x1b[0m",
    "\x1b]8;;x:y\x1b\\link\x1b]8;;\x1b\\",
    "\x1b]52;c;eA==\x07",
    "\x1bPdcs\x1b\\",
    "\x9b31m",
    "\u202egnp.exe",
    "zero\u200bwidth\ufeff",
    "e" + "\u0301" * 100,
    "[red]",
    "[]x",
    "[@click=app.quit]x",
    "[_",
    os.fsdecode(b"\xff\xfe\x80 not utf-8"),
    "x" * 255,
    "ä" * 127,
    "-rf",
    "--",
    "'quoted\"",
    "$(touch pwned)",
    "`id`",
    "a;b&&c|d>e",
    "*",
    "~",
    " leading and trailing ",
    "...",
    "..x",
    "x..",
    "CON",
    "a%b",
    "\U000e0001tag",
    "😀",
]


async def read(em: EM, path: str) -> bytes:
    async with em.downlink(path) as download:
        return b"".join([chunk async for chunk in download.chunks])


@pytest.mark.parametrize("path", ATTACKS)
async def test_a_path_that_leaves_the_volume_is_forbidden(em: EM, volume_root: Path, outside: Path, path: str) -> None:
    (volume_root / "a").mkdir()
    before = sorted(volume_root.parent.parent.rglob("*"))

    for call in (
        lambda: read(em, path),
        lambda: em.delete(path),
        lambda: em.uplink([Given("f", b"x")], path),
        lambda: em.build_image(path, "", "image"),
        lambda: em.build_image("Dockerfile", path, "image"),
        lambda: em.load_image(path, "image"),
    ):
        with pytest.raises(Forbidden) as caught:
            await call()
        assert caught.value.status == 403

    assert sorted(volume_root.parent.parent.rglob("*")) == before
    assert outside.read_bytes() == b"secret"


@pytest.mark.parametrize("path", NOT_PATHS, ids=lambda path: ascii(path[:20]))
async def test_what_is_no_path_is_a_bad_request(em: EM, volume_root: Path, path: str) -> None:
    for call in (
        lambda: read(em, path),
        lambda: em.delete(path),
        lambda: em.uplink([Given("f", b"x")], path),
        lambda: em.load_image(path, "image"),
    ):
        with pytest.raises(BadRequest):
            await call()

    assert list(volume_root.iterdir()) == []


@pytest.mark.parametrize("path", ["", ".", "./"])
async def test_the_volume_itself_is_no_file(em: EM, path: str) -> None:
    with pytest.raises(BadRequest):
        await read(em, path)
    with pytest.raises(LoadFailed):
        await em.load_image(path, "image")


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=ascii)
async def test_a_hostile_name_makes_the_round_trip(em: EM, volume_root: Path, name: str) -> None:
    await em.uplink([Given(name, b"data"), Given("other", b"")], name)

    listing = await em.list_files()
    assert sorted(path for path, _ in listing.walk()) == sorted([name, f"{name}/{name}", f"{name}/other"])
    assert await read(em, f"{name}/{name}") == b"data"
    assert (volume_root / name / name).read_bytes() == b"data"
    await em.delete(f"{name}/{name}")
    await em.delete(name)
    assert list(volume_root.iterdir()) == []


@pytest.mark.parametrize("target", ["absolute", "relative", "chain", "loop", "dangling"])
async def test_a_planted_link_is_listed_and_never_followed(
    em: EM, volume_root: Path, outside: Path, target: str
) -> None:
    link = volume_root / "link"
    if target == "absolute":
        link.symlink_to(outside)
    elif target == "relative":
        link.symlink_to(os.path.relpath(outside, volume_root))
    elif target == "chain":
        (volume_root / "next").symlink_to(outside)
        link.symlink_to("next")
    elif target == "loop":
        link.symlink_to("link")
    else:
        link.symlink_to("nowhere")

    node = (await em.list_files()).find("link")
    assert node is not None
    assert (node.type, node.hash, node.contents) == ("link", None, None)
    with pytest.raises(Forbidden):
        await read(em, "link")
    with pytest.raises(Forbidden):
        await em.load_image("link", "image")
    with pytest.raises(Forbidden):
        await em.build_image("link", "", "image")

    # An uplink of this name replaces the link and not what it points to.
    await em.uplink([Given("link", b"mine")])
    assert not link.is_symlink()
    assert link.read_bytes() == b"mine"
    assert outside.read_bytes() == b"secret"


async def test_a_link_to_a_folder_is_never_entered(em: EM, volume_root: Path, outside: Path) -> None:
    (volume_root / "way").symlink_to(outside.parent)

    assert [path for path, _ in (await em.list_files()).walk()] == ["way"]
    for call in (
        lambda: read(em, f"way/{outside.name}"),
        lambda: em.delete(f"way/{outside.name}"),
        lambda: em.uplink([Given(outside.name, b"x")], "way"),
        lambda: em.uplink([Given("f", b"x")], "way/new"),
        lambda: em.build_image("Dockerfile", "way", "image"),
    ):
        with pytest.raises(Forbidden):
            await call()

    assert await em.delete("way") == "File deleted successfully"
    assert outside.read_bytes() == b"secret"
    assert not (outside.parent / "new").exists()


async def test_deleting_a_folder_does_not_follow_the_links_in_it(em: EM, volume_root: Path, outside: Path) -> None:
    (volume_root / "folder").mkdir()
    (volume_root / "folder/file").symlink_to(outside)
    (volume_root / "folder/all").symlink_to(outside.parent)

    await em.delete("folder")

    assert outside.read_bytes() == b"secret"
    assert list(volume_root.iterdir()) == []


async def test_a_hard_link_is_refused_and_replaced_whole(em: EM, volume_root: Path, outside: Path) -> None:
    os.link(outside, volume_root / "hard")

    with pytest.raises(Forbidden):
        await read(em, "hard")
    await em.uplink([Given("hard", b"mine"), Given("second", b"too")])

    assert outside.read_bytes() == b"secret"
    assert outside.stat().st_nlink == 1
    assert (volume_root / "hard").read_bytes() == b"mine"


@pytest.mark.parametrize("kind", ["fifo", "socket"])
async def test_a_special_file_is_refused_within_a_second(em: EM, volume_root: Path, kind: str) -> None:
    path = volume_root / kind
    if kind == "fifo":
        os.mkfifo(path)
    else:
        here = os.getcwd()  # noqa: PTH109 - a socket's path is short or relative
        os.chdir(volume_root)
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(kind)
        os.chdir(here)
    begun = time.monotonic()

    node = (await em.list_files()).find(kind)
    assert node is not None
    assert (node.type, node.hash) == ("other", None)
    for call in (lambda: read(em, kind), lambda: em.load_image(kind, "i"), lambda: em.build_image(kind, "", "i")):
        with pytest.raises(Forbidden):
            await asyncio.wait_for(call(), 1)
    await em.uplink([Given(kind, b"a file now")])

    assert path.read_bytes() == b"a file now"
    assert time.monotonic() - begun < 1


async def test_a_tree_a_thousand_deep(em: EM, volume_root: Path) -> None:
    depth = 1000
    path = "/".join(["d"] * depth)

    await em.uplink([Given("bottom", b"here")], path)
    try:
        listing = await em.list_files()
        assert listing.file_count == 1
        assert sum(1 for _ in listing.walk()) == depth + 1
        assert listing.nodes[0].size == 4
        assert await read(em, f"{path}/bottom") == b"here"
        assert (await em.list_files()).nodes[0] is listing.nodes[0]
    finally:
        await em.delete("d")  # too deep for pytest to remove
    assert list(volume_root.iterdir()) == []


async def test_a_sparse_terabyte_is_listed_and_its_downlink_can_be_cancelled(em: EM, volume_root: Path) -> None:
    with (volume_root / "sparse").open("wb") as file:
        file.truncate(1 << 40)

    listing = await asyncio.wait_for(em.list_files(), 5)
    assert listing.size_bytes == 1 << 40
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(read(em, "sparse"), 0.3)

    await free(em)
    assert await em.delete("sparse") == "File deleted successfully"


class Swapper:
    """Exchanges `swapped`, a folder of the volume, and `link`, which leads outside, as quickly as it can."""

    _EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2): neither name is ever missing

    def __init__(self, volume: Path, outside: Path) -> None:
        (volume / "swapped").mkdir()
        (volume / "swapped" / "file").write_bytes(b"inside")
        (volume / "link").symlink_to(outside)
        self._names = os.fsencode(volume / "swapped"), os.fsencode(volume / "link")
        self._rename = ctypes.CDLL(None, use_errno=True).renameat2
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.rounds = 0

    def __enter__(self) -> "Swapper":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        here = -100  # AT_FDCWD
        while not self._is_over.is_set():
            if self._rename(here, self._names[0], here, self._names[1], self._EXCHANGE) == 0:
                self.rounds += 1
            if self.rounds % 16 == 0:
                time.sleep(0)


async def test_a_racing_link_never_leads_outside(em: EM, volume_root: Path, outside: Path) -> None:
    folder = outside.parent / "elsewhere"
    folder.mkdir()
    secret = folder / "file"
    secret.write_bytes(b"secret")
    outcomes: Counter[str] = Counter()

    with Swapper(volume_root, folder) as swapper:
        deadline = time.monotonic() + 5
        for number in range(400):
            try:
                assert await read(em, "swapped/file") == b"inside"
                outcomes["inside"] += 1
            except Forbidden:
                outcomes["forbidden"] += 1
            try:
                await em.uplink([Given("new", b"%d" % number)], "swapped")
                await em.delete("swapped/new")
            except (Forbidden, BadRequest):
                outcomes["refused"] += 1
            for path, node in (await em.list_files()).walk():
                assert node.type != "link" or path in ("link", "swapped")
            if time.monotonic() > deadline:
                break

    assert swapper.rounds > 100
    assert outcomes["inside"], outcomes
    assert outcomes["forbidden"], outcomes
    assert secret.read_bytes() == b"secret"
    assert list(folder.iterdir()) == [secret]


async def test_a_hostile_image_name_is_refused(em: EM) -> None:
    await em.uplink([Given("Dockerfile", b"FROM alpine\n")], "context")

    for name in ("Upper", "../x", "a b", "", "-x", "x:-tag", "x:", "x@sha256:00", "[red]", "a\x1bb", "x" * 300, "a//b"):
        with pytest.raises(BadRequest) as caught:
            await em.build_image("context/Dockerfile", "context", name)
        assert not isinstance(caught.value, BuildFailed)
        with pytest.raises(BadRequest):
            await em.run_pod(PodSpec(docker_image=name, max_duration=1, node="GPU"))
