"""What the panes show in tests: a volume, images, pods, models and commands at `ui_harness.NOW`."""

from datetime import datetime, timedelta
from typing import TypeVar

from ui_harness import HOSTILE_NAMES, MONOTONIC, NOW

from emtui.models import HostedModel, Image, PodSpec, PodState, PodStatus, Running, Terminated, Waiting
from emtui.plain import EndpointInfo, FileNode, Listing
from emtui.views import CommandState, Feed, GridView, LinkHealth, PastPod, PodView, Stage

T = TypeVar("T")


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def file(name: str, size: int = 100, age_s: float = 86_400, **more: object) -> FileNode:
    return FileNode(type="file", name=name, size=size, time=ago(age_s), hash=1, **more)  # type: ignore[arg-type] # **more


def folder(name: str, *contents: FileNode, age_s: float = 90_000) -> FileNode:
    return FileNode("directory", name, sum(node.size for node in contents), ago(age_s), None, contents)


def listing(*nodes: FileNode, fingerprint: str = "1") -> Listing:
    whole = Listing(nodes, fingerprint, 0, 0)
    files = [node for _, node in whole.walk() if not node.is_directory]
    return Listing(nodes, fingerprint, len(files), sum(node.size for node in files))


def volume() -> Listing:
    """The volume of the specification's example, and more around it."""
    return listing(
        folder("echo-test", file("Dockerfile", 121), file("echo-test.sh", 362)),
        folder(
            "fisheye",
            folder("calibration", file("camera-1.json", 4_810), file("camera-2.json", 4_793)),
            folder("models", file("segment.onnx", 41_943_040, 700_000)),
            file("Dockerfile", 340),
            file("run.py", 9_312, 3_600),
        ),
        folder("results"),
        file("downlink.txt", 167),
        FileNode("link", "latest", 12, ago(60)),
        FileNode("other", "pipe", 0, ago(60)),
        file("orbit-2025.csv", 1_288_490, 400 * 86_400),
        file("衛星の写真.tiff", 7_340_032, 7_200),
    )


def hostile_volume() -> Listing:
    return listing(*(file(name, index) for index, name in enumerate(HOSTILE_NAMES)))


def big_volume(folders: int = 100, files: int = 1_000) -> Listing:
    """Files in folders, without the cost of counting them twice."""
    moment = ago(60)
    nodes = tuple(
        FileNode(
            "directory",
            f"run-{number:04d}",
            files * 10,
            moment,
            None,
            tuple(FileNode("file", f"frame-{index:06d}.raw", 10, moment, index) for index in range(files)),
        )
        for number in range(folders)
    )
    return Listing(nodes, "big", folders * files, folders * files * 10)


def fresh(value: T) -> Feed[T]:
    return Feed(value=value, at=ago(2))


def stale(value: T) -> Feed[T]:
    return Feed(
        value=value, at=ago(130), error="Connection refused by 127.0.0.1:8080", retry_at=MONOTONIC + 4.0, remedy="Wait."
    )


FAILED: Feed[object] = Feed(
    error="The EM does not answer: connection to em.example.org:443 timed out after 10 s",
    remedy="Check the address and the network; it is tried again by itself.",
    retry_at=MONOTONIC + 4.0,
)

IMAGES = (
    Image(repository="client1-echo-test", tag="latest", id="sha256:1", created="2026-11-21T13:50:00Z", size="1258291"),
    Image(
        repository="client1-fisheye", tag="v2.1.0-rc.1", id="sha256:2", created="2026-11-20T14:02:00Z", size="8388608"
    ),
    Image(repository="client1-a-name-that-is-longer-than-any-pane-is-wide", created="2 days ago", size="1.2GB"),
)

SPEC = PodSpec(docker_image="client1-echo-test", max_duration=30, node="FPGA")
PAST = (
    PastPod("client1-echo-test", "Completed", ago(2_200), True),
    PastPod("client1-echo-test12", "ImagePullBackOff", ago(2_500), False),
)


