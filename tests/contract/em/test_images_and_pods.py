"""Build, load, image list, run and status: what every EM does (EM API §5–§9)."""

import asyncio
import io
import json
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from em_bench import Bench
from em_sources import Given

from emtui.backend import EM
from emtui.errors import BuildFailed, InvalidField, LoadFailed
from emtui.models import PodSpec, PodState

pytestmark = pytest.mark.parametrize(
    "bench", ["local-simulated", "local-sandbox", "local-docker", "http-simulated", "http-sandbox"], indirect=True
)

DOCKERFILE = b'FROM busybox\nCOPY run.sh /run.sh\nCMD ["/bin/sh", "/run.sh"]\n'


async def build(em: EM, name: str = "echo-test") -> str:
    await em.uplink([Given("Dockerfile", DOCKERFILE), Given("run.sh", b"echo hello > /data/out.txt\n")], "echo-test")
    return await em.build_image("echo-test/Dockerfile", "echo-test", name)


async def references(em: EM) -> list[str]:
    return sorted(image.reference for image in await em.list_images())


def saved_image(*tags: str) -> bytes:
    """A `docker save` tar of an image without layers."""
    config = json.dumps(
        {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["true"]}, "rootfs": {"type": "layers"}}
    )
    manifest = json.dumps([{"Config": "config.json", "RepoTags": tags, "Layers": []}])
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, text in (("config.json", config), ("manifest.json", manifest)):
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


# ----------------------------------------------------------------------------------------------------- build


async def test_build_puts_the_users_name_before_the_image(em: EM) -> None:
    assert await build(em) == "Docker Image built successfully"
    assert await references(em) == ["client1-echo-test:latest"]


async def test_build_does_not_double_the_prefix_and_keeps_the_tag(em: EM) -> None:
    await build(em, "client1-echo-test:v1")
    await build(em, "echo-test:v2")

    assert await references(em) == ["client1-echo-test:v1", "client1-echo-test:v2"]


async def test_the_dockerfile_may_be_relative_to_the_context(em: EM) -> None:
    await build(em)

    assert await em.build_image("Dockerfile", "echo-test", "second") == "Docker Image built successfully"


async def test_build_gives_its_log_line_by_line(em: EM, bench: Bench) -> None:
    await build(em)
    lines: list[str] = []

    await em.build_image("echo-test/Dockerfile", "echo-test", "echo-test", lines.append)

    assert bool(lines) is bench.tells_log
    assert all(line.endswith("\n") and line.count("\n") == 1 for line in lines)


async def test_build_without_its_context(em: EM) -> None:
    lines: list[str] = []

    with pytest.raises(BuildFailed) as caught:
        await em.build_image("new-software/Dockerfile", "new-software", "image", lines.append)

    assert (caught.value.code, caught.value.message, caught.value.status) == (
        "BUILD_FAILED",
        "Docker build failed",
        400,
    )
    assert caught.value.log_tail == ('unable to prepare context: path "/clients/client1-pvc/new-software" not found\n',)
    assert lines == list(caught.value.log_tail)


async def test_build_with_a_file_as_its_context(em: EM) -> None:
    await em.uplink([Given("file", b"")])

    with pytest.raises(BuildFailed) as caught:
        await em.build_image("Dockerfile", "file", "image")

    assert caught.value.log_tail == (
        "unable to prepare context: context must be a directory: /clients/client1-pvc/file\n",
    )


async def test_build_without_its_dockerfile(em: EM) -> None:
    await build(em)

    with pytest.raises(BuildFailed) as caught:
        await em.build_image("echo-test/Dockerfile.space", "echo-test", "image")

    tail = caught.value.log_tail
    assert tail[0] == "#1 [internal] load build definition from Dockerfile.space\n"
    assert tail[-1].startswith("failed to solve with frontend dockerfile.v0: failed to read dockerfile: open ")
    assert tail[-1].endswith("/Dockerfile.space: no such file or directory\n")
    assert await references(em) == ["client1-echo-test:latest"]


async def test_a_folder_is_no_dockerfile(em: EM) -> None:
    await build(em)

    with pytest.raises(BuildFailed) as caught:
        await em.build_image("echo-test", "echo-test", "image")

    assert caught.value.log_tail[-1].endswith("is a directory\n")


