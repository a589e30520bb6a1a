"""Each exit code, made by a real cause; those of pods are in test_pod.py."""

import asyncio
import base64
import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from emtui import errors
from emtui.cli.exit_codes import Exit, exit_of
from emtui.link.inquiry import LOOK_S
from tests.cli.harness import Cli, Done
from tests.cli.wired import file_node, listed, wired
from tests.serving import held_uplink, served, served_here, until
from tests.wire_server import Asked, Conversation, Script, answer


@pytest.fixture
def volume(workspace: Path) -> Path:
    made = workspace / "volume"
    made.mkdir(parents=True)
    return made


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "here"
    made.mkdir()
    monkeypatch.chdir(made)
    return made


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Cli]:
    """emtui on a remote EM."""

    def at(url: str) -> Cli:
        return Cli(monkeypatch, "--em-url", url, "--username", "client1", "--timeout", "0.5")

    return at


def ends_with(done: Done, code: Exit, *told: str) -> None:
    """That exit code, with why and what to do on one line of stderr, and nothing on stdout."""
    assert done.code == code, done
    assert done.stdout == b""
    assert all(words in done.stderr for words in told), done.stderr
    assert done.stderr.count("\n") == 1


def test_ok_is_what_was_done(emtui: Cli, volume: Path) -> None:
    assert emtui("files", "list").code == Exit.OK == 0


def test_failed_is_this_machine(emtui: Cli) -> None:
    ends_with(emtui("files", "uplink", "missing"), Exit.FAILED, "No such file", "Check the path")


