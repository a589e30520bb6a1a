"""`emtui pod`: what is asked for, what is told, and each way in which a pod ends."""

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emtui.cli.exit_codes import Exit
from emtui.local.engines.choose import probe_isolation
from emtui.local.stopping import Stop
from emtui.local.workspace import Workspace
from tests.cli.harness import Cli
from tests.cli.scripted_em import ScriptedEM, scripted_em
from tests.missing import missing
from tests.serving import PASSWORD, Server, held_uplink, served_here
from tests.wire_server import answer

RUN = ("pod", "run", "alpine", "--node", "FPGA", "--max-duration", "5")


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch, workspace: Path) -> Cli:
    """emtui on a workspace whose pods really run."""
    if shutil.which("bwrap") is None:
        missing("bwrap is not installed")
    made = Workspace(workspace)
    try:
        if reason := probe_isolation(made, "bwrap", Stop()):
            missing(f"bwrap does not work here: {reason}")
    finally:
        made.close()
    return Cli(monkeypatch, "--local", workspace, "--engine", "sandbox")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served_here(tmp_path_factory.mktemp("served")) as server:
        yield server


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch, server: Server) -> Cli:
    monkeypatch.setenv("EMTUI_PASSWORD", PASSWORD)
    return Cli(monkeypatch, "--em-url", server.url, "--username", "client1")


def on(monkeypatch: pytest.MonkeyPatch, em: ScriptedEM) -> Cli:
    monkeypatch.setenv("EMTUI_TOKEN", "token")
    return Cli(monkeypatch, "--em-url", em.url, "--api", "2025-11")


def terminated(code: int, reason: str, **more: Any) -> dict[str, Any]:
    times = {"startedAt": "2026-11-25T12:00:00Z", "finishedAt": "2026-11-25T12:00:03Z"}
    return {"terminated": {"exitCode": code, "reason": reason, **times, **more}}


# --------------------------------------------------------------------------------------------------- the fields


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--node", "TPU"), "--node: no such node: TPU. Choose one of FPGA, GPU, MPU"),
        (("--node", "\x1b[31m"), "--node: no such node: \\x1b[31m"),
        (("--max-duration", "0"), "--max-duration: is not more than 0"),
        (("--max-duration=-5",), "--max-duration: is not more than 0"),
        (("--max-duration", "1e9"), "--max-duration: is not a number"),
        (("--max-duration", "nan"), "--max-duration: is not a number"),
        (("--max-duration", "99999"), "--max-duration: is more than a week"),
        (("--max-duration", ""), "--max-duration: is missing"),
        (("--at", ""), "--at: is empty"),
        (("--at", " "), "--at: is empty"),
        (("--command", ""), "--command: is empty"),
        (("--at", "14:30"), "--at: has no zone"),
        (("--at", "2020-01-01T00:00:00Z"), "--at: is past"),
        (("--at", "2026-11-25T10:00:60Z"), "--at: has a second 60"),
        (("--at", "soon"), "--at: is not a time"),
        (("--at", "+400d"), "--at: is too far ahead"),
    ],
)
def test_a_bad_field_is_named_and_nothing_is_opened(
    words: tuple[str, ...], told: str, emtui: Cli, workspace: Path
) -> None:
    done = emtui(*RUN, *words)
    assert done.code == Exit.USAGE
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == b""
    assert not workspace.exists()


def test_a_run_without_an_image_is_refused(emtui: Cli) -> None:
    done = emtui("pod", "run", "  ", "--node", "FPGA", "--max-duration", "5")
    assert done.code == Exit.USAGE
    assert "argument IMAGE: is missing" in done.stderr


def test_what_the_em_gets_is_what_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted_em({}) as em:
        on(monkeypatch, em).ok(
            "pod", "run", "echo-test", "--node", "gpu", "--max-duration", "0,5", "--at",
            "2027-11-25T14:30:00+02:00", "--command", "echo '$HOME' | tee /data/x; :"
        )  # fmt: skip
    (sent,) = em.runs
    assert (sent["docker_image"], sent["node"], sent["max_duration"]) == ("echo-test", "GPU", 0.5)
    assert sent["scheduled_time"] == "2027-11-25T12:30:00+00:00"
    assert sent["command"] == "echo '$HOME' | tee /data/x; :"


def test_the_users_prefix_is_left_out(emtui: Cli) -> None:
    assert emtui.ok("pod", "run", "client1-alpine:latest", *RUN[3:]).text.startswith("run alpine on FPGA")


# ------------------------------------------------------------------------------------------------ run and status


def test_there_is_no_pod_before_any_run(emtui: Cli) -> None:
    assert emtui.ok("pod", "status").rows == [["none", "", "", "", "", ""]]
    assert emtui.ok("pod", "status", "--json").json == {"state": {}}


