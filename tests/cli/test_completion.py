"""`emtui completion`, and what is answered to a shell: quickly, without a word on stderr, whatever is in the way."""

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from emtui.cli.nouns import NOUNS
from emtui.cli.nouns.completing import KNOWS_PATHS, rule_for
from emtui.cli.nouns.completion import SHELLS
from emtui.cli.verb import parser_of
from emtui.completing.asking import PATIENCE_S
from emtui.completing.finder import Finder
from emtui.local.workspace import Workspace
from tests.cli.harness import Cli
from tests.serving import Server, served_here

_WORDBREAKS = " \t\n\"'><=;|&(:"


@dataclass
class Answered:
    """What emtui has answered.

    Attributes:
        words: what completes the line, as the shell gets it.
        took_s: how long it took.
    """

    words: list[str]
    took_s: float


@dataclass
class Asking:
    """Asks emtui as a shell's script does, in `folder`."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __call__(self, line: str, shell: str = "bash", **more: str) -> Answered:
        reading, writing = os.pipe()
        asked = {
            "COMP_LINE": line,
            "COMP_POINT": str(len(line)),
            "_ARGCOMPLETE": "1",
            "_ARGCOMPLETE_SHELL": shell,
            "_ARGCOMPLETE_SUPPRESS_SPACE": "1",
            "_ARGCOMPLETE_IFS": "\x0b",
            "_ARGCOMPLETE_COMP_WORDBREAKS": _WORDBREAKS if shell == "bash" else "",
            KNOWS_PATHS: "1",
        }
        begun = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", "import os, sys; os.dup2(int(sys.argv[1]), 8); sys.argv = ['emtui']\n"
             "from emtui.__main__ import main; main()", str(writing)],
            env={**os.environ, **self.environment, **asked, **more},
            cwd=self.folder,
            pass_fds=(writing,),
            check=False,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=30,
        )  # fmt: skip
        took_s = time.monotonic() - begun
        os.close(writing)
        with os.fdopen(reading, encoding="utf-8") as answer:
            text = answer.read()
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        return Answered(text.split("\x0b") if text else [], took_s)


@pytest.fixture
def ask(tmp_path: Path) -> Asking:
    return Asking(tmp_path)


@pytest.fixture
def volume(workspace: Path) -> Path:
    (workspace / "volume/echo-test").mkdir(parents=True)
    (workspace / "volume/echo-test/Dockerfile").touch()
    (workspace / "volume/a.txt").touch()
    return workspace / "volume"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with served_here(tmp_path / "served") as one:
        yield one


# -------------------------------------------------------------------------------------------------- the verb


@pytest.mark.parametrize("shell", SHELLS)
def test_there_is_a_script_for_each_shell(shell: str, bare: Cli) -> None:
    assert f"Completion of emtui for {shell}" in bare.ok("completion", shell).text


def test_another_shell_is_refused(bare: Cli) -> None:
    done = bare("completion", "csh")
    assert (done.code, done.stdout) == (2, b"")
    assert "invalid choice: 'csh'" in done.stderr


def test_bash_takes_its_script(bare: Cli) -> None:
    script = bare.ok("completion", "bash").text
    done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=True)
    assert done.stderr == ""


# ------------------------------------------------------------------------------------------- what is offered


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("emtui fi", ["files"]),
        ("emtui --local ws fi", ["files"]),
        ("emtui files up", ["uplink"]),
        ("emtui files --local ws --json up", ["uplink"]),
        ("emtui keys ch", ["check"]),
        ("emtui log --exp", ["--export"]),
        ("emtui --export jsonl log --exp", []),
        ("emtui log --export ", ["jsonl", "csv"]),
        ("emtui files --engine=do", ["docker"]),
        ("emtui files list --api ", ["auto", "2025-11", "2026-03"]),
        ("emtui completion ", ["bash", "zsh", "fish"]),
        ("emtui pod run --node ", ["FPGA", "GPU", "MPU"]),
        ("emtui pod run x --node FPGA --wa", ["--wait"]),
        ("emtui files uplink ", ["\x1ffiles"]),
        ("emtui files uplink a b", ["\x1ffiles"]),
        ("emtui --local ", ["\x1ffolders"]),
        ("emtui --config=", ["\x1ffiles"]),
        ("emtui log -o ", ["\x1ffiles"]),
        ("emtui files list --username ", []),
        ("emtui flies ", []),
        ("emtui files lst ", []),
        ("emtui files list --engine ", ["docker", "sandbox", "simulated"]),
        ("cd x; A=1 emtui fi", ["files"]),
        ("em fi", ["files"]),
        ("/usr/bin/emtui fi", ["files"]),
        ("emtui", []),
        ("", []),
    ],
)
def test_words_of_the_command_line(line: str, expected: list[str], ask: Asking) -> None:
    assert ask(line).words == expected


def test_a_shell_that_cannot_complete_its_own_files_is_not_asked_to(ask: Asking) -> None:
    assert ask("emtui files uplink ", **{KNOWS_PATHS: ""}).words == []


def test_descriptions_go_to_shells_that_show_them(ask: Asking) -> None:
    assert ask("emtui fi", "zsh").words == ["files:the volume: list, uplink, downlink, delete, sync"]
    found = ask("emtui fi", "fish", _ARGCOMPLETE_DFS="\t").words
    assert found == ["files\tthe volume: list, uplink, downlink, delete, sync"]


def test_profiles_of_the_configuration(ask: Asking, tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text('[profile.em]\nem_url = "https://em.example.org"\n[profile."my own"]\nlocal = "x"\n')
    assert ask("emtui --config c.toml -p ").words == ["em", "my\\ own"]
    assert ask("emtui -p ", EMTUI_CONFIG=str(config)).words == ["em", "my\\ own"]
    assert ask("emtui --config c.toml files list --profile=e", "zsh").words[0].startswith("--profile=em:")
    config.write_text("profile = 7")
    assert ask("emtui --config c.toml -p ").words == []
    assert ask("emtui --config missing.toml -p ").words == []


def test_every_argument_is_completed_or_known_only_to_the_operator() -> None:
    found: set[str] = set()
    for noun in NOUNS.values():
        if noun.name in ("serve", "doctor"):  # they have parsers of their own
            continue
        for verb in noun.verbs():
            parser = parser_of(verb)
            found |= {
                f"{action.metavar}"
                for action in parser._actions
                if action.nargs != 0 and not action.choices and rule_for(parser.prog, action) is None
            }
    assert found <= {"URL", "NAME", "SECONDS", "NAME,NAME…", "SIZE", "N", "MIN", "WHEN", "CMD", "ID"}


# ------------------------------------------------------------------------------------------------ local mode


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("emtui --local ws files list ", ["a.txt", "echo-test/"]),
        ("emtui files list --local ws ec", ["echo-test/"]),
        ("emtui --local ws files downlink a.txt echo-test/", ["echo-test/Dockerfile"]),
        ("emtui --local ws files downlink /ec", ["/echo-test/"]),
        ("emtui --local ws files downlink ./ec", ["./echo-test/"]),
        ("emtui --local ws files delete ../", []),
        ("emtui --local ws files delete no/", []),
        ("emtui --local ws files uplink x --dest ", ["echo-test/"]),
        ("emtui --local ws image build --context ", ["echo-test/"]),
        ("emtui --local ws image build --dockerfile echo-test/", ["echo-test/Dockerfile"]),
        ("emtui --local ws image load ", ["a.txt", "echo-test/"]),
        ("emtui --local no files list ", []),
    ],
)
def test_paths_of_a_local_volume(line: str, expected: list[str], ask: Asking, volume: Path) -> None:
    assert ask(line).words == expected
    assert not (ask.folder / "no").exists()


def test_a_workspace_that_another_emtui_has_is_read_all_the_same(
    ask: Asking, emtui: Cli, volume: Path, workspace: Path
) -> None:
    model = ask.folder / "m.bin"
    model.write_bytes(b"model")
    emtui.ok("grid", "serve", model, "--id", "mnist cnn", "--allow-download")
    (volume / "echo-test/Dockerfile").write_text("FROM alpine\n")
    emtui.ok("image", "build", "--context", "echo-test", "echo-test")
    held = Workspace(workspace)
    try:
        assert ask("emtui --local ws files list a").words == ["a.txt"]
        assert ask("emtui --local ws grid get ").words == ["mnist\\ cnn"]
        assert ask("emtui --local ws --engine simulated pod run e").words == ["echo-test"]
        assert ask("emtui --local ws grid show mn").took_s < PATIENCE_S
    finally:
        held.close()


def test_a_link_in_the_volume_leads_nowhere(ask: Asking, volume: Path) -> None:
    (ask.folder / "secret").mkdir()
    (ask.folder / "secret/key").touch()
    (volume / "out").symlink_to(ask.folder / "secret")
    assert ask("emtui --local ws files list out").words == ["out"]
    assert ask("emtui --local ws files list out/").words == []


def test_a_damaged_workspace_has_no_names(ask: Asking, volume: Path, workspace: Path) -> None:
    (workspace / "emtui.db").write_bytes(b"no database" * 1000)
    assert ask("emtui --local ws grid get ").words == []
    assert ask("emtui --local ws files list a").words == ["a.txt"]


def test_names_that_would_act_on_a_terminal_are_left_out(ask: Asking, volume: Path) -> None:
    for name in (
        "x\n",
        "x\x1b[31m",
        "x\t",
        "x\x7f",
        "x\u202e",
        os.fsdecode(b"x\xff"),
        "x" + "\u0301" * 9,
        "x\x9b",
        "x\x0bls",
    ):
        (volume / name).touch()
    (volume / "xok").touch()
    for shell in SHELLS:
        assert [word.partition(":")[0] for word in ask("emtui --local ws files list x", shell).words] == ["xok"]


def test_a_name_like_an_option_is_offered_as_a_path(ask: Asking, volume: Path) -> None:
    (volume / "-rf").touch()
    assert ask("emtui --local ws files delete ").words == ["./-rf", "a.txt", "echo-test/"]
    assert "-rf" not in ask("emtui --local ws files delete -").words


@pytest.mark.parametrize("verb", ["list", "delete", "delete a.txt"])
def test_behind_the_end_of_options_a_name_may_begin_as_they_do(verb: str, ask: Asking, volume: Path) -> None:
    (volume / "-rf").touch()
    assert ask(f"emtui --local ws files {verb} -- -").words == ["-rf"]
    assert "-rf" in ask(f"emtui --local ws files {verb} -- ").words
    assert ask(f"emtui --local ws files {verb} -- ./-").words == ["./-rf"]
    assert ask(f"emtui --local ws -- files {verb} ec").words == ["echo-test/"]


def test_an_escape_of_nothing_still_completes(ask: Asking, volume: Path) -> None:
    (volume / "a b").touch()
    (volume / "a'c").touch()
    assert ask("emtui --local ws files list a\\").words == ["a\\ b", "a\\'c", "a.txt"]


def test_base_images_on_board_can_be_run(ask: Asking) -> None:
    assert ask("emtui --local ws pod run al").words == ["alpine"]
    assert ask("emtui --local ws --base-images mine,other pod run ").words == ["mine", "other"]
    assert ask("emtui --em-url http://127.0.0.1:1 pod run al").words == []


def test_themes_of_the_console(ask: Asking) -> None:
    assert ask("emtui themes show li").words == ["light"]


def test_a_large_folder_is_completed_quickly(ask: Asking, volume: Path) -> None:
    for number in range(5_000):
        (volume / f"f{number:05}").touch()
    answered = ask("emtui --local ws files list f0001")
    assert len(answered.words) == 10
    assert answered.took_s < PATIENCE_S


# -------------------------------------------------------------------------------------------------- far away


def _of(server: Server, words: str) -> str:
    return f"emtui --em-url {server.url} --grid-url {server.url} --username client1 {words}"


def test_names_of_a_remote_are_asked_for_once_in_a_minute(ask: Asking, server: Server) -> None:
    (server.volume / "echo-test").mkdir()
    (server.volume / "echo-test/a b").touch()
    ask.environment["EMTUI_TOKEN"] = server.token()
    assert ask(_of(server, "files list ")).words == ["echo-test/"]
    assert ask(_of(server, "files downlink echo-test/")).words == ["echo-test/a\\ b"]
    (server.volume / "later").touch()
    assert ask(_of(server, "files list ")).words == ["echo-test/"]
    for file in Path(os.environ["XDG_CACHE_HOME"]).rglob("*.files.json"):
        file.unlink()
    assert sorted(ask(_of(server, "files list ")).words) == ["echo-test/", "later"]


def test_what_emtui_has_changed_itself_is_asked_for_anew(
    ask: Asking, bare: Cli, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask.environment["EMTUI_TOKEN"] = server.token()
    monkeypatch.setenv("EMTUI_TOKEN", ask.environment["EMTUI_TOKEN"])
    (ask.folder / "f1").touch()
    (server.volume / "dd").touch()
    assert ask(_of(server, "files list ")).words == ["dd"]
    bare.ok(*_of(server, f"files uplink {ask.folder}/f1 --dest ee").split()[1:])
    assert sorted(ask(_of(server, "files list ")).words) == ["dd", "ee/"]
    bare.ok(*_of(server, "files delete dd --yes").split()[1:])
    assert ask(_of(server, "files list ")).words == ["ee/"]


def test_models_and_tags_of_a_remote(ask: Asking, bare: Cli, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    ask.environment["EMTUI_TOKEN"] = server.token()
    monkeypatch.setenv("EMTUI_TOKEN", ask.environment["EMTUI_TOKEN"])
    model = ask.folder / "m.bin"
    model.write_bytes(b"model")
    bare.ok("grid", "serve", model, "--id", "mnist-cnn", "--grid-url", server.url, "--username", "client1")
    assert ask(_of(server, "grid get ")).words == ["mnist-cnn"]
    assert ask(_of(server, "grid search ")).words == []


@pytest.mark.parametrize("token", ["", "not a token"])
def test_who_is_not_signed_in_gets_nothing_and_is_asked_nothing(token: str, ask: Asking, server: Server) -> None:
    (server.volume / "a").touch()
    ask.environment |= {"EMTUI_TOKEN": token, "EMTUI_PASSWORD": "a wrong one"}
    answered = ask(_of(server, "files list "))
    assert answered.words == []
    assert answered.took_s < PATIENCE_S + 1


def test_who_hangs_is_waited_for_two_seconds_and_then_not_at_all(ask: Asking) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        ask.environment["EMTUI_TOKEN"] = "x"
        first = ask(f"emtui --em-url {url} files list ")
        second = ask(f"emtui --em-url {url} files list ")
    assert first.words == second.words == []
    assert PATIENCE_S <= first.took_s < PATIENCE_S + 2
    assert second.took_s < PATIENCE_S


def test_an_answer_that_is_none_is_nothing(ask: Asking) -> None:
    def answer(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(10_000)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<html>hi!")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=answer, args=(listening,))
        thread.start()
        ask.environment["EMTUI_TOKEN"] = "x"
        assert ask(f"emtui --em-url http://127.0.0.1:{listening.getsockname()[1]} files list ").words == []
        thread.join()


def test_wrong_options_are_no_error_of_a_completion(ask: Asking) -> None:
    assert ask("emtui --em-url nonsense files list ").words == []
    assert ask("emtui --em-url http://em.example.org files list ").words == []
    assert ask("emtui -p no-such-profile files list ").words == []
    assert ask("emtui --timeout x files list ").words == []


# ------------------------------------------------------------------------------------------------ the start


def test_what_a_shell_leaves_in_the_environment_completes_nothing(bare: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_ARGCOMPLETE", "1")
    done = subprocess.run([sys.executable, "-m", "emtui", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("emtui ")


def test_a_start_that_completes_nothing_imports_none_of_it() -> None:
    code = "import sys; from emtui.__main__ import main; main(['log', '--limit', '1']); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "argcomplete" not in done.stdout
    assert "pydantic'" not in done.stdout


def test_a_completion_is_no_slower_than_it_has_to_be(ask: Asking, volume: Path) -> None:
    def best(act: object) -> float:
        times = []
        for _ in range(3):
            begun = time.monotonic()
            act()  # type: ignore[operator] # a table of functions
            times.append(time.monotonic() - begun)
        return min(times)

    bound = best(lambda: subprocess.run([sys.executable, "-c", "import textual.app, httpx, socketio"], check=True))
    assert best(lambda: ask("emtui --local ws files list ")) < bound
    assert best(lambda: ask("emtui fi")) < bound / 2


# --------------------------------------------------------------------------------------------------- quoting


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_categories=("C", "Z"), include_characters=" "), min_size=1, max_size=12))
@example("$(touch pwned)")
@example("~root")
@example("#x")
@example("a'b\"c\\d")
@example("=x")
def test_bash_reads_a_quoted_name_as_it_is(name: str) -> None:
    finder = Finder(append_space=False)
    for prequote in ("", "'", '"'):
        (quoted,) = finder.quote_completions([name], prequote, None)
        script = f"set +H; printf '%s' {prequote}{quoted}{prequote}"
        done = subprocess.run(["bash", "-c", script], capture_output=True, check=True)
        assert done.stdout.decode() == name, script


def test_what_bash_has_taken_off_is_not_given_again() -> None:
    finder = Finder(append_space=False)
    assert finder.quote_completions(["x:y", "x:z"], "", 1) == ["y", "z"]
    assert finder.quote_completions(["--local=a b", "--local=c"], "", 7) == ["a\\ b", "c"]


def test_zsh_gets_names_that_its_own_quoting_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_ARGCOMPLETE_SHELL", "zsh")
    assert Finder(append_space=False).quote_completions(["a:b\\c d", "e"], "", None) == ["a\\:b\\\\c d", "e"]


def test_an_old_bash_gets_the_space_behind_a_word_that_is_whole() -> None:
    finder = Finder(append_space=True)
    assert finder.quote_completions(["a b"], "", None) == ["a\\ b "]
    assert finder.quote_completions(["a/"], "", None) == ["a/"]
    assert finder.quote_completions(["a", "b"], "", None) == ["a", "b"]


def test_no_script_names_this_machine(bare: Cli) -> None:
    for shell in SHELLS:
        assert not re.search(r"/(usr|home|opt|tmp)/", bare.ok("completion", shell).text)
