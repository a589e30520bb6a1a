"""What is the docker engine's own: how a pod is confined, who is labelled how, and what is found again."""

import asyncio
import errno
import os
import shutil
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from emtui.local.em import LocalEM
from emtui.local.engines.disk import DiskWatch
from emtui.local.engines.docker.daemon import Daemon, Found
from emtui.local.engines.docker.engine import DockerEngine
from emtui.local.engines.docker.lookup import inspect_image
from emtui.local.engines.docker.names import LABEL_NODE, LABEL_POD, LABEL_WORKSPACE, names_of
from emtui.local.engines.docker.pods.supervisor import ORDER
from emtui.local.engines.docker.problems import daemon_problems
from emtui.local.engines.records import PodFolder
from emtui.local.workspace import Workspace
from emtui.profile import PodPolicy
from tests.engines.conftest import BASE, Bench, wait_for
from tests.engines.docker_here import DOCKER_PLACE, need_docker
from tests.engines.own_daemon import OwnDaemon, own_daemon
from tests.unit.local.local_limits import mounted

HEEDS = "trap 'exit 143' TERM; touch /data/up; while :; do sleep 0.1; done"


async def containers(bench: Bench) -> list[dict[str, Any]]:
    """The workspace's containers, inspected."""
    daemon = Daemon(DOCKER_PLACE)
    try:
        with daemon_problems():
            listed = await daemon.docker.containers.list(all=True)
            ours = names_of(bench.workspace.blobs).workspace_id
            return [
                await container.show()
                for container in listed
                if (container["Labels"] or {}).get(LABEL_WORKSPACE) == ours
            ]
    finally:
        await daemon.aclose()


def with_policy(bench: Bench, policy: PodPolicy) -> Bench:
    found = need_docker()
    bench.make = lambda: DockerEngine(bench.workspace, found, (BASE,), policy)
    bench.again()
    return bench


async def said(bench: Bench, command: str) -> str:
    await bench.run(f'({command}) > /data/said 2>&1; echo "=$?" >> /data/said')
    return (bench.volume / "said").read_text(errors="replace")


async def test_a_container_bears_its_labels_and_is_gone_with_its_pod(docker: Bench) -> None:
    pod_id = await docker.start(HEEDS, BASE)
    await docker.until_running(pod_id)
    (container,) = await containers(docker)
    labels = container["Config"]["Labels"]
    assert (labels[LABEL_POD], labels[LABEL_NODE]) == (pod_id, "FPGA")
    await docker.engine.stop(pod_id)
    assert await containers(docker) == []
    ended = (await docker.engine.state(pod_id)).terminated
    assert ended is not None
    assert (ended.exit_code, ended.reason, ended.message) == (143, "Error", "stopped as asked")


async def test_a_pod_is_confined(docker: Bench) -> None:
    text = await said(
        docker, "grep -E '^(CapEff|NoNewPrivs)' /proc/self/status; cat /proc/net/dev; ulimit -c; hostname"
    )
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    assert fields["NoNewPrivs"].strip() == "1"
    # CAP_NET_RAW (13), CAP_SYS_ADMIN (21), CAP_MKNOD (27) and the like are not among them.
    assert int(fields["CapEff"], 16) & (1 << 13 | 1 << 21 | 1 << 27 | 1 << 12 | 1 << 19) == 0
    assert [name.strip() for name in fields if name.strip() in ("lo", "eth0")] == ["lo"]
    assert "client1-a" in text


