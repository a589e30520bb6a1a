"""Foreign names as names on the operator's own disk."""

import os
import sys
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from emtui.errors import LocalProblem

MAX_NAME_BYTES = 255
"""The longest name that the usual file systems take."""

_LONGEST_SUFFIX_BYTES = 16
_WINDOWS_FORBIDDEN = '<>:"|?*\\'
_WINDOWS_RESERVED = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{digit}" for port in ("com", "lpt") for digit in "123456789")}
)


def local_name(foreign: str, *, windows: bool = sys.platform == "win32") -> str:
    """A base name for a file of the operator's disk that stands for a foreign name (of a file or a model).

    A name that the disk can hold stays as it is, control characters and bytes that are not UTF-8 too. `/`, NUL and
    what no file name can hold become `_`. A name over 255 bytes is shortened, its suffix kept. With `windows`, what
    is forbidden or reserved there is made `_` or gets one in front.

    Raises:
        LocalProblem: nothing is left of it (empty, `.`, `..`).
    """
    name = "".join(_harmless(character, windows) for character in foreign)
    if windows:
        name = name.rstrip(". ") if name.strip(". ") else name
        if name.partition(".")[0].rstrip().lower() in _WINDOWS_RESERVED:
            name = f"_{name}"
    if name in ("", ".", ".."):
        raise LocalProblem(f"{foreign!r} cannot be the name of a file here", remedy="Give the target file a name.")
    return _shortened(name)


def _harmless(character: str, windows: bool) -> str:
    if character in "/\0":
        return "_"
    if 0xD800 <= ord(character) <= 0xDFFF and not 0xDC80 <= ord(character) <= 0xDCFF:
        return "_"  # a lone surrogate out of JSON; the others stand for a byte that is not UTF-8
    if windows and (character in _WINDOWS_FORBIDDEN or ord(character) < 32):
        return "_"
    return character


def _shortened(name: str) -> str:
    if len(_bytes(name)) <= MAX_NAME_BYTES:
        return name
    stem, dot, suffix = name.rpartition(".")
    ending = dot + suffix
    if not stem or len(_bytes(ending)) > _LONGEST_SUFFIX_BYTES:
        stem, ending = name, ""
    return cut_to_bytes(stem, MAX_NAME_BYTES - len(_bytes(ending))) + ending


def cut_to_bytes(name: str, most: int) -> str:
    """The longest beginning of `name` with at most `most` bytes, no character cut in two."""
    size = 0
    for index, character in enumerate(name):
        size += len(_bytes(character))
        if size > most:
            return name[:index]
    return name


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def collisions(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of names or paths that are one file where case or Unicode composition do not count, or are the same.

    Each pair is the earlier one and the one that collides with it. Disks of macOS and Windows, and many sticks,
    see such names as one, so that the second would replace the first.
    """
    seen: dict[str, str] = {}
    found = []
    for name in names:
        key = _folded(name)
        if key in seen:
            found.append((seen[key], name))
        else:
            seen[key] = name
    return found


def are_one_file(one: Path, other: Path) -> bool:
    """Whether the disk takes two paths that collide for one file.

    It is tried in a folder of its own where they part, or in what is there of the way to it. Blocks.

    Raises:
        OSError: it cannot be tried.
    """
    import tempfile  # costs time, and is seldom needed

    parting = Path(os.path.commonpath((one.parent, other.parent)))
    there = next(folder for folder in (parting, *parting.parents) if folder.is_dir())
    with tempfile.TemporaryDirectory(prefix=".emtui-", dir=there) as trial:
        place = trial / one.relative_to(parting)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
        return os.path.lexists(trial / other.relative_to(parting))


def told_apart(one: str, other: str) -> tuple[str, str]:
    """Two names that differ, as text that shows how: with escapes where they would look the same."""
    if unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other):
        return ascii(one)[1:-1], ascii(other)[1:-1]
    return one, other


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())
