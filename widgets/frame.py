"""The top and bottom lines of a pane's box, with words in them."""

from collections.abc import Sequence

from widgets.cells import Line, cut, width_of
from widgets.palette import Part

# top left, top right, bottom left, bottom right, horizontal
ROUND = "╭╮╰╯─"
HEAVY = "┏┓┗┛━"

EDGE_CELLS = 6
"""Corner, line and blank at both ends of an edge with words."""

_DOT = Part(" · ", "faint")


def joined(pieces: Sequence[Line]) -> Line:
    """The pieces with ` · ` between them."""
    parts: list[Part] = []
    for piece in pieces:
        if parts:
            parts.append(_DOT)
        parts.extend(piece)
    return tuple(parts)


def edge(
    left: Line, right: Sequence[Line], width: int, *, box: str = ROUND, style: str = "border", at_top: bool = True
) -> Line:
    """One horizontal edge of a box: `╭─ 1 Files ────── 12 · 1.2 MiB · 2 s ─╮` in exactly `width` cells.

    Where there is no room, the pieces of `right` go first, from its front, and then `left` is cut.
    """
    start, end = (box[0], box[1]) if at_top else (box[2], box[3])
    line = box[4]
    if width < 8:
        return (Part(start + line * max(0, width - 2) + end, style),)
    room = width - EDGE_CELLS
    if width_of(left) > room:
        left = (Part(cut("".join(part.text for part in left), room), left[0].style),)
    pieces = list(right)
    while pieces and width_of(left) + width_of(joined(pieces)) + 3 > room:
        pieces.pop(0)
    words = joined(pieces)
    parts: list[Part] = []
    if left:
        parts += [Part(start + line + " ", style), *left, Part(" ", style)]
    else:
        parts.append(Part(start + line, style))
    tail = [Part(" ", style), *words, Part(" " + line + end, style)] if words else [Part(line + end, style)]
    fill = width - width_of(parts) - width_of(tail)
    return (*parts, Part(line * fill, style), *tail)
