"""What every engine must do, whatever it is made of."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from emtui.errors import BadRequest, BuildFailed, LoadFailed
from tests.engines.conftest import Bench, names_in
from tests.unit.engines.tars import CONFIG, GZIP_LAYER, LAYER, docker_members, oci_members, write_tar

ECHO = (
    "FROM fpga.dphi.space:5000/busybox:latest\nCOPY echo-test.sh /\nRUN chmod +x /echo-test.sh\n"
    'ENTRYPOINT ["/echo-test.sh"]\n'
)


async def test_build_is_listed_and_found(bench: Bench) -> None:
    bench.write("echo-test.sh", "#!/bin/sh\n")
    image = await bench.build(ECHO, "client1-echo:v1")
    assert (image.repository, image.tag) == ("client1-echo", "v1")
    assert image.id.startswith("sha256:")
    assert image.size_bytes is not None
    assert list(await bench.engine.images()) == [image]
    assert await bench.engine.find("client1-echo:v1")
    assert await bench.engine.find("fpga.dphi.space:5000/busybox:latest")
    assert not await bench.engine.find("client1-echo:v2")
    assert bench.log[0] == "#1 [internal] load build definition from Dockerfile\n"
    assert f"#1 transferring dockerfile: {len(ECHO)}B done\n" in bench.log
    assert "#6 [2/3] COPY echo-test.sh /\n" in bench.log
    assert "#7 [3/3] RUN chmod +x /echo-test.sh\n" in bench.log
    assert bench.log[-4] == f"#8 writing image {image.id} done\n"
    assert all(line.endswith("\n") for line in bench.log)


async def test_a_rebuild_replaces(bench: Bench) -> None:
    bench.write("a", "1")
    first = await bench.build("FROM busybox\nCOPY a /\n")
    bench.write("a", "22")
    second = await bench.build("FROM busybox\nCOPY a /\nENV X=1\n")
    assert first.id != second.id
    assert list(await bench.engine.images()) == [second]
    assert len(list((bench.workspace.blobs / "images").iterdir())) <= 1


@pytest.mark.parametrize(
    ("dockerfile", "last"),
    [
        ("FROM nope:1\n", "failed to solve: nope:1: failed to resolve source metadata for docker.io/library/nope:1: "),
        ("FROM busybox\nCOPY missing /\n", "failed to solve: failed to compute cache key: "),
        ("FROM busybox\nRUNN x\n", "failed to solve: dockerfile parse error on line 2: unknown instruction: RUNN"),
        ("FROM busybox\nADD https://x/y /\n", "failed to solve: ADD https://x/y: the EM is air-gapped"),
        ("", "failed to solve: the Dockerfile cannot be empty"),
        ("\x1b[2J\x00", "failed to solve: dockerfile parse error on line 1"),
        ("FROM busybox\nCOPY [red]\x1b]52;c;x\x07 /\n", "failed to solve: failed to compute cache key"),
        ("FROM " + "a" * 5000, "failed to solve: failed to parse stage name"),
    ],
)
async def test_failing_builds_leave_nothing(bench: Bench, dockerfile: str, last: str) -> None:
    with pytest.raises(BuildFailed):
        await bench.build(dockerfile)
    assert bench.log[-1].startswith(last)
    assert list(await bench.engine.images()) == []
    assert names_in(bench.workspace.path / "staging") == []
    assert names_in(bench.workspace.blobs / "images") == []


async def test_the_excerpt_names_the_line(bench: Bench) -> None:
    with pytest.raises(BuildFailed):
        await bench.build("FROM busybox\nENV A=1\nCOPY missing /\n")
    text = "".join(bench.log)
    assert "Dockerfile:3\n" in text
    assert "   3 | >>> COPY missing /\n" in text
    assert "ERROR: failed to compute cache key" in text


@pytest.mark.parametrize("plant", ["/etc/passwd", "../outside", "hard", "fifo"])
async def test_a_context_never_leaves_the_volume(bench: Bench, plant: str, tmp_path: Path) -> None:
    bench.write("a")
    (tmp_path / "outside").write_text("secret")
    place = bench.volume / "context" / "planted"
    if plant == "hard":
        os.link(tmp_path / "outside", place)
    elif plant == "fifo":
        os.mkfifo(place)
    else:
        place.symlink_to(plant)
    with pytest.raises(BuildFailed):
        await bench.build("FROM busybox\nCOPY . /x/\n")
    assert "cannot be copied" in bench.log[-1]
    await bench.build("FROM busybox\nCOPY a /x/\n")


async def test_dockerignore(bench: Bench) -> None:
    bench.write("secret.txt")
    bench.write(".dockerignore", "*.txt\n")
    with pytest.raises(BuildFailed):
        await bench.build("FROM busybox\nCOPY secret.txt /\n")


@pytest.mark.parametrize("layout", ["docker", "oci"])
async def test_load(bench: Bench, tmp_path: Path, layout: str) -> None:
    members = docker_members("echo:latest") if layout == "docker" else oci_members("docker.io/library/echo:latest")
    image = await bench.load(write_tar(tmp_path / "t.tar", members))
    assert image.reference == "echo:latest"
    # The layers as they are in the tar, or the files that are in them.
    assert image.size_bytes in (len(LAYER if layout == "docker" else GZIP_LAYER), len("hello"))
    assert list(await bench.engine.images()) == [image]
    assert await bench.engine.find("echo:latest")
    assert "Loaded image: echo:latest\n" in bench.log


async def test_load_says_what_is_wrong(bench: Bench, tmp_path: Path) -> None:
    path = write_tar(tmp_path / "t.tar", docker_members("echo:latest", {**CONFIG, "architecture": "s390x"}))
    with pytest.raises(LoadFailed):
        await bench.load(path, "other:latest")
    assert bench.log == ["Error processing tar file: no image other:latest in it; it holds echo:latest\n"]
    (tmp_path / "text").write_text("no tar")
    with pytest.raises(LoadFailed):
        await bench.load(tmp_path / "text")
    assert bench.log[0].startswith("Error processing tar file: ")
    await bench.load(path)
    assert "note: the image is for s390x" in bench.log[0]


async def test_a_pod_goes_through_its_states(bench: Bench) -> None:
    await bench.build("FROM busybox\nCMD true\n")
    pod_id = await bench.start()
    state = await bench.until_ended(pod_id)
    assert state.terminated is not None
    assert (state.terminated.exit_code, state.terminated.reason) == (0, "Completed")
    assert state.terminated.started_at is not None
    assert state.terminated.finished_at is not None
    assert state.terminated.finished_at >= state.terminated.started_at
    bench.again()
    assert await bench.engine.state(pod_id) == state


async def test_stop(bench: Bench) -> None:
    pod_id = await bench.start("sleep 600", "busybox")
    await bench.until_running(pod_id)
    await bench.engine.stop(pod_id, 1.0)
    state = await bench.engine.state(pod_id)
    assert state.terminated is not None
    assert state.terminated.reason == "Error"
    assert state.terminated.exit_code in (137, 143)
    await bench.engine.stop(pod_id)
    assert await bench.engine.state(pod_id) == state


async def test_a_scheduled_pod_waits_and_survives_a_restart(bench: Bench) -> None:
    moment = datetime.now(UTC) + timedelta(seconds=3600)
    pod_id = await bench.start("true", "busybox", scheduled_time=moment)
    state = await bench.until(pod_id, lambda state: state.waiting is not None and state.waiting.reason == "Scheduled")
    assert state.waiting is not None
    assert moment.strftime("%Y-%m-%dT%H:%M:%SZ") in state.waiting.message
    bench.again()
    assert await bench.engine.state(pod_id) == state
    await bench.engine.stop(pod_id)
    ended = await bench.engine.state(pod_id)
    assert ended.terminated is not None
    assert "before it was started" in ended.terminated.message


async def test_unknown_pods(bench: Bench) -> None:
    state = await bench.engine.state("nobody")
    assert state.terminated is not None
    assert state.terminated.reason == "ContainerStatusUnknown"
    await bench.engine.stop("nobody")
    for pod_id in ("../x", "", "a/b", "a b"):
        with pytest.raises(BadRequest):
            await bench.engine.state(pod_id)


async def test_it_says_what_it_is(bench: Bench) -> None:
    assert bench.engine.name in ("docker", "sandbox", "simulated")
    assert bench.engine.notes
