"""The Python API: what `from emtui import …` gives, on local mode and on a served one."""

import ast
import asyncio
import re
import shutil
import subprocess
import sys
import threading
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path

import pytest

import emtui
from emtui import (
    BadRequest,
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
    OutcomeNotKnown,
    PodSpec,
    PodStatus,
    Profile,
    RunPod,
    ServeModel,
    Session,
    Stage,
    Uplink,
    Verdict,
    WorkspaceInUse,
    open_session,
)
from emtui.commands import REGISTRY
from emtui.session import open_session as open_profile
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


async def test_a_pod_of_another_image_is_not_taken_for_the_one_that_is_meant(workspace: Path) -> None:
    def spec(image: str) -> PodSpec:
        return PodSpec(docker_image=image, max_duration=1, node="FPGA")

    async with open_session(local=workspace, engine="simulated") as session:
        await session.do(RunPod(spec("nope")))
        with pytest.raises(OutcomeNotKnown, match="nope was run last from here, not x"):
            await session.wait_for_pod(spec("x"))
        for same in ("nope", "client1-nope:latest"):
            assert (await session.wait_for_pod(spec(same))).verdict is Verdict.NOT_STARTED


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


@pytest.mark.parametrize(
    ("call", "wrong"),
    [
        (lambda session: session.do("uplink"), "command: Command is needed, not str"),
        (lambda session: session.run_pod("x"), "spec: PodSpec is needed, not str"),
        (lambda session: session.wait_for_pod("x"), "spec: PodSpec is needed, not str"),
        (lambda session: session.log(since="2h"), "since: datetime or timedelta is needed, not str"),
        (lambda session: session.model(1), "model_id: str is needed, not int"),
        (lambda session: session.encrypted_model(None), "model_id: str is needed, not None"),
        (lambda session: session.search(1), "tag: str is needed, not int"),
    ],
)
async def test_what_is_of_another_kind_is_said_with_its_name(
    call: Callable[[Session], Awaitable[object]], wrong: str, workspace: Path
) -> None:
    async with open_session(local=workspace, engine="simulated") as session:
        with pytest.raises(TypeError, match=wrong):
            await call(session)
        assert await session.log() == []


async def test_a_delete_of_what_is_not_there_is_what_the_specification_has(workspace: Path, tmp_path: Path) -> None:
    async with open_session(local=workspace, engine="simulated") as session:
        with pytest.raises(BadRequest, match="no such file or folder: nope"):
            await session.do(Delete(["nope"]))  # type: ignore[arg-type] # a notebook has no type checker
        with pytest.raises(NotFound):
            await session.do(Downlink(("nope",), tmp_path))


def test_the_minutes_of_a_pod_may_be_text_and_what_is_no_number_is_a_value_error() -> None:
    assert PodSpec(docker_image="a", max_duration="1", node="GPU").max_duration == 1.0  # type: ignore[arg-type] # the same
    with pytest.raises(ValueError, match="max_duration"):
        PodSpec(docker_image="a", max_duration="soon", node="GPU")  # type: ignore[arg-type] # the same


def test_every_field_of_a_command_is_explained_in_help_and_on_the_page() -> None:
    page = (Path(__file__).parents[2] / "docs/python.md").read_text(encoding="utf-8")
    for kind in REGISTRY.values():
        (row,) = (line for line in page.splitlines() if line.startswith(f"| `{kind.__name__}` |"))
        for field in fields(kind):
            assert re.search(rf"^ +{field.name}[ ,a-z_]*: ", str(kind.__doc__), re.MULTILINE), (kind, field.name)
            assert f"`{field.name}" in row or field.name == "is_for_stdout"


async def test_paths_may_be_text(workspace: Path, source: Path, tmp_path: Path) -> None:
    async with open_session(local=workspace, engine="simulated") as session:
        await session.do(Uplink([str(source)]))  # type: ignore[arg-type] # a notebook has no type checker
        await session.do(Downlink(["echo-test/run.sh"], str(tmp_path / "back.sh")))  # type: ignore[arg-type] # the same
        assert (tmp_path / "back.sh").read_text() == "echo hello\n"


