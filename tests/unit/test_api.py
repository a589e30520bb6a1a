"""The Python API: what `from emtui import …` gives, on local mode and on a served one."""

import ast
import asyncio
import shutil
import subprocess
import sys
import threading
import warnings
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path

import pytest

import emtui
from emtui import (
    BuildFailed,
    BuildImage,
    Cancelled,
    CommandState,
    ConfigProblem,
    Delete,
    Downlink,
    EmtuiError,
    Forbidden,
    GetModel,
    LocalProblem,
    Locked,
    NotFound,
    NotSignedIn,
    PodSpec,
    PodStatus,
    Profile,
    RunPod,
    ServeModel,
    Stage,
    Uplink,
    Verdict,
    WorkspaceInUse,
    open_session,
)
from tests.missing import missing
from tests.serving import PASSWORD, held_uplink, served_here

GRID = """
[[dataset]]
name = "digits"
tags = ["#boston"]

[[encrypted_model]]
id = "plan"
workers = ["alice"]
crypto_provider = ["carol"]
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return tmp_path / "ws"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "echo-test"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM alpine\nCMD echo hello > /data/out.txt\n")
    (folder / "run.sh").write_text("echo hello\n")
    return folder


# ----------------------------------------------------------------------------------------------- what is exported


def test_what_editors_see_is_what_is_there() -> None:
    tree = ast.parse(Path(str(emtui.__file__)).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        node.module: tuple(alias.name for alias in node.names)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
    }
    assert seen == emtui._HOMES
    names = sorted(name for group in seen.values() for name in group)
    assert sorted([*names, "__version__"]) == sorted(emtui.__all__)
    for module, group in seen.items():
        for name in group:
            assert getattr(emtui, name) is getattr(import_module(str(module)), name)
            assert name in dir(emtui)


def test_every_command_and_error_is_exported() -> None:
    from emtui import commands, errors

    kinds = {kind.__name__ for kind in commands.REGISTRY.values()}
    family = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, EmtuiError)}
    # Only the command line asks anything.
    assert (kinds | family) - {"Unconfirmed"} <= set(emtui.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'emtui' has no attribute 'Upllink'"):
        _ = emtui.Upllink  # type: ignore[attr-defined] # that is what is refused
    with pytest.raises(ImportError):
        exec("from emtui import Upllink")


def test_importing_the_package_costs_nothing() -> None:
    program = "import sys; before = set(sys.modules); import emtui; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["emtui"]


def test_commands_and_errors_need_no_pydantic() -> None:
    program = "import sys; from emtui import Uplink, EmtuiError, Stage; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert {"pydantic", "asyncio", "textual"} & set(done.stdout.split()) == set()


# -------------------------------------------------------------------------------------------------- on local mode


async def test_a_rehearsal_from_uplink_to_downlink(workspace: Path, source: Path, tmp_path: Path) -> None:
    async with open_session(local=workspace, engine="simulated") as session:
        state = await session.do(Uplink((source,)))
        assert state.stage is Stage.COMPLETE
        assert "2 files" in state.note
        listing = await session.list_files()
        assert [path for path, _ in listing.walk()] == ["echo-test", "echo-test/Dockerfile", "echo-test/run.sh"]
        await session.do(BuildImage("echo-test/Dockerfile", "echo-test", "echo-test"))
        assert [image.repository for image in await session.list_images()] == ["client1-echo-test"]
        assert not (await session.pod_status()).state.is_active
        await session.do(RunPod(PodSpec(docker_image="echo-test", max_duration=1, node="FPGA")))
        assert (await session.pod_status()).state.is_active
        await session.do(Downlink(("echo-test/run.sh",), tmp_path / "back.sh"))
        assert (tmp_path / "back.sh").read_text() == "echo hello\n"
        await session.do(Delete(("echo-test",)))
        assert (await session.list_files()).nodes == ()


async def test_a_pod_is_run_and_waited_for(workspace: Path, source: Path) -> None:
    if shutil.which("bwrap") is None:
        missing("bubblewrap is not installed")
    seen: list[PodStatus] = []
    async with open_session(local=workspace, engine="sandbox") as session:
        with pytest.raises(NotFound, match="no pod"):
            await session.wait_for_pod()
        await session.do(Uplink((source,)))
        await session.do(BuildImage("echo-test/Dockerfile", "echo-test", "echo-test"))
        end = await session.run_pod(
            PodSpec(docker_image="echo-test", max_duration=1, node="FPGA"), on_status=seen.append
        )
        assert (end.verdict, end.exit_code) == (Verdict.COMPLETED, 0)
        assert seen[-1] == end.status
        assert (workspace / "volume/out.txt").read_text() == "hello\n"
        failing = PodSpec(docker_image="echo-test", max_duration=1, node="FPGA", command="exit 3")
        end = await session.run_pod(failing)
        assert (end.verdict, end.exit_code) == (Verdict.FAILED, 3)
        assert (await session.wait_for_pod()).exit_code == 3


async def test_a_pod_of_a_remote_em_is_not_taken_for_the_one_before(tmp_path: Path, source: Path) -> None:
    with served_here(tmp_path / "served") as server:
        async with open_session(em_url=server.url, username="client1") as session:
            await session.sign_in(PASSWORD)
            await session.do(Uplink((source,)))
            await session.do(BuildImage("echo-test/Dockerfile", "echo-test", "echo-test"))
            spec = PodSpec(docker_image="echo-test", max_duration=0.01, node="GPU")
            first = await session.run_pod(spec)
            second = await session.run_pod(spec)
            assert first.status != second.status
            assert first.verdict is second.verdict


async def test_models_tags_and_encrypted_models(workspace: Path, tmp_path: Path) -> None:
    workspace.mkdir()
    (workspace / "grid.toml").write_text(GRID)
    model = tmp_path / "net.bin"
    model.write_bytes(bytes(range(256)))
    async with open_session(local=workspace, engine="simulated") as session:
        assert await session.list_models() == ()
        await session.do(ServeModel(model, "net/α 1", allow_download=True))
        (hosted,) = await session.list_models()
        assert (hosted.model_id, hosted.size_bytes) == ("net/α 1", 256)
        assert (await session.model("net/α 1")).is_copy_allowed is True
        await session.do(GetModel("net/α 1", tmp_path / "again.bin"))
        assert (tmp_path / "again.bin").read_bytes() == model.read_bytes()
        assert list(await session.dataset_tags()) == ["#boston"]
        assert await session.search("#boston") is True
        assert await session.search("#paris") is False
        assert (await session.encrypted_model("plan")).workers == ("alice",)
        with pytest.raises(NotFound):
            await session.model("none")
        with pytest.raises(NotFound):
            await session.encrypted_model("none")


async def test_every_stage_and_every_log_line_is_told(workspace: Path, source: Path) -> None:
    states: list[CommandState] = []
    lines: list[str] = []
    async with open_session(local=workspace, engine="simulated") as session:
        await session.do(Uplink((source,)), on_state=states.append)
        await session.do(BuildImage("echo-test/Dockerfile", "echo-test", "e"), on_log=lines.append)
        await session.do(Delete(("echo-test",)))
    assert states[0].stage is Stage.QUEUED
    assert states[-1].stage is Stage.COMPLETE
    assert {state.name for state in states} == {"uplink"}
    assert any("FROM" in line for line in lines)


async def test_two_at_once_are_told_apart(workspace: Path, source: Path) -> None:
    told: dict[str, set[str]] = {"a": set(), "b": set()}
    async with open_session(local=workspace, engine="simulated") as session:
        await asyncio.gather(
            session.do(Uplink((source,), "a"), on_state=lambda state: told["a"].add(state.title)),
            session.do(Uplink((source,), "b"), on_state=lambda state: told["b"].add(state.title)),
        )
    assert told == {"a": {"uplink echo-test → /a"}, "b": {"uplink echo-test → /b"}}


async def test_a_listener_that_fails_takes_nothing_along(workspace: Path, source: Path) -> None:
    caught: list[BaseException] = []

    def fail(_state: CommandState) -> None:
        raise ZeroDivisionError

    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: caught.append(context["exception"]))
    async with open_session(local=workspace, engine="simulated") as session:
        state = await session.do(Uplink((source,)), on_state=fail)
        assert state.stage is Stage.COMPLETE
        assert (await session.list_files()).file_count == 2
    assert {type(error) for error in caught} == {ZeroDivisionError}


async def test_what_fails_is_a_typed_error(workspace: Path, source: Path, tmp_path: Path) -> None:
    async with open_session(local=workspace, engine="simulated") as session:
        with pytest.raises(NotFound):
            await session.do(Downlink(("none.txt",), tmp_path))
        with pytest.raises(LocalProblem):
            await session.do(Uplink((tmp_path / "none",)))
        with pytest.raises(BuildFailed) as failed:
            await session.do(BuildImage("none/Dockerfile", "none", "e"))
        assert failed.value.log_tail
        assert failed.value.remedy
        await session.do(Uplink((source,)))
        (tmp_path / "run.sh").write_text("mine\n")
        with pytest.raises(LocalProblem):
            await session.do(Downlink(("echo-test/run.sh",), tmp_path, is_folder=True))
        assert (tmp_path / "run.sh").read_text() == "mine\n"
        # What failed is in the journal, and the session goes on.
        assert [entry.stage for entry in await session.log()].count(Stage.FAILED) == 4


async def test_read_only_changes_nothing(workspace: Path, source: Path) -> None:
    async with open_session(local=workspace, engine="simulated", read_only=True) as session:
        with pytest.raises(Forbidden, match="read-only"):
            await session.do(Uplink((source,)))
        assert (await session.list_files()).nodes == ()


async def test_the_journal_is_read_since_a_time(workspace: Path, source: Path) -> None:
    async with open_session(local=workspace, engine="simulated") as session:
        await session.do(Uplink((source,)))
        (entry,) = await session.log(timedelta(hours=1))
        assert (entry.name, entry.stage, entry.title) == ("uplink", Stage.COMPLETE, "uplink echo-test → /")
        assert await session.log(datetime.now(UTC) + timedelta(hours=1)) == []
        with pytest.raises(ValueError, match="without a zone"):
            await session.log(datetime(2026, 1, 1))  # noqa: DTZ001 - that is what is refused


async def test_several_sessions_at_once(tmp_path: Path, source: Path) -> None:
    async def count(name: str) -> int:
        async with open_session(local=tmp_path / name, engine="simulated") as session:
            await session.do(Uplink((source,)))
            return (await session.list_files()).file_count

    assert await asyncio.gather(*(count(f"ws{number}") for number in range(4))) == [2, 2, 2, 2]


async def test_a_workspace_that_is_in_use_is_waited_for_and_given_up(workspace: Path) -> None:
    async with open_session(local=workspace, engine="simulated"):
        with pytest.warns(UserWarning, match="in use by"), pytest.raises(WorkspaceInUse) as refused:
            async with open_session(local=workspace, engine="simulated", timeout_s=0.2):
                pytest.fail("it was opened")
        assert refused.value.holder == "a Python script"


async def test_a_workspace_that_is_let_go_of_is_had_after_a_warning(workspace: Path) -> None:
    async def second() -> int:
        async with open_session(local=workspace, engine="simulated") as session:
            return (await session.list_files()).file_count

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        async with open_session(local=workspace, engine="simulated"):
            waiting = asyncio.ensure_future(second())
            async with asyncio.timeout(20):
                while not told:
                    await asyncio.sleep(0.01)
            assert not waiting.done()
        assert await asyncio.wait_for(waiting, 20) == 0
    assert str(told[0].message).endswith("waiting for it")


# ------------------------------------------------------------------------------------------ lifetime and cancelling


async def test_a_closed_session_says_so(workspace: Path, source: Path) -> None:
    async with open_session(local=workspace, engine="simulated") as session:
        assert repr(session) == f"<emtui session 'local:{workspace}'>"
    assert repr(session).endswith("(closed)>")
    for call in (session.list_files, session.log, lambda: session.do(Uplink((source,))), lambda: session.sign_in("x")):
        with pytest.raises(RuntimeError, match="closed"):
            await call()


async def test_another_event_loop_is_refused_and_a_thread_can_hand_over(workspace: Path) -> None:
    async with open_session(local=workspace, engine="simulated") as session:
        loop = asyncio.get_running_loop()
        found: list[object] = []

        def elsewhere() -> None:
            try:
                asyncio.run(session.list_files())  # type: ignore[arg-type] # the types are what the test varies
            except RuntimeError as error:
                found.append(str(error))
            found.append(asyncio.run_coroutine_threadsafe(session.list_files(), loop).result(20).file_count)  # type: ignore[arg-type] # the types are what the test varies

        thread = threading.Thread(target=elsewhere)
        thread.start()
        await asyncio.to_thread(thread.join, 20)
        assert found == ["this session belongs to another event loop: use asyncio.run_coroutine_threadsafe", 0]


async def test_a_time_limit_cancels_the_command_and_stays_a_time_limit(tmp_path: Path, source: Path) -> None:
    with served_here(tmp_path / "served") as server, held_uplink(server, server.headers()):
        async with open_session(em_url=server.url, username="client1") as session:
            await session.sign_in(PASSWORD)
            with pytest.raises(TimeoutError) as over:
                async with asyncio.timeout(0.5):
                    await session.do(Delete(("a.txt",)))
            cancelled = over.value.__cause__
            assert isinstance(cancelled, asyncio.CancelledError)
            assert isinstance(cancelled.__cause__, Cancelled)
            assert [entry.stage for entry in await session.log()] == [Stage.CANCELLED]


async def test_a_command_that_is_cancelled_before_it_is_written_down_comes_to_an_end(
    workspace: Path, source: Path
) -> None:
    async with open_session(local=workspace, engine="simulated") as session:
        doing = asyncio.ensure_future(session.do(Uplink((source,))))
        await asyncio.sleep(0)
        doing.cancel()
        with pytest.raises(asyncio.CancelledError) as cancelled:
            await doing
        assert isinstance(cancelled.value.__cause__, Cancelled)
        assert [entry.stage for entry in await session.log()] == [Stage.CANCELLED]
        assert (await session.list_files()).nodes == ()


# ---------------------------------------------------------------------------------------------------- a remote one


async def test_signing_in_at_a_remote_one(tmp_path: Path, source: Path) -> None:
    with served_here(tmp_path / "served") as server:
        async with open_session(em_url=server.url, grid_url=server.url, username="client1") as session:
            with pytest.raises(NotSignedIn):
                await session.list_files()
            with pytest.raises(NotSignedIn):
                await session.sign_in("wrong")
            await session.sign_in(PASSWORD)
            await session.do(Uplink((source,)))
            assert (await session.list_files()).file_count == 2
            assert list(await session.list_models()) == []
        assert (server.volume / "echo-test/run.sh").is_file()


async def test_a_password_of_the_environment_signs_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMTUI_PASSWORD", PASSWORD)
    with served_here(tmp_path / "served") as server:
        async with open_session(em_url=server.url, username="client1") as session:
            assert (await session.list_files()).file_count == 0
            assert PASSWORD not in f"{session!r} {session.profile!r} {vars(session)!r}"


async def test_where_nothing_asks_nobody_can_sign_in(workspace: Path, tmp_path: Path) -> None:
    async with open_session(local=workspace, engine="simulated") as session:
        with pytest.raises(ConfigProblem, match="nothing to sign in at"):
            await session.sign_in("x")
    with served_here(tmp_path / "served") as server:
        async with open_session(em_url=server.url) as session:
            with pytest.raises(ConfigProblem, match="nobody is named"):
                await session.sign_in("x")
            with pytest.raises(ConfigProblem, match="nothing to sign in at"):
                await session.sign_in("x", username="client1", at="grid")
            await session.sign_in(PASSWORD, username="client1", at="em")
            assert (await session.list_files()).file_count == 0


async def test_a_busy_one_is_given_up_after_the_time(tmp_path: Path) -> None:
    with served_here(tmp_path / "served") as server, held_uplink(server, server.headers()):
        async with open_session(em_url=server.url, username="client1", timeout_s=0.5) as session:
            await session.sign_in(PASSWORD)
            with pytest.raises(Locked):
                await session.do(Delete(("a.txt",)))


async def test_an_end_that_is_not_there_is_named(tmp_path: Path) -> None:
    with served_here(tmp_path / "served") as server:
        async with open_session(grid_url=server.url) as session:
            with pytest.raises(ConfigProblem, match="no EM"):
                await session.list_files()
            with pytest.raises(ConfigProblem, match="no EM"):
                await session.do(Delete(("a.txt",)))
            assert list(await session.list_models()) == []


# ------------------------------------------------------------------------------------------------ what is opened


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(f'version = 1\n[profile.bench]\nlocal = "{tmp_path / "bench"}"\nengine = "simulated"\n')
    return path


async def test_a_configured_profile_by_its_name(config: Path, tmp_path: Path) -> None:
    async with open_session("bench", config=config) as session:
        assert session.profile.workspace == tmp_path / "bench"
        assert session.profile.engine == "simulated"
    with pytest.raises(ConfigProblem, match="bnch"):
        async with open_session("bnch", config=config):
            pytest.fail("it was opened")


async def test_arguments_go_over_the_environment(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMTUI_CONFIG", str(config))
    monkeypatch.setenv("EMTUI_PROFILE", "bench")
    monkeypatch.setenv("EMTUI_READ_ONLY", "1")
    async with open_session() as session:
        assert session.profile.label == "bench"
        assert session.profile.is_read_only
    async with open_session(local=tmp_path / "other", engine="simulated", pod_memory="512M", pod_cpus=1.5) as session:
        assert session.profile.workspace == tmp_path / "other"
        assert session.profile.pods.memory_bytes == 512 * 1024**2
        assert session.profile.pods.cpus == 1.5


async def test_a_profile_object_is_taken_as_it_is(tmp_path: Path) -> None:
    profile = Profile(tmp_path / "ws", engine="simulated")
    async with open_session(profile) as session:
        assert session.profile is profile
    with pytest.raises(TypeError, match="read_only"):
        async with open_session(profile, read_only=True):
            pytest.fail("it was opened")


async def test_what_is_odd_about_the_configuration_is_a_warning(config: Path) -> None:
    config.write_text(config.read_text() + "red_only = true\n")
    with pytest.warns(UserWarning, match="read_only"):
        async with open_session("bench", config=config) as session:
            assert any("red_only" in notice for notice in session.notices)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="red_only"):
            async with open_session("bench", config=config):
                pytest.fail("it was opened")


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ({"api": "2027"}, "--api"),
        ({"local": "ws", "pod_memory": "lots"}, "--pod-memory"),
        ({"local": "ws", "username": "x"}, "--username"),
        ({"em_url": ""}, "--em-url"),
        ({"timeout_s": -1.0, "local": "ws"}, "--timeout"),
    ],
)
async def test_a_wrong_argument_is_named(arguments: dict[str, object], wrong: str) -> None:
    with pytest.raises(EmtuiError, match=wrong):
        async with open_session(**arguments):  # type: ignore[arg-type] # the types are what the test varies
            pytest.fail("it was opened")
