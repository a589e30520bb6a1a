"""A line of Activity as cells. Pure: a command's state, the time and a width in, parts out."""

import math
import re
from datetime import datetime

from rich.cells import cell_len

from emtui import text
from emtui.views import CommandState, Stage
from widgets.cells import Line, bar, cut, left, right, width_of, without_host
from widgets.palette import Part
from widgets.status import stage_status

CLOCK_WIDTH = 9
_BAR_WIDTH = 16
_SHORT_BAR = 8
# Of what the clock and the sign leave, the title gets this share, within bounds.
_TITLE_SHARE = 0.45
_LEAST_TITLE = 14
_MOST_TITLE = 72
_NO_CLOCK_BELOW = 44
# How a command says that it waits: the cause, for how long by now, and the next try.
_WAIT = re.compile(r"(?: for [^,]+)?, (\d+[a-z]{2} try in \d+ s)$")
_LEAST_CAUSE = 10


def is_unseen(state: CommandState) -> bool:
    """Whether it went wrong, or nobody knows how it went, and the operator has not looked yet."""
    return state.stage in (Stage.FAILED, Stage.UNKNOWN) and not state.acknowledged


def command_cells(state: CommandState, now: datetime, width: int, cancel_key: str = "esc") -> Line:
    """`12:43:10Z  ● uplink 3 files → /echo-test   1.2 MiB, sha256 OK   +0.8 s` in exactly `width` cells.

    `cancel_key` is what the operator presses to cancel it; empty where no key does.
    """
    status = stage_status(state.stage, state.note)
    unseen = is_unseen(state)
    parts: list[Part] = []
    if width >= _NO_CLOCK_BELOW:
        parts.append(Part(f"{text.clock(state.asked_at)}  ", "muted"))
        width -= CLOCK_WIDTH + 2
    parts.append(Part(f"{status.sign} ", status))
    width -= 2
    title_width = max(_LEAST_TITLE, min(_MOST_TITLE, int(width * _TITLE_SHARE)))
    is_quiet = state.stage in (Stage.CANCELLED, Stage.QUEUED)
    title = left(text.safe_str(state.title), min(title_width, width))
    parts.append(Part(title, "strong" if unseen else "muted" if is_quiet else "text"))
    width -= cell_len(title) + 2
    if width < 8:
        return tuple(parts)
    parts.append(Part("  "))
    return (*parts, *_outcome(state, now, width, cancel_key))


def _outcome(state: CommandState, now: datetime, width: int, cancel_key: str) -> Line:
    stage = state.stage
    is_waiting = stage is Stage.RELEASED and state.note  # what it waits for says more than how far it was
    if not stage.is_final and not is_waiting and (state.done_bytes or state.total_bytes):
        return _transfer(state, width)
    took = _took(state, now)
    tail = right(took, 9) if took and width >= 30 else ""
    room = width - len(tail)
    hint = f"  {cancel_key} cancels" if cancel_key and state.is_cancellable and room >= 36 else ""
    words, style = _words(state)
    wait = _WAIT.search(words) if is_waiting else None
    if wait is not None:
        if room - len(hint) < min(cell_len(words), len(wait[1]) + 2 + _LEAST_CAUSE):
            hint = ""
        words = _waiting(words[: wait.start()], wait, room - len(hint))
    shown = left(words, room - len(hint))
    return (Part(shown, style), Part(hint, "faint"), Part(tail, "muted"))


def _waiting(cause: str, wait: re.Match[str], room: int) -> str:
    """`Connection refu… for 3 min, 8th try in 4 s`: of what it waits for, the next try is what must be seen."""
    if cell_len(cause) + len(wait[0]) > room:
        cause = without_host(cause)
    least = min(_LEAST_CAUSE, cell_len(cause))
    for ending in (wait[0], f", {wait[1]}"):
        if least + len(ending) <= room:
            return cut(cause, room - len(ending)) + ending
    return wait[1]


def _words(state: CommandState) -> tuple[str, str]:
    stage = state.stage
    if stage is Stage.FAILED:
        return text.safe_str(state.error or state.note or "failed"), "alert" if is_unseen(state) else "critical"
    if stage is Stage.UNKNOWN:
        return text.safe_str(state.error or state.note or "no answer came; it may have been done"), "unknown"
    if stage is Stage.COMPLETE:
        return text.safe_str(state.note or "done"), "muted"
    if stage is Stage.CANCELLED:
        return text.safe_str(state.note or "cancelled"), "muted"
    if state.note:
        return text.safe_str(state.note), stage_status(stage, state.note).value if stage is Stage.RELEASED else "text"
    return f"{stage.value}…" if stage is not Stage.HELD else "held", "caution" if stage is Stage.HELD else "muted"


def _took(state: CommandState, now: datetime) -> str:
    """How long it took, or has been taking; nothing for what has not begun."""
    if state.stage in (Stage.QUEUED, Stage.HELD):
        return ""
    end = state.changed_at if state.stage.is_final else now
    seconds = max(0.0, (end - state.asked_at).total_seconds())
    return f"+{seconds:.1f} s" if state.stage.is_final and seconds < 10 else f"+{text.age(seconds)}"


def _transfer(state: CommandState, width: int) -> Line:
    """`▓▓▓▓░░░░  42%  34 of 80 MiB  12 MiB/s  00:00:04 left`, with what fits."""
    pieces: list[Line] = []
    if state.total_bytes:
        fraction = state.done_bytes / state.total_bytes
        bar_width = _BAR_WIDTH if width >= 44 else _SHORT_BAR
        pieces.append((*bar(fraction, bar_width), Part(f"{int(min(1.0, fraction) * 100):4d}%", "strong")))
    done = text.size(state.done_bytes)
    total = f" of {text.size(state.total_bytes)}" if state.total_bytes is not None else ""
    optional = [Part(left(f"{done}{total}", 20), "text")]
    if state.rate_bytes_s > 0:
        optional.append(Part(right(text.rate(state.rate_bytes_s), 10), "muted"))
    eta = state.eta_s
    if state.done_bytes and state.done_bytes == state.total_bytes:
        optional.append(Part("finishing…", "muted"))  # the other side has it all, or it is being checked here
    elif eta is not None:
        optional.append(Part(f"{text.duration(math.ceil(eta))} left", "accent"))
    # With little room, the time left says more than the rate, and that more than the bytes.
    keep = list(optional)
    for part in (*optional[:1], *optional[1:2]):
        if _with_gaps(pieces, keep) <= width or not pieces:
            break
        keep.remove(part)
    if state.note and width - _with_gaps(pieces, keep) > 12:
        keep.append(Part(text.safe_str(state.note), "muted"))
    parts: list[Part] = [part for piece in pieces for part in piece]
    for part in keep:
        room = width - width_of(parts) - (2 if parts else 0)
        if room > 3:
            parts += [Part("  " if parts else ""), Part(cut(part.text, room), part.style)]
    return tuple(parts)


def _with_gaps(pieces: list[Line], optional: list[Part]) -> int:
    return sum(width_of(piece) for piece in pieces) + sum(cell_len(part.text) + 2 for part in optional)