async def test_an_empty_tag_is_refused_in_words(workspace: Path) -> None:
    async with open_session(local=workspace, engine="simulated") as session:
        with pytest.raises(BadRequest, match="tag: is missing") as refused:
            await session.search("")
        assert refused.value.remedy == "Give a tag, such as mnist."


async def test_a_remedy_names_arguments_and_not_options(workspace: Path, source: Path, tmp_path: Path) -> None:
    async with open_session(local=workspace, engine="simulated"):
        pass
    async with open_session(local=workspace, engine="simulated", read_only=True) as session:
        with pytest.raises(Forbidden) as refused:
            await session.do(Uplink((source,)))
        with pytest.raises(NotFound) as missing:
            await session.do(Downlink(("none",), tmp_path))
    with served_here(tmp_path / "served") as server, held_uplink(server, server.headers()):
        async with open_session(em_url=server.url, username="client1", timeout_s=0.2) as session:
            with pytest.raises(ConfigProblem) as absent:
                await session.list_models()
            await session.sign_in(PASSWORD)
            with pytest.raises(Locked) as locked:
                await session.list_files()
    assert "timeout_s" in locked.value.remedy
    assert "grid_url" in absent.value.remedy
    for error in (refused, missing, absent, locked):
        assert error.value.remedy
        assert not {"--", "Refresh"} & set(error.value.remedy.replace("--", " -- ").split())


def test_a_command_to_be_typed_and_foreign_text_stay_as_they_are() -> None:
    from emtui.api.words import in_python

    with pytest.raises(NotFound) as missing, in_python():
        raise NotFound(
            "no such file: --local", remedy="Share it: emtui serve --local DIR; docker run --rm, --pod-memory."
        )
    assert missing.value.message == "no such file: --local"
    assert missing.value.remedy == "Share it: emtui serve --local DIR; docker run --rm, pod_memory."


async def test_read_only_changes_nothing(workspace: Path, source: Path) -> None:
    (workspace / "volume").mkdir(parents=True)
    async with open_session(local=workspace, engine="simulated"):
        pass
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


@pytest.fixture
async def held(workspace: Path) -> AsyncIterator[AsyncExitStack]:
    """Somebody else has the workspace, until the stack is closed."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(open_profile(Profile(workspace, engine="simulated"), holder="console"))
        yield stack


async def test_a_workspace_that_is_in_use_is_waited_for_and_given_up(workspace: Path, held: AsyncExitStack) -> None:
    with pytest.warns(UserWarning, match="in use by"), pytest.raises(WorkspaceInUse) as refused:
        async with open_session(local=workspace, engine="simulated", timeout_s=0.2):
            pytest.fail("it was opened")
    assert refused.value.holder == "console"


async def test_a_workspace_that_is_let_go_of_is_had_after_a_warning(workspace: Path, held: AsyncExitStack) -> None:
    async def second() -> int:
        async with open_session(local=workspace, engine="simulated") as session:
            return (await session.list_files()).file_count

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        waiting = asyncio.ensure_future(second())
        async with asyncio.timeout(20):
            while not told:
                await asyncio.sleep(0.01)
        assert not waiting.done()
        await held.aclose()
        assert await asyncio.wait_for(waiting, 20) == 0
    assert str(told[0].message).endswith("waiting for it")


async def test_a_workspace_that_this_very_process_has_open_is_refused_at_once(workspace: Path) -> None:
    (workspace.parent / "link").symlink_to(workspace)
    async with open_session(local=workspace, engine="simulated", timeout_s=0) as session:
        for same in (workspace, workspace.parent / "link"):
            with pytest.raises(WorkspaceInUse, match="a session of this very process has it open") as refused:
                async with asyncio.timeout(20), open_session(local=same, engine="simulated", timeout_s=0):
                    pytest.fail("it was opened")
            assert "Go on with that session" in refused.value.remedy
        assert (await session.list_files()).nodes == ()
    async with open_session(local=workspace, engine="simulated"):
        pass


async def test_a_cell_that_opens_can_be_run_again(workspace: Path) -> None:
    async def cell() -> AsyncExitStack:
        stack = AsyncExitStack()
        await stack.enter_async_context(open_session(local=workspace, engine="simulated", timeout_s=20))
        return stack

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stack = await cell()
        del stack  # Python closes what nobody holds any more
        async with await cell():
            pass


UNCLOSED = """
import asyncio, sys
from contextlib import AsyncExitStack
from emtui import open_session

