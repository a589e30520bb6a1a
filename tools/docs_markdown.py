"""Text of ours as Markdown that nothing in it can break."""

import html
import re
from collections.abc import Iterable, Iterator, Sequence

_CODE = re.compile(r"(`[^`]+`)")
# An option by its name, as prose has it.
_OPTION = re.compile(r"(?<![\w`/-])(--[a-z][a-z-]*|-o -)(?![\w=-])")
_ACTIVE = re.compile(r"[\\*\[\]#|~]|(?<!\w)_|_(?!\w)")


def prose(text: str) -> str:
    """A line of words: code stays code, options become it, everything else is text."""
    return "".join(part if number % 2 else _words(part) for number, part in enumerate(_CODE.split(text)))


def _words(text: str) -> str:
    plain = _ACTIVE.sub(lambda found: f"&#{ord(found[0])};", html.escape(text, quote=False))
    return _OPTION.sub(r"`\1`", plain)


def code(text: str) -> str:
    """A span of code, in a table too."""
    if "`" in text or "|" in text:
        return f"<code>{html.escape(text, quote=False).replace('|', '&#124;').replace('`', '&#96;')}</code>"
    return f"`{text}`"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    lines = [f"| {' | '.join(header)} |", "|---" * len(header) + "|"]
    lines += [f"| {' | '.join(cell.replace(chr(10), ' ') for cell in row)} |" for row in rows]
    return "\n".join(lines)


def block(language: str, text: str) -> str:
    """A fenced block that its text cannot leave."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def description(text: str) -> str:
    """A verb's description: paragraphs, lists that are indented, and what is aligned by blanks."""
    return "\n\n".join(_parts(text))


def _parts(text: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", text.strip("\n")):
        plain: list[str] = []
        indented: list[str] = []
        for line in paragraph.splitlines():
            if line.startswith(" "):
                if plain:
                    yield prose(" ".join(plain))
                    plain = []
                indented.append(line)
            else:
                if indented:
                    yield _indented(indented)
                    indented = []
                plain.append(line.strip())
        if indented:
            yield _indented(indented)
        if plain:
            yield prose(" ".join(plain))


def _indented(lines: list[str]) -> str:
    if not lines[0].lstrip().startswith("- "):
        return block("text", "\n".join(lines))
    items: list[str] = []
    for line in lines:
        if line.lstrip().startswith("- "):
            items.append(line.lstrip()[2:])
        else:
            items[-1] += f" {line.strip()}"
    return "\n".join(f"- {prose(item)}" for item in items)
