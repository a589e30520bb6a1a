"""The demo workspace, made through the calls that an operator's commands make."""

import json
import os
import shutil
import struct
import subprocess
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from emtui.backend import LogSink
from emtui.errors import BuildFailed, Forbidden, LocalProblem, NotFound
from emtui.local import demo, demo_files
from emtui.local.em import LocalEM
from emtui.local.engines.base import BuildRequest, LoadRequest, PodRequest
from emtui.local.engines.choose import choose_engine
from emtui.local.grid import LocalGrid
from emtui.local.workspace import Workspace
from emtui.models import Image, PodState


class Builder:
    """An engine that only builds, or fails to."""

    name = "builder"
    notes: Sequence[str] = ()
    warnings: Sequence[str] = ()

    def __init__(self) -> None:
        self.built: list[Image] = []
        self.can_build = True

    async def build(self, request: BuildRequest, log: LogSink) -> Image:
        if not self.can_build:
            raise BuildFailed
        assert "ENTRYPOINT" in request.dockerfile
        assert {"Dockerfile", "echo-test.sh"} == {entry.name for entry in request.context.scan()}
        repository, _, tag = request.reference.rpartition(":")
        self.built.append(Image(repository=repository, tag=tag, id="sha256:0", created="", size="1"))
        return self.built[-1]

    async def images(self) -> Sequence[Image]:
        return tuple(self.built)

    async def load(self, request: LoadRequest, log: LogSink) -> Image:
        raise NotImplementedError

    async def find(self, reference: str) -> bool:
        raise NotImplementedError

    async def start(self, pod: PodRequest) -> None:
        raise NotImplementedError

    async def state(self, pod_id: str) -> PodState:
        raise NotImplementedError

    async def stop(self, pod_id: str, grace_s: float = 0) -> None:
        raise NotImplementedError

    async def aclose(self) -> None:
        return


class Bench:
    def __init__(self, path: Path) -> None:
        self.workspace = Workspace(path)
        self.engine = Builder()
        self.em = LocalEM(self.workspace, self.engine)
        self.grid = LocalGrid(self.workspace)

    async def names(self) -> list[str]:
        return sorted(path for path, node in (await self.em.list_files()).walk() if node.type == "file")


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path / "w")
    yield made
    await made.em.aclose()
    await made.grid.aclose()
    made.workspace.close()


ALL_FILES = [
    "README.txt",
    "echo-test/Dockerfile",
    "echo-test/echo-test.sh",
    "fisheye/Dockerfile",
    "fisheye/earth.pgm",
    "fisheye/fisheye.sh",
    "telemetry/2026-322.csv",
    "telemetry/2026-323.csv",
    "telemetry/2026-324.csv",
]


async def test_a_new_workspace_shows_something_in_every_pane(bench: Bench) -> None:
    assert await demo.seed(bench.em, bench.grid) == ()
    assert await bench.names() == ALL_FILES
    assert [image.repository for image in await bench.em.list_images()] == ["client1-echo-test"]
    assert await bench.grid.models() == ["mnist-cnn", "boston-linear", "gpt2-plan"]
    assert await bench.grid.dataset_tags() == ["mnist", "boston"]
    assert (await bench.grid.search_encrypted_models("mnist-cnn-shares")).workers == ("alice", "bob")
    async with bench.grid.get_model("mnist-cnn") as download:
        data = b"".join([chunk async for chunk in download.chunks])
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    assert header["dense.weight"]["shape"] == [10, 1152]
    assert max(entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__") == len(
        data[8 + length :]
    )
    with pytest.raises(Forbidden):
        async with bench.grid.get_model("gpt2-plan"):
            pass


async def test_the_engine_of_this_machine_builds_the_demos_image(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "w")
    em = LocalEM(workspace, await choose_engine(workspace, None))
    grid = LocalGrid(workspace)
    try:
        assert await demo.seed(em, grid) == ()
        assert [image.reference for image in await em.list_images()] == ["client1-echo-test:latest"]
        assert await demo.seed(em, grid) == ()
    finally:
        await em.aclose()
        await grid.aclose()
        workspace.close()