async def main():
    stack = AsyncExitStack()
    session = await stack.enter_async_context(open_session(local=sys.argv[1], engine="simulated"))
    await session.list_files()
    raise ValueError("my own bug")

asyncio.run(main())
"""


async def test_a_session_that_nobody_closes_does_not_bury_the_error_of_its_user(workspace: Path) -> None:
    run = [sys.executable, "-X", "dev", "-c", UNCLOSED, str(workspace)]
    done = await asyncio.to_thread(subprocess.run, run, capture_output=True, text=True, timeout=60)
    assert done.stderr.count("Traceback") == 1
    assert done.stderr.endswith("ValueError: my own bug\n")
    assert "asynchronous generator" not in done.stderr
    async with open_session(local=workspace, engine="simulated", timeout_s=0.1) as session:
        assert (await session.list_files()).nodes == ()


async def test_a_session_whose_opening_nobody_holds_says_how_it_is_held(workspace: Path) -> None:
    session = await open_session(local=workspace, engine="simulated").__aenter__()
    async with asyncio.timeout(20):
        while "closed" not in repr(session):
            await asyncio.sleep(0.01)
    with pytest.raises(RuntimeError, match="while an AsyncExitStack holds it"):
        await session.list_files()


async def test_a_session_may_be_closed_by_another_task_than_opened_it(workspace: Path) -> None:
    stack = AsyncExitStack()
    opening = stack.enter_async_context(open_session(local=workspace, engine="simulated"))
    session = await asyncio.create_task(opening)
    await asyncio.create_task(stack.aclose())
    assert repr(session).endswith("(closed)>")


async def test_an_opening_opens_once(workspace: Path) -> None:
    opening = open_session(local=workspace, engine="simulated")
    async with opening:
        pass
    with pytest.raises(RuntimeError, match="opened once already"):
        async with opening:
            pytest.fail("it was opened again")


async def test_an_opening_that_is_cancelled_leaves_the_workspace_to_others(
    workspace: Path, held: AsyncExitStack
) -> None:
    with pytest.warns(UserWarning, match="waiting for it"), pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5), open_session(local=workspace, engine="simulated", timeout_s=0):
            pytest.fail("it was opened")
    await held.aclose()
    async with open_session(local=workspace, engine="simulated", timeout_s=0.1) as session:
        assert (await session.list_files()).nodes == ()


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
                asyncio.run(session.list_files())
            except RuntimeError as error:
                found.append(str(error))
            found.append(asyncio.run_coroutine_threadsafe(session.list_files(), loop).result(20).file_count)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        await asyncio.to_thread(thread.join, 20)
        assert found == ["this session belongs to another event loop: use asyncio.run_coroutine_threadsafe", 0]


async def test_a_time_limit_cancels_the_command_and_stays_a_time_limit(tmp_path: Path, source: Path) -> None:
    with served_here(tmp_path / "served") as server, held_uplink(server, server.headers()):
        async with open_session(em_url=server.url, username="client1") as session:
            await session.sign_in(PASSWORD)
            limit = asyncio.timeout(20)

            def end_in_a_pause(state: CommandState) -> None:
                if "busy" in state.note:
                    limit.reschedule(asyncio.get_running_loop().time())

            with pytest.raises(TimeoutError) as over:
                async with limit:
                    await session.do(Delete(("a.txt",)), on_state=end_in_a_pause)
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
    async with open_session():
        pass
    monkeypatch.setenv("EMTUI_READ_ONLY", "1")
    async with open_session() as session:
        assert session.profile.label == "bench"
        assert session.profile.is_read_only
    monkeypatch.delenv("EMTUI_READ_ONLY")
    other = open_session(local=tmp_path / "other", engine="simulated", pod_memory="512M", pod_cpus=1.5)
    async with AsyncExitStack() as stack:
        with pytest.warns(UserWarning, match="EMTUI_PROFILE") as told:
            session = await stack.enter_async_context(other)
        assert session.profile.workspace == tmp_path / "other"
        assert session.profile.pods.memory_bytes == 512 * 1024**2
        assert session.profile.pods.cpus == 1.5
        assert "--" not in f"{told[0].message} {session.notices}"


async def test_a_profile_object_is_taken_as_it_is(tmp_path: Path) -> None:
    profile = Profile(tmp_path / "ws", engine="simulated")
    async with open_session(profile) as session:
        assert session.profile is profile
    with pytest.raises(TypeError, match="read_only"):
        async with open_session(profile, read_only=True):
            pytest.fail("it was opened")


async def test_what_is_odd_about_the_configuration_is_a_warning(config: Path) -> None:
    config.write_text(config.read_text() + "red_only = true\n")
    with pytest.warns(UserWarning, match="read_only") as told:
        async with open_session("bench", config=config) as session:
            assert any("red_only" in notice for notice in session.notices)
    assert told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="red_only"):
            async with open_session("bench", config=config):
                pytest.fail("it was opened")


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ({"api": "2027"}, "^api: "),
        ({"local": "ws", "pod_memory": "lots"}, "^pod_memory: "),
        ({"local": "ws", "username": "x"}, "^username is for"),
        ({"em_url": ""}, "^em_url: it is empty"),
        ({"timeout_s": -1.0, "local": "ws"}, "^timeout_s: "),
        ({"config": "/nowhere"}, "^/nowhere: "),
        ({"em_url": "http://em.example.org"}, "plain http"),
    ],
)
async def test_a_wrong_argument_is_named_as_it_was_given(arguments: dict[str, object], wrong: str) -> None:
    with pytest.raises(EmtuiError, match=wrong) as refused:
        async with open_session(**arguments):  # type: ignore[arg-type] # the types are what the test varies
            pytest.fail("it was opened")
    assert refused.value.remedy
    assert "--" not in f"{refused.value} {refused.value.remedy}"


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ({"base_images": "alpine"}, r"base_images: several can be given, not str; one alone is \['alpine'\]"),
        ({"base_images": [1]}, "base_images: str is needed, not int"),
        ({"local": 3}, "local: Path or str is needed, not int"),
        ({"profile": 3}, "profile: str or Profile is needed, not int"),
    ],
)
def test_an_argument_of_another_kind_is_refused_at_once(arguments: dict[str, object], wrong: str) -> None:
    with pytest.raises(TypeError, match=wrong):
        open_session(**arguments)  # type: ignore[arg-type] # the types are what the test varies


def test_an_empty_path_is_not_the_folder_here() -> None:
    with pytest.raises(ValueError, match="local: it is empty"):
        open_session(local="")
    with pytest.raises(ValueError, match="config: it is empty"):
        open_session(local="ws", config="")


async def test_a_time_limit_as_text_is_what_it_says(workspace: Path) -> None:
    async with open_session(local=workspace, engine="simulated", timeout_s="5") as session:  # type: ignore[arg-type] # the types are what the test varies
        assert session._opened.patience.give_up_s == 5.0


async def test_who_forgets_async_with_is_told(workspace: Path) -> None:
    session = open_session(local=workspace)
    with pytest.raises(AttributeError, match=r"there is no 'list_files' yet: .* async with open_session"):
        await session.list_files()  # type: ignore[attr-defined] # that is what is refused
    with pytest.raises(TypeError, match="async with open_session"):
        await open_session(local=workspace)  # type: ignore[misc] # that is what is refused
    assert not workspace.exists()
