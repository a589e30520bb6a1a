"""What stands between the EM's calls and an engine: names, logs, records, order."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fake_engine import FakeEngine

from emtui.errors import BuildFailed, ConfigProblem, Forbidden, InvalidField, LoadFailed, LocalProblem, Locked
from emtui.files.source import MemorySource
from emtui.local import pods
from emtui.local.em import LocalEM
from emtui.local.pods import check_spec
from emtui.local.workspace import Workspace
from emtui.models import PodSpec, PodState, Waiting
from emtui.plain import EndpointInfo


def spec(image: str = "echo", **more: object) -> PodSpec:
    return PodSpec.model_validate({"docker_image": image, "max_duration": 5, "node": "fpga"} | more)


async def give_context(em: LocalEM, dockerfile: str = "FROM alpine\n") -> None:
    await em.uplink([MemorySource("Dockerfile", dockerfile.encode())], "context")


async def test_who_it_is(em: LocalEM) -> None:
    assert await em.info() == EndpointInfo("local", "client1", "fake", ("nothing is executed",))


@pytest.mark.parametrize("user", ["", "Anna", "a b", "../x", "a/b", "-a"])
def test_a_user_that_cannot_be_a_prefix(workspace: Workspace, engine: FakeEngine, user: str) -> None:
    with pytest.raises(ConfigProblem):
        LocalEM(workspace, engine, user)


async def test_the_engine_is_closed_with_it(workspace: Workspace, engine: FakeEngine) -> None:
    await LocalEM(workspace, engine).aclose()

    assert engine.is_closed


# ---------------------------------------------------------------------------------------------------- images


async def test_the_engine_gets_the_full_reference_and_the_text(em: LocalEM, engine: FakeEngine) -> None:
    await give_context(em, "FROM alpine\n# \udcff".encode("utf-8", "surrogateescape").decode("latin-1"))
    await em.build_image("context/Dockerfile", "context/", "echo:v1")

    assert engine.builds[0].reference == "client1-echo:v1"
    assert engine.builds[0].dockerfile_name == "Dockerfile"
    assert engine.builds[0].dockerfile.startswith("FROM alpine\n")
    assert engine.builds[0].context.fd == -1  # closed when the build was over


async def test_an_empty_dockerfile_field_means_the_contexts_own(em: LocalEM, engine: FakeEngine) -> None:
    await give_context(em)

    await em.build_image("", "context", "echo")

    assert engine.builds[0].dockerfile == "FROM alpine\n"


async def test_only_the_last_hundred_lines_are_answered_and_all_are_told(em: LocalEM) -> None:
    await give_context(em, "".join(f"# {number}\n" for number in range(300)) + "RUN false\n")
    lines: list[str] = []

    with pytest.raises(BuildFailed) as caught:
        await em.build_image("context/Dockerfile", "context", "echo", lines.append)

    assert len(lines) == 301
    assert caught.value.log_tail == tuple(lines[-100:])
    assert caught.value.remedy == "mend it"


async def test_a_dockerfile_without_end(em: LocalEM, volume: Path) -> None:
    await give_context(em)
    with (volume / "context/Dockerfile").open("wb") as file:
        file.truncate(1 << 40)

    with pytest.raises(BuildFailed) as caught:
        await em.build_image("context/Dockerfile", "context", "echo")

    assert "file too large" in caught.value.log_tail[-1]


async def test_a_registry_cannot_be_built_into(em: LocalEM) -> None:
    await give_context(em)

    with pytest.raises(InvalidField, match="image_name"):
        await em.build_image("context/Dockerfile", "context", "fpga.dphi.space:5000/echo")


async def test_a_linked_context_is_forbidden(em: LocalEM, volume: Path) -> None:
    (volume / "context").symlink_to("/etc")

    with pytest.raises(Forbidden):
        await em.build_image("Dockerfile", "context", "echo")


async def test_a_cancelled_build_lets_go(em: LocalEM, engine: FakeEngine) -> None:
    await give_context(em)
    engine.gate = asyncio.Event()
    task = asyncio.create_task(em.build_image("context/Dockerfile", "context", "echo"))
    await asyncio.wait_for(engine.is_waiting.wait(), 5)
    with pytest.raises(Locked):
        await em.list_images()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await em.list_images() == []


async def test_other_users_images_are_not_listed(em: LocalEM, engine: FakeEngine) -> None:
    engine._make("client1-mine:1")
    engine._make("client2-theirs:1")
    engine._make("host-image:latest")

    assert [image.reference for image in await em.list_images()] == ["client1-mine:1"]


async def test_a_load_under_a_registrys_name_is_tried_once(em: LocalEM) -> None:
    await em.uplink([MemorySource("x.tar", b"")])

    with pytest.raises(LoadFailed) as caught:
        await em.load_image("x.tar", "fpga.dphi.space:5000/x")

    assert len(caught.value.log_tail) == 1


# ------------------------------------------------------------------------------------------------------ pods


async def test_a_pod_is_described_to_the_engine(em: LocalEM, engine: FakeEngine) -> None:
    engine._make("client1-echo:latest")
    await em.run_pod(spec(command="echo \udcff", max_duration=0.5))

    (request,) = engine.requests
    assert request.name == "client1-echo"
    assert request.reference == "client1-echo:latest"
    assert (request.node, request.command, request.max_duration_s) == ("FPGA", "echo \udcff", 30)
    assert request.pod_id.startswith("client1-1-")
    assert request.pod_id.replace("-", "").isalnum()


async def test_the_users_own_image_comes_before_a_public_one(em: LocalEM, engine: FakeEngine) -> None:
    await em.run_pod(spec("alpine:3"))
    engine._make("client1-alpine:3")
    await em.run_pod(spec("alpine:3"))
    await em.run_pod(spec("fpga.dphi.space:5000/alpine:3"))

    assert [request.reference for request in engine.requests] == [
        "alpine:3",
        "client1-alpine:3",
        "fpga.dphi.space:5000/alpine:3",
    ]


async def test_the_pod_before_is_stopped_first(em: LocalEM, engine: FakeEngine, workspace: Workspace) -> None:
    await em.run_pod(spec("alpine"))
    await em.run_pod(spec("nothing-of-this-name"))
    await em.run_pod(spec("alpine"))

    first, second = engine.requests
    assert engine.stopped == [first.pod_id]
    rows = workspace.store.read("SELECT pod_id, reference, final_state FROM pods ORDER BY number")
    assert [row["reference"] for row in rows] == ["alpine:latest", None, "alpine:latest"]
    assert "terminated" in rows[0]["final_state"]
    assert rows[2]["pod_id"] == second.pod_id


async def test_everything_is_locked_while_a_pod_is_being_stopped_and_a_cancelled_run_starts_nothing(
    em: LocalEM, engine: FakeEngine
) -> None:
    await em.run_pod(spec("alpine"))
    engine.gate = asyncio.Event()
    task = asyncio.create_task(em.run_pod(spec("alpine")))
    await asyncio.wait_for(engine.is_waiting.wait(), 5)
    with pytest.raises(Locked):
        await em.pod_status()

    task.cancel()
    await asyncio.sleep(0.01)
    engine.gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert len(engine.requests) == 1
    assert (await em.pod_status()).state.terminated is not None


async def test_a_final_state_outlives_the_engines_own_memory(
    em: LocalEM, engine: FakeEngine, workspace: Workspace
) -> None:
    await em.run_pod(spec("alpine"))
    engine.end(engine.requests[0].pod_id, 3, "said \udcff \x1b[31m")
    before = await em.pod_status()
    engine.pods.clear()

    assert await em.pod_status() == before
    assert await LocalEM(workspace, FakeEngine()).pod_status() == before
    assert before.state.terminated is not None
    assert before.state.terminated.message == "said \udcff \x1b[31m"


async def test_a_running_pod_is_found_again(em: LocalEM, engine: FakeEngine, workspace: Workspace) -> None:
    await em.run_pod(spec("alpine"))

    again = LocalEM(workspace, engine)

    assert (await again.pod_status()).state.running is not None
    engine.pods.clear()
    lost = (await again.pod_status()).state.terminated
    assert lost is not None
    assert lost.reason == "ContainerStatusUnknown"


async def test_a_pod_of_another_engine_is_not_asked_of_this_one(em: LocalEM, workspace: Workspace) -> None:
    await em.run_pod(spec("alpine"))
    other = FakeEngine()
    other.name = "other"

    state = (await LocalEM(workspace, other).pod_status()).state

    assert state.terminated is not None
    assert state.terminated.reason == "ContainerStatusUnknown"
    assert "the engine fake" in state.terminated.message
    await LocalEM(workspace, other).run_pod(spec("alpine"))
    assert other.stopped == []


@pytest.mark.parametrize("error", [LocalProblem("no more processes"), OSError(11, "Resource temporarily unavailable")])
async def test_a_pod_that_cannot_be_started_is_accepted_and_says_why(
    em: LocalEM, engine: FakeEngine, error: Exception
) -> None:
    engine.start_error = error

    assert await em.run_pod(spec("alpine")) == "Docker run scheduled successfully"

    expected = PodState(waiting=Waiting(reason="CreateContainerError", message=str(error)))
    assert (await em.pod_status()).state == expected


async def test_an_unknown_image_waits_for_its_time_first(em: LocalEM, monkeypatch: pytest.MonkeyPatch) -> None:
    time = datetime.now(UTC) + timedelta(seconds=0.3)
    await em.run_pod(spec("nothing", scheduled_time=time))
    waiting = (await em.pod_status()).state.waiting
    assert waiting == Waiting(reason="Scheduled", message=f"starts at {time:%Y-%m-%dT%H:%M:%SZ}")
    await asyncio.sleep(0.31)
    waiting = (await em.pod_status()).state.waiting
    assert waiting is not None
    assert waiting.reason == "ErrImagePull"
    monkeypatch.setattr(pods, "PULL_BACKOFF_AFTER", timedelta(0))
    waiting = (await em.pod_status()).state.waiting
    assert waiting is not None
    assert waiting.reason == "ImagePullBackOff"


@pytest.mark.parametrize(
    ("image", "shown", "full"),
    [
        ("nothing:v1", "client1-nothing:v1", "docker.io/library/client1-nothing:v1"),
        ("quay.io/x", "quay.io/x", "quay.io/x:latest"),
    ],
)
async def test_what_is_said_of_an_unknown_image(
    em: LocalEM, monkeypatch: pytest.MonkeyPatch, image: str, shown: str, full: str
) -> None:
    monkeypatch.setattr(pods, "PULL_BACKOFF_AFTER", timedelta(0))
    await em.run_pod(spec(image))

    waiting = (await em.pod_status()).state.waiting

    assert waiting is not None
    assert waiting.message.startswith(f'Back-off pulling image "{shown}": ErrImagePull: ')
    assert waiting.message.endswith(f"{full}: not found")


@pytest.mark.parametrize("image", ["alpine:nope", "fpga.dphi.space:5000/alpine:nope"])
async def test_of_a_base_image_it_is_said_that_nothing_is_pulled(
    em: LocalEM, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, image: str
) -> None:
    async def find(_reference: str) -> bool:
        return False

    monkeypatch.setattr(engine, "find", find)
    for after in (timedelta(minutes=1), timedelta(0)):
        monkeypatch.setattr(pods, "PULL_BACKOFF_AFTER", after)
        await em.run_pod(spec(image))
        waiting = (await em.pod_status()).state.waiting
        assert waiting is not None
        assert "alpine:nope: not found; the base image alpine:nope is not on board" in waiting.message
        assert "nothing is ever pulled" in waiting.message


async def test_base_images_are_those_that_the_operator_names(workspace: Workspace, engine: FakeEngine) -> None:
    em = LocalEM(workspace, engine, base_images=("node",))
    for image, is_one in (("node:20", True), ("nothing", False)):
        await em.run_pod(spec(image))
        waiting = (await em.pod_status()).state.waiting
        assert waiting is not None
        assert ("is not on board" in waiting.message) is is_one


async def test_a_pod_of_the_last_time_is_looked_for_only_where_one_has_not_ended(
    em: LocalEM, engine: FakeEngine, workspace: Workspace
) -> None:
    async def after_a_restart() -> int:
        found: list[FakeEngine] = []

        async def find() -> FakeEngine:
            found.append(FakeEngine())
            return found[0]

        await LocalEM(workspace, find).prepare()
        return sum(one.prepared for one in found)

    assert await after_a_restart() == 0
    await em.run_pod(spec("alpine"))
    assert await after_a_restart() == 1
    engine.end(engine.requests[0].pod_id)
    await em.pod_status()
    assert await after_a_restart() == 0
    await em.run_pod(spec("nothing"))
    assert await after_a_restart() == 0


async def test_an_engine_that_does_not_work_is_told_by_the_next_request(em: LocalEM, workspace: Workspace) -> None:
    await em.run_pod(spec("alpine"))

    async def find() -> FakeEngine:
        raise ConfigProblem("--engine docker does not work here")

    again = LocalEM(workspace, find)
    await again.prepare()

    with pytest.raises(ConfigProblem):
        await again.pod_status()


def test_a_time_a_moment_ago_still_means_now() -> None:
    now = datetime.now(UTC)

    check_spec(spec(scheduled_time=now - timedelta(seconds=59)), now)
    with pytest.raises(InvalidField, match="scheduled_time"):
        check_spec(spec(scheduled_time=now - timedelta(seconds=61)), now)


def test_a_time_without_a_zone_is_refused() -> None:
    naive = PodSpec.model_construct(
        docker_image="x",
        max_duration=1,
        node="GPU",
        scheduled_time=datetime(2030, 1, 1),  # noqa: DTZ001 - that is the point
        command="",
    )

    with pytest.raises(InvalidField, match="without a zone"):
        check_spec(naive, datetime.now(UTC))
