"""Waiting for a pod's end: asking again and again, and no longer than something can still come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from emtui.errors import ContractViolation, EmtuiError, Locked, OutcomeNotKnown, RemoteFailed, Unreachable
from emtui.link.patience import Patience
from emtui.pod.trace import PodEnd, PodTrace, Rivals, Verdict
from emtui.text import timestamp

if TYPE_CHECKING:
    from emtui.models import PodSpec, PodStatus

__all__ = ["LOCAL_POLL_S", "REMOTE_POLL_S", "PodEnd", "Rivals", "Verdict", "wait_for_pod"]

LOCAL_POLL_S = 0.5
REMOTE_POLL_S = 5.0
"""A remote EM does one request at a time for everybody."""

_FIRST_POLL_S = 0.2
_POLL_GROWTH = 1.5
# Long before its time a scheduled pod is looked at now and then only.
_FAR_S = 60.0
_FAR_POLL_S = 15.0

_GOES_ON = "The pod goes on: emtui pod status tells how it is."


async def wait_for_pod(
    look: Callable[[], Awaitable[PodStatus]],
    *,
    spec: PodSpec | None = None,
    before: PodStatus | None = None,
    ahead_s: float = 0.0,
    give_up_s: float | None = None,
    poll_s: float = REMOTE_POLL_S,
    on_status: Callable[[PodStatus], None] = lambda _status: None,
    rivals: Callable[[], Awaitable[Rivals]] | None = None,
) -> PodEnd:
    """Ask for the pod's status until the pod has ended, or is known not to start.

    Args:
        look: asks once.
        spec: what was asked for; with it the waiting has an end: the scheduled time, `max_duration` and a grace.
            None for a pod that is there already: then it is waited for as long as it takes.
        before: the status from before the run, so that the pod of before is not taken for this one; None where the
            EM's answers are of this pod in any case (local mode).
        ahead_s: by how many seconds the EM's clock is ahead of this machine's, as far as it is known.
        give_up_s: how long an EM that does not answer is waited for; None is without an end. 423 is always waited out.
        poll_s: the longest pause between two questions; the first ones come quicker.
        on_status: takes each status that may be this pod's or the one's before; none that may be a rival's.
        rivals: tells of other runs that may take this pod's place; asked after each status. None where there are none.

    Raises:
        OutcomeNotKnown: another pod has taken its place, or nothing came until nothing more could.
        Unreachable, RemoteFailed, ContractViolation: no answer for `give_up_s`, or none that can be read.
        NotFound: there is no pod.
        NotSignedIn: no token, or one that is not accepted.
    """
    began = time.monotonic()
    scheduled = spec.scheduled_time if spec is not None else None
    due = began
    if scheduled is not None:
        due = max(began, began + (scheduled - datetime.now(UTC)).total_seconds() - ahead_s)
    trace = PodTrace(before, spec, began, due)
    patience = Patience()
    pause, lost_at, tries = _FIRST_POLL_S, None, 0
    seen: PodStatus | None = None
    while True:
        wait_s = min(pause, poll_s)
        asked_at = time.monotonic()
        try:
            async with asyncio.timeout_at(trace.deadline):
                status = await look()
        except Locked:
            pass  # somebody else's request is at work; the next poll is soon enough
        except TimeoutError:
            raise _nothing_came(trace) from None
        except (Unreachable, RemoteFailed, ContractViolation) as error:
            tries += 1
            lost_at = asked_at if lost_at is None else lost_at
            is_over = trace.deadline is not None and time.monotonic() >= trace.deadline
            if is_over or (give_up_s is not None and time.monotonic() - lost_at >= give_up_s):
                raise _with_remedy(error) from None
            wait_s = patience.wait_s(tries, error.retry_after_s if isinstance(error, Unreachable) else None)
            if give_up_s is not None:
                wait_s = min(wait_s, max(0.0, lost_at + give_up_s - time.monotonic()))
        else:
            lost_at, tries = None, 0
            # Asked behind the status: what has changed it was written down before.
            among = await rivals() if rivals is not None else Rivals.NONE
            end = trace.note(status, time.monotonic(), among)
            if among is Rivals.NONE or trace.last is status:
                on_status(status)
            if end is not None:
                return end
            pause = pause * _POLL_GROWTH if status == seen else _FIRST_POLL_S * _POLL_GROWTH
            seen = status
        if trace.deadline is not None and time.monotonic() >= trace.deadline:
            raise _nothing_came(trace)
        if trace.due - time.monotonic() > _FAR_S:
            wait_s = max(wait_s, _FAR_POLL_S)
        await asyncio.sleep(wait_s)


def _nothing_came(trace: PodTrace) -> OutcomeNotKnown:
    state = trace.last.state if trace.last is not None else None
    if state is None:
        what = "the EM has not told of this pod"
    elif state.running is not None:
        what = f"the last that was told of the pod is that it runs since {timestamp(state.running.started_at)}"
    else:
        reason = f" ({state.waiting.reason})" if state.waiting is not None and state.waiting.reason else ""
        what = f"the last that was told of the pod is that it waits{reason}"
    return OutcomeNotKnown(f"{what}, and its time and a grace are over", remedy=_GOES_ON)


def _with_remedy(error: EmtuiError) -> EmtuiError:
    error.remedy = _GOES_ON
    return error