async def test_a_build_that_fails_gives_the_log_and_keeps_the_image_before(em: EM) -> None:
    await build(em)
    await em.uplink([Given("Dockerfile", b"FROM busybox\nRUN false\nNONSENSE here\n")], "echo-test")

    with pytest.raises(BuildFailed) as caught:
        await em.build_image("echo-test/Dockerfile", "echo-test", "echo-test")

    assert 0 < len(caught.value.log_tail) <= 100
    assert caught.value.remedy
    assert await references(em) == ["client1-echo-test:latest"]


# ------------------------------------------------------------------------------------------------------ load


@pytest.mark.parametrize("in_tar", ["fisheye:latest", "client1-fisheye:latest"])
@pytest.mark.parametrize("named", ["fisheye", "client1-fisheye", "fisheye:latest"])
async def test_load_takes_the_image_with_and_without_the_prefix(em: EM, in_tar: str, named: str) -> None:
    await em.uplink([Given("image.tar", saved_image(in_tar))])

    assert await em.load_image("image.tar", named) == "Tar file loaded successfully"
    assert await references(em) == [in_tar]
    await em.run_pod(PodSpec(docker_image="fisheye", max_duration=1, node="FPGA"))
    waiting = (await em.pod_status()).state.waiting
    assert waiting is None or "Pull" not in waiting.reason


async def test_load_of_a_missing_tar(em: EM) -> None:
    with pytest.raises(LoadFailed) as caught:
        await em.load_image("test2.tar", "image")

    assert (caught.value.code, caught.value.message, caught.value.status) == (
        "IMAGE_LOAD_FAILED",
        "Docker Image tarfile failed to load",
        400,
    )
    assert caught.value.log_tail == ("sh: line 1: /clients/client1-pvc/test2.tar: No such file or directory\n",)


async def test_load_of_a_folder(em: EM) -> None:
    await em.uplink([Given("x", b"")], "folder")

    with pytest.raises(LoadFailed) as caught:
        await em.load_image("folder", "image")

    assert caught.value.log_tail == ("sh: line 1: /clients/client1-pvc/folder: Is a directory\n",)


@pytest.mark.parametrize("data", [b"", b"not a tar", saved_image("other:latest")[:700], saved_image("other:latest")])
async def test_load_of_what_does_not_hold_the_image(em: EM, data: bytes) -> None:
    await em.uplink([Given("image.tar", data)])

    with pytest.raises(LoadFailed) as caught:
        await em.load_image("image.tar", "fisheye")

    assert caught.value.log_tail
    assert await references(em) == []


# ------------------------------------------------------------------------------------------------------- run


# It heeds SIGTERM; a command that does not is killed only after its grace period.
SLEEP = "trap 'exit 143' TERM; sleep 30 & wait"


async def run(em: EM, image: str = "echo-test", command: str = SLEEP, **more: object) -> str:
    return await em.run_pod(
        PodSpec.model_validate({"docker_image": image, "max_duration": 5, "node": "FPGA", "command": command} | more)
    )


async def state_where(em: EM, is_it: str) -> PodState:
    """The pod's state as soon as it has `is_it` (`waiting`, `running`, `terminated`), within ten seconds."""
    async with asyncio.timeout(10):
        while getattr(state := (await em.pod_status()).state, is_it) is None:
            await asyncio.sleep(0.05)
    return state


async def test_there_is_no_state_before_any_run(em: EM) -> None:
    assert (await em.pod_status()).to_wire() == {"state": {}}


async def test_a_pod_runs(em: EM) -> None:
    await build(em)

    assert await run(em) == "Docker run scheduled successfully"

    running = (await state_where(em, "running")).running
    assert running is not None
    assert abs(datetime.now(UTC) - running.started_at) < timedelta(seconds=15)
    wire = (await em.pod_status()).to_wire()
    assert list(wire["state"]) == ["running"]
    assert wire["state"]["running"]["startedAt"].endswith("Z")


@pytest.mark.parametrize("image", ["busybox", "busybox:latest", "fpga.dphi.space:5000/busybox:latest"])
async def test_a_public_base_image_runs_too(em: EM, image: str) -> None:
    await run(em, image)

    assert await state_where(em, "running")


