"""The blocks of a page of the documentation, and what is said about them.

Every fenced block has a language. `sh`, `console` and `python` are executed in order, in one fresh home per page;
`toml`, `json` and `yaml` are validated; the `run:` and `script:` lines of a CI example in `yaml` are executed too;
`text`, `dockerfile` and the others of `QUIET` are for people. A block with a title (```` ```sh title="run.sh" ````) is
a file: it is written under that name (`~` is the page's home), and something later on the page has to use it.

Comments say what a reader need not see:

    <!-- not run: needs a real EM -->        the next block is not executed, with the reason
    <!-- run first: mkdir echo-test -->      commands of the shell that are executed here; several lines are allowed
    <!-- exit code: 5 -->                    how the next block ends; without it, 0
    <!-- goes on: serving on -->             the next block is a server: it goes on once it has said that
    <!-- needs: bwrap -->                    a program without which the page cannot be executed
"""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]

EXECUTED = ("sh", "console", "python")
VALIDATED = ("toml", "json", "jsonl", "yaml")
QUIET = ("text", "dockerfile", "ini", "makefile", "diff")

_FENCE = re.compile(r"^([ \t]*)(`{3,}|~{3,})[ \t]*([\w.+-]*)[ \t]*(.*?)[ \t]*$")
_TITLE = re.compile(r'title="([^"]+)"')
_COMMENT = re.compile(r"<!--(.*?)-->", re.DOTALL)
_DIRECTIVES = ("not run", "run first", "exit code", "goes on", "needs")
# What stands around a generated part; tools/make_docs.py writes it.
_MARKERS = ("generated", "end of generated")


class PageProblem(Exception):
    """A page is not written as the harness needs it. The text begins with its place."""


@dataclass(frozen=True)
class Block:
    """A fenced block, or what a comment says to run.

    Attributes:
        page, line: where it stands.
        language: of the fence; `sh` for a hidden one.
        text: without the fences, and without what it is indented by.
        title: the file that it is; empty for none.
        is_hidden: it is a comment's.
        not_run: why it is not executed; empty where it is.
        exit_code: how it has to end.
        goes_on: what it says once it is ready, for a server; empty for all others.
    """

    page: Path
    line: int
    language: str
    text: str
    title: str = ""
    is_hidden: bool = False
    not_run: str = ""
    exit_code: int = 0
    goes_on: str = ""

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(ROOT) if self.page.is_relative_to(ROOT) else self.page}:{self.line}"

    @property
    def is_executed(self) -> bool:
        return self.language in EXECUTED and not self.title and not self.not_run


@dataclass(frozen=True)
class Page:
    """A page of the documentation, cut into its blocks, in order."""

    path: Path
    blocks: tuple[Block, ...]
    needs: tuple[str, ...] = ()

    @property
    def uses_port(self) -> bool:
        """It serves on the usual port, so that no other page may do so at the same time."""
        return any("8000" in block.text or "emtui serve" in block.text for block in self.blocks if block.is_executed)


@dataclass
class _Said:
    """What the comments before a block say of it."""

    values: dict[str, str] = field(default_factory=dict)
    line: int = 0


def pages() -> list[Path]:
    """Every page: README and the other files at the top, and those in docs/."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def read_page(path: Path) -> Page:
    """Cut a page into its blocks. Raises PageProblem."""
    lines = path.read_text(encoding="utf-8").splitlines()
    needs: list[str] = []
    blocks = tuple(_blocks(path, lines, needs))
    for index, block in enumerate(blocks):
        # By its name, or by its folder's.
        names = [part for part in block.title.split("/") if part not in ("", "~", ".")]
        is_used = any(name in later.text for later in blocks[index + 1 :] for name in names)
        if block.title and block.language in EXECUTED and not is_used:
            raise PageProblem(f"{block.where}: {block.title} is written, and nothing later on the page uses it")
    return Page(path, blocks, tuple(needs))


def _blocks(path: Path, lines: list[str], needs: list[str]) -> Iterator[Block]:
    said = _Said()
    number = 0
    while number < len(lines):
        line = lines[number]
        if "<!--" in line:
            end = next((at for at in range(number, len(lines)) if "-->" in lines[at]), None)
            if end is None:
                raise PageProblem(f"{path.name}:{number + 1}: a comment without an end")
            for comment in _COMMENT.findall("\n".join(lines[number : end + 1])):
                name, value = _directive(path, number + 1, comment)
                if name == "run first":
                    yield Block(path, number + 1, "sh", value, is_hidden=True)
                elif name == "needs":
                    needs.append(value)
                elif name:
                    said.values[name], said.line = value, number + 1
            number = end + 1
        elif fence := _FENCE.match(line):
            indent, mark, language, rest = fence.groups()
            close = re.compile(rf"^[ \t]*{re.escape(mark)}{re.escape(mark[0])}*[ \t]*$")
            end = next((at for at in range(number + 1, len(lines)) if close.match(lines[at])), None)
            if end is None:
                raise PageProblem(f"{path.name}:{number + 1}: a block without an end")
            yield _block(path, number + 1, language, rest, _text(lines[number + 1 : end], indent), said)
            said = _Said()
            number = end + 1
        else:
            if said.values and line.strip():
                raise PageProblem(f"{path.name}:{said.line}: no block comes right behind this comment")
            number += 1
    if said.values:
        raise PageProblem(f"{path.name}:{said.line}: no block comes behind this comment")


def _text(lines: list[str], indent: str) -> str:
    return "".join(f"{line.removeprefix(indent)}\n" for line in lines)


def _directive(path: Path, line: int, comment: str) -> tuple[str, str]:
    name, colon, value = comment.strip().partition(":")
    if name in _MARKERS or (not colon and name.split(":")[0] in _MARKERS):
        return "", ""
    if name not in _DIRECTIVES:
        raise PageProblem(f"{path.name}:{line}: no such comment is known: {name!r}; there are {', '.join(_DIRECTIVES)}")
    value = textwrap.dedent(value).strip()
    if not value:
        raise PageProblem(f"{path.name}:{line}: {name}: it says nothing")
    return name, value


def _block(path: Path, line: int, language: str, rest: str, text: str, said: _Said) -> Block:
    if language not in (*EXECUTED, *VALIDATED, *QUIET):
        known = ", ".join((*EXECUTED, *VALIDATED, *QUIET))
        raise PageProblem(f"{path.name}:{line}: a block of the language {language!r}; there are {known}")
    title = _TITLE.search(rest)
    return Block(
        path,
        line,
        language,
        text,
        title=title[1] if title else "",
        not_run=said.values.get("not run", ""),
        exit_code=int(said.values.get("exit code", "0")),
        goes_on=said.values.get("goes on", ""),
    )
