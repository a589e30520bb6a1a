"""A run that an engine which is away cannot take must not cost the pod that runs."""

import asyncio
import signal

import pytest

from emtui.errors import LocalProblem
from emtui.local.em import LocalEM
from emtui.local.engines.docker.daemon import Daemon
from emtui.local.engines.docker.engine import DockerEngine
from emtui.local.engines.docker.problems import daemon_problems
from emtui.local.workspace import Workspace
from emtui.models import PodSpec
from tests.engines.own_daemon import own_daemon

HEEDS = "trap 'exit 143' TERM; while :; do sleep 0.1; done"


async def test_the_pod_goes_on(workspace: Workspace) -> None:
    with own_daemon("--live-restore") as daemon:
        em = LocalEM(workspace, DockerEngine(workspace, await asyncio.to_thread(daemon.start)))
        spec = PodSpec(docker_image="busybox", max_duration=5, node="FPGA", command=HEEDS)
        await em.run_pod(spec)
        async with asyncio.timeout(20):
            while (await em.pod_status()).state.running is None:
                await asyncio.sleep(0.1)
        await asyncio.to_thread(daemon.end, signal.SIGTERM)
        with pytest.raises(LocalProblem, match=r"there is no such socket|connection refused"):
            await em.run_pod(spec)
        assert (await em.pod_status()).state.running is not None
        await asyncio.to_thread(daemon.start)
        client = Daemon(daemon.place)
        with daemon_problems():
            assert len(await client.docker.containers.list()) == 1
        await em.run_pod(PodSpec(docker_image="none", max_duration=1, node="GPU"))
        with daemon_problems():
            assert await client.docker.containers.list(all=True) == []
        await client.aclose()
        await em.aclose()
