"""Cells of a terminal: cutting, padding and wrapping by width, and bars. Texts here are safe already."""

import re

from rich.cells import cell_len, set_cell_size

from widgets.palette import Part

_WORDS = re.compile(r"\S+\s*")
# A name with dots or a port, or an IPv6 address: a word that only stands before a colon says what failed.
_HOST = re.compile(r"^(?:\[[0-9a-fA-F:.]+\](?::\d+)?|[\w-]+(?:\.[\w-]+)+(?::\d+)?|[\w-]+:\d+): ")

Line = tuple[Part, ...]


def cut(text: str, width: int) -> str:
    """`text` in at most `width` cells, with `…` at its end where something is missing."""
    if len(text) <= width and text.isascii():
        return text
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip(" ") + "…" if width > 0 else ""


def cut_left(text: str, width: int) -> str:
    """`text` in at most `width` cells, with `…` at its start: of a path the end says more."""
    if cell_len(text) <= width:
        return text
    if width <= 0:
        return ""
    kept = text[-width:]
    while cell_len(kept) > width - 1:
        kept = kept[1:]
    return f"…{kept}"


def left(text: str, width: int) -> str:
    """Exactly `width` cells, the text at the left."""
    text = cut(text, width)
    return text + " " * (width - cell_len(text))


def right(text: str, width: int) -> str:
    """Exactly `width` cells, the text at the right."""
    text = cut(text, width)
    return " " * (width - cell_len(text)) + text


def without_host(text: str) -> str:
    """`text` without the `host:port: ` that it begins with, which the header tells too."""
    return _HOST.sub("", text, count=1)


def width_of(parts: "Line | list[Part]") -> int:
    """How many cells the parts take."""
    return sum(cell_len(part.text) for part in parts)


def fitted(line: Line, width: int) -> Line:
    """The line in at most `width` cells, with `…` where something is missing."""
    if width_of(line) <= width:
        return line
    parts: list[Part] = []
    for part in line:
        room = width - width_of(parts)
        if cell_len(part.text) > room:
            parts.append(Part(cut(part.text, room), part.style))
            break
        parts.append(part)
    return tuple(parts)


def wrap(text: str, width: int, most: int = 100) -> list[str]:
    """`text` in lines of at most `width` cells, broken between words where it can be; at most `most` lines, the
    last of which then ends in `…`."""
    if width <= 0:
        return []
    lines: list[str] = []
    line, used = "", 0
    for word in _WORDS.findall(text) or ([text] if text else []):
        size = cell_len(word.rstrip())
        if used and used + size > width:
            lines.append(line.rstrip())
            line, used = "", 0
        rest = word
        while cell_len(rest.rstrip()) > width:  # a word longer than a line
            piece = set_cell_size(rest, width).rstrip(" ") if cell_len(rest) > width else rest
            lines.append(piece)
            rest = rest[max(1, len(piece)) :]
            if len(lines) > most:
                break
        line += rest
        used += cell_len(rest)
        if len(lines) > most:
            break
    if line.strip():
        lines.append(line.rstrip())
    if len(lines) > most:
        last = lines[most - 1]
        lines[most - 1 :] = [set_cell_size(last, min(cell_len(last), width - 1)).rstrip(" ") + "…"]
    return lines


def bar(fraction: float, width: int) -> list[Part]:
    """A progress bar of `width` cells: `▓▓▓▓░░░░`."""
    done = round(min(1.0, max(0.0, fraction)) * width)
    # Something done is never shown as nothing, something left never as all.
    if width > 1:
        done = min(done, width - 1) if fraction < 1 else width
        done = max(done, 1) if fraction > 0 else 0
    return [Part("▓" * done, "bar-done"), Part("░" * (width - done), "bar-left")]
