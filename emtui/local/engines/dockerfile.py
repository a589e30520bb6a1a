"""A Dockerfile as a list of instructions. The reading of lines is `dockerfile-parse`'s; the checks are here.

Every fault is worded as BuildKit words it. What this engine cannot do is refused here, by name, before anything runs.
"""

import difflib
import io
import json
import re
from dataclasses import dataclass

from emtui.local.engines.problems import BuildProblem
from emtui.local.engines.substitution import split_words

KNOWN = (
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER",
    "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
)  # fmt: skip
_UNSUPPORTED = {"ONBUILD": "triggers for later builds are not kept"}
_FLAGS = {
    "FROM": {"platform"},
    "COPY": {"from", "chown", "chmod", "link"},
    "ADD": {"chown", "chmod", "link"},
    "HEALTHCHECK": {"interval", "timeout", "start-period", "start-interval", "retries"},
}
_MAX_BYTES = 1 << 20
_MAX_LINE = 65_536
_MAX_SHOWN = 1_000
_HEREDOC = re.compile(r"(?<!<)<<-?\s*[\"']?[A-Za-z_]")
_ESCAPE_DIRECTIVE = re.compile(r"\s*#\s*escape\s*=\s*([\\`])\s*", re.IGNORECASE)
_DIRECTIVE = re.compile(r"\s*#\s*[A-Za-z]+\s*=")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction.

    Attributes:
        keyword: upper case.
        value: what follows, continued lines joined, flags taken off.
        flags: `--name=value` without the dashes, values unexpanded.
        first_line, last_line: from 1.
    """

    keyword: str
    value: str
    flags: dict[str, str]
    first_line: int
    last_line: int

    @property
    def shown(self) -> str:
        """As the builder's progress shows it."""
        flags = "".join(f"--{name}{f'={value}' if value else ''} " for name, value in self.flags.items())
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


def parse_dockerfile(text: str) -> Dockerfile:
    """Read a Dockerfile.

    Raises:
        BuildProblem: empty, too large, not UTF-8, an unknown or unsupported instruction or flag, a here-document.
    """
    try:
        raw = text.encode("utf-8")
    except UnicodeEncodeError:
        raise BuildProblem("dockerfile parse error: the file is not UTF-8 text") from None
    if len(raw) > _MAX_BYTES:
        raise BuildProblem(f"dockerfile parse error: the file is larger than {_MAX_BYTES} bytes")
    text = text.removeprefix("\ufeff")
    lines = tuple(line.rstrip("\r") for line in text.split("\n"))
    for number, line in enumerate(lines, 1):
        if len(line) > _MAX_LINE:
            raise BuildProblem(f"dockerfile parse error on line {number}: dockerfile line greater than maximum allowed "
                               f"size of {_MAX_LINE - 1}", line=number)  # fmt: skip
        if "\0" in line:
            raise BuildProblem(f"dockerfile parse error on line {number}: a NUL character", line=number)
    instructions = tuple(_instructions(text, _escape(lines)))
    if not instructions:
        raise BuildProblem("the Dockerfile cannot be empty")
    return Dockerfile(instructions, _escape(lines))


def _escape(lines: tuple[str, ...]) -> str:
    for line in lines:
        if matched := _ESCAPE_DIRECTIVE.fullmatch(line):
            return matched[1]
        if not _DIRECTIVE.match(line):
            break
    return "\\"


def _instructions(text: str, escape: str) -> list[Instruction]:
    from dockerfile_parse import DockerfileParser  # type: ignore[import-untyped] # it comes without types

    # With a file object it neither reads nor writes a file. The newline makes it see a last line of one word.
    parser = DockerfileParser(fileobj=io.BytesIO(f"{text}\n".encode()), env_replace=False)
    made = []
    for item in parser.structure:
        if item["instruction"] == "COMMENT":
            continue
        made.append(_instruction(item["instruction"], item["value"].strip(), item["startline"] + 1,
                                 item["endline"] + 1, escape))  # fmt: skip
    return made


def _instruction(keyword: str, value: str, first: int, last: int, escape: str) -> Instruction:
    if keyword not in KNOWN:
        near = difflib.get_close_matches(keyword, KNOWN, 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise BuildProblem(f"dockerfile parse error on line {first}: unknown instruction: {keyword}{hint}", line=first)
    if keyword in _UNSUPPORTED:
        raise BuildProblem(
            f"dockerfile parse error on line {first}: {keyword} is not supported by this engine: "
            f"{_UNSUPPORTED[keyword]}", line=first,
        )  # fmt: skip
    if not value:
        raise BuildProblem(
            f"dockerfile parse error on line {first}: {keyword} requires at least one argument", line=first
        )
    if keyword in ("RUN", "COPY", "ADD") and _HEREDOC.search(value):
        raise BuildProblem(
            f"dockerfile parse error on line {first}: {keyword} with a here-document (<<) is not supported here",
            line=first,
        )
    flags: dict[str, str] = {}
    while value.startswith("--"):
        word = split_words(value, escape)[0]
        name, _, given = word[2:].partition("=")
        if name not in _FLAGS.get(keyword, ()):
            raise BuildProblem(
                f"dockerfile parse error on line {first}: {keyword} --{name} is not supported by this engine",
                line=first,
            )
        flags[name] = given
        value = value[len(word) :].lstrip()
        if not value:
            raise BuildProblem(
                f"dockerfile parse error on line {first}: {keyword} requires at least one argument", line=first
            )
    return Instruction(keyword, value, flags, first, last)