async def test_later_opens_change_nothing(bench: Bench) -> None:
    await demo.seed(bench.em, bench.grid)
    await bench.em.delete("README.txt")
    await bench.em.delete("telemetry")
    bench.engine.built.clear()
    assert await demo.seed(bench.em, bench.grid) == ()
    assert await bench.names() == ALL_FILES[1:6]
    assert bench.engine.built == []


async def test_after_a_kill_in_the_middle_what_is_missing_is_added(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(bench.grid, "register_encrypted_model", killed)
        with pytest.raises(KeyboardInterrupt):
            await demo.seed(bench.em, bench.grid)
    (bench.workspace.path / "volume" / "README.txt").write_bytes(b"changed meanwhile")
    await bench.em.delete("fisheye/earth.pgm")
    await demo.seed(bench.em, bench.grid)
    assert await bench.names() == ALL_FILES
    assert (bench.workspace.path / "volume" / "README.txt").read_bytes() == b"changed meanwhile"
    assert len(bench.engine.built) == 1
    assert len(await bench.grid.models()) == 3


async def test_it_opens_where_nothing_can_be_built(bench: Bench) -> None:
    bench.engine.can_build = False
    (problem,) = await demo.seed(bench.em, bench.grid)
    assert problem.startswith("the demo's image echo-test was not built: Docker build failed. Read the log")
    assert await bench.names() == ALL_FILES
    assert len(await bench.grid.models()) == 3
    assert await demo.seed(bench.em, bench.grid) == ()


async def test_a_disk_that_is_full_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: object) -> None:
        raise LocalProblem("No space left on device")

    monkeypatch.setattr(bench.em, "uplink", full)
    with pytest.raises(LocalProblem, match="No space"):
        await demo.seed(bench.em, bench.grid)
    with pytest.raises(NotFound):
        await bench.grid.search_encrypted_models("mnist-cnn-shares")


def test_the_files_are_always_the_same() -> None:
    assert demo_files.volume() == demo_files.volume()
    assert demo_files.models() == demo_files.models()


def test_the_fisheye_script_straightens_its_picture(tmp_path: Path) -> None:
    for name, content in demo_files.volume()["fisheye"].items():
        (tmp_path / name).write_bytes(content)
    shell = shutil.which("sh")
    assert shell is not None
    command = [shell, "fisheye.sh", "earth.pgm", "flat.pgm"]
    subprocess.run(command, cwd=tmp_path, env={**os.environ, "BEND": "35"}, check=True, timeout=60)
    before, after = ((tmp_path / name).read_text().split() for name in ("earth.pgm", "flat.pgm"))
    assert before[:4] == after[:4] == ["P2", "64", "48", "255"]
    assert len(after) == len(before) == 4 + 64 * 48
    assert after != before
    assert set(after) <= set(before)
    (tmp_path / "no.pgm").write_bytes(b"P6\n1 1\n255\nx")
    refused = subprocess.run(
        [shell, "fisheye.sh", "no.pgm", "x"], cwd=tmp_path, env={**os.environ, "BEND": "1"}, check=False
    )
    assert refused.returncode == 1
    assert not (tmp_path / "x").exists()


def test_the_echo_script_writes_into_the_volume(tmp_path: Path) -> None:
    script = demo_files.volume()["echo-test"]["echo-test.sh"].decode().replace("/data/", f"{tmp_path}/")
    subprocess.run(["sh", "-c", script], env={**os.environ, "STEPS": "0"}, check=True, timeout=60)
    lines = (tmp_path / "downlink.txt").read_text().splitlines()
    assert [line.split()[:2] for line in lines] == [["echo-test", "started"], ["echo-test", "finished"]]