def test_a_run_is_told_and_the_status_has_the_specifications_shape(emtui: Cli) -> None:
    assert emtui.ok(*RUN).lines == ["run alpine on FPGA for 5 min: Docker run scheduled successfully"]
    (row,) = emtui.ok("pod", "status").rows
    assert row[:2] in (["waiting", "ContainerCreating"], ["running", ""])
    status = emtui.ok("pod", "status", "--json").json
    assert list(status) == ["state"]
    assert next(iter(status["state"])) in ("waiting", "running")


def test_a_run_as_a_document(emtui: Cli) -> None:
    document = emtui.ok(*RUN, "--json").json
    assert (document["command"], document["stage"]) == ("run", "complete")
    assert document["note"] == "Docker run scheduled successfully"


def test_an_active_pod_is_replaced_only_if_that_is_said(emtui: Cli) -> None:
    emtui.ok(*RUN, "--at", "+10m")
    refused = emtui(*RUN)
    assert refused.code == Exit.USAGE
    assert "A pod is active (waiting: Scheduled)" in refused.stderr
    assert "--yes" in refused.stderr
    assert emtui.ok("pod", "status").rows[0][1] == "Scheduled"
    emtui.ok(*RUN, "--yes")
    assert emtui.ok("pod", "status").rows[0][1] != "Scheduled"


def test_a_pod_that_has_ended_is_not_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted_em({}, before=terminated(0, "Completed")) as em:
        on(monkeypatch, em).ok(*RUN)
        assert len(em.runs) == 1


def test_read_only_refuses_before_it_asks_anything(emtui: Cli) -> None:
    emtui.ok(*RUN, "--at", "+10m")
    for more in ((), ("--wait",)):
        done = emtui("--read-only", *RUN, *more)
        assert done.code == Exit.REFUSED
        assert "read-only" in done.stderr
        assert "A pod is active" not in done.stderr
    assert emtui.ok("pod", "status", "--read-only").rows[0][1] == "Scheduled"


def test_what_the_em_says_of_a_pod_does_not_act_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = terminated(1, "Err\x1b[2J", message="a\nb\t\x1b]52;c;eA==\x07[/]")
    with scripted_em(hostile) as em:
        cli = on(monkeypatch, em)
        ended = cli(*RUN, "--wait")
        (row,) = cli("pod", "status").rows
        document = cli("pod", "status", "--json")
    assert ended.code == Exit.POD_FAILED
    assert len(ended.lines) == 1
    assert "\x1b" not in ended.text + ended.stderr
    assert row[1] == "Err\\x1b[2J"
    assert row[5] == "a\\nb\\t\\x1b]52;c;eA==\\x07[/]"
    assert b"\x1b" not in document.stdout
    assert document.json["state"]["terminated"]["reason"] == "Err\x1b[2J"


# ------------------------------------------------------------------------------------------- the exit codes


def test_a_pod_that_completes_is_0(real: Cli, workspace: Path) -> None:
    done = real.ok(*RUN, "--command", "echo hello > /data/out.txt", "--wait")
    (line,) = done.lines
    assert line.startswith("Completed, exit code 0, ran 00:00:0")
    assert (workspace / "volume/out.txt").read_text() == "hello\n"
    assert done.stderr == ""


def test_a_pod_that_fails_is_20(real: Cli) -> None:
    done = real(*RUN, "--command", "exit 7", "--wait", "--json")
    assert done.code == Exit.POD_FAILED == 20
    assert list(done.json) == ["run", "status"]
    assert done.json["run"]["stage"] == "complete"
    assert done.json["status"]["state"]["terminated"]["exitCode"] == 7
    assert "the pod has failed" in done.stderr


def test_a_pod_that_takes_too_long_is_21(real: Cli) -> None:
    graceful = "trap 'exit 0' TERM; sleep 60 & wait"
    done = real("pod", "run", "alpine", "--node", "MPU", "--max-duration", "0.02", "--command", graceful, "--wait")
    assert done.code == Exit.POD_DEADLINE == 21
    assert done.lines[0].startswith("DeadlineExceeded, exit code 0, ran 00:00:0")


