"""The texts of docs/troubleshooting.md are ones that the program says, and those that are provoked end as it tells.

A text in the first column stands for a message, `…` for what changes in it. Each must be found in one string of the
source: its fixed parts in their order, each within a fixed part of that string. One thing that is filled in may be
written out, where that is a string of the source as well.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT

PAGE = ROOT / "docs/troubleshooting.md"

_GAP = "\0"
"""What is filled in by the program, in a string of the source."""

# A shorter text would be found anywhere.
_LEAST_CHARS = 7
_LEAST_PROVOKED = 15
_WITH_CODE = 4
"""The cells of a row that says how a command ends; fewer tell of a sight."""


_CODE = re.compile(r"`([^`]+)`")
_GIVES = re.compile(r"^(?:until )?(?:\w+=\S+ )?\./gives (\d+) (?:'([^']+)'|\"([^\"]+)\")|^fails ()'([^']+)'", re.M)


@dataclass(frozen=True)
class Told:
    """A text of the page, and what its row says of exit codes; none for what is told otherwise."""

    text: str
    codes: tuple[int, ...] = ()

    @property
    def parts(self) -> list[str]:
        return [part for part in (part.strip(" :()") for part in self.text.split("…")) if part]


def told_by(text: str) -> list[Told]:
    """The texts of a page's tables."""
    found = []
    for line in text.splitlines():
        cells = line.strip("| ").split(" | ")
        if not line.startswith("| `"):
            continue
        if len(cells) == _WITH_CODE:
            codes = tuple(map(int, re.findall(r"\d+", cells[1])))
            found += [Told(text, codes) for text in _CODE.findall(cells[0])]
        elif _CODE.fullmatch(cells[0]):
            found.append(Told(cells[0].strip("`")))
    return found


def provoked_by(text: str) -> list[tuple[int, str]]:
    """What the page's hidden commands provoke: the exit code, and the text that is waited for."""
    found = []
    for match in _GIVES.finditer(text):
        code, *texts = match.groups()
        found.append((int(code or 6), next(text for text in texts if text)))
    return found


def strings_of(folder: Path) -> Iterator[str]:
    """What the modules of a folder can say: their strings, without docstrings, with a gap for what is filled in."""
    for path in folder.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        said_of_code = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        within = {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in ast.walk(tree):
            if node not in said_of_code and node not in within and isinstance(node, ast.Constant | ast.JoinedStr):
                yield _joined(node)


def _joined(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_joined, node.values))
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else _GAP


def is_said(told: Told, string: str) -> bool:
    """Whether a string of the source is that text."""
    at = 0
    for part in told.parts:
        found = string.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return True


def is_said_by(told: Told, strings: set[str]) -> bool:
    """Whether it is one of the strings of the source, or one with another filled in."""
    if any(is_said(told, string) for string in strings):
        return True
    for filled in strings:
        if len(filled) >= _LEAST_CHARS and filled in told.text:
            around = Told(told.text.replace(filled, "…"))
            if not around.parts or any(is_said(around, string) for string in strings):
                return True
    return False


@pytest.fixture(scope="module")
def strings() -> set[str]:
    return set(strings_of(ROOT / "emtui"))


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("told", told_by(PAGE.read_text(encoding="utf-8")), ids=lambda told: told.text)
def test_a_text_of_the_page_is_one_that_the_program_says(told: Told, strings: set[str]) -> None:
    assert sum(map(len, told.parts)) >= _LEAST_CHARS, "too short to be found"
    assert is_said_by(told, strings), "no string of emtui/ says so"


def test_every_subject_has_its_texts(page: str) -> None:
    subjects = re.split(r"^## ", page, flags=re.M)[1:]
    few = [subject.partition("\n")[0] for subject in subjects if len(told_by(subject)) < 2]
    assert len(subjects) == 9
    assert few == []


def test_what_is_provoked_is_on_the_page_with_the_same_code(page: str) -> None:
    provoked = provoked_by(page)
    assert len(provoked) >= _LEAST_PROVOKED
    assert page.count("./gives ") + page.count("\nfails '") == len(provoked) + 1, "one is not read by this test"
    entries = told_by(page)
    for code, text in provoked:
        fitting = [told for told in entries if any(part in text or text.strip() in part for part in told.parts)]
        assert fitting, f"{text!r} is provoked, and not on the page"
        assert any(code in told.codes or not told.codes for told in fitting), f"{text!r} ends with {code}"


@pytest.mark.parametrize("code", [2, 3, 4, 5, 6, 7, 8, 9, 20, 21, 23])
def test_an_exit_code_is_provoked(code: int, page: str) -> None:
    assert code in {found for found, _ in provoked_by(page)}


@pytest.mark.parametrize(
    ("text", "string", "is_found"),
    [
        ("…: in use by …", "\0: in use by \0", True),
        ("…: in use by …", "\0: used by \0", False),
        ("a … c", "a \0 c", True),
        ("a … c", "c \0 a", False),
        ("fixed words", "\0fixed words, and more", True),
        ("fixed words", "fixed \0 words", False),
    ],
)
def test_a_text_is_compared_part_by_part(text: str, string: str, is_found: bool) -> None:
    assert is_said(Told(text), string) is is_found


def test_what_is_filled_in_may_be_written_out() -> None:
    strings = {"\0: \0 (\0)", "nobody is here", "\0 failed: \0"}
    assert is_said_by(Told("…: nobody is here (…)"), strings)
    assert is_said_by(Told("nobody is here failed: …"), strings)
    assert not is_said_by(Told("…: nobody is there (…)"), strings)


def test_a_docstring_is_nothing_that_is_said(tmp_path: Path) -> None:
    source = '"""Words of a docstring."""\nx = f"a {1} b"\ny = ("one " "two")\n'
    (tmp_path / "module.py").write_text(source, encoding="utf-8")
    assert set(strings_of(tmp_path)) - {_GAP} == {"a \0 b", "one two"}