def running(message: str = "") -> PodView:
    return PodView(
        PodStatus(state=PodState(running=Running(started_at=ago(724), message=message))), SPEC, ago(730), PAST
    )


def scheduled() -> PodView:
    spec = SPEC.model_copy(update={"scheduled_time": NOW + timedelta(seconds=751)})
    return PodView(PodStatus(state=PodState(waiting=Waiting(reason="ContainerCreating"))), spec, ago(5), PAST)


def back_off() -> PodView:
    message = (
        'Back-off pulling image "client1-echo-test12": ErrImagePull: rpc error: code = NotFound desc = failed to pull '
        'and unpack image "docker.io/library/client1-echo-test12:latest": not found'
    )
    state = PodState(waiting=Waiting(reason="ImagePullBackOff", message=message))
    return PodView(PodStatus(state=state), SPEC, ago(65), PAST[:1])


def ended(exit_code: int = 0, reason: str = "Completed", message: str = "") -> PodView:
    state = PodState(
        terminated=Terminated(
            exit_code=exit_code, reason=reason, message=message, started_at=ago(300), finished_at=ago(12)
        )
    )
    return PodView(PodStatus(state=state), SPEC.model_copy(update={"command": "cat /data/in.txt | wc -c"}), ago(301))


GRID = GridView(
    models=(
        HostedModel(model_id="mnist-cnn", is_copy_allowed=True, size_bytes=1_153_434),
        HostedModel(model_id="gpt2-plan", is_copy_allowed=False),
        HostedModel(model_id="boston housing / v3 #final 🚀", size_bytes=20_480),
    ),
    tags=("#mnist", "#boston", "diabetes", "#a-tag-that-is-rather-long", "#covid", "#iris", "#cifar-10", "#sunspots"),
)


def command(number: int, stage: Stage, title: str, **more: object) -> CommandState:
    asked = ago(600 - number * 40)
    defaults: dict[str, object] = {"name": "uplink", "asked_at": asked, "changed_at": asked + timedelta(seconds=0.8)}
    return CommandState(id=number, stage=stage, title=title, **{**defaults, **more})  # type: ignore[arg-type] # **more


COMMANDS = (
    command(1, Stage.COMPLETE, "uplink 3 files → /echo-test", note="1.2 MiB, sha256 OK"),
    command(2, Stage.COMPLETE, "build client1-echo-test of /echo-test", note="1.2 MiB"),
    command(3, Stage.CANCELLED, "downlink orbit-2025.csv → /home/op", note="cancelled; nothing was kept"),
    command(4, Stage.FAILED, "build client1-fisheye of /fisheye", error="Docker build failed", log_tail=("#1 …\n",)),
    command(5, Stage.FAILED, "load old from /old.tar", error="Docker Image tarfile failed to load", acknowledged=True),
    command(6, Stage.UNKNOWN, "run client1-echo-test on FPGA for 30 min", error="no answer came; the pod is asked"),
    command(7, Stage.EXECUTING, "build client1-fisheye of /fisheye", note="step 4 of 9: RUN make", is_cancellable=True),
    command(
        8,
        Stage.SENT,
        "uplink segment.onnx → /fisheye/models",
        done_bytes=17_825_792,
        total_bytes=41_943_040,
        rate_bytes_s=6_291_456.0,
        is_cancellable=True,
    ),
    command(9, Stage.RELEASED, "delete results", note="CG2 busy, 3rd try in 4 s", is_cancellable=True),
    command(10, Stage.HELD, "run client1-fisheye on GPU for 5 min"),
    command(11, Stage.QUEUED, "serve model mnist-cnn from mnist.pt"),
)

ENDPOINT = EndpointInfo(label="local", user="client1", engine="sandbox")
EM_HEALTH = LinkHealth("em", is_connected=True, round_trip_s=0.004, last_answer_at=ago(2), queued=1, held=1, unknown=1)
GRID_HEALTH = LinkHealth("grid", is_connected=True, round_trip_s=0.002, last_answer_at=ago(2))