async def test_the_machine_is_not_seen(docker: Bench, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret of the operator")
    for place in (tmp_path / "secret", "/data/../ws", "/proc/1/root/../secret", "/var/run/docker.sock"):
        text = await said(docker, f"cat {place} || ls {place}")
        assert "=0" not in text


async def test_what_a_pod_may_use_is_bounded(docker: Bench) -> None:
    with_policy(docker, PodPolicy(memory_bytes=64 << 20, cpus=0.5, processes=20, has_read_only_root=True))
    assert "at most 64 MiB of memory for a whole pod" in docker.engine.notes
    pod_id = await docker.start(HEEDS, BASE)
    await docker.until_running(pod_id)
    (container,) = await containers(docker)
    host = container["HostConfig"]
    assert (host["Memory"], host["MemorySwap"], host["NanoCpus"]) == (64 << 20, 64 << 20, 500_000_000)
    assert (host["PidsLimit"], host["ReadonlyRootfs"], host["Privileged"]) == (20, True, False)
    await docker.engine.stop(pod_id)
    assert "=1" in await said(docker, "touch /here && exit 0; touch /tmp/there && exit 1")


async def test_a_fork_bomb_is_bounded(docker: Bench) -> None:
    with_policy(docker, PodPolicy(processes=30))
    await docker.run("for i in $(seq 100); do sleep 600 & echo $i > /data/reached; done", max_duration_s=5, grace_s=0.1)
    assert 10 < int((docker.volume / "reached").read_text()) < 31


async def test_out_of_memory(docker: Bench) -> None:
    with_policy(docker, PodPolicy(memory_bytes=16 << 20))
    ended = (await docker.run("tail /dev/zero")).terminated
    assert ended is not None
    assert (ended.exit_code, ended.reason) == (137, "OOMKilled")


async def test_a_network_only_where_it_was_asked_for(docker: Bench) -> None:
    with_policy(docker, PodPolicy(with_network=True))
    assert "eth0" in await said(docker, "cat /proc/net/dev")


async def test_a_pod_that_fills_the_disk_is_evicted(docker: Bench) -> None:
    pod_id = await docker.start(HEEDS, BASE)
    await docker.until_running(pod_id)
    # The disk need not be filled for it: the supervisor is given a bound that is passed already.
    folder = PodFolder(docker.pods / pod_id)
    order = folder.read(ORDER)
    free = shutil.disk_usage(docker.workspace.path).free
    watch = DiskWatch(str(docker.workspace.path), free * 2)
    assert not watch.is_too_full()
    filler = docker.volume / "filler"
    folder.write(ORDER, {**order, "keep_free_bytes": free * 2})
    os.kill(int((folder.path / "lock").read_text()), signal.SIGKILL)
    assert folder.wait_until_gone(10)
    await docker.until_running(pod_id)  # another supervisor takes it on, which keeps half of what is free
    await wait_for(folder.is_alive, "the other supervisor")
    await asyncio.sleep(1)
    try:
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, free * 6 // 10)
        ended = (await docker.until_ended(pod_id)).terminated
    finally:
        filler.unlink()
    assert ended is not None
    assert (ended.exit_code, ended.reason, ended.message.partition(";")[0]) == (
        137,
        "Evicted",
        "The node was low on resource: ephemeral-storage",
    )


async def test_a_disk_that_is_full_at_once(tmp_path: Path) -> None:
    with mounted(tmp_path / "small", "size=96m") as folder:
        workspace = Workspace(folder / "ws")
        bench = bench_on(workspace, need_docker())
        em = LocalEM(workspace, bench.engine)
        try:
            ended = (await bench.run("cat /dev/zero > /data/big; sleep 60")).terminated
            assert ended is not None
            assert (ended.exit_code, ended.reason) == (137, "Evicted")
            assert PodFolder(bench.pods / "client1-1").state()[1]
            # What fills it can be seen, and deleted.
            assert (await em.list_files()).find("big") is not None
            await em.delete("big")
            assert await containers(bench) == []
        finally:
            await em.aclose()
            workspace.close()


async def test_a_container_is_found_again(docker: Bench) -> None:
    pod_id = await docker.start("until test -e /data/go; do sleep 0.05; done; echo done > /data/out; exit 5", BASE)
    started = (await docker.until_running(pod_id)).running
    folder = PodFolder(docker.pods / pod_id)
    os.kill(int((folder.path / "lock").read_text()), signal.SIGKILL)
    assert folder.wait_until_gone(10)
    await docker.engine.aclose()
    docker.again()
    again = (await docker.until_running(pod_id)).running
    assert started is not None
    assert again is not None
    assert again.started_at == started.started_at
    (docker.volume / "go").touch()
    ended = (await docker.until_ended(pod_id)).terminated
    assert ended is not None
    assert (ended.exit_code, ended.started_at) == (5, started.started_at)
    assert "its supervisor was lost" in ended.message
    assert await containers(docker) == []


async def test_its_time_goes_on_without_a_supervisor(docker: Bench) -> None:
    pod_id = await docker.start(HEEDS, BASE, max_duration_s=3)
    await docker.until_running(pod_id)
    folder = PodFolder(docker.pods / pod_id)
    os.kill(int((folder.path / "lock").read_text()), signal.SIGKILL)
    assert folder.wait_until_gone(10)
    await asyncio.sleep(3)
    docker.again()
    ended = (await docker.until_ended(pod_id)).terminated
    assert ended is not None
    assert ended.reason == "DeadlineExceeded"


async def test_a_container_that_somebody_removed(docker: Bench) -> None:
    pod_id = await docker.start("sleep 600", BASE)
    await docker.until_running(pod_id)
    (container,) = await containers(docker)
    daemon = Daemon(DOCKER_PLACE)
    with daemon_problems():
        await daemon.docker.containers.container(container["Id"]).delete(force=True)
    await daemon.aclose()
    ended = (await docker.until_ended(pod_id)).terminated
    assert ended is not None
    # Whether its end or its absence is seen first is the engine's affair.
    assert (ended.exit_code, ended.reason) in ((137, "ContainerStatusUnknown"), (137, "Error"))


async def test_a_container_of_a_pod_that_nobody_knows_goes(docker: Bench) -> None:
    pod_id = await docker.start("sleep 600", BASE)
    await docker.until_running(pod_id)
    folder = PodFolder(docker.pods / pod_id)
    os.kill(int((folder.path / "lock").read_text()), signal.SIGKILL)
    assert folder.wait_until_gone(10)
    shutil.rmtree(folder.path)
    docker.again()
    await docker.engine.images()
    assert await containers(docker) == []


async def test_another_workspace_sees_nothing_of_it(docker: Bench, tmp_path: Path) -> None:
    pod_id = await docker.start(HEEDS, BASE)
    await docker.until_running(pod_id)
    other = Workspace(tmp_path / "other")
    engine = DockerEngine(other, need_docker())
    try:
        assert list(await engine.images()) == []
        assert (await docker.engine.state(pod_id)).running is not None
    finally:
        await engine.aclose()
        other.close()


async def test_a_scheduled_pod_keeps_its_container_and_starts_late_rather_than_twice(docker: Bench) -> None:
    moment = datetime.now(UTC) + timedelta(seconds=3)
    pod_id = await docker.start("date +%s > /data/at", BASE, scheduled_time=moment)
    await docker.until(pod_id, lambda state: state.waiting is not None and state.waiting.reason == "Scheduled")
    folder = PodFolder(docker.pods / pod_id)
    os.kill(int((folder.path / "lock").read_text()), signal.SIGKILL)
    assert folder.wait_until_gone(10)
    docker.again()
    ended = (await docker.until_ended(pod_id)).terminated
    assert ended is not None
    assert ended.exit_code == 0
    assert int((docker.volume / "at").read_text()) >= int(moment.timestamp())


async def test_what_a_command_prints_is_not_the_runtimes_word(docker: Bench) -> None:
    ended = (await docker.run('echo "exec foo: no such file or directory"; exit 1')).terminated
    assert ended is not None
    assert (ended.exit_code, ended.message) == (1, "")


async def test_a_container_that_was_removed_before_its_time_is_made_anew(docker: Bench) -> None:
    pod_id = await docker.start("echo ran > /data/out", BASE, scheduled_time=datetime.now(UTC) + timedelta(seconds=4))
    await docker.until(pod_id, lambda state: state.waiting is not None and state.waiting.reason == "Scheduled")
    (container,) = await containers(docker)
    daemon = Daemon(DOCKER_PLACE)
    with daemon_problems():
        await daemon.docker.containers.container(container["Id"]).delete()
    await daemon.aclose()
    ended = (await docker.until_ended(pod_id)).terminated
    assert ended is not None
    assert ended.exit_code == 0
    assert (docker.volume / "out").read_text() == "ran\n"


async def test_what_others_make_of_an_image_of_ours_is_theirs(docker: Bench) -> None:
    image = await docker.build("FROM busybox\nENV A=1\n")
    daemon = Daemon(DOCKER_PLACE)
    name = f"theirs-{names_of(docker.workspace.blobs).workspace_id}"
    try:
        with daemon_problems():
            theirs = await daemon.docker.containers.create({"Image": image.id, "Cmd": ["sleep", "600"]}, name=name)
            await theirs.start()
        docker.again()
        await docker.engine.images()
        await docker.run("true")
        await docker.engine.stop("client1-1")
        with daemon_problems():
            assert (await theirs.show())["State"]["Running"]
    finally:
        with daemon_problems():
            await daemon.docker.containers.container(name).delete(force=True)
        await daemon.aclose()


async def test_replaced_images_go_once_nothing_needs_them(docker: Bench) -> None:
    docker.write("a", "1")
    first = await docker.build("FROM busybox\nCOPY a /\nCMD cat /a > /data/out\n")
    pod_id = await docker.start(scheduled_time=datetime.now(UTC) + timedelta(seconds=600))
    await docker.until(pod_id, lambda state: state.waiting is not None and state.waiting.reason == "Scheduled")
    docker.write("a", "2")
    await docker.build("FROM busybox\nCOPY a /\n")
    daemon = Daemon(DOCKER_PLACE)
    assert await inspect_image(daemon, first.id) is not None
    await docker.engine.stop(pod_id)
    assert await inspect_image(daemon, first.id) is None
    await daemon.aclose()


async def test_a_state_is_written_down_on_a_full_disk(tmp_path: Path) -> None:
    folder = PodFolder(tmp_path)
    folder.reserve()
    real, calls = PodFolder._write, []

    def full(self: PodFolder, name: str, value: Any) -> None:
        calls.append(name)
        if (self.path / "reserve").exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        real(self, name, value)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PodFolder, "_write", full)
        folder.write_state({"running": {}}, is_final=True)
    assert folder.state() == ({"running": {}}, True)
    assert len(calls) == 2


