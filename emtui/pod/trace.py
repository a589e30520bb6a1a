"""One pod's way, followed through the statuses that the EM tells: which of them are its own, and how it has ended.

A status names no pod (EM API §9): it may still be that of the one before, and that of somebody else's run later. What
tells them apart are the states themselves and times of one clock, the EM's; the two machines' clocks are never
compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from emtui.errors import NotFound, OutcomeNotKnown
from emtui.text import duration, timestamp

if TYPE_CHECKING:
    from emtui.models import PodSpec, PodState, PodStatus, Running, Terminated, Waiting

GRACE_S = 180.0
"""For an image that is fetched, a pod that is stopped gracefully, and a status that lags: then nothing more comes."""

LAG_S = 10.0
"""So long a status may still be that of the pod before."""

STUCK_REASONS = frozenset(
    {
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImageNeverPull",
        "ErrImagePull",
        "Evicted",
        "ImageInspectError",
        "ImagePullBackOff",
        "InvalidImageName",
        "MissSchedule",
        "RunContainerError",
    }
)
"""Reasons to wait (Kubernetes', and local mode's) for what does not come right by itself on an air-gapped EM."""

_STUCK_POLLS = 3
_STUCK_S = 3.0
_GONE_POLLS = 3
# Times on the wire are cut to the second.
_CUT = timedelta(seconds=2)
# By how much this machine's clock may differ from the EM's, where a state has no times of its own.
_CLOCK_SLACK_S = 120.0

_LOOK = "Look what it has left: emtui pod status, emtui files list."
_NOT_TOLD = f"How this one ended cannot be told. {_LOOK}"


class Verdict(StrEnum):
    """What has become of a pod."""

    COMPLETED = "completed"
    FAILED = "failed"
    DEADLINE = "deadline"
    OUT_OF_MEMORY = "out of memory"
    NOT_STARTED = "not started"


class Rivals(StrEnum):
    """Other runs of this profile, sent at the same time as this one or later."""

    NONE = "none"
    UNDER_WAY = "under way"
    """One may be accepted, or be turned away."""
    ACCEPTED = "accepted"
    """One was, or nobody knows: it takes the place of the pod before."""


_REMEDIES = {
    Verdict.COMPLETED: "",
    Verdict.FAILED: "What a pod prints is not kept: let it write to /data, and downlink that.",
    Verdict.DEADLINE: "Give it more minutes, or less to do.",
    Verdict.OUT_OF_MEMORY: "Let it take less memory.",
    Verdict.NOT_STARTED: "Mend what the reason names, and run it again; emtui image list shows the images.",
}


@dataclass(frozen=True, slots=True)
class PodEnd:
    """How a pod has ended, or that it does not start.

    Attributes:
        verdict: what that is.
        status: the EM's last word.
    """

    verdict: Verdict
    status: PodStatus

    @property
    def exit_code(self) -> int | None:
        """The container's, None where it has not run."""
        ended = self.status.state.terminated
        return ended.exit_code if ended is not None else None

    @property
    def ran_s(self) -> float | None:
        """Seconds from its start to its end, None where the EM does not tell."""
        ended = self.status.state.terminated
        if ended is None or ended.started_at is None or ended.finished_at is None:
            return None
        return (ended.finished_at - ended.started_at).total_seconds()

    @property
    def remedy(self) -> str:
        """What to do about it; empty where there is nothing to do."""
        return _REMEDIES[self.verdict]

    def describe(self) -> str:
        """`Completed, exit code 0, ran 00:00:03`. It may hold foreign text."""
        ended, waits = self.status.state.terminated, self.status.state.waiting
        if ended is None:
            words = [part for part in (waits.reason, waits.message) if part] if waits is not None else []
            return ": ".join(["not started", *words])
        ran = f", ran {duration(self.ran_s)}" if self.ran_s is not None else ""
        told = f": {ended.message}" if ended.message and self.verdict is not Verdict.COMPLETED else ""
        return f"{ended.reason or 'ended'}, exit code {ended.exit_code}{ran}{told}"


