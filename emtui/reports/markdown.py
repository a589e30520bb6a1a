"""Foreign text in Markdown (CommonMark with GitHub's tables): it neither breaks the page nor becomes markup of it.

Everything goes through `emtui.text.safe_str` first: it is on one line, and nothing in it acts on a terminal.
"""

import re
from collections.abc import Iterable, Sequence

from emtui.text import safe_str

_MARKS = re.compile(r"[\\`*_{}\[\]<>|~&#!$]")
_RUNS = re.compile("`+")

NOTHING = "–"


def plain(foreign: object, limit: int = 300) -> str:
    """Words in a sentence or a cell; `–` for none."""
    return _MARKS.sub(lambda found: f"\\{found.group()}", safe_str(foreign, limit).strip()) or NOTHING


def code(foreign: object, limit: int = 300) -> str:
    """A name in a sentence or a cell, as code; `–` for none."""
    text = safe_str(foreign, limit)
    if not text.strip():
        return plain(repr(text)) if text else NOTHING
    if "|" in text:
        # In a cell it ends the cell, also within code, and a \ before it is not the same everywhere.
        return plain(text, limit=len(text))
    fence = _fence(text, 1)
    pad = " " if text[0] in "` " or text[-1] in "` " else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def block(lines: Iterable[str]) -> list[str]:
    """Lines of a log, in a fence that none of them ends."""
    safe = [safe_str(line.rstrip("\r\n"), 500) for line in lines]
    fence = _fence("\n".join(safe), 3)
    return [f"{fence}text", *safe, fence]


def table(header: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """A table of cells that are Markdown already; `right` are the columns that are aligned to the right."""
    marks = ["---:" if column in right else "---" for column in range(len(header))]
    return [f"| {' | '.join(row)} |" for row in (header, marks, *rows)]


def _fence(text: str, least: int) -> str:
    longest = max((len(run) for run in _RUNS.findall(text)), default=0)
    return "`" * max(least, longest + 1)
