"""`emtui pod status`: how the pod is, once or at each change."""

import asyncio
import select
import time
from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn

from emtui.cli.output import Output
from emtui.cli.running import Call
from emtui.errors import Locked, RemoteFailed, Unreachable
from emtui.text import safe_str, timestamp

if TYPE_CHECKING:
    from emtui.models import PodStatus

_TICK_S = 1.0
_HEADER = ("STATE", "REASON", "EXIT", "STARTED", "ENDED", "MESSAGE")

STATUS_DESCRIPTION = """\
State (waiting, running, terminated, or none before any run), reason, exit code, start, end and message, times in UTC.
With --watch a line at each change, with the time in front, through all pods that follow, until Ctrl+C (130, as for
every verb) or until the reader of the pipe goes away (0)."""


def configure_status(parser: ArgumentParser) -> None:
    parser.add_argument("--watch", action="store_true", help="go on, with a line at each change, until Ctrl+C")


async def status(call: Call) -> None:
    if call.options.watch:
        await _watch(call)
    told = await call.ask("em", call.session.backends.em.pod_status)
    if call.out.is_json:
        call.out.document(told.to_wire())
    elif call.out.is_terminal and _row(told)[0] == "none":
        call.out.line("There is no pod: emtui pod run starts one.")
    else:
        call.out.table(_HEADER, [_row(told)], right=(2,))


async def _watch(call: Call) -> NoReturn:
    """Tell each change. Ends by Ctrl+C, an EM that cannot be asked, or a reader that has gone away."""
    from emtui.pod.wait import LOCAL_POLL_S, REMOTE_POLL_S

    out, session = call.out, call.session
    poll_s = LOCAL_POLL_S if session.backends.have_one_clock else REMOTE_POLL_S
    give_up_s = session.patience.give_up_s
    told: PodStatus | None = None
    lost_at: float | None = None
    while True:
        asked_at = time.monotonic()
        wait_s = poll_s
        try:
            status = await call.ask("em", session.backends.em.pod_status)
        except Locked:
            pass  # the next poll is soon enough
        except (Unreachable, RemoteFailed):
            lost_at = asked_at if lost_at is None else lost_at
            if give_up_s is not None:
                wait_s = min(poll_s, lost_at + give_up_s - time.monotonic())
                if wait_s <= 0:
                    raise
        else:
            lost_at = None
            if status != told:
                told = status
                _tell_change(out, status)
        until = time.monotonic() + wait_s
        while (left := until - time.monotonic()) > 0:
            if _is_unread(out):
                raise BrokenPipeError
            await asyncio.sleep(min(left, _TICK_S))


def _tell_change(out: Output, status: "PodStatus") -> None:
    if out.is_json:
        out.record(status.to_wire())
        return
    now = timestamp(datetime.now(UTC))
    row = [safe_str(cell) for cell in _row(status)]
    if out.is_terminal:
        out.line("  ".join([now, *filter(None, (row[0], row[1], row[2] and f"exit code {row[2]}", row[5]))]))
    else:
        out.line("\t".join([now, *row]))
    out.stdout.flush()


def _is_unread(out: Output) -> bool:
    """Whether stdout is a pipe whose reader has gone: nothing may be written for long, and it would never be seen."""
    try:
        poller = select.poll()
        poller.register(out.stdout.fileno(), 0)
    except (AttributeError, OSError, ValueError):  # no poll on this system, or no descriptor
        return False
    return any(events & select.POLLERR for _, events in poller.poll(0))


def _row(status: "PodStatus") -> tuple[str, ...]:
    """State, reason, exit code, start, end, message; empty where the EM does not say."""
    state = status.state
    if state.waiting is not None:
        return ("waiting", state.waiting.reason, "", "", "", state.waiting.message)
    if state.running is not None:
        return ("running", "", "", timestamp(state.running.started_at), "", state.running.message)
    if state.terminated is None:
        return ("none", "", "", "", "", "")
    ended = state.terminated
    times = (timestamp(moment) if moment is not None else "" for moment in (ended.started_at, ended.finished_at))
    return ("terminated", ended.reason, str(ended.exit_code), *times, ended.message)
