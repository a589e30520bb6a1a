"""A pod of the last time is found again when its workspace is opened, without any request."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from emtui.local.engines.records import PodFolder
from emtui.local.opening import open_local
from emtui.models import PodSpec
from emtui.server.settings import Settings
from tests.engines.conftest import BASE, DEADLINE_S, Bench
from tests.serving import PASSWORD, serving_here

TOO_LATE_S = 10.0


@contextlib.asynccontextmanager
async def console(path: Path) -> AsyncIterator[None]:
    async with open_local(path, "client1", engine="sandbox"):
        yield


@contextlib.asynccontextmanager
async def server(path: Path) -> AsyncIterator[None]:
    async with serving_here(Settings(path, password=PASSWORD)):
        yield


def only_pod(path: Path) -> PodFolder:
    (folder,) = (path / "blobs" / "pods").iterdir()
    return PodFolder(folder)


async def a_waiting_pod_whose_supervisor_is_gone(path: Path, starts_in_s: float) -> None:
    async with open_local(path, "client1", engine="sandbox") as ends:
        time = datetime.now(UTC) + timedelta(seconds=starts_in_s)
        await ends.em.run_pod(
            PodSpec(docker_image=BASE, max_duration=1, node="FPGA", scheduled_time=time, command="echo ran > /data/out")
        )
        async with asyncio.timeout(DEADLINE_S):
            while "Scheduled" not in (await ends.em.pod_status()).model_dump_json():
                await asyncio.sleep(0.02)
    pod = only_pod(path)
    os.kill(int((pod.path / "lock").read_text()), signal.SIGKILL)
    assert pod.wait_until_gone(10)


@pytest.mark.parametrize("opened", [console, server])
async def test_a_waiting_pod_starts_though_nobody_asks(
    sandbox: Bench, tmp_path: Path, opened: Callable[[Path], contextlib.AbstractAsyncContextManager[None]]
) -> None:
    del sandbox  # which skips this where nothing is executed
    path = tmp_path / "other"
    await a_waiting_pod_whose_supervisor_is_gone(path, 10.0)

    async with opened(path), asyncio.timeout(DEADLINE_S):
        while not (path / "volume" / "out").exists():
            await asyncio.sleep(0.05)

    pod = only_pod(path)
    assert pod.wait_until_gone(DEADLINE_S)
    assert pod.state()[0]["terminated"]["reason"] == "Completed"


async def test_what_is_over_soon_looks_for_no_engine(sandbox: Bench, tmp_path: Path) -> None:
    del sandbox
    path = tmp_path / "other"
    await a_waiting_pod_whose_supervisor_is_gone(path, 600.0)
    begun = time.monotonic()

    async with open_local(path, "client1", engine="sandbox") as ends:
        await ends.em.list_files()

    assert time.monotonic() - begun < TOO_LATE_S
    assert ends.engine_name == ""
    assert not only_pod(path).is_alive()