def test_a_read_only_profile_tells_how_to_find_out_what_made_it_so(
    emtui: Cli, volume: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (volume / "a").write_bytes(b"")
    monkeypatch.setenv("EMTUI_READ_ONLY", "true")
    done = emtui("files", "delete", "a", "--yes")
    ends_with(done, Exit.REFUSED, "read-only: delete a is not done. Start without read-only: emtui config show")


def test_usage_is_a_wrong_option_or_a_question_without_a_terminal(emtui: Cli, volume: Path) -> None:
    (volume / "a").write_bytes(b"")
    ends_with(emtui("files", "list", "--tmieout", "3"), Exit.USAGE, "--tmieout")
    ends_with(emtui("files", "delete", "a"), Exit.USAGE, "Nobody can be asked", "--yes")


def test_a_lost_answer_is_looked_into_no_longer_than_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMTUI_TOKEN", "token")

    async def cut(talk: Conversation) -> None:
        talk.cut()

    def replies(asked: Asked) -> bytes | Script:
        return cut if "build" in asked.target else answer(423, {"error": "LOCKED", "message": "CG2 is busy"})

    with wired(replies) as server:
        began = time.monotonic()
        cli = Cli(monkeypatch, "--em-url", server.url, "--api", "2025-11", "--timeout", "1")
        done = cli("image", "build", "--context", "c", "x")
        assert time.monotonic() - began < LOOK_S / 2
    ends_with(done, Exit.UNKNOWN, "CG2 is busy")


def test_config_is_an_address_or_a_version_of_the_api_that_serves_no_such_call(
    remote: Callable[[str], Cli], here: Path
) -> None:
    (here / "a").write_bytes(b"one")
    with wired(answer(404, raw=b"", kind="text/html")) as server:
        for words in (("files", "list"), ("files", "uplink", "a", "--yes"), ("pod", "status")):
            done = remote(f"{server.url}/x")(*words)
            ends_with(done, Exit.CONFIG, "is not served there (404). Check the address, and the version of the API")
        ends_with(remote(server.url)("--api", "2026-03", "files", "list"), Exit.CONFIG, "/em/pvc/list is not served")


def test_config_is_a_workspace_or_a_configuration_that_cannot_be_used(bare: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    ends_with(bare("files", "list", "--local", tmp_path / "file"), Exit.CONFIG, "file")
    ends_with(bare("files", "list", "-p", "nobody"), Exit.CONFIG, "config.toml", "[profile.NAME]")
    ends_with(bare("files", "list", "--em-url", "nonsense"), Exit.CONFIG, "nonsense")
    ends_with(bare("files", "list", "--grid-url", "http://127.0.0.1:9"), Exit.CONFIG, "no EM", "--em-url")


def test_not_signed_in_is_no_token_or_a_wrong_one(
    remote: Callable[[str], Cli], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served_here(tmp_path / "served") as server:
        ends_with(remote(server.url)("files", "list"), Exit.NOT_SIGNED_IN, "EMTUI_TOKEN")
        monkeypatch.setenv("EMTUI_TOKEN", "canary-of-a-token")
        done = remote(server.url)("files", "list")
        ends_with(done, Exit.NOT_SIGNED_IN, "Give another token in EMTUI_TOKEN.")
        assert "canary" not in done.stderr


def test_not_found_is_a_name_that_is_not_there(emtui: Cli) -> None:
    ends_with(emtui("files", "downlink", "nope"), Exit.NOT_FOUND, "nope")


def test_refused_is_what_the_other_side_or_read_only_does_not_do(emtui: Cli, volume: Path) -> None:
    (volume / "a").write_bytes(b"")
    ends_with(emtui("files", "delete", "a", "--yes", "--read-only"), Exit.REFUSED, "read-only")
    assert emtui("image", "build", "--context", "nope", "x").code == Exit.REFUSED


def test_refused_is_a_failure_inside_the_other_side(remote: Callable[[str], Cli]) -> None:
    with wired(answer(500, {"error": "INTERNAL_ERROR", "message": "the disk of the EM is broken"})) as server:
        ends_with(remote(server.url)("files", "list"), Exit.REFUSED, "the disk of the EM is broken")


def test_locked_is_a_busy_em(remote: Callable[[str], Cli], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served_here(tmp_path / "served") as server:
        monkeypatch.setenv("EMTUI_TOKEN", server.token())
        with held_uplink(server, server.headers()):
            ends_with(remote(server.url)("files", "list"), Exit.LOCKED, "--timeout")
        assert remote(server.url)("files", "list").code == Exit.OK


def test_locked_is_a_workspace_that_another_emtui_has_open(bare: Cli, tmp_path: Path) -> None:
    with served(tmp_path / "served"):
        words = ("files", "list", "--local", tmp_path / "served", "--engine", "simulated", "--timeout", "0.5")
        ends_with(bare(*words), Exit.LOCKED, "--em-url")


def test_unreachable_is_nobody_there(remote: Callable[[str], Cli]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    ends_with(remote(f"http://127.0.0.1:{port}")("files", "list"), Exit.UNREACHABLE, "Connection refused")


def test_unreachable_is_an_answer_that_cannot_be_trusted(bare: Cli) -> None:
    ends_with(bare("files", "list", "--em-url", "http://em.example"), Exit.CONFIG, "--insecure")


def test_unknown_is_a_change_whose_answer_was_lost(remote: Callable[[str], Cli]) -> None:
    async def cut(talk: Conversation) -> None:
        talk.cut()

    images = [{"repository": "client1-x", "tag": "latest", "created": "long ago"}]

    def replies(asked: Asked) -> bytes | Script:
        return cut if asked.method == "POST" else answer(200, {"message": "", "data": images})

    with wired(replies) as server:
        ends_with(
            remote(server.url)("image", "build", "--context", "c", "x"), Exit.UNKNOWN, "client1-x:latest", "decide"
        )
        assert sum(line.startswith("POST /em/pod/image/build") for line in server.lines) == 1


@pytest.mark.parametrize("lie", ["hash", "size", "shape"])
def test_verification_is_an_answer_that_is_not_what_was_promised(
    lie: str, remote: Callable[[str], Cli], here: Path
) -> None:
    data = b"these bytes"
    told = {
        "content": base64.b64encode(data).decode(),
        "filename": "a",
        "size": len(data) + (lie == "size"),
        "hash": hashlib.sha256(b"others" if lie == "hash" else data).hexdigest(),
    }

    def replies(asked: Asked) -> bytes:
        if asked.target.startswith("/em/files/downlink"):
            return answer(200, told)
        return answer(200, {"data": "no list"}) if lie == "shape" else listed(file_node("a", len(data)))

    with wired(replies) as server:
        ends_with(remote(server.url)("files", "downlink", "a"), Exit.VERIFICATION)
        ends_with(remote(server.url)("files", "downlink", "a", "-o", "-"), Exit.VERIFICATION)
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, Exit.INTERRUPTED), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_interrupted_is_a_signal(number: signal.Signals, code: int, here: Path) -> None:
    asked: list[str] = []

    async def stall(_talk: Conversation) -> None:
        await asyncio.sleep(60)

    def replies(request: Asked) -> bytes | Script:
        asked.append(request.method)
        return stall if request.method == "POST" else listed()

    (here / "a").write_bytes(b"a")
    with wired(replies) as server:
        words = [sys.executable, "-m", "emtui", "--em-url", server.url, "files", "uplink", "a"]
        with subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ,
            # Whoever runs the tests may have it ignored, as nohup does, and what is ignored stays so.
            preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # noqa: PLW1509 - the tests run in one thread
        ) as process:
            until(lambda: "POST" in asked, "the uplink is under way")
            process.send_signal(number)
            out, told = process.communicate(timeout=30)
    assert process.returncode == code
    assert out == ""
    assert told.startswith("emtui: ")
    assert "Traceback" not in told
    assert "uplink" in told or "interrupted" in told


def test_every_error_has_a_code_that_is_meant() -> None:
    """Only what is about this machine, or emtui's own fault, is 1."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.EmtuiError)]
    without = {kind.__name__ for kind in kinds if exit_of(kind.__new__(kind)) is Exit.FAILED}
    assert without == {"EmtuiError", "LocalProblem"}


def test_every_code_says_what_it_means() -> None:
    assert {code.value for code in Exit} == {*range(11), 20, 21, 22, 23, 130}