def test_a_pod_that_takes_too_much_memory_is_22(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted_em({"waiting": {"reason": "ContainerCreating"}}, terminated(137, "OOMKilled")) as em:
        done = on(monkeypatch, em)(*RUN, "--wait")
    assert done.code == Exit.POD_OUT_OF_MEMORY == 22
    assert done.lines == ["OOMKilled, exit code 137, ran 00:00:03"]
    assert "Let it take less memory." in done.stderr


def test_a_pod_without_an_image_is_23(emtui: Cli) -> None:
    done = emtui("pod", "run", "no-such", *RUN[3:], "--wait", "--json")
    assert done.code == Exit.POD_NOT_STARTED == 23
    assert done.json["status"]["state"]["waiting"]["reason"] in ("ErrImagePull", "ImagePullBackOff")


def test_a_pod_that_the_em_cannot_start_is_23(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted_em({"terminated": {"exitCode": 128, "reason": "StartError", "message": "no such file"}}) as em:
        done = on(monkeypatch, em)(*RUN, "--wait")
    assert done.code == Exit.POD_NOT_STARTED
    assert done.lines == ["StartError, exit code 128: no such file"]


def test_a_pod_that_is_replaced_is_9(monkeypatch: pytest.MonkeyPatch) -> None:
    states = [{"running": {"startedAt": f"2026-11-25T12:00:0{second}Z"}} for second in (0, 5)]
    with scripted_em(*states) as em:
        done = on(monkeypatch, em)(*RUN, "--wait", "--json")
    assert done.code == Exit.UNKNOWN
    assert "another pod has taken this one's place" in done.stderr
    assert done.json["run"]["stage"] == "complete"
    assert done.json["status"]["state"] == states[0]


def test_the_end_of_the_pod_before_is_not_taken_for_this_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    old = terminated(5, "Error")
    new = {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": "2026-11-25T12:10:00Z"}}
    with scripted_em(old, old, new, before=old) as em:
        done = on(monkeypatch, em).ok(*RUN, "--wait")
    assert done.lines == ["Completed, exit code 0"]


def test_a_busy_em_and_one_that_fails_are_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = answer(423, {"error": "LOCKED", "message": "CG2 is busy"})
    with scripted_em(busy, answer(500, {"error": "INTERNAL", "message": "x"}), busy, terminated(0, "Completed")) as em:
        done = on(monkeypatch, em).ok(*RUN, "--wait", "--timeout", "20")
    assert done.lines == ["Completed, exit code 0, ran 00:00:03"]


def test_a_locked_em_is_given_up_after_the_timeout_and_nothing_runs(remote: Cli, server: Server) -> None:
    with held_uplink(server, server.headers()):
        began = time.monotonic()
        done = remote(*RUN, "--timeout", "1", "--yes", "--json")
    assert done.code == Exit.LOCKED
    assert time.monotonic() - began < 10
    assert (done.json["stage"], done.json["code"]) == ("failed", "LOCKED")
    assert remote.ok("pod", "status").rows[0][0] == "none"


def test_who_is_not_signed_in_is_4(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    monkeypatch.setenv("EMTUI_TOKEN", "not-a-token")
    done = Cli(monkeypatch, "--em-url", server.url)("pod", "status")
    assert done.code == Exit.NOT_SIGNED_IN
    assert "Give another token in EMTUI_TOKEN." in done.stderr


def test_an_em_that_is_not_there_is_8(monkeypatch: pytest.MonkeyPatch) -> None:
    done = Cli(monkeypatch, "--em-url", "http://127.0.0.1:9")("pod", "status", "--timeout", "0.5")
    assert done.code == Exit.UNREACHABLE
    assert done.stdout == b""


def test_an_em_that_goes_away_while_it_is_waited_for_is_8_and_the_pod_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone = answer(503, {"message": "no backend"})
    with scripted_em({"waiting": {"reason": "ContainerCreating"}}, gone) as em:
        done = on(monkeypatch, em)(*RUN, "--wait", "--timeout", "1", "--json")
    assert done.code == Exit.UNREACHABLE
    assert "The pod goes on: emtui pod status" in done.stderr
    assert json.loads(done.stdout)["status"] == {"state": {"waiting": {"reason": "ContainerCreating"}}}


def test_who_loses_its_sign_in_while_it_waits_is_4_and_the_pod_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = answer(401, {"detail": "Token is expired"})
    with scripted_em({"waiting": {"reason": "ContainerCreating"}}, refused) as em:
        done = on(monkeypatch, em)(*RUN, "--wait", "--json")
    assert done.code == Exit.NOT_SIGNED_IN
    assert "The pod goes on." in done.stderr
    assert done.json["run"]["stage"] == "complete"


def test_a_run_over_a_real_server_is_waited_for(remote: Cli) -> None:
    done = remote.ok("pod", "run", "alpine", "--node", "GPU", "--max-duration", "5", "--wait", "--yes", "--json")
    assert done.json["status"]["state"]["terminated"]["reason"] == "Completed"
    (row,) = remote.ok("pod", "status").rows
    assert row[:3] == ["terminated", "Completed", "0"]


def test_the_help_has_the_exit_codes(bare: Cli) -> None:
    told = bare.ok("pod", "run", "--help").text
    for code in (Exit.POD_FAILED, Exit.POD_DEADLINE, Exit.POD_OUT_OF_MEMORY, Exit.POD_NOT_STARTED, Exit.INTERRUPTED):
        assert f"\n {code:>3}  " in told


def test_the_help_says_what_cannot_be_told(bare: Cli) -> None:
    told = " ".join(bare.ok("pod", "run", "--help").text.split())
    assert "what it makes of that is 20 as a rule" in told
    assert "A run of another profile, machine or person in the same moment cannot be told from this one" in told