# ----------------------------------------------------------------------------------- a daemon that comes and goes


def bench_on(workspace: Workspace, found: Found) -> Bench:
    return Bench(workspace, make := lambda: DockerEngine(workspace, found), make())


async def away_and_back(bench: Bench, daemon: OwnDaemon, number: signal.Signals) -> str:
    """Run a pod, end the daemon under it, see what is told, start the daemon again; the pod's id."""
    pod_id = await bench.start("touch /data/up; until test -e /data/go; do sleep 0.1; done", BASE, max_duration_s=600)
    await bench.until_running(pod_id)
    await asyncio.to_thread(daemon.end, number)
    return pod_id


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_daemon_that_restarts_under_a_pod(workspace: Workspace, number: signal.Signals) -> None:
    with own_daemon() as daemon:
        bench = bench_on(workspace, await asyncio.to_thread(daemon.start))
        pod_id = await away_and_back(bench, daemon, number)
        state = await bench.engine.state(pod_id)
        if state.running is not None:
            state = await bench.until(
                pod_id, lambda state: state.running is None or "has been away since" in state.running.message
            )
        await asyncio.to_thread(daemon.start)
        ended = (await bench.until_ended(pod_id)).terminated
        assert ended is not None
        assert ended.exit_code in (137, 143)
        assert "the Docker Engine was" in ended.message
        await _stop_all_of(bench, daemon)


