"""One workspace and one engine of each kind; what the machine cannot do is skipped with the reason."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from emtui.local.engines.base import BuildRequest, Engine, LoadRequest, PodRequest
from emtui.local.engines.choose import probe_isolation
from emtui.local.engines.docker.engine import DockerEngine
from emtui.local.engines.sandbox.engine import SandboxEngine
from emtui.local.engines.simulated import SimulatedEngine
from emtui.local.stopping import Stop
from emtui.local.workspace import Workspace
from emtui.models import Image, PodState
from tests.engines.docker_here import need_docker, remove_all
from tests.missing import missing

DEADLINE_S = 30.0
ISOLATIONS = ("bwrap", "unshare")
DOCKER = "docker"
BASE = "busybox"
"""The base image of the tests: on board of every engine."""


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    made = Workspace(tmp_path / "ws")
    yield made
    made.close()


@dataclass
class Bench:
    """An engine and short words for what tests do with it."""

    workspace: Workspace
    make: Callable[[], Engine]
    engine: Engine
    log: list[str] = field(default_factory=list)
    count: int = 0

    @property
    def volume(self) -> Path:
        return self.workspace.path / "volume"

    @property
    def pods(self) -> Path:
        return self.workspace.blobs / "pods"

    def write(self, path: str, text: str | bytes = "x") -> Path:
        target = self.volume / "context" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode() if isinstance(text, str) else text)
        return target

    async def build(self, dockerfile: str, reference: str = "client1-a:latest") -> Image:
        (self.volume / "context").mkdir(exist_ok=True)
        self.log.clear()
        with self.workspace.volume.open_dir(("context",)) as context:
            return await self.engine.build(BuildRequest(context, dockerfile, "Dockerfile", reference), self.log.append)

    async def load(self, path: Path, reference: str = "echo:latest") -> Image:
        self.log.clear()
        with path.open("rb") as file:
            return await self.engine.load(LoadRequest(file.fileno(), reference), self.log.append)

    async def start(
        self,
        command: str = "",
        reference: str = "client1-a:latest",
        *,
        max_duration_s: float = 60.0,
        grace_s: float = 5.0,
        scheduled_time: datetime | None = None,
    ) -> str:
        self.count += 1
        pod_id = f"client1-{self.count}"
        await self.engine.start(
            PodRequest(pod_id, "client1-a", reference, "FPGA", command, max_duration_s, scheduled_time, grace_s)
        )
        return pod_id

    async def until(self, pod_id: str, is_reached: Callable[[PodState], bool]) -> PodState:
        deadline = time.monotonic() + DEADLINE_S
        while not is_reached(state := await self.engine.state(pod_id)):
            assert time.monotonic() < deadline, f"not reached: {state}"
            await asyncio.sleep(0.02)
        return state

    async def until_ended(self, pod_id: str) -> PodState:
        return await self.until(pod_id, lambda state: state.terminated is not None)

    async def until_running(self, pod_id: str) -> PodState:
        return await self.until(pod_id, lambda state: state.running is not None)

    async def run(self, command: str = "", reference: str = BASE, **options: float) -> PodState:
        return await self.until_ended(await self.start(command, reference, **options))  # type: ignore[arg-type] # durations

    def again(self) -> Engine:
        """A new engine on the same workspace, as after a restart."""
        self.engine = self.make()
        return self.engine


async def wait_for(is_reached: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not is_reached():
        assert time.monotonic() < deadline, f"not reached: {what}"
        await asyncio.sleep(0.02)


def names_in(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def _bench(workspace: Workspace, kind: str) -> Bench:
    if kind == DOCKER:
        found = need_docker()
        return Bench(workspace, make := lambda: DockerEngine(workspace, found), make())
    if kind in ISOLATIONS:
        if shutil.which(kind) is None:
            missing(f"{kind} is not installed")
        reason = probe_isolation(workspace, kind, Stop())
        if reason:
            missing(f"{kind} does not work here: {reason}")

    def make() -> Engine:
        return SandboxEngine(workspace, kind) if kind in ISOLATIONS else SimulatedEngine(workspace)

    return Bench(workspace, make, make())


async def _stop_all(bench: Bench) -> None:
    for folder in bench.pods.iterdir():
        await bench.engine.stop(folder.name, 0.0)
    await bench.engine.aclose()
    if bench.engine.name == DOCKER:
        await asyncio.to_thread(asyncio.run, remove_all(bench.workspace))


@pytest.fixture(params=[DOCKER, *ISOLATIONS, "simulated"])
async def bench(workspace: Workspace, request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    """Every engine."""
    made = _bench(workspace, request.param)
    yield made
    await _stop_all(made)


@pytest.fixture(params=[DOCKER, *ISOLATIONS])
async def executing(workspace: Workspace, request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    """The engines that really execute."""
    made = _bench(workspace, request.param)
    yield made
    await _stop_all(made)


@pytest.fixture
async def docker(workspace: Workspace) -> AsyncIterator[Bench]:
    """The docker engine."""
    made = _bench(workspace, DOCKER)
    yield made
    await _stop_all(made)


@pytest.fixture(params=ISOLATIONS)
async def sandbox(workspace: Workspace, request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    """The engine that makes its images and pods itself."""
    made = _bench(workspace, request.param)
    yield made
    await _stop_all(made)
