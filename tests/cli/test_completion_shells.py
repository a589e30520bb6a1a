"""Completion in real shells: what is offered, and that a name is taken as it is, whatever is in it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.shells import Shell

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

HOSTILE = ("new\nline", "tab\there", "esc\x1b[31mred", "c1\x9b31m", "bidi\u202ex")


@pytest.fixture(params=["bash", "zsh", "fish"])
def shell(request: pytest.FixtureRequest, own_home: Path) -> Iterator[Shell]:
    volume = own_home / "ws/volume"
    (volume / "echo-test").mkdir(parents=True)
    (volume / "echo-test/Dockerfile").touch()
    for name in (*TYPED, *HOSTILE):
        (volume / name).touch()
    (own_home / "here/inner").mkdir(parents=True)
    (own_home / "here/data file.bin").touch()
    # Names here that a shell could take for those of the volume.
    for name in ("*", "[red]", "semi*", "data.bin"):
        (own_home / name).touch()
    one = Shell(request.param, own_home)
    yield one
    one.close()


def test_nouns_verbs_and_options(shell: Shell) -> None:
    screen = shell.offered("emtui ")
    assert all(word in screen for word in ("files", "image", "pod", "grid", "log", "report", "completion"))
    screen = shell.offered("emtui files ")
    assert all(word in screen for word in ("list", "uplink", "downlink", "delete", "sync"))
    assert "--since" in shell.offered("emtui log --")
    assert shell.words("emtui lo") == ["log"]
    assert shell.words("emtui --local ws files li") == ["--local", "ws", "files", "list"]
    assert shell.words("ls >/dev/null; A=1 emtui lo") == ["log"]


def test_values_of_options(shell: Shell) -> None:
    assert shell.words("emtui files --engine sand") == ["files", "--engine", "sandbox"]
    assert shell.words("emtui files list --engine=sand") == ["files", "list", "--engine=sandbox"]
    assert shell.words("emtui log --export js") == ["log", "--export", "jsonl"]
    assert "zsh" in shell.offered("emtui completion ")


def test_paths_of_the_volume(shell: Shell) -> None:
    assert shell.words("emtui --local ws files list ec") == ["--local", "ws", "files", "list", "echo-test/"]
    line = "emtui files --local ws downlink echo-test/"
    assert shell.words(line)[-1] == "echo-test/Dockerfile"
    assert shell.words("emtui --local ws image build --context ec")[-1] == "echo-test/"


# A name, and so much of it as a careful operator would have to type; %s is the escape before a `, which fish needs not.
TYPED = {
    "$(touch pwned)": "\\$\\(",
    "`touch pwned`": "%s`",
    "semi;touch pwned": "semi",
    "k&touch pwned": "k",
    "p|touch pwned": "p",
    "it's": "it",
    "b c.txt": "b\\ ",
    "back\\slash": "back",
    "~root": "\\~",
    "u{a,b}": "u",
    "e!1": "e!",
    "[red]": "\\[",
    "x:y=z": "x:",
    "#c": "\\#",
    "-rf": "./-",
    'q"r': "q",
    "ü🛰": "ü",
}


def test_a_name_is_taken_as_it_is(shell: Shell) -> None:
    for name, typed in TYPED.items():
        head = typed.replace("%s", "" if shell.name == "fish" else "\\")
        taken = shell.words(f"emtui --local ws files delete {head}")
        assert taken[3:] == ["delete", "./-rf" if name == "-rf" else name], name
    assert not (shell.folder / "pwned").exists()


def test_a_name_between_quotes_is_taken_as_it_is(shell: Shell) -> None:
    for name, typed in (("it's", "it"), ("$(touch pwned)", "$"), ("b c.txt", "b "), ("back\\slash", "back")):
        assert shell.words(f"emtui --local ws files delete '{typed}")[3:] == ["delete", name]
    for name, typed in (("b c.txt", "b "), ("semi;touch pwned", "semi"), ('q"r', "q"), ("e!1", "e!")):
        assert shell.words(f'emtui --local ws files delete "{typed}')[3:] == ["delete", name]
    assert not (shell.folder / "pwned").exists()


def test_a_path_through_a_folder_with_a_space_is_completed_between_quotes(shell: Shell) -> None:
    (shell.folder / "ws/volume/my folder").mkdir()
    (shell.folder / "ws/volume/my folder/in side").touch()
    assert "my folder/" in shell.offered("emtui --local ws files list 'my fold")
    for quote in "'", '"':
        taken = shell.words(f"emtui --local ws files list {quote}my folder/i")
        assert taken[-1] == "my folder/in side"


def test_what_bash_writes_of_two_names_is_completed_further(shell: Shell) -> None:
    (shell.folder / "ws/volume/two b").touch()
    (shell.folder / "ws/volume/two'c").touch()
    screen = shell.offered("emtui --local ws files list two\\")
    assert re.search(r"two\\? b", screen)
    assert re.search(r"two\\?'c", screen)
    assert shell.words("emtui --local ws files list -- -r")[-1] == "-rf"


def test_local_paths_are_the_shells_own(shell: Shell) -> None:
    assert shell.words("emtui files uplink here/da")[-1] == "here/data file.bin"
    assert shell.words("emtui --local ~/here/in")[-1].rstrip("/").endswith("/here/inner")
    assert "data" not in shell.offered("emtui --local here/")
    assert shell.words("emtui --config=here/da")[-1] == "--config=here/data file.bin"


def test_nothing_raw_is_shown(shell: Shell) -> None:
    shell.offered("emtui --local ws files delete ")
    raw = bytes(shell.terminal.raw)
    assert b"\x1b[31mred" not in raw
    assert "\u202e".encode() not in raw
    assert b"\xc2\x9b" not in raw
