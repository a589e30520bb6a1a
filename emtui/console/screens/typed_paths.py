"""Paths of the operator's own disk, as they are typed, pasted and dropped on a terminal.

All of it blocks: it looks at the disk.
"""

import os
import shlex
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit


def resolve(text: str, base: Path) -> Path:
    """`~` and what is relative to `base`, made absolute; links stay links."""
    try:
        path = Path(text).expanduser()
    except RuntimeError:  # no such user, no home: the tilde is a name's first letter
        path = Path(text)
    return base / path


def read_line(line: str, base: Path) -> list[Path]:
    """The paths that one line means: the name as it stands if there is one, else without quotes or escapes.

    Several quoted ones, and several `file://` addresses, are as many paths.
    """
    if not line.strip() or "\0" in line:
        return []
    for literal in (line, line.strip()):
        path = resolve(literal, base)
        if os.path.lexists(path):
            return [path]
    bare = line.strip()
    if bare.startswith("file:"):
        return [_of_address(word) for word in bare.split()]
    if bare[0] in "'\"" or "\\" in bare:
        try:
            words = shlex.split(bare)
        except ValueError:  # an open quote: it is part of the name
            words = []
        if words:
            return [_of_address(word) if word.startswith("file:") else resolve(word, base) for word in words]
    return [resolve(bare, base)]


def read_lines(lines: Iterable[str], base: Path) -> list[Path]:
    """The paths of several lines, each once, in their order."""
    return list(dict.fromkeys(path for line in lines for path in read_line(line, base)))


def _of_address(address: str) -> Path:
    return Path(os.fsdecode(unquote_to_bytes(urlsplit(address).path)) or "/")