async def test_a_pod_goes_on_where_the_daemon_lets_it(workspace: Workspace) -> None:
    with own_daemon("--live-restore") as daemon:
        bench = bench_on(workspace, await asyncio.to_thread(daemon.start))
        pod_id = await away_and_back(bench, daemon, signal.SIGTERM)
        away = await bench.until(
            pod_id, lambda state: state.running is not None and "has been away since" in state.running.message
        )
        assert away.running is not None
        await asyncio.to_thread(daemon.start)
        back = await bench.until(
            pod_id, lambda state: state.running is not None and "was away from" in state.running.message
        )
        assert back.running is not None
        assert back.running.started_at == away.running.started_at
        (bench.volume / "go").touch()
        ended = (await bench.until_ended(pod_id)).terminated
        assert ended is not None
        assert (ended.exit_code, ended.reason) == (0, "Completed")
        await _stop_all_of(bench, daemon)


async def test_a_pod_replaced_while_the_daemon_is_away_is_not_told_as_done(workspace: Workspace) -> None:
    with own_daemon("--live-restore") as daemon:
        bench = bench_on(workspace, await asyncio.to_thread(daemon.start))
        pod_id = await away_and_back(bench, daemon, signal.SIGTERM)
        await bench.engine.stop(pod_id, 0.5)
        ended = (await bench.engine.state(pod_id)).terminated
        assert ended is not None
        assert (ended.exit_code, ended.reason) == (137, "Error")
        assert "its container is stopped as soon as that is back" in ended.message
        await asyncio.to_thread(daemon.start)
        # Its supervisor goes on until the container is gone: nobody has to ask for it.
        client = Daemon(daemon.place)
        for _ in range(100):
            with daemon_problems():
                if not await client.docker.containers.list(all=True):
                    break
            await asyncio.sleep(0.2)
        else:
            pytest.fail("the container is still there")
        await client.aclose()
        bench.again()
        await _stop_all_of(bench, daemon)


