"""A Dockerfile as a list of instructions: which there are, what they are called with.

Every fault is worded as BuildKit words it. What the engine cannot do is refused here, by name, before anything runs.
"""

import difflib
import json
import re
from dataclasses import dataclass

from emtui.local.engines.dialect import PLAIN, Dialect
from emtui.local.engines.flags import take_flag
from emtui.local.engines.lines import LogicalLine, is_heredoc, logical_lines
from emtui.local.engines.problems import BuildProblem
from emtui.local.engines.substitution import split_words

KNOWN = (
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER",
    "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
)  # fmt: skip
_MAX_BYTES = 1 << 20
_MAX_LINE = 65_536
_MAX_SHOWN = 1_000
_ESCAPE_DIRECTIVE = re.compile(r"\s*#\s*escape\s*=\s*([\\`])\s*", re.IGNORECASE)
_DIRECTIVE = re.compile(r"\s*#\s*[A-Za-z]+\s*=")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction.

    Attributes:
        keyword: upper case.
        value: what follows, continued lines joined, flags taken off.
        given_flags: `--name=value` without the dashes, in their order, values without quotes and unexpanded.
        first_line, last_line: from 1, here-documents included.
        header_end: the last line before its here-documents.
        has_heredocs: whether it has any.
        is_trigger: it comes from the base image's ONBUILD and is not in the file.
    """

    keyword: str
    value: str
    given_flags: tuple[tuple[str, str], ...]
    first_line: int
    last_line: int
    header_end: int = 0
    has_heredocs: bool = False
    is_trigger: bool = False

    @property
    def flags(self) -> dict[str, str]:
        """The flags by name; of one that is given more than once, the last."""
        return dict(self.given_flags)

    @property
    def shown(self) -> str:
        """As the builder's progress shows it."""
        flags = "".join(f"--{name}{f'={value}' if value else ''} " for name, value in self.given_flags)
        return f"{self.keyword} {flags}{self.value}".rstrip()

    def exec_form(self) -> list[str] | None:
        """The JSON list behind CMD, RUN, …; None where it is not one (the shell form)."""
        if not self.value.startswith("["):
            return None
        try:
            items = json.loads(self.value)
        except (ValueError, RecursionError):
            return None
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            return None
        return items


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """A whole one. `escape` is the character of its `# escape=` directive."""

    instructions: tuple[Instruction, ...]
    escape: str


def excerpt(text: str, name: str, first: int, last: int) -> list[str]:
    """The lines of a Dockerfile around an instruction, as BuildKit prints them."""
    lines = [line.rstrip("\r")[:_MAX_SHOWN] for line in text.split("\n")]
    start, stop = max(1, first - 2), min(len(lines), last + 2)
    rule = "-" * 20
    body = [
        f"{number:4d} | {'>>>' if first <= number <= last else '   '} {lines[number - 1]}".rstrip()
        for number in range(start, stop + 1)
    ]
    return [f"{name}:{first}", rule, *body, rule]


def parse_dockerfile(text: str, dialect: Dialect = PLAIN) -> Dockerfile:
    """Read a Dockerfile.

    Raises:
        BuildProblem: empty, too large, not UTF-8, or what `dialect` does not know: an instruction, a flag, a
            here-document.
    """
    try:
        raw = text.encode("utf-8")
    except UnicodeEncodeError:
        raise BuildProblem("dockerfile parse error: the file is not UTF-8 text") from None
    if len(raw) > _MAX_BYTES:
        raise BuildProblem(f"dockerfile parse error: the file is larger than {_MAX_BYTES} bytes")
    lines = split_lines(text)
    for number, line in enumerate(lines, 1):
        if len(line) > _MAX_LINE:
            raise BuildProblem(f"dockerfile parse error on line {number}: dockerfile line greater than maximum allowed "
                               f"size of {_MAX_LINE - 1}", line=number)  # fmt: skip
        if "\0" in line:
            raise BuildProblem(f"dockerfile parse error on line {number}: a NUL character", line=number)
    escape = _escape(lines)
    # Where the builder does not know here-documents, what follows one is lines of their own.
    found = logical_lines(lines, escape, with_heredocs=not dialect.heredoc_problem)
    instructions = tuple(_instruction(line, dialect) for line in found)
    if not instructions:
        raise BuildProblem("the Dockerfile cannot be empty")
    return Dockerfile(instructions, escape)


def split_lines(text: str) -> tuple[str, ...]:
    """The lines of a Dockerfile, without their newlines and without the mark of its encoding."""
    return tuple(line.rstrip("\r") for line in text.removeprefix("\ufeff").split("\n"))


def _escape(lines: tuple[str, ...]) -> str:
    for line in lines:
        if matched := _ESCAPE_DIRECTIVE.fullmatch(line):
            return matched[1]
        if not _DIRECTIVE.match(line):
            break
    return "\\"


def _instruction(line: LogicalLine, dialect: Dialect) -> Instruction:
    keyword, value, first = line.keyword, line.value, line.first_line
    at = f"dockerfile parse error on line {first}: "
    if keyword not in KNOWN:
        near = difflib.get_close_matches(keyword, KNOWN, 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise BuildProblem(f"{at}unknown instruction: {keyword}{hint}", line=first)
    if keyword in dialect.unsupported:
        raise BuildProblem(f"{at}{keyword} is not supported by this engine: {dialect.unsupported[keyword]}", line=first)
    if not value:
        raise BuildProblem(f"{at}{keyword} requires at least one argument", line=first)
    if dialect.heredoc_problem and keyword in ("RUN", "COPY", "ADD") and any(map(is_heredoc, split_words(value))):
        raise BuildProblem(f"{at}{keyword} with a here-document (<<) {dialect.heredoc_problem}", line=first)
    flags = []
    while value.startswith("--"):
        try:
            name, given, value = take_flag(value, f"{at}{keyword}: ")
        except BuildProblem as problem:
            problem.line = first
            raise
        if name not in dialect.flags.get(keyword, ()):
            raise BuildProblem(f"{at}{keyword} --{name} is not supported by this engine", line=first)
        flags.append((name, given))
        if not value:
            raise BuildProblem(f"{at}{keyword} requires at least one argument", line=first)
    return Instruction(keyword, value, tuple(flags), first, line.end_line, line.last_line, line.has_heredocs)
