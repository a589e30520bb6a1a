"""One request at a time: another one meanwhile is `Locked` and was not executed (EM API, Shared Behaviors)."""

import asyncio
from pathlib import Path

import pytest
from em_sources import Given, Stalled, free

from emtui.backend import EM
from emtui.errors import Locked
from emtui.models import PodSpec, UplinkResult


async def read(em: EM, path: str) -> bytes:
    async with em.downlink(path) as download:
        return b"".join([chunk async for chunk in download.chunks])


async def assert_all_locked(em: EM) -> None:
    for call in (
        lambda: em.uplink([Given("never", b"x")]),
        em.list_files,
        lambda: read(em, "kept"),
        lambda: em.delete("kept"),
        lambda: em.build_image("Dockerfile", "", "image"),
        lambda: em.load_image("image.tar", "image"),
        em.list_images,
        lambda: em.run_pod(PodSpec(docker_image="alpine", max_duration=1, node="GPU")),
        em.pod_status,
    ):
        with pytest.raises(Locked) as caught:
            await asyncio.wait_for(call(), 1)
        assert caught.value.status == 423


async def test_everything_is_locked_during_an_uplink(em: EM, volume_root: Path) -> None:
    (volume_root / "kept").write_bytes(b"kept")
    source = Stalled("half")
    task = asyncio.create_task(em.uplink([source]))
    await asyncio.wait_for(source.is_reading.wait(), 5)

    await assert_all_locked(em)

    task.cancel()
    await asyncio.wait([task])
    await free(em)
    assert [node.name for node in (await em.list_files()).nodes] == ["kept"]
    assert (await em.pod_status()).to_wire() == {"state": {}}


async def test_a_downlink_is_at_work_until_its_last_byte(em: EM, volume_root: Path) -> None:
    (volume_root / "kept").write_bytes(b"kept")
    # More than the buffers of a connection hold.
    (volume_root / "large").write_bytes(bytes(64 << 20))

    async with em.downlink("large") as download:
        count = len(await anext(download.chunks))
        await assert_all_locked(em)
        async for chunk in download.chunks:
            count += len(chunk)
    assert count == 64 << 20

    assert await read(em, "kept") == b"kept"


async def test_a_downlink_that_is_left_early_lets_go(em: EM, volume_root: Path) -> None:
    (volume_root / "large").write_bytes(bytes(64 << 20))

    async with em.downlink("large") as download:
        await anext(download.chunks)

    await free(em)
    await em.delete("large")
    assert list(volume_root.iterdir()) == []


async def test_a_failed_call_lets_go(em: EM) -> None:
    with pytest.raises(Exception, match="missing"):
        await em.delete("missing")
    with pytest.raises(Exception, match="missing"):
        await read(em, "missing")
    with pytest.raises(RuntimeError, match="the caller's own"):
        await em.uplink([Given("x", b"x", fails=RuntimeError("the caller's own"))])

    await free(em)
    assert (await em.list_files()).nodes == ()


async def test_of_many_at_once_each_is_done_or_locked(em: EM) -> None:
    outcomes = await asyncio.gather(*(em.uplink([Given(f"f{n}", b"x")]) for n in range(20)), return_exceptions=True)

    done = [outcome for outcome in outcomes if isinstance(outcome, UplinkResult)]
    assert len(done) >= 1
    assert sum(isinstance(outcome, Locked) for outcome in outcomes) == 20 - len(done) > 0
    assert (await em.list_files()).file_count == len(done)
