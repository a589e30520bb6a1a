"""Images out of tars into a real Docker Engine: what it gets, what it is never given, and what stays after a fault."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import tarfile
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from emtui.errors import LoadFailed
from emtui.local.engines.base import LoadRequest
from emtui.local.engines.docker.daemon import Daemon
from emtui.local.engines.docker.loading import load as load_module
from emtui.local.engines.docker.loading.archive import docker_archive
from emtui.local.engines.docker.loading.load import load_image, remove_unfinished
from emtui.local.engines.docker.lookup import inspect_image
from emtui.local.engines.docker.names import Names, names_of
from emtui.local.engines.docker.pods.architecture import runs_here
from emtui.local.engines.docker.problems import daemon_problems
from emtui.local.engines.tarball import TarImage, read_tar
from tests.engines.conftest import Bench
from tests.engines.docker_here import BASE, DOCKER_PLACE, base_tar, need_docker
from tests.engines.own_daemon import OwnDaemon, own_daemon
from tests.unit.engines.tars import CONFIG, LAYER, docker_members, link, oci_members, packed, with_layers, write_tar

DEADLINE_S = 30.0
CANCELLED_WITHIN_S = 2.0
ECHO = "echo:latest"


@dataclass
class Loader:
    """A daemon, the names of one workspace in it, and short words for what tests do with them."""

    daemon: Daemon
    names: Names
    log: list[str] = field(default_factory=list)

    async def load(self, path: Path, reference: str = ECHO) -> str:
        self.log.clear()
        with path.open("rb") as file:
            return await load_image(self.daemon, self.names, LoadRequest(file.fileno(), reference), self.log.append)

    async def refused(self, path: Path, reference: str = ECHO) -> str:
        """Why a load fails: the last line of its log."""
        with pytest.raises(LoadFailed):
            await self.load(path, reference)
        assert self.log[-1].startswith("Error processing tar file: ")
        assert self.log[-1].endswith("\n")
        return self.log[-1].removeprefix("Error processing tar file: ")

    async def id_of(self, name: str) -> str:
        with daemon_problems():
            return str((await self.daemon.docker.images.inspect(name))["Id"])

    async def tags(self) -> set[str]:
        """The names of this workspace in the engine, those of unfinished loads too."""
        with daemon_problems():
            documents = await self.daemon.docker.images.list()
        return {
            tag for document in documents for tag in document.get("RepoTags") or () if self.names.workspace_id in tag
        }

    async def has(self, image: str) -> bool:
        """Whether the engine has it, with a name or without."""
        return await inspect_image(self.daemon, image) is not None

    async def until(self, is_reached: Callable[[set[str]], bool]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not is_reached(await self.tags()):
            assert time.monotonic() < deadline, f"not reached: {await self.tags()}"
            await asyncio.sleep(0.05)


@pytest.fixture
async def loader(tmp_path: Path) -> AsyncIterator[Loader]:
    need_docker()
    made = Loader(Daemon(DOCKER_PLACE), names_of(tmp_path))
    yield made
    for tag in await made.tags():
        await made.daemon.docker.images.delete(tag)
    await made.daemon.aclose()


def layer_of(tmp_path: Path) -> bytes:
    """A layer that no other test has: tests at work at the same time share the engine."""
    return packed([("of", str(tmp_path).encode())])


def id_in(path: Path) -> str:
    """The id that the image of a tar gets."""
    with path.open("rb") as file:
        return f"sha256:{read_tar(file.fileno(), lambda: None)[0].config_digest}"


def large_tar(path: Path, size: int) -> Path:
    """A tar whose layer is zeros, which takes no room here."""
    info = tarfile.TarInfo("l/layer.tar")
    info.size = size
    with path.open("wb") as file:
        file.write(info.tobuf())
        file.seek(size, os.SEEK_CUR)
        file.write(packed(docker_members(ECHO, CONFIG, b"not these zeros")[1:]))
    return path


@dataclass
class Watched:
    """How far the archive has been made, of all loads of a test together."""

    pieces: int = 0
    is_whole: bool = False
    before: Callable[[], object] = lambda: None


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    seen = Watched()

    def watching(fd: int, image: TarImage, name: str, check: Callable[[], None]) -> Generator[bytes, None, None]:
        seen.is_whole = False
        seen.before()
        for piece in docker_archive(fd, image, name, check):
            seen.pieces += 1
            yield piece
        seen.is_whole = True

    monkeypatch.setattr(load_module, "docker_archive", watching)
    return seen


async def reached(is_reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not is_reached():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


# ------------------------------------------------------------------------------------------------------ what it gets


@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize("layout", ["docker", "oci"])
async def test_every_kind_of_tar_is_loaded(loader: Loader, tmp_path: Path, layout: str, mode: str) -> None:
    members = docker_members(ECHO) if layout == "docker" else oci_members("docker.io/library/echo:latest")
    image = await loader.load(write_tar(tmp_path / "t", members, mode))
    there = loader.names.there(ECHO)
    assert there is not None
    assert await loader.tags() == {there}
    assert await loader.id_of(there) == image
    document = await loader.daemon.docker.images.inspect(image)
    assert document["Config"]["Env"] == CONFIG["config"]["Env"]  # type: ignore[index] # a dict of dicts
    assert document["Size"] == len("hello")
    assert loader.log == ["Loaded image: echo:latest\n"]


async def test_a_name_with_a_registry(loader: Loader, tmp_path: Path) -> None:
    reference = "fpga.dphi.space:5000/team/echo:v1"
    await loader.load(write_tar(tmp_path / "t", docker_members(reference)), reference)
    assert await loader.tags() == {loader.names.there(reference)}
    assert "".join(await loader.tags()).endswith("-at/fpga.dphi.space/5000/team/echo:v1")


async def test_an_image_with_the_name_of_a_base_image_hides_it(docker: Bench, tmp_path: Path) -> None:
    await docker.load(write_tar(tmp_path / "t", docker_members("busybox:1", CONFIG, layer_of(tmp_path))), "busybox:1")
    assert docker.log == [
        "note: in this workspace busybox:1 now means this image, and no longer the base image\n",
        "Loaded image: busybox:1\n",
    ]


async def test_layers_that_are_equal_or_linked(loader: Loader, tmp_path: Path) -> None:
    other = packed([("other", b"o")])
    layers = ["l/layer.tar", "o/layer.tar", "m/layer.tar"]
    members = [
        *docker_members(ECHO)[:1],
        ("o/layer.tar", other),
        link("m/layer.tar", "../l/layer.tar"),
        ("c.json", json.dumps(with_layers(CONFIG, LAYER, other, LAYER)).encode()),
        ("manifest.json", json.dumps([{"Config": "c.json", "RepoTags": [ECHO], "Layers": layers}]).encode()),
    ]
    image = await loader.load(write_tar(tmp_path / "t", members))
    document = await loader.daemon.docker.images.inspect(image)
    assert len(document["RootFS"]["Layers"]) == 3


async def test_what_was_saved_by_the_engine_comes_back(loader: Loader, tmp_path: Path) -> None:
    """`docker save` of a base image, as a payload team would uplink it."""
    path = tmp_path / "t"
    with path.open("wb") as file:
        async with loader.daemon.docker.images.export_image(BASE) as content:
            async for chunk in content.iter_chunked(1 << 20):
                file.write(chunk)
    assert await loader.load(path, BASE) == await loader.id_of(BASE)


async def test_a_newer_image_takes_the_name_and_the_older_stays_for_its_pods(loader: Loader, tmp_path: Path) -> None:
    first = await loader.load(write_tar(tmp_path / "a", docker_members(ECHO, CONFIG, layer_of(tmp_path))))
    second = await loader.load(write_tar(tmp_path / "b", docker_members(ECHO, CONFIG, packed([("new", b"n")]))))
    assert first != second
    assert await loader.id_of(f"{loader.names.there(ECHO)}") == second
    assert (await loader.daemon.docker.images.inspect(first))["RepoTags"] == []
    await loader.daemon.docker.images.delete(first)


async def test_no_other_name_of_the_tar_is_given(loader: Loader, tmp_path: Path) -> None:
    base = await loader.id_of(BASE)
    victim = f"emtui-{'0' * 12}/client2-x:latest"
    one = {"Config": "c.json", "Layers": ["l/layer.tar"]}
    manifest = [{**one, "RepoTags": [BASE, victim, ECHO, "emtui-planted:latest"]}, {**one, "RepoTags": [BASE]}]
    repositories = {"busybox": {"latest": "l"}, "emtui-planted": {"latest": "l"}}
    members = [*docker_members(ECHO, CONFIG, layer_of(tmp_path))[:2], ("manifest.json", json.dumps(manifest).encode()),
               ("repositories", json.dumps(repositories).encode())]  # fmt: skip
    image = await loader.load(write_tar(tmp_path / "t", members))
    assert (await loader.daemon.docker.images.inspect(image))["RepoTags"] == [loader.names.there(ECHO)]
    assert await loader.id_of(BASE) == base


async def test_a_loaded_image_runs(docker: Bench, tmp_path: Path) -> None:
    config = {**CONFIG, "config": {**CONFIG["config"], "User": ""}}  # type: ignore[dict-item] # a dict of dicts
    await docker.load(write_tar(tmp_path / "t", docker_members(ECHO, config, base_tar()), "w:gz"))
    state = await docker.run("", ECHO)
    assert state.terminated is not None
    assert (state.terminated.exit_code, state.terminated.reason) == (0, "Completed")
    assert (docker.volume / "loaded.txt").read_text() == "loaded\n"


async def test_a_pod_of_an_image_for_another_machine_says_so_before_it_starts(docker: Bench, tmp_path: Path) -> None:
    said = runs_here("s390x", need_docker().facts.architecture, DOCKER_PLACE.socket is not None)
    if not said:
        pytest.skip("this machine runs images for s390x, or cannot tell")
    await docker.load(write_tar(tmp_path / "t", docker_members(ECHO, {**CONFIG, "architecture": "s390x"})))
    state = await docker.run("", ECHO)
    assert state.terminated is not None
    assert (state.terminated.exit_code, state.terminated.reason) == (128, "StartError")
    assert said in state.terminated.message
    assert state.terminated.started_at is None


# ------------------------------------------------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    ("config", "layer", "said"),
    [
        pytest.param(CONFIG, b"no tar" * 500, "archive/tar: invalid tar header", id="no tar"),
        pytest.param(
            {**CONFIG, "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "0" * 64]}},
            LAYER,
            "invalid diffID",
            id="another layer",
        ),
        pytest.param(
            {**CONFIG, "rootfs": {"type": "layers", "diff_ids": []}}, LAYER, "invalid manifest", id="too many layers"
        ),
        pytest.param({**CONFIG, "os": "windows"}, LAYER, "windows", id="another system"),
        pytest.param(
            CONFIG,
            packed([link("a", "nowhere", tarfile.LNKTYPE)]),
            "no such file or directory",
            id="a link that leads nowhere",
        ),
    ],
)
async def test_what_the_engine_finds_wrong_is_said_and_leaves_nothing(
    loader: Loader, tmp_path: Path, config: object, layer: bytes, said: str
) -> None:
    path = write_tar(tmp_path / "t", docker_members(ECHO, config, layer))
    reason = await loader.refused(path)
    assert said in reason
    assert loader.names.workspace_id not in reason
    assert await loader.tags() == set()
    assert not await loader.has(id_in(path))


async def test_a_load_that_fails_leaves_the_older_image(loader: Loader, tmp_path: Path) -> None:
    image = await loader.load(write_tar(tmp_path / "a", docker_members(ECHO)))
    await loader.refused(write_tar(tmp_path / "b", docker_members(ECHO, CONFIG, b"no tar" * 500)))
    assert await loader.id_of(f"{loader.names.there(ECHO)}") == image


async def test_an_image_for_another_machine_is_loaded_with_a_note(loader: Loader, tmp_path: Path) -> None:
    await loader.load(write_tar(tmp_path / "t", docker_members(ECHO, {**CONFIG, "architecture": "s390x"})))
    assert loader.log[0].startswith("note: the image is for s390x, this machine is ")
    assert loader.log[1:] == ["Loaded image: echo:latest\n"]


async def test_of_several_images_with_one_name_the_one_for_this_machine_is_loaded(
    loader: Loader, tmp_path: Path
) -> None:
    machine = (await loader.daemon.facts()).architecture
    members = docker_members(ECHO, {**CONFIG, "architecture": "s390x"})
    ours = json.dumps(with_layers({**CONFIG, "architecture": machine}, LAYER)).encode()
    manifest = [{"Config": name, "RepoTags": [ECHO], "Layers": ["l/layer.tar"]} for name in ("c.json", "ours.json")]
    members[2:] = [("ours.json", ours), ("manifest.json", json.dumps(manifest).encode())]
    await loader.load(write_tar(tmp_path / "t", members))
    assert loader.log == ["Loaded image: echo:latest\n"]


async def test_a_name_that_is_not_in_it_or_too_long(loader: Loader, tmp_path: Path) -> None:
    path = write_tar(tmp_path / "t", docker_members(ECHO))
    assert await loader.refused(path, "other:latest") == "no image other:latest in it; it holds echo:latest\n"
    long = "a" * 250
    assert "too long" in await loader.refused(write_tar(path, docker_members(long)), long)


async def test_a_tar_that_changes_while_it_is_read_is_not_loaded(
    loader: Loader, tmp_path: Path, watched: Watched
) -> None:
    path = write_tar(tmp_path / "t", docker_members(ECHO))
    other = write_tar(tmp_path / "u", docker_members(ECHO, {**CONFIG, "architecture": "arm64"})).read_bytes()
    watched.before = lambda: path.write_bytes(other)
    assert "was changed while the tar was read" in await loader.refused(path)
    watched.before = lambda: os.truncate(path, 2000)
    assert "truncated" in await loader.refused(path)
    assert await loader.tags() == set()


# ------------------------------------------------------------------------------------------------- cancelled and killed


async def test_a_cancelled_load_ends_at_once_and_leaves_nothing(
    loader: Loader, tmp_path: Path, watched: Watched
) -> None:
    path = large_tar(tmp_path / "t", 8 << 30)
    load = asyncio.ensure_future(loader.load(path))
    await reached(lambda: watched.pieces > 20)
    asked = time.monotonic()
    load.cancel()
    with pytest.raises(asyncio.CancelledError):
        await load
    assert time.monotonic() - asked < CANCELLED_WITHIN_S
    pieces = watched.pieces
    await loader.load(write_tar(tmp_path / "u", docker_members(ECHO)))
    assert watched.pieces < pieces + 20, "the archive was made on after its load was cancelled"
    assert await loader.tags() == {loader.names.there(ECHO)}
    assert not await loader.has(id_in(path))


@pytest.fixture
def own() -> Iterator[OwnDaemon]:
    with own_daemon() as daemon:
        yield daemon


@contextlib.asynccontextmanager
async def loading_into(own: OwnDaemon, names: Names) -> AsyncIterator[Loader]:
    loader = Loader(Daemon(own.place), names)
    try:
        yield loader
    finally:
        await loader.daemon.aclose()


async def test_a_load_that_is_cancelled_once_all_is_sent_is_never_named(own: OwnDaemon, tmp_path: Path) -> None:
    await asyncio.to_thread(own.start)
    # So many files that the engine is at work for a while when it has got them all.
    layer = packed([(f"{number:06}", b"x") for number in range(20_000)])
    path = write_tar(tmp_path / "t", docker_members(ECHO, CONFIG, layer))
    async with loading_into(own, names_of(tmp_path)) as loader:
        load = asyncio.ensure_future(loader.load(path))
        await reached(lambda: any((own.folder / "data" / "image").glob("*/layerdb/tmp/*")))
        asked = time.monotonic()
        load.cancel()
        with pytest.raises(asyncio.CancelledError):
            await load
        assert time.monotonic() - asked < CANCELLED_WITHIN_S
        # The engine goes on with what it has got whole.
        await loader.until(lambda tags: any("-loading/" in tag for tag in tags))
        assert loader.names.there(ECHO) not in await loader.tags()
        assert all(loader.names.here(tag) is None for tag in await loader.tags())
        await remove_unfinished(loader.daemon, loader.names)
        assert await loader.tags() == set()
        assert not await loader.has(id_in(path))


async def test_the_next_load_removes_what_another_has_left(loader: Loader, tmp_path: Path) -> None:
    left = await loader.load(write_tar(tmp_path / "t", docker_members(ECHO, CONFIG, layer_of(tmp_path))))
    there = loader.names.there(ECHO)
    assert there is not None
    await loader.daemon.docker.images.tag(left, f"emtui-{loader.names.workspace_id}-loading/0", tag="latest")
    await loader.daemon.docker.images.delete(there)
    assert await loader.has(left)
    await loader.load(write_tar(tmp_path / "t", docker_members(ECHO)))
    assert await loader.tags() == {there}
    assert not await loader.has(left)


async def test_an_engine_that_dies_in_the_middle(own: OwnDaemon, tmp_path: Path, watched: Watched) -> None:
    await asyncio.to_thread(own.start)
    names = names_of(tmp_path)
    async with loading_into(own, names) as loader:
        load = asyncio.ensure_future(loader.refused(large_tar(tmp_path / "t", 8 << 30)))
        await reached(lambda: watched.pieces > 20)
        await asyncio.to_thread(own.end, signal.SIGKILL)
        assert (await load).startswith("the connection to the Docker Engine was lost")
        # Nobody answers any more.
        assert await loader.refused(write_tar(tmp_path / "u", docker_members(ECHO)))
    await asyncio.to_thread(own.start)
    async with loading_into(own, names) as loader:
        assert await loader.tags() == set()
        await loader.load(tmp_path / "u")
        assert await loader.tags() == {names.there(ECHO)}


async def test_a_disk_that_fills_up_is_said(own: OwnDaemon, tmp_path: Path) -> None:
    data = own.folder / "data"
    data.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "emtui-tests", data], check=True)
    await asyncio.to_thread(own.start)
    async with loading_into(own, names_of(tmp_path)) as loader:
        with pytest.raises(LoadFailed) as failed:
            await loader.load(large_tar(tmp_path / "t", 1 << 30))
        assert "no space left on device" in loader.log[-1]
        assert failed.value.remedy.startswith("Free some space on the disk of the Docker Engine")
        assert await loader.tags() == set()
        assert list((data / "tmp").iterdir()) == []


async def test_a_load_into_an_engine_that_hangs_can_be_cancelled(
    own: OwnDaemon, tmp_path: Path, watched: Watched
) -> None:
    await asyncio.to_thread(own.start)
    async with loading_into(own, names_of(tmp_path)) as loader:
        load = asyncio.ensure_future(loader.load(large_tar(tmp_path / "t", 8 << 30)))
        await reached(lambda: watched.pieces > 20)
        own.send(signal.SIGSTOP)
        pieces = -1
        while pieces != watched.pieces:  # until it takes no more
            pieces = watched.pieces
            await asyncio.sleep(0.2)
        assert pieces < 1000
        asked = time.monotonic()
        load.cancel()
        with pytest.raises(asyncio.CancelledError):
            await load
        assert time.monotonic() - asked < CANCELLED_WITHIN_S
        own.send(signal.SIGCONT)
        assert await loader.tags() == set()
