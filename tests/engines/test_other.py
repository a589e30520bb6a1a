"""A pod whose engine is not at work any more: it is told of, and there are never two of them."""

import json
import os
import signal
import time
from collections.abc import Callable

import pytest

from emtui.local.em import LocalEM
from emtui.local.engines.base import Engine
from emtui.local.engines.records import PodFolder
from emtui.local.engines.sandbox.engine import SandboxEngine
from emtui.local.engines.simulated import SimulatedEngine
from emtui.models import PodSpec, PodState
from tests.engines.conftest import BASE, DEADLINE_S, Bench, names_in, wait_for

FOREVER = "trap 'echo stopped > /data/out; exit 7' TERM; while true; do date > /data/alive; sleep 0.05; done"


def spec(command: str, image: str = BASE) -> PodSpec:
    return PodSpec(docker_image=image, max_duration=5, node="FPGA", command=command)


async def until(em: LocalEM, is_reached: Callable[[PodState], object]) -> PodState:
    deadline = time.monotonic() + DEADLINE_S
    while not is_reached(state := (await em.pod_status()).state):
        assert time.monotonic() < deadline, f"not reached: {state}"
        time.sleep(0.02)
    return state


async def running_of(bench: Bench, command: str = FOREVER) -> tuple[LocalEM, LocalEM, PodFolder]:
    """The EM that has started a pod, one on the same workspace with another engine, and the pod's folder."""
    em, other = LocalEM(bench.workspace, bench.engine), LocalEM(bench.workspace, SimulatedEngine(bench.workspace))
    await em.run_pod(spec(command))
    await until(em, lambda state: state.running)
    if command == FOREVER:
        await wait_for((bench.volume / "alive").exists, "its first sign of life")
    (name,) = names_in(bench.pods)
    return em, other, PodFolder(bench.pods / name)


def final_state_of(bench: Bench, pod: PodFolder) -> object:
    (row,) = bench.workspace.store.read("SELECT final_state FROM pods WHERE pod_id = ?", (pod.path.name,))
    return row["final_state"] and json.loads(row["final_state"])


async def test_a_pod_that_goes_on_without_its_engine_is_told_as_running(executing: Bench) -> None:
    em, other, _ = await running_of(executing, "until test -e /data/go; do sleep 0.05; done; exit 3")
    before = (await em.pod_status()).state.running

    found = (await other.pod_status()).state.running

    assert before is not None
    assert found is not None
    assert found.started_at == before.started_at
    assert f"started with the engine {executing.engine.name}, which is not at work now" in found.message
    (executing.volume / "go").touch()
    ended = (await until(other, lambda state: state.terminated)).terminated
    assert ended is not None
    assert (ended.exit_code, ended.reason, ended.message) == (3, "Error", "")
    assert (await em.pod_status()).state.terminated == ended


async def test_a_run_stops_the_pod_of_another_engine_first(executing: Bench) -> None:
    _, other, pod = await running_of(executing)
    await other.run_pod(spec(""))

    assert (executing.volume / "out").read_text() == "stopped\n"
    kept = final_state_of(executing, pod)
    assert isinstance(kept, dict)
    assert (kept["terminated"]["exitCode"], kept["terminated"]["message"]) == (7, "stopped as asked")
    assert pod.wait_until_gone(10)
    alive = (executing.volume / "alive").stat().st_mtime_ns
    time.sleep(0.3)
    assert (executing.volume / "alive").stat().st_mtime_ns == alive
    assert "simulated" in (await until(other, lambda state: state.running or state.terminated)).model_dump_json()


async def test_how_a_pod_is_that_nobody_supervises_any_more_is_not_known(executing: Bench) -> None:
    em, other, pod = await running_of(executing, "exec sleep 600")
    os.kill(int((pod.path / "lock").read_text()), signal.SIGKILL)
    assert pod.wait_until_gone(10)

    state = (await other.pod_status()).state.terminated

    assert state is not None
    assert (state.exit_code, state.reason) == (137, "ContainerStatusUnknown")
    assert "which is not at work now" in state.message
    assert final_state_of(executing, pod) is None
    found = (await em.pod_status()).state  # its own engine may know more
    if executing.engine.name == "docker":
        assert found.running is not None
    else:
        assert found.terminated is not None
        assert "supervisor was lost" in found.terminated.message


async def test_a_run_gives_up_a_pod_that_nobody_supervises_any_more(sandbox: Bench) -> None:
    _, other, pod = await running_of(sandbox, "exec sleep 600")
    os.kill(int((pod.path / "lock").read_text()), signal.SIGKILL)
    assert pod.wait_until_gone(10)

    await other.run_pod(spec(""))

    kept = final_state_of(sandbox, pod)
    assert isinstance(kept, dict)
    assert kept["terminated"]["reason"] == "ContainerStatusUnknown"
    assert not (pod.path / "root").exists()


@pytest.fixture
def simulated(sandbox: Bench) -> tuple[Bench, LocalEM, LocalEM]:
    """A workspace with an EM whose engine is simulated, and one whose engine executes."""

    def em(engine: Engine) -> LocalEM:
        return LocalEM(sandbox.workspace, engine)

    return sandbox, em(SimulatedEngine(sandbox.workspace)), em(sandbox.engine)


async def test_a_simulated_pod_is_told_and_stopped_too(simulated: tuple[Bench, LocalEM, LocalEM]) -> None:
    bench, em, other = simulated
    await em.run_pod(spec(""))
    (name,) = names_in(bench.pods)
    running = (await until(other, lambda state: state.running)).running
    assert running is not None
    assert "the engine simulated, which is not at work now" in running.message

    await other.run_pod(spec("sleep 600"))

    kept = final_state_of(bench, PodFolder(bench.pods / name))
    assert isinstance(kept, dict)
    assert "stopped as asked" in kept["terminated"]["message"]
    assert isinstance(bench.engine, SandboxEngine)
    assert await until(other, lambda state: state.running)
