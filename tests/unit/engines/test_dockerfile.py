"""A Dockerfile's instructions, words and references."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emtui.local.engines.dockerfile import excerpt, parse_dockerfile
from emtui.local.engines.problems import BuildProblem
from emtui.local.engines.references import on_board, parse_reference
from emtui.local.engines.substitution import expand, split_words

VALUES = {"A": "alpha", "EMPTY": "", "HOME": "/root"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$A", "alpha"),
        ("${A}/x", "alpha/x"),
        ("$NONE-", "-"),
        ("${NONE:-d}", "d"),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${A:+yes}", "yes"),
        ("${EMPTY:+yes}", ""),
        ("${EMPTY+yes}", "yes"),
        ("${NONE:-${A}}", "alpha"),
        ("${A:?must}", "alpha"),
        ("'$A'", "$A"),
        ('"$A b"', "alpha b"),
        ('"\\$A"', "$A"),
        ("\\$A", "$A"),
        ("$", "$"),
        ('a"b"c', "abc"),
        ('"\\x"', "\\x"),
        ("$1x", "x"),
    ],
)
def test_expand(text: str, expected: str) -> None:
    assert expand(text, VALUES) == expected


@pytest.mark.parametrize("text", ["${A", "${}", "${A!b}", "'a", '"a', "${NONE:?must be set}", "${a:-" * 50])
def test_expand_refuses(text: str) -> None:
    with pytest.raises(BuildProblem):
        expand(text, VALUES)


@given(st.text(max_size=200))
def test_expand_and_split_never_crash(text: str) -> None:
    assert all(word for word in split_words(text))
    with contextlib.suppress(BuildProblem):
        assert isinstance(expand(text, VALUES), str)


def test_split_words_keeps_quotes() -> None:
    assert split_words("a=\"b c\" d\\ e  'f g'") == ['a="b c"', "d\\ e", "'f g'"]


def test_parse_joins_lines_and_skips_comments() -> None:
    text = "# a comment\nFROM alpine AS one\r\nRUN a && \\\n  # between\n  b\ncopy --from=one --chmod=755 x /y"
    items = parse_dockerfile(text).instructions
    assert [item.keyword for item in items] == ["FROM", "RUN", "COPY"]
    assert items[1].value.split() == ["a", "&&", "b"]
    assert (items[1].first_line, items[1].last_line) == (3, 5)
    assert items[2].flags == {"from": "one", "chmod": "755"}
    assert items[2].value == "x /y"
    assert items[2].shown == "COPY --from=one --chmod=755 x /y"


def test_escape_directive() -> None:
    parsed = parse_dockerfile("# escape=`\nFROM alpine\nRUN a `\n  b\n")
    assert parsed.escape == "`"
    assert parsed.instructions[1].value.split() == ["a", "b"]


def test_exec_form() -> None:
    items = parse_dockerfile('FROM x\nCMD ["a", "b c"]\nCMD [not json]\nCMD [1]\nCMD a b\n').instructions
    assert [item.exec_form() for item in items[1:]] == [["a", "b c"], None, None, None]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "cannot be empty"),
        ("# nothing\n", "cannot be empty"),
        ("FROM alpine\nRUNN x", "unknown instruction: RUNN (did you mean RUN?)"),
        ("FROM alpine\nONBUILD RUN x", "ONBUILD is not supported"),
        ("FROM alpine\nRUN --mount=type=cache,target=/x y", "RUN --mount is not supported"),
        ("FROM alpine\nCOPY --exclude=a . /", "COPY --exclude is not supported"),
        ("FROM alpine\nRUN <<EOF\necho\nEOF", "RUN with a here-document"),
        ("FROM alpine\nCOPY <<-'EOF' /x\nEOF", "COPY with a here-document"),
        ("FROM alpine\nUSER", "USER requires at least one argument"),
        ("FROM alpine\nCOPY --chmod=1", "COPY requires at least one argument"),
        ("FROM alpine\nRUN a\0b", "NUL"),
        ("FROM alpine\nRUN \udc80", "not UTF-8"),
        ("FROM alpine\nRUN " + "a" * 70_000, "greater than maximum"),
        ("#" * (1 << 21), "larger than"),
    ],
)
def test_parse_refuses_by_name(text: str, named: str) -> None:
    with pytest.raises(BuildProblem) as caught:
        parse_dockerfile(text)
    assert named in caught.value.message


@given(st.text(max_size=300))
def test_parse_never_crashes(text: str) -> None:
    with contextlib.suppress(BuildProblem):
        assert parse_dockerfile(text).instructions


def test_excerpt_marks_the_instruction() -> None:
    text = "FROM alpine\nCOPY a /\nRUN x \\\n  y\nCMD z\n"
    assert excerpt(text, "Dockerfile", 3, 4) == [
        "Dockerfile:3",
        "--------------------",
        "   1 |     FROM alpine",
        "   2 |     COPY a /",
        "   3 | >>> RUN x \\",
        "   4 | >>>   y",
        "   5 |     CMD z",
        "   6 |",
        "--------------------",
    ]


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("alpine", "docker.io/library/alpine:latest"),
        ("alpine:3.20", "docker.io/library/alpine:3.20"),
        ("docker.io/library/alpine", "docker.io/library/alpine:latest"),
        ("fpga.dphi.space:5000/alpine:latest", "fpga.dphi.space:5000/alpine:latest"),
        ("someone/thing", "docker.io/someone/thing:latest"),
        ("localhost/x@sha256:" + "0" * 64, "localhost/x:latest"),
    ],
)
def test_reference(text: str, canonical: str) -> None:
    parsed = parse_reference(text)
    assert parsed is not None
    assert parsed.canonical == canonical


@pytest.mark.parametrize("text", ["", "Alpine", "a b", "a:", "../a", "a" * 600, "\x1b[31m", "a@sha256:1"])
def test_no_reference(text: str) -> None:
    assert parse_reference(text) is None
    assert on_board(text, ("alpine",)) is None


def test_on_board() -> None:
    bases = ("alpine",)
    for text in (
        "alpine",
        "alpine:9",
        "fpga.dphi.space:5000/alpine:latest",
        "docker.io/library/alpine",
        "library/alpine",
    ):
        assert on_board(text, bases) == "alpine"
    for text in ("debian", "other.host/alpine", "someone/alpine"):
        assert on_board(text, bases) is None
