"""The lines of a Dockerfile as a builder joins them: comments, continuations, here-documents.

Read as BuildKit reads them, since what is checked here must be what is built there. It takes the older of its two
rules where they differ: every escape character at the end of a line continues it, an escaped one too.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from emtui.local.engines.problems import BuildProblem
from emtui.local.engines.substitution import expand, split_words

# Go's white space, which is not quite Python's.
_BLANK = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_KEYWORD_END = re.compile(r"[\t\v\f\r ]+")
_HEREDOC = re.compile(r"\d*<<(-?)([^<]+)", re.DOTALL)
_MAY_HAVE_HEREDOCS = ("RUN", "COPY", "ADD")


@dataclass(frozen=True, slots=True)
class LogicalLine:
    """One instruction's text.

    Attributes:
        keyword: upper case.
        value: what follows, continued lines joined.
        first_line, last_line: of the instruction without its here-documents, from 1.
        end_line: with them.
        has_heredocs: whether it has any.
    """

    keyword: str
    value: str
    first_line: int
    last_line: int
    end_line: int
    has_heredocs: bool


def is_heredoc(word: str) -> bool:
    """Whether a word of RUN, COPY or ADD announces a here-document."""
    return _terminator(word) is not None


def logical_lines(lines: tuple[str, ...], escape: str, *, with_heredocs: bool) -> Iterator[LogicalLine]:
    """The instructions of a file's lines, without their newlines.

    Raises:
        BuildProblem: a here-document that does not end, or whose line cannot be read.
    """
    continued = re.compile(rf"{re.escape(escape)}[ \t]*$")
    at = 0
    while at < len(lines):
        first = at
        text = "" if _is_comment(lines[at]) else lines[at].rstrip("\r\n").lstrip(_BLANK)
        at += 1
        goes_on = continued.search(text) is not None
        if not text:
            continue
        pieces = [continued.sub("", text)]
        while goes_on and at < len(lines):
            line = lines[at].rstrip("\r\n")
            at += 1
            if _is_comment(line) or not line.strip(_BLANK):
                continue
            goes_on = continued.search(line) is not None
            pieces.append(continued.sub("", line))
        keyword, *rest = _KEYWORD_END.split("".join(pieces).strip(_BLANK), maxsplit=1)
        if not keyword:
            continue
        value = rest[0].strip(_BLANK) if rest else ""
        header_end = at
        terminators = _terminators(keyword.upper(), value, first + 1) if with_heredocs else []
        for name, is_indented in terminators:
            at = _end_of_heredoc(lines, at, name, is_indented, first + 1)
        yield LogicalLine(keyword.upper(), value, first + 1, header_end, at, bool(terminators))


def _is_comment(line: str) -> bool:
    return line.lstrip(_BLANK).startswith("#")


def _terminators(keyword: str, value: str, number: int) -> list[tuple[str, bool]]:
    if keyword == "ONBUILD":
        keyword, *rest = _KEYWORD_END.split(value, maxsplit=1)
        return _terminators(keyword.upper(), rest[0] if rest else "", number) if keyword.upper() != "ONBUILD" else []
    if keyword not in _MAY_HAVE_HEREDOCS or value.startswith("[") or "<<" not in value:
        return []
    # Here-documents are read with the backslash, whatever the file's escape character is.
    found = [made for word in split_words(value) if (made := _terminator(word)) is not None]
    if found:
        try:
            expand(value, {})
        except BuildProblem as problem:
            problem.line = number
            raise
    return found


def _terminator(word: str) -> tuple[str, bool] | None:
    matched = _HEREDOC.fullmatch(word)
    if matched is None:
        return None
    try:
        name = expand(matched[2], {})
    except BuildProblem:
        return None
    return (name, bool(matched[1])) if name else None


def _end_of_heredoc(lines: tuple[str, ...], at: int, name: str, is_indented: bool, number: int) -> int:
    while at < len(lines):
        line = lines[at].rstrip("\r\n")
        at += 1
        if (line.lstrip("\t") if is_indented else line) == name:
            return at
    raise BuildProblem(f"dockerfile parse error on line {number}: unterminated heredoc", line=number)
