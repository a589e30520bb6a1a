"""The line that is being typed, taken apart as shells do it."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emtui.completing.line import command_before


def words(line: str, point: int | None = None) -> list[str]:
    return [word.text for word in command_before(line, len(line) if point is None else point)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", [""]),
        ("emtui", ["emtui"]),
        ("emtui ", ["emtui", ""]),
        ("emtui  files\tli", ["emtui", "files", "li"]),
        ("emtui 'a b' \"c d\" e\\ f", ["emtui", "a b", "c d", "e f"]),
        ("emtui 'a b", ["emtui", "a b"]),
        ('emtui "a\\"b\\n', ["emtui", 'a"b\\n']),
        ("emtui 'a\\", ["emtui", "a\\"]),
        ("emtui ''", ["emtui", ""]),
        ("emtui '' ", ["emtui", "", ""]),
        ("emtui a\\", ["emtui", "a"]),
        ("cd x && emtui fi", ["emtui", "fi"]),
        ("ls | emtui fi", ["emtui", "fi"]),
        ("a; b & (emtui fi", ["emtui", "fi"]),
        ("echo 'a;b' 'c|d", ["echo", "a;b", "c|d"]),
        ("first\nemtui fi", ["emtui", "fi"]),
        ("emtui \\\n files li", ["emtui", "files", "li"]),
        ("A=1 emtui fi", ["A=1", "emtui", "fi"]),
    ],
)
def test_the_words_before_the_cursor(line: str, expected: list[str]) -> None:
    assert words(line) == expected


def test_what_stands_behind_the_cursor_does_not_count() -> None:
    assert words("emtui fi list; ls", 8) == ["emtui", "fi"]


def test_an_escape_of_nothing_is_no_part_of_a_word() -> None:
    for line, whole in (("emtui a\\", "a"), ("emtui \\", ""), ("emtui 'a b'\\", "'a b'"), ("emtui 'a\\", "'a\\")):
        word = command_before(line, len(line))[-1]
        assert line[word.start : word.end] == whole


def test_a_word_knows_where_it_stands() -> None:
    line = "x; emtui 'a b' c"
    found = command_before(line, len(line))
    assert [line[word.start : word.end] for word in found] == ["emtui", "'a b'", "c"]


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1), min_size=1))
def test_quoted_words_come_back(given_words: list[str]) -> None:
    assert words(f"{shlex.join(given_words)} ") == [*given_words, ""]


@given(st.text())
def test_any_line_is_taken_apart(line: str) -> None:
    found = command_before(line, len(line))
    assert found
    assert found[-1].end in (len(line), len(line.removesuffix("\\")))


def test_a_backslash_at_the_end_of_the_line_ends_its_word_there() -> None:
    (word,) = command_before("\\", 1)
    assert (word.text, word.start, word.end) == ("", 0, 0)
