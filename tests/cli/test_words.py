"""From words to a verb: options before and after it, help, and what is not known."""

import re
from pathlib import Path

import pytest

from emtui.cli.exit_codes import Exit
from emtui.cli.words import parse
from tests.cli.harness import Cli


@pytest.mark.parametrize(
    "words",
    [
        ("--local", "{ws}", "files", "list", "--json"),
        ("files", "--local", "{ws}", "list", "--json"),
        ("files", "list", "--json", "--local", "{ws}"),
        ("--json", "--local={ws}", "files", "list"),
        ("files", "--json", "list", "--local", "{ws}", ""),
    ],
)
def test_common_options_stand_before_and_after_the_verb(words: tuple[str, ...], bare: Cli, workspace: Path) -> None:
    (workspace / "volume").mkdir(parents=True)
    (workspace / "volume/a").write_bytes(b"12")
    done = bare.ok(*(word.format(ws=workspace) for word in words))
    assert [node["name"] for node in done.json] == ["a"]


def test_the_help_lists_every_command(bare: Cli) -> None:
    done = bare.ok("--help")
    assert all(f"\n  {noun} " in done.text for noun in ("files", "image", "pod", "grid", "log", "serve", "doctor"))


def test_a_nouns_help_lists_its_verbs(bare: Cli) -> None:
    assert "\n  list " in bare.ok("files", "--help").text


def test_help_is_a_word_too(bare: Cli) -> None:
    assert bare.ok("help").text == bare.ok("--help").text
    assert bare.ok("help", "files", "list").text == bare.ok("files", "list", "--help").text


def test_the_help_tells_every_exit_code(bare: Cli) -> None:
    told = bare.ok("--help").text.partition("exit codes:")[2]
    assert all(re.search(rf"\b{code:d}\b", told) or 20 <= code <= 23 for code in Exit)


def test_options_of_an_engine_are_told_where_one_is_needed_and_taken_everywhere(bare: Cli, workspace: Path) -> None:
    assert "--pod-memory" in bare.ok("pod", "run", "--help").text
    assert "--pod-memory" not in bare.ok("files", "list", "--help").text
    bare.ok("files", "list", "--local", workspace, "--pod-memory", "1G")


def test_a_variable_that_is_not_known_is_told(emtui: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMTUI_TIMOUT", "3")
    assert "EMTUI_TIMOUT: there is no such variable, and it is not obeyed. Did you mean EMTUI_TIMEOUT?" in (
        emtui.ok("files", "list").stderr
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("flies",), "there is no command 'flies'. Did you mean files?"),
        (("files", "lst"), "there is no verb 'lst'. Did you mean list?"),
        (("files",), "a verb is missing: list, uplink"),
        (("files", "list", "--lcoal", "x"), "there is no such option or argument here: --lcoal. Did you mean --local?"),
        (("\x1b[31mx",), "there is no command"),
    ],
)
def test_what_is_not_known_is_one_line_and_exit_code_2(words: tuple[str, ...], told: str, bare: Cli) -> None:
    done = bare(*words)
    assert done.code == 2
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    assert "\x1b" not in done.stderr
    assert done.stdout == b""


def test_the_console_needs_a_terminal(bare: Cli) -> None:
    done = bare()
    assert done.code == 2
    assert "needs a terminal" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("grid", "show", "--", "-rf"),
        ("grid", "--json", "show", "--", "-rf"),
        ("--json", "grid", "show", "--", "-rf"),
        ("grid", "show", "--json", "--", "-rf"),
    ],
)
def test_what_stands_behind_two_dashes_is_no_option(words: tuple[str, ...]) -> None:
    verb, options = parse(words)
    assert verb is not None
    assert (verb.words, options.model_id) == ("grid show", "-rf")