def verdict_of(ended: Terminated) -> Verdict:
    """What an end is. A pod that was stopped at its `max_duration` counts as that, whatever its exit code."""
    if ended.reason == "DeadlineExceeded":
        return Verdict.DEADLINE
    if ended.reason == "OOMKilled":
        return Verdict.OUT_OF_MEMORY
    if ended.reason in ("StartError", "ContainerCannotRun"):
        return Verdict.NOT_STARTED
    return Verdict.COMPLETED if ended.exit_code == 0 else Verdict.FAILED


class PodTrace:
    """Follows one pod through the statuses that are told, in order. Times are monotonic seconds.

    Args:
        before: the status before the run was asked for; None where every status is this pod's.
        spec: what was asked for; None for a pod that is there already.
        now: when the run was accepted.
        due: when it is to start; `now` where it is not scheduled.
    """

    def __init__(self, before: PodStatus | None, spec: PodSpec | None, now: float, due: float) -> None:
        old = before.state if before is not None else None
        self._old_waiting = old.waiting if old is not None else None
        self._old_end = old.terminated if old is not None else None
        self._old_start: datetime | None = None
        if old is not None and old.running is not None:
            self._old_start = old.running.started_at
        elif self._old_end is not None:
            self._old_start = self._old_end.started_at
        self._was_active = old is not None and old.is_active
        self._scheduled = spec.scheduled_time if spec is not None else None
        self._lasts_s = spec.max_duration_s if spec is not None else None
        self._asked, self.due = now, due
        self._our_start: datetime | None = None
        self._has_changed = before is None
        self._stuck: tuple[int, float] = (0, 0.0)
        self._doubtful_since: float | None = None
        self._empty_polls = 0
        self.last: PodStatus | None = None
        """The last status that was this pod's."""
        self.deadline = due + self._lasts_s + GRACE_S if self._lasts_s is not None else None
        """From here on nothing more can come; None where it is not known how long it may run."""

    def note(self, status: PodStatus, now: float, rivals: Rivals = Rivals.NONE) -> PodEnd | None:
        """Take the next status. Returns the pod's end, None where it goes on.

        `rivals` are those that were there when the status was asked for, or came since.

        Raises:
            OutcomeNotKnown: another pod has taken its place, or the EM knows of none any more.
            NotFound: there is no pod at all.
        """
        state = status.state
        if rivals is not Rivals.NONE and not self._is_surely_ours(state):
            if rivals is Rivals.ACCEPTED:
                raise self._overtaken(state)
            return None
        if state.waiting is None:
            self._stuck = (0, 0.0)
        if state.terminated is not None:
            return self._ended(state.terminated, status, now)
        self._doubtful_since = None
        if state.running is not None:
            self._runs(state.running, status, now)
            return None
        if state.waiting is not None:
            return self._waits(state.waiting, status, now)
        self._is_gone()
        return None

    def _is_surely_ours(self, state: PodState) -> bool:
        """Whether a state is of the pod that was seen to start when there were no others."""
        shown = state.running or state.terminated
        return self._our_start is not None and shown is not None and shown.started_at == self._our_start

    def _overtaken(self, state: PodState) -> OutcomeNotKnown:
        """Another run was accepted, and a state is not surely this pod's."""
        if self._our_start is None:
            return OutcomeNotKnown(
                "another run was sent before this one was seen to start: which of the two this is cannot be told",
                remedy=_NOT_TOLD,
            )
        shown = state.running or state.terminated
        if shown is None or shown.started_at is None:
            return self._replaced_by("another run was sent since")
        return self._replaced_by(f"the other {timestamp(shown.started_at)}")

    def _replaced_by(self, what: str) -> OutcomeNotKnown:
        """It was seen to start, and `what` tells of another pod."""
        began = f"it started {timestamp(self._our_start)}, and " if self._our_start is not None else ""
        return _replaced(f"{began}{what}")

    def _is_gone(self) -> None:
        self._empty_polls += 1
        self._has_changed = True
        if self._empty_polls < _GONE_POLLS:
            return
        if self.last is not None:
            raise OutcomeNotKnown("the EM tells of no pod any more: it has been removed", remedy=_LOOK)
        if self._lasts_s is None:
            raise NotFound("there is no pod", remedy="emtui pod run starts one.")

    def _runs(self, running: Running, status: PodStatus, now: float) -> None:
        self._empty_polls = 0
        if self._is_old_run(running):
            return
        self._has_changed = True
        if self._is_too_early(running.started_at):
            raise _replaced(f"one runs since {timestamp(running.started_at)}, before this one's time")
        if self._our_start is None:
            self._our_start = running.started_at
            if self._lasts_s is not None:
                self.deadline = now + self._lasts_s + GRACE_S
        elif running.started_at != self._our_start:
            raise self._replaced_by(f"one runs since {timestamp(running.started_at)}")
        self.last = status

    def _waits(self, waiting: Waiting, status: PodStatus, now: float) -> PodEnd | None:
        self._empty_polls = 0
        is_stuck = waiting.reason in STUCK_REASONS
        if self._our_start is not None and not is_stuck:
            raise _replaced(f"it ran, and one waits now ({waiting.reason or 'no reason is told'})")
        if waiting == self._old_waiting:
            if not self._has_changed and now < max(self._asked, self.due) + LAG_S:
                return None
        else:
            self._has_changed = True
        self.last = status
        polls, since = self._stuck
        if not is_stuck:
            self._stuck = (0, 0.0)
            return None
        self._stuck = (polls + 1, since if polls else now)
        if self._stuck[0] >= _STUCK_POLLS and now - self._stuck[1] >= _STUCK_S:
            return PodEnd(Verdict.NOT_STARTED, status)
        return None

    def _ended(self, ended: Terminated, status: PodStatus, now: float) -> PodEnd | None:
        self._empty_polls = 0
        if self._is_old(ended) or self._is_before_its_time(ended, now):
            return None
        if self._our_start is not None and ended.started_at not in (None, self._our_start):
            raise self._replaced_by("what has ended did not")
        if self._our_start is None and self._was_active and self._is_doubtful(ended):
            # The pod that has been replaced may be told of like this for a while.
            if self._doubtful_since is None:
                self._doubtful_since = now
            if now - self._doubtful_since < LAG_S:
                return None
        self.last = status
        return PodEnd(verdict_of(ended), status)

    def _is_old_run(self, running: Running) -> bool:
        """Whether it is the pod before that runs: not once that had ended, or this one was told of."""
        if running.started_at != self._old_start:
            return False
        if self._our_start is not None:
            return self._our_start != self._old_start
        may_run = self._old_end is None and self.last is None
        return may_run or self._is_too_early(running.started_at)

    def _is_old(self, ended: Terminated) -> bool:
        """Whether it is the pod before that has ended.

        Times are cut to the second, so that two short pods may have the same: that this one was told of, waiting or
        running, tells them apart.
        """
        if self._our_start is not None:
            return ended.started_at not in (None, self._our_start) and ended.started_at == self._old_start
        if self.last is not None:
            return False
        if self._old_end is None:
            return ended.started_at is not None and ended.started_at == self._old_start
        # Without times each end looks the same; that none was told of at all tells them apart too.
        return _key(ended) == _key(self._old_end) and (ended.finished_at is not None or not self._has_changed)

    def _is_doubtful(self, ended: Terminated) -> bool:
        return not self._has_changed and (ended.started_at is None or self._old_waiting is not None)

    def _is_too_early(self, moment: datetime) -> bool:
        return self._scheduled is not None and moment < self._scheduled - _CUT

    def _is_before_its_time(self, ended: Terminated, now: float) -> bool:
        moment = ended.started_at or ended.finished_at
        if moment is not None:
            return self._is_too_early(moment)
        return self._scheduled is not None and now < self.due - _CLOCK_SLACK_S


def _key(ended: Terminated) -> tuple[object, ...]:
    return (ended.started_at, ended.finished_at, ended.exit_code, ended.reason)


def _replaced(how: str) -> OutcomeNotKnown:
    return OutcomeNotKnown(f"another pod has taken this one's place: {how}", remedy=_NOT_TOLD)
