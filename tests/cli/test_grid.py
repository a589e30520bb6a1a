"""`emtui grid`: models up and down, tags, encrypted models, in the specification's shapes."""

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from emtui.cli.exit_codes import Exit
from tests.cli.harness import Cli
from tests.e2e.terminal import Terminal
from tests.serving import PASSWORD, Server, served_here

EMTUI = (sys.executable, "-m", "emtui")
MODEL = b"\x00\x01weights\xff\n" * 100
GRID_TOML = """
[[dataset]]
name = "digits"
tags = ["mnist", "grey \\u001b[31m"]

[[encrypted_model]]
id = "shares"
workers = ["alice", "bob\\nx"]
crypto_provider = ["carol"]
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.pt"
    path.write_bytes(MODEL)
    return path


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def registered(workspace: Path) -> None:
    workspace.mkdir()
    (workspace / "grid.toml").write_text(GRID_TOML)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served_here(tmp_path_factory.mktemp("served")) as server:
        yield server


# ------------------------------------------------------------------------------------------------ serve, models


def test_models_are_listed_with_what_is_known_of_them(emtui: Cli, model: Path) -> None:
    assert emtui.ok("grid", "models").stdout == b""
    assert emtui.ok("grid", "models", "--json").json == {"success": True, "models": []}
    told = emtui.ok("grid", "serve", model, "--id", "a").lines
    assert told == ["serve model a from model.pt: Model saved with id: a"]
    emtui.ok("grid", "serve", model, "--id", "b", "--allow-download")
    assert emtui.ok("grid", "models").rows == [["a", "no", str(len(MODEL))], ["b", "yes", str(len(MODEL))]]
    assert emtui.ok("grid", "models", "--json").json == {"success": True, "models": ["a", "b"]}


def test_one_model_is_shown_as_the_specification_answers(emtui: Cli, model: Path) -> None:
    emtui.ok("grid", "serve", model, "--id", "a")
    emtui.ok("grid", "serve", model, "--id", "b", "--allow-download")
    size = len(MODEL)
    assert emtui.ok("grid", "show", "b").rows == [["b", "yes", str(size)]]
    assert emtui.ok("grid", "show", "b", "--json").json == {"success": True, "model_id": "b", "size": size}
    assert emtui.ok("grid", "show", "a", "--json").json == {
        "success": False,
        "error": "You're not allowed to download this model.",
        "model_id": "a",
        "size": size,
    }


@pytest.mark.parametrize("words", [("show", "no\x1b[2J"), ("get", "no\x1b[2J"), ("get", "no\x1b[2J", "-o", "-")])
def test_a_model_that_is_not_hosted_is_5(words: tuple[str, ...], emtui: Cli, here: Path) -> None:
    done = emtui("grid", *words)
    assert done.code == Exit.NOT_FOUND
    assert done.stderr == "emtui: Model not found. emtui grid models lists the ids.\n"
    assert done.stdout == b""
    assert not list(here.iterdir())


def test_an_id_that_is_taken_is_refused(emtui: Cli, model: Path) -> None:
    emtui.ok("grid", "serve", model, "--id", "a")
    done = emtui("grid", "serve", model, "--id", "a", "--json")
    assert done.code == Exit.REFUSED
    assert (done.json["stage"], done.json["code"]) == ("failed", "CONFLICT")


@pytest.mark.parametrize("words", [("--id", ""), ("--id", "  "), ()])
def test_a_model_needs_an_id(words: tuple[str, ...], emtui: Cli, model: Path, workspace: Path) -> None:
    done = emtui("grid", "serve", model, *words)
    assert done.code == Exit.USAGE
    assert not workspace.exists()


def test_a_model_that_is_no_file_is_said(emtui: Cli, tmp_path: Path) -> None:
    none = emtui("grid", "serve", tmp_path / "none", "--id", "a")
    assert (none.code, none.stderr) == (
        Exit.FAILED,
        f"emtui: {tmp_path / 'none'}: No such file or directory. Check the path.\n",
    )
    assert emtui("grid", "serve", tmp_path, "--id", "a").code == Exit.FAILED
    stdin = emtui("grid", "serve", "-", "--id", "a")
    assert stdin.code == Exit.USAGE
    assert "stdin" in stdin.stderr
    assert emtui.ok("grid", "models").stdout == b""


def test_read_only_serves_nothing_but_fetches(emtui: Cli, model: Path, here: Path) -> None:
    emtui.ok("grid", "serve", model, "--id", "a", "--allow-download")
    assert emtui("grid", "serve", model, "--id", "b", "--read-only").code == Exit.REFUSED
    assert emtui.ok("grid", "models", "--json").json["models"] == ["a"]
    emtui.ok("grid", "get", "a", "--read-only")
    assert (here / "a").read_bytes() == MODEL


def test_a_wrong_path_in_the_address_is_no_missing_model(server: Server, bare: Cli) -> None:
    for words in (("models",), ("tags",), ("show", "a"), ("get", "a"), ("search", "x"), ("encrypted", "x")):
        done = bare("--grid-url", f"{server.url}/nowhere", "--timeout", "5", "grid", *words)
        assert done.code == Exit.VERIFICATION, done
        assert done.stderr.endswith(
            "is not served over HTTP. Check the address: something else than a Grid Node answers there.\n"
        )


# ---------------------------------------------------------------------------------------------------------- get


def test_a_model_comes_into_a_file_named_after_it(emtui: Cli, model: Path, here: Path) -> None:
    emtui.ok("grid", "serve", model, "--id", "a", "--allow-download")
    document = emtui.ok("grid", "get", "a", "--json").json
    assert (document["command"], document["stage"], document["bytes"]) == ("get_model", "complete", len(MODEL))
    assert (here / "a").read_bytes() == MODEL


HOSTILE = ("../x", "/etc/passwd", "-rf", "~root", "a b🙂", "x\n\x1b[31my", "[@click=app.quit]", "caf\udce9", "$(id);")


@pytest.mark.parametrize("model_id", HOSTILE)
def test_whatever_an_id_holds_it_goes_up_and_comes_down_as_one_file(
    model_id: str, emtui: Cli, model: Path, here: Path
) -> None:
    emtui.ok("grid", "serve", model, f"--id={model_id}", "--allow-download")
    assert emtui.ok("grid", "models", "--json").json["models"] == [model_id]
    listed = emtui.ok("grid", "models")
    assert len(listed.lines) == 1
    assert "\x1b" not in listed.text
    assert len(listed.rows[0]) == 3
    told = emtui.ok("grid", "get", "--", model_id)
    assert "\x1b" not in told.text
    (only,) = here.iterdir()
    assert only.name == model_id.replace("/", "_")
    assert only.read_bytes() == MODEL


@pytest.mark.parametrize("model_id", [".", "..", "/"])
def test_an_id_that_can_be_no_file_name_needs_one(model_id: str, emtui: Cli, model: Path, here: Path) -> None:
    emtui.ok("grid", "serve", model, "--id", model_id, "--allow-download")
    done = emtui("grid", "get", model_id)
    if model_id == "/":
        assert (here / "_").read_bytes() == MODEL
        return
    assert done.code == Exit.FAILED
    assert done.stderr.endswith("cannot be the name of a file here. Give it one: -o FILE.\n")
    emtui.ok("grid", "get", model_id, "-o", "named")
    assert (here / "named").read_bytes() == MODEL


def test_a_target_is_a_folder_or_a_name(emtui: Cli, model: Path, here: Path) -> None:
    emtui.ok("grid", "serve", model, "--id", "a", "--allow-download")
    (here / "there").mkdir()
    for output, place in (("new/", "new/a"), ("there", "there/a"), ("b", "b"), ("deep/er/c", "deep/er/c")):
        emtui.ok("grid", "get", "a", "-o", output)
        assert (here / place).read_bytes() == MODEL


def test_what_is_there_is_overwritten_only_if_that_is_said(emtui: Cli, model: Path, here: Path) -> None:
    emtui.ok("grid", "serve", model, "--id", "a", "--allow-download")
    (here / "a").write_bytes(b"mine")
    refused = emtui("grid", "get", "a")
    assert refused.code == Exit.USAGE
    assert "--yes" in refused.stderr
    assert (here / "a").read_bytes() == b"mine"
    emtui.ok("grid", "get", "a", "--yes")
    assert (here / "a").read_bytes() == MODEL


def test_a_model_that_may_not_be_copied_is_6(emtui: Cli, model: Path, here: Path) -> None:
    emtui.ok("grid", "serve", model, "--id", "a")
    for more in ((), ("-o", "-")):
        done = emtui("grid", "get", "a", *more)
        assert done.code == Exit.REFUSED
        assert "not allowed to download" in done.stderr
        assert done.stdout == b""
    assert not list(here.iterdir())


# ------------------------------------------------------------------------------------------------------- stdout


def test_stdout_gets_the_bytes_and_nothing_else(emtui: Cli, model: Path, here: Path, tmp_path: Path) -> None:
    emtui.ok("grid", "serve", model, "--id", "a", "--allow-download")
    done = emtui.ok("grid", "get", "a", "-o", "-")
    assert done.stdout == MODEL
    assert done.stderr == ""
    assert not list(here.iterdir())


def test_stdout_holds_bytes_or_a_document_not_both(emtui: Cli, workspace: Path) -> None:
    done = emtui("grid", "get", "a", "-o", "-", "--json")
    assert done.code == Exit.USAGE
    assert "--json" in done.stderr
    assert not workspace.exists()


def test_no_room_for_a_temporary_file_is_said(
    emtui: Cli, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emtui.ok("grid", "serve", model, "--id", "a", "--allow-download")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    done = emtui("grid", "get", "a", "-o", "-")
    assert done.code == Exit.FAILED
    assert "TMPDIR" in done.stderr


def shell(workspace: Path, words: str, tmp: Path) -> "subprocess.Popen[bytes]":
    tmp.mkdir(exist_ok=True)
    command = f'set -o pipefail; "$PYTHON" -m emtui --local "$WS" --engine simulated {words}'
    return subprocess.Popen(
        ["bash", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHON": sys.executable, "WS": str(workspace), "TMPDIR": str(tmp)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 - takes no lock
    )


def test_a_large_model_goes_up_and_down_in_a_pipe(emtui: Cli, workspace: Path, tmp_path: Path) -> None:
    big = tmp_path / "big"
    block = os.urandom(1 << 20)
    digest = hashlib.sha256()
    with big.open("wb") as file:
        for _ in range(64):
            file.write(block)
            digest.update(block)
    emtui.ok("grid", "serve", big, "--id", "big", "--allow-download")
    stdout, stderr = shell(workspace, "grid get big -o - | sha256sum", tmp_path / "tmp").communicate(timeout=60)
    assert stdout.split()[0].decode() == digest.hexdigest()
    assert stderr == b""
    # A reader that has read enough is no failure.
    ended = shell(workspace, "grid get big -o - | head -c 10 | wc -c", tmp_path / "tmp")
    stdout, stderr = ended.communicate(timeout=60)
    assert (ended.returncode, stdout.strip(), stderr) == (0, b"10", b"")
    assert not list((tmp_path / "tmp").iterdir())


def test_a_full_disk_behind_stdout_is_a_failure(emtui: Cli, workspace: Path, model: Path, tmp_path: Path) -> None:
    emtui.ok("grid", "serve", model, "--id", "a", "--allow-download")
    ended = shell(workspace, "grid get a -o - > /dev/full", tmp_path / "tmp")
    _, stderr = ended.communicate(timeout=60)
    assert ended.returncode == Exit.FAILED
    assert stderr.startswith(b"emtui: stdout: No space left on device.")


def test_a_reader_that_never_reads_does_not_keep_ctrl_c_from_ending_it(
    emtui: Cli, workspace: Path, tmp_path: Path
) -> None:
    big = tmp_path / "big"
    big.write_bytes(bytes(4 << 20))
    emtui.ok("grid", "serve", big, "--id", "big", "--allow-download")
    command = [*EMTUI, "--local", str(workspace), "--engine", "simulated", "grid", "get", "big", "-o", "-"]
    (tmp_path / "tmp").mkdir()
    started = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path / "tmp")},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 - takes no lock
    )
    try:
        assert started.stdout is not None
        assert started.stdout.read(1) == b"\0"
        started.send_signal(signal.SIGINT)
        assert started.wait(20) == Exit.INTERRUPTED
        assert not list((tmp_path / "tmp").iterdir())
    finally:
        started.kill()
        started.communicate(timeout=20)


def test_on_a_terminal_bytes_do_not_act(emtui: Cli, workspace: Path, tmp_path: Path) -> None:
    source = tmp_path / "text"
    source.write_bytes(b"plain\r\n\x1b[31mred\x07\tTab \xff [/]\n" + b"x" * 3000 + b"\nlast")
    emtui.ok("grid", "serve", source, "--id", "a", "--allow-download")
    command = [*EMTUI, "--local", str(workspace), "--engine", "simulated", "grid", "get", "a", "-o", "-"]
    with Terminal(command, size=(100, 60)) as terminal:
        assert terminal.wait_exit() == 0
        lines = terminal.text().split("\n")
        raw = bytes(terminal.raw)
    assert lines[0] == "plain"
    assert lines[1].startswith("\\x1b[31mred\\x07")
    assert lines[1].endswith("Tab \\xff [/]")
    assert b"\x1b[31m" not in raw
    assert raw.count(b"x" * 3000) == 1
    assert "last" in lines


# --------------------------------------------------------------------------------------- tags, encrypted models


@pytest.mark.usefixtures("registered")
def test_tags_are_listed_and_found(emtui: Cli) -> None:
    tags = ["mnist", "grey \x1b[31m"]
    assert emtui.ok("grid", "tags", "--json").json == tags
    assert emtui.ok("grid", "tags").lines == ["mnist", "grey \\x1b[31m"]
    assert emtui.ok("grid", "search", "mnist").rows == [["mnist", "yes"]]
    assert emtui.ok("grid", "search", "mnist", "--json").json == {"content": True}
    missing = emtui("grid", "search", "none", "--json")
    assert (missing.code, missing.json, missing.stderr) == (Exit.NOT_FOUND, {"content": False}, "")
    assert emtui("grid", "search", "").code == Exit.USAGE


@pytest.mark.usefixtures("registered")
def test_an_encrypted_model_is_told_as_the_specification_has_it(emtui: Cli) -> None:
    document = emtui.ok("grid", "encrypted", "shares", "--json").json
    assert document == {"workers": ["alice", "bob\nx"], "crypto_provider": ["carol"]}
    assert emtui.ok("grid", "encrypted", "shares").rows == [
        ["worker", "alice"],
        ["worker", "bob\\nx"],
        ["crypto provider", "carol"],
    ]
    missing = emtui("grid", "encrypted", "none", "--json")
    assert (missing.code, missing.stdout) == (Exit.NOT_FOUND, b"")
    assert "Model ID not found!" in missing.stderr


# ------------------------------------------------------------------------------------------------- on the wire


def test_it_is_the_same_over_a_real_node(
    monkeypatch: pytest.MonkeyPatch, server: Server, model: Path, here: Path
) -> None:
    monkeypatch.setenv("EMTUI_PASSWORD", PASSWORD)
    remote = Cli(monkeypatch, "--em-url", server.url, "--grid-url", server.url, "--username", "client1")
    remote.ok("grid", "serve", model, "--id", "a/b c🙂", "--allow-download")
    assert remote.ok("grid", "models", "--json").json == {"success": True, "models": ["a/b c🙂"]}
    assert remote.ok("grid", "show", "a/b c🙂", "--json").json["success"] is True
    remote.ok("grid", "get", "a/b c🙂")
    assert (here / "a_b c🙂").read_bytes() == MODEL
    assert remote.ok("grid", "get", "a/b c🙂", "-o", "-").stdout == MODEL
    assert remote.ok("grid", "tags", "--json").json == []
    assert remote("grid", "search", "x", "--json").json == {"content": False}
    assert remote("grid", "encrypted", "x").code == Exit.NOT_FOUND


def test_a_wrong_token_is_4(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    monkeypatch.setenv("EMTUI_TOKEN", "wrong")
    done = Cli(monkeypatch, "--grid-url", server.url)("grid", "models")
    assert done.code == Exit.NOT_SIGNED_IN
    assert done.stdout == b""


def test_a_node_that_is_not_there_is_8(monkeypatch: pytest.MonkeyPatch) -> None:
    done = Cli(monkeypatch, "--grid-url", "http://127.0.0.1:9")("grid", "models", "--timeout", "0.5")
    assert done.code == Exit.UNREACHABLE


def test_a_profile_without_a_node_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    done = Cli(monkeypatch, "--em-url", "http://127.0.0.1:9")("grid", "tags")
    assert done.code == Exit.CONFIG
    assert "--grid-url" in done.stderr


def test_a_terminal_gets_a_header_and_sizes_for_people(emtui: Cli, workspace: Path, model: Path) -> None:
    emtui.ok("grid", "serve", model, "--id", "a")
    command = [*EMTUI, "--local", str(workspace), "--engine", "simulated", "grid", "models"]
    with Terminal(command, env={"NO_COLOR": "1"}) as terminal:
        assert terminal.wait_exit() == 0
        header, row = terminal.text().split("\n")[:2]
    assert header.split() == ["ID", "COPY", "SIZE"]
    assert row.split() == ["a", "no", "1.1", "KiB"]
