"""Foreign text in Markdown: it neither breaks a table, a fence or a line, nor becomes a link or HTML."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown import markdown

from emtui.reports.markdown import block, code, plain, table
from emtui.text import safe_str

NASTY = st.text(alphabet=st.one_of(st.sampled_from("`|\\<>*_[]()~&#!$-+ \t\n\r\x1b=:.@"), st.characters()), max_size=30)


def rendered(lines: list[str]) -> str:
    """HTML, with the extensions that the documentation has."""
    return markdown("\n".join(lines), extensions=["tables", "fenced_code"])


@pytest.mark.parametrize(
    ("foreign", "expected"),
    [
        ("", "–"),
        ("   ", "–"),
        ("a_b*c", r"a\_b\*c"),
        ("<script>", r"\<script\>"),
        ("a|b", r"a\|b"),
        ("a\\|b", r"a\\\|b"),
        ("a\nb", r"a\\nb"),
        ("[x](y)", r"\[x\](y)"),
        ("&lt;", r"\&lt;"),
    ],
)
def test_words_are_escaped(foreign: str, expected: str) -> None:
    assert plain(foreign) == expected


@pytest.mark.parametrize(
    ("foreign", "expected"),
    [
        ("", "–"),
        ("a_b", "`a_b`"),
        ("a`b", "``a`b``"),
        ("`", "`` ` ``"),
        ("``a", "``` ``a ```"),
        (" a", "`  a `"),
        ("a|b", r"a\|b"),
        ("\x1b[31m", r"`\x1b[31m`"),
        ("\\", "`\\`"),
    ],
)
def test_names_are_code(foreign: str, expected: str) -> None:
    assert code(foreign) == expected


@given(st.lists(NASTY, min_size=1, max_size=4), st.sampled_from([plain, code]))
def test_a_table_has_the_cells_that_were_given(texts: list[str], write: object) -> None:
    header = [f"h{number}" for number in range(len(texts))]
    lines = table(header, [[write(text) for text in texts]])  # type: ignore[operator] # a table of functions
    assert len(lines) == 3
    assert not any("\n" in line or "\r" in line for line in lines)
    # A | that ends a cell has an even number of \ before it.
    ends = re.findall(r"(?<!\\)(?:\\\\)*\|", lines[2])
    assert len(ends) == len(texts) + 1


@given(NASTY)
def test_a_word_becomes_neither_html_nor_a_link(text: str) -> None:
    html = rendered(["before " + plain(text) + " after"])
    assert re.sub(r"</?p>", "", html).count("<") == 0


@given(st.lists(NASTY, max_size=5))
def test_no_line_of_a_log_ends_its_fence(lines: list[str]) -> None:
    fenced = block(lines)
    fence = fenced[0].removesuffix("text")
    assert set(fence) == {"`"}
    assert fenced[-1] == fence
    assert len(fenced) == len(lines) + 2
    assert not any(fence in line for line in fenced[1:-1])
    assert fenced[1:-1] == [safe_str(line.rstrip("\r\n"), 500) for line in lines]


def test_a_text_without_end_is_cut() -> None:
    assert len(plain("x" * 10_000)) == 301
    assert len(code("x" * 10_000)) == 303