async def test_a_run_replaces_the_pod_before(em: EM) -> None:
    await build(em)
    await run(em)
    first = (await state_where(em, "running")).running
    await run(em, node="gpu")
    second = (await state_where(em, "running")).running

    assert first is not None
    assert second is not None
    assert second.started_at >= first.started_at


async def test_a_scheduled_pod_waits(em: EM) -> None:
    await build(em)

    await run(em, scheduled_time=datetime.now(UTC) + timedelta(hours=1))

    assert (await em.pod_status()).state.waiting is not None


async def test_an_unknown_image_is_accepted_and_only_the_status_tells(em: EM) -> None:
    assert await run(em, "echo-test12") == "Docker run scheduled successfully"

    first = (await em.pod_status()).state.waiting
    assert first is not None
    assert first.reason == "ErrImagePull"
    async with asyncio.timeout(15):
        while (waiting := (await em.pod_status()).state.waiting) and waiting.reason == "ErrImagePull":
            await asyncio.sleep(0.2)
    assert waiting is not None
    assert (waiting.reason, waiting.message) == (
        "ImagePullBackOff",
        'Back-off pulling image "client1-echo-test12": ErrImagePull: rpc error: code = NotFound desc = failed to pull '
        'and unpack image "docker.io/library/client1-echo-test12:latest": failed to resolve reference '
        '"docker.io/library/client1-echo-test12:latest": docker.io/library/client1-echo-test12:latest: not found',
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_duration", 0),
        ("max_duration", -1),
        ("max_duration", 10_081),
        ("max_duration", 1e300),
        ("max_duration", float("nan")),
        ("max_duration", float("inf")),
        ("node", "CPU"),
        ("node", ""),
        ("node", "\x1b[31m"),
        ("scheduled_time", datetime.now(UTC) - timedelta(minutes=5)),
        ("docker_image", ""),
        ("docker_image", "UPPER"),
        ("command", "a\0b"),
        ("command", "\ud800"),
        ("command", "x" * 200_000),
    ],
)
async def test_a_field_that_cannot_be_is_named(em: EM, field: str, value: object) -> None:
    spec = PodSpec.model_validate({"docker_image": "busybox", "max_duration": 1, "node": "GPU"} | {field: value})

    with pytest.raises(InvalidField) as caught:
        await em.run_pod(spec)

    assert caught.value.field == field
    assert caught.value.message.startswith(f"{field}: ")
    assert caught.value.remedy
    assert (await em.pod_status()).to_wire() == {"state": {}}


@pytest.mark.parametrize(
    ("field", "value", "message", "remedy"),
    [
        ("node", "", "This field is required.", "Choose one of FPGA, GPU, MPU."),
        ("node", "CPU", "no such node: CPU", "Choose one of FPGA, GPU, MPU."),
        (
            "max_duration",
            float("nan"),
            "a number is needed, not nan",
            "Give the minutes after which the pod is stopped.",
        ),
        (
            "max_duration",
            float("inf"),
            "a number is needed, not inf",
            "Give the minutes after which the pod is stopped.",
        ),
        (
            "max_duration",
            1e300,
            "more than 0 and at most 10080 minutes, not 1e+300",
            "Give the minutes after which the pod is stopped.",
        ),
    ],
)
async def test_a_wrong_field_is_told_in_the_same_words(
    em: EM, field: str, value: object, message: str, remedy: str
) -> None:
    spec = PodSpec.model_validate({"docker_image": "busybox", "max_duration": 1, "node": "GPU"} | {field: value})

    with pytest.raises(InvalidField) as caught:
        await em.run_pod(spec)

    assert (caught.value.field, caught.value.message, caught.value.remedy) == (field, f"{field}: {message}", remedy)


async def test_a_refused_run_leaves_the_pod_alone(em: EM) -> None:
    await run(em, "busybox")
    await state_where(em, "running")

    with pytest.raises(InvalidField):
        await run(em, "busybox", node="CPU")

    assert (await em.pod_status()).state.running is not None


async def test_info_is_never_refused(em: EM, volume_root: Path) -> None:
    (volume_root / "f").write_bytes(b"x")
    async with em.downlink("f"):
        info = await em.info()

    assert info.user == "client1"
