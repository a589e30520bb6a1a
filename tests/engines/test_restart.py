"""Pods and builds across the end of whatever made them."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from emtui.local.engines.records import PodFolder
from tests.engines.conftest import BASE, Bench, names_in, wait_for


def kill_supervisor(bench: Bench, pod_id: str) -> None:
    folder = PodFolder(bench.pods / pod_id)
    os.kill(int((folder.path / "lock").read_text()), signal.SIGKILL)
    assert folder.wait_until_gone(10)


async def test_a_pod_goes_on_without_the_engine(sandbox: Bench) -> None:
    pod_id = await sandbox.start("until test -e /data/go; do sleep 0.05; done; echo done > /data/out", BASE)
    await sandbox.until_running(pod_id)
    await sandbox.engine.aclose()
    sandbox.again()
    assert (await sandbox.engine.state(pod_id)).running is not None
    (sandbox.volume / "go").touch()
    state = await sandbox.until_ended(pod_id)
    assert state.terminated is not None
    assert state.terminated.reason == "Completed"
    assert (sandbox.volume / "out").read_text() == "done\n"


async def test_a_lost_supervisor_is_told(sandbox: Bench) -> None:
    pod_id = await sandbox.start("sleep 600", BASE)
    running = (await sandbox.until_running(pod_id)).running
    kill_supervisor(sandbox, pod_id)
    sandbox.again()
    state = await sandbox.engine.state(pod_id)
    assert state.terminated is not None
    assert running is not None
    assert (state.terminated.exit_code, state.terminated.reason) == (137, "ContainerStatusUnknown")
    assert "supervisor was lost" in state.terminated.message
    assert state.terminated.started_at == running.started_at
    assert not (sandbox.pods / pod_id / "root").exists()
    sandbox.again()
    assert await sandbox.engine.state(pod_id) == state


async def test_a_scheduled_pod_gets_another_supervisor(sandbox: Bench) -> None:
    pod_id = await sandbox.start("echo ran > /data/out", BASE, scheduled_time=datetime.now(UTC) + timedelta(seconds=6))
    await sandbox.until(pod_id, lambda state: state.waiting is not None and state.waiting.reason == "Scheduled")
    kill_supervisor(sandbox, pod_id)
    sandbox.again()
    state = await sandbox.until(
        pod_id, lambda state: "another one since" in (state.waiting.message if state.waiting else "")
    )
    assert state.waiting is not None
    ended = await sandbox.until_ended(pod_id)
    assert ended.terminated is not None
    assert ended.terminated.reason == "Completed"
    assert (sandbox.volume / "out").read_text() == "ran\n"


async def test_half_made_things_are_swept(sandbox: Bench) -> None:
    (sandbox.workspace.blobs / "images" / "orphan" / "rootfs").mkdir(parents=True)
    (sandbox.pods / "half").mkdir()
    await sandbox.engine.images()
    await sandbox.engine.state("nobody")
    assert names_in(sandbox.workspace.blobs / "images") == []
    assert names_in(sandbox.pods) == []


BUILDER = """
import asyncio, sys
from pathlib import Path
from emtui.local.engines.base import BuildRequest
from emtui.local.engines.sandbox.engine import SandboxEngine
from emtui.local.workspace import Workspace

async def main():
    workspace = Workspace(Path(sys.argv[1]))
    engine = SandboxEngine(workspace, sys.argv[2])
    text = "FROM busybox\\nRUN echo started; sleep " + sys.argv[3] + "\\n"
    request = BuildRequest(workspace.volume, text, "Dockerfile", "client1-a:latest")
    await engine.build(request, lambda line: print(line, end="", flush=True))

asyncio.run(main())
"""


async def test_a_killed_build_leaves_no_process(sandbox: Bench, tmp_path: Path) -> None:
    from tests.engines.test_isolation import running_with

    mark = f"31538{os.getpid()}"
    isolation = "bwrap" if "bwrap" in sandbox.engine.notes[0] else "unshare"
    home = Path(__file__).parents[2]
    builder = subprocess.Popen(
        [sys.executable, "-c", BUILDER, str(tmp_path / "other"), isolation, mark],
        stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": os.pathsep.join((str(home), *sys.path))},
    )  # fmt: skip
    assert builder.stdout is not None
    await wait_for(lambda: running_with(mark) == 1, "the RUN")
    builder.kill()
    builder.wait()
    builder.stdout.close()
    await wait_for(lambda: running_with(mark) == 0, "its end")