async def test_a_time_that_comes_while_the_daemon_is_away(workspace: Workspace) -> None:
    with own_daemon() as daemon:
        bench = bench_on(workspace, await asyncio.to_thread(daemon.start))
        moment = datetime.now(UTC) + timedelta(seconds=4)
        pod_id = await bench.start("echo ran > /data/out", BASE, scheduled_time=moment)
        await bench.until(pod_id, lambda state: state.waiting is not None and state.waiting.reason == "Scheduled")
        await asyncio.to_thread(daemon.end)
        await asyncio.sleep(5)
        assert (await bench.engine.state(pod_id)).waiting is not None
        await asyncio.to_thread(daemon.start)
        ended = (await bench.until_ended(pod_id)).terminated
        assert ended is not None
        assert (ended.exit_code, ended.reason) == (0, "Completed")
        await _stop_all_of(bench, daemon)


async def test_a_daemon_that_hangs_is_told_within_seconds(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with own_daemon() as daemon:
        bench = bench_on(workspace, await asyncio.to_thread(daemon.start))
        pod_id = await bench.start(HEEDS, BASE, max_duration_s=3)
        await bench.until_running(pod_id)
        daemon.send(signal.SIGSTOP)
        try:
            state = await bench.until(
                pod_id, lambda state: state.running is not None and "has been away since" in state.running.message
            )
            assert state.running is not None
            assert "does not answer in time" in state.running.message
        finally:
            daemon.send(signal.SIGCONT)
        ended = (await bench.until_ended(pod_id)).terminated
        assert ended is not None
        assert ended.reason == "DeadlineExceeded"
        await _stop_all_of(bench, daemon)


async def _stop_all_of(bench: Bench, daemon: OwnDaemon) -> None:
    """As at the end of every test, and look that nothing was left behind in this daemon."""
    await bench.engine.images()
    for folder in bench.pods.iterdir():
        await bench.engine.stop(folder.name, 0.0)
    await bench.engine.aclose()
    client = Daemon(daemon.place)
    with daemon_problems():
        deadline = 20.0
        while left := await client.docker.containers.list(all=True):
            deadline -= 0.2
            assert deadline > 0, left
            await asyncio.sleep(0.2)
    await client.aclose()
