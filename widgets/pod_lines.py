"""What the pod pane says, as lines. Pure: a view, the time and a width in, lines out."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from rich.cells import cell_len

from emtui import text
from emtui.views import PastPod, PodView
from widgets.cells import Line, bar, cut, fitted, left, width_of, wrap
from widgets.palette import Part
from widgets.status import Status

if TYPE_CHECKING:
    from emtui.models import PodSpec, PodState, Terminated

_LABEL = 9
_MOST_MESSAGE_LINES = 12
_LEAST_BAR = 8
_MOST_BAR = 40
# A label and a time, and a gap: the times stand in columns.
_COLUMN = 20

# What Kubernetes calls a start that is under way; every other reason to wait is trouble.
_STARTING = frozenset({"", "ContainerCreating", "PodInitializing", "Pending", "Scheduled"})


def pod_state(view: PodView, now: datetime) -> tuple[str, Status]:
    """The state in a word or three, with its status: `RUNNING`, `WAITING: ImagePullBackOff`, `FAILED exit 2`."""
    state = view.status.state
    if state.running is not None:
        return "RUNNING", Status.NORMAL
    if state.waiting is not None:
        reason = text.safe_str(state.waiting.reason, 64)
        starts_at = view.spec.scheduled_time if view.spec is not None else None
        if starts_at is not None and starts_at > now and state.waiting.reason in _STARTING:
            return "SCHEDULED", Status.STANDBY
        status = Status.STANDBY if state.waiting.reason in _STARTING else Status.SERIOUS
        return (f"WAITING: {reason}" if reason else "WAITING"), status
    if state.terminated is not None:
        return _ended(state.terminated)
    return "", Status.OFF


def _ended(ended: Terminated) -> tuple[str, Status]:
    reason = text.safe_str(ended.reason, 64)
    if ended.exit_code == 0 and reason in ("", "Completed"):
        return "COMPLETED", Status.NORMAL
    if reason == "DeadlineExceeded":
        return f"STOPPED: {reason}", Status.SERIOUS
    words = f"FAILED exit {ended.exit_code}"
    return (f"{words}: {reason}" if reason not in ("", "Error") else words), Status.CRITICAL


def started_at(state: PodState) -> datetime | None:
    if state.running is not None:
        return state.running.started_at
    return state.terminated.started_at if state.terminated is not None else None


def pod_lines(view: PodView, polled_at: datetime | None, now: datetime, width: int) -> tuple[Line, ...]:
    """All lines of the pane, each at most `width` wide. Nothing where there is no pod."""
    state, spec = view.status.state, view.spec
    words, status = pod_state(view, now)
    if not words:
        return tuple(fitted(line, width) for line in _past_lines(view.past, now, width)) if view.past else ()
    lines: list[Line] = [_title(view, width)]
    progress = _progress(view, now, width)
    if progress:
        lines.append(progress)
    lines.extend(_times(view, polled_at, now, width))
    if spec is not None and spec.command:
        lines.append(_labelled("command", cut(text.safe_str(spec.command), width - _LABEL), "text"))
    active = state.waiting or state.running or state.terminated
    message = text.safe_str(active.message) if active is not None else ""
    if message:
        lines.append(())
        style = "caution" if status in (Status.NORMAL, Status.STANDBY) else "text"
        lines.extend((Part(line, style),) for line in wrap(message, width, _MOST_MESSAGE_LINES))
    if view.past:
        lines.append(())
        lines.extend(_past_lines(view.past, now, width))
    return tuple(fitted(line, width) for line in lines)


def _title(view: PodView, width: int) -> Line:
    """Image and node. The state stands in the pane's top edge."""
    if view.spec is None:
        return (Part(cut("started by somebody else: its image is not known here", width), "muted"),)
    node = cut(text.safe_str(view.spec.node, 32), max(4, width // 4))
    image = cut(text.safe_str(view.spec.docker_image, 512), max(8, width - cell_len(node) - 3))
    return (Part(image, "strong"), Part(f"   {node}", "accent"))


def _progress(view: PodView, now: datetime, width: int) -> Line:
    """The bar of a running pod, the countdown of one that is to come."""
    state, spec = view.status.state, view.spec
    if state.waiting is not None and spec is not None and spec.scheduled_time is not None:
        seconds = (spec.scheduled_time - now).total_seconds()
        at = text.timestamp(spec.scheduled_time)
        return (Part(text.countdown(seconds), "standby"), Part(cut(f"  starts {at}", width - 14), "muted"))
    begun = started_at(state)
    if begun is None:
        return ()
    if state.terminated is not None:
        return _took(begun, state.terminated.finished_at, spec, width)
    elapsed = (now - begun).total_seconds()
    clock = text.countdown(-elapsed)
    if spec is None:
        return (Part(clock, "accent"),)
    words = f"  {clock} of {text.duration(spec.max_duration_s)}"
    bar_width = min(_MOST_BAR, width - len(words))
    if bar_width < _LEAST_BAR:
        return (Part(cut(words.strip(), width), "accent"),)
    return (
        *bar(elapsed / spec.max_duration_s, bar_width),
        Part(f"  {clock}", "accent"),
        Part(words[len(clock) + 2 :], "muted"),
    )


def _took(begun: datetime, end: datetime | None, spec: PodSpec | None, width: int) -> Line:
    if end is None:
        return ()
    took = f"ran {text.duration((end - begun).total_seconds())}"
    of = f" of {text.duration(spec.max_duration_s)}" if spec is not None else ""
    return (Part(cut(took + of, width), "muted"),)


def _times(view: PodView, polled_at: datetime | None, now: datetime, width: int) -> list[Line]:
    state = view.status.state
    pairs: list[tuple[str, datetime]] = []
    if view.asked_at is not None and state.waiting is not None:
        pairs.append(("asked", view.asked_at))
    begun = started_at(state)
    if begun is not None:
        pairs.append(("started", begun))
    if state.terminated is not None and state.terminated.finished_at is not None:
        pairs.append(("ended", state.terminated.finished_at))
    if polled_at is not None:
        pairs.append(("polled", polled_at))
    lines: list[Line] = []
    row: list[Part] = []
    for label, moment in pairs:
        cell = (Part(f"{label} ", "muted"), Part(_moment(moment, now)))
        used = width_of(row)
        start = -(-(used + 2) // _COLUMN) * _COLUMN if row else 0
        if row and start + width_of(cell) > width:
            lines.append(tuple(row))
            row, used, start = [], 0, 0
        row += [Part(" " * (start - used)), *cell]
    if row:
        lines.append(tuple(row))
    return lines


def _moment(moment: datetime, now: datetime) -> str:
    """The time, with the date in front where it is not today."""
    utc = moment.astimezone(now.tzinfo)
    return text.clock(moment) if utc.date() == now.date() else f"{moment:%m-%d} {text.clock(moment)}"


def _labelled(label: str, value: str, style: str) -> Line:
    return (Part(left(label, _LABEL - 1) + " ", "muted"), Part(value, style))


def _past_lines(past: tuple[PastPod, ...], now: datetime, width: int) -> tuple[Line, ...]:
    """`before:  ● Completed 12:10Z  ◆ ImagePullBackOff 12:05Z`, as many as fit on one line."""
    parts = [Part("before  ", "muted")]
    used = 8
    for pod in past:
        status = Status.NORMAL if pod.is_good else Status.SERIOUS
        reason = text.safe_str(pod.reason, 40)
        moment = pod.finished_at.astimezone(now.tzinfo)
        at = moment.strftime("%H:%MZ") if moment.date() == now.date() else moment.strftime("%m-%d")
        size = cell_len(reason) + len(at) + 5
        if used + size - 2 > width and len(parts) > 1:
            break
        gap = "  " if len(parts) > 1 else ""
        parts += [Part(f"{gap}{status.sign} ", status), Part(f"{reason} "), Part(at, "muted")]
        used += size
    return (tuple(parts),)
