"""What the panes show: models on their way down to the screen. Nothing here does anything.

`Feed` wraps what a pane shows with how fresh it is; `CommandState` is a line of Activity; `LinkHealth` a chip of the
header. Widgets get these, compare them (`is`, `==`) and draw what differs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from emtui.errors import EmtuiError
from emtui.plain import Vitals

if TYPE_CHECKING:
    from emtui.models import EncryptedModel, HostedModel, PodSpec, PodStatus


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Feed(Generic[T]):
    """A value that is asked for again and again.

    No value and no error: loading. No value and an error: failed. A value and an error: stale, the value is the last
    good one. `at` is when the value came (UTC). `retry_at` is the monotonic time of the next try after an error.
    `is_held`: the operator has stopped the polling. `is_absent`: there is nothing to ask, `error` and `remedy` say why.
    """

    value: T | None = None
    at: datetime | None = None
    error: str = ""
    remedy: str = ""
    retry_at: float | None = None
    is_held: bool = False
    is_absent: bool = False


@dataclass(frozen=True, slots=True)
class PastPod:
    """A pod that has ended, for the pod pane's last line."""

    image: str
    reason: str
    finished_at: datetime
    is_good: bool


@dataclass(frozen=True, slots=True)
class PodView:
    """The pod: what the EM tells, and what was asked for, as far as this console knows it.

    `spec` is None where the pod was started by somebody else. `asked_at` is when it was asked for.
    """

    status: PodStatus
    spec: PodSpec | None = None
    asked_at: datetime | None = None
    past: tuple[PastPod, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """What a Grid Node knows of a tag, and of an encrypted model with that id (None: there is none)."""

    query: str
    has_tag: bool
    encrypted: EncryptedModel | None = None


@dataclass(frozen=True, slots=True)
class GridView:
    """What a Grid Node hosts."""

    models: tuple[HostedModel, ...] = ()
    tags: tuple[str, ...] = ()


class Stage(StrEnum):
    """How far a command has come. The last four are final."""

    QUEUED = "queued"
    HELD = "held"
    RELEASED = "released"
    SENT = "sent"
    ACCEPTED = "accepted"
    EXECUTING = "executing"
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"

    @property
    def is_final(self) -> bool:
        return self in (Stage.COMPLETE, Stage.FAILED, Stage.CANCELLED, Stage.UNKNOWN)


@dataclass(frozen=True, slots=True)
class CommandState:
    """One command as the operator sees it: a line of Activity.

    Attributes:
        id: the journal's number of it.
        name: the command's name in the registry (`uplink`, `run`, …).
        title: one line that says what it does (`uplink 3 files → echo-test`); may hold foreign text.
        stage: how far it is.
        asked_at, changed_at: UTC.
        endpoint: `em` or `grid`.
        done_bytes, total_bytes: progress of a transfer, total None where it is not known.
        rate_bytes_s: bytes a second, smoothed; 0.0 before there is one.
        note: the talk of the moment (`CG2 busy, 3rd try in 4 s`) or the result (`1.2 MiB, sha256 OK`).
        error: why it failed or is unknown.
        remedy: what to do about it.
        log_tail: the last lines of a failed build or load.
        is_cancellable: whether `esc` can still stop it.
        acknowledged: whether the operator has seen the failure.
        failure: the error that it failed with, None where it did not, or where only the journal knows.
    """

    id: int
    name: str
    title: str
    stage: Stage
    asked_at: datetime
    changed_at: datetime
    endpoint: Literal["em", "grid"] = "em"
    done_bytes: int = 0
    total_bytes: int | None = None
    rate_bytes_s: float = 0.0
    note: str = ""
    error: str = ""
    remedy: str = ""
    log_tail: tuple[str, ...] = ()
    is_cancellable: bool = False
    acknowledged: bool = False
    failure: EmtuiError | None = field(default=None, compare=False)

    @property
    def eta_s(self) -> float | None:
        """Seconds left at the present rate, None where it cannot be told."""
        if self.total_bytes is None or self.rate_bytes_s <= 0 or self.stage.is_final:
            return None
        return max(0.0, (self.total_bytes - self.done_bytes) / self.rate_bytes_s)


@dataclass(frozen=True, slots=True)
class LinkHealth:
    """How a link is: for the header's chips.

    Attributes:
        round_trip_s: of the last answer.
        last_answer_at: UTC, None before the first one.
        is_connected: the last request was answered, be it by a refusal.
        error: why the last try failed, empty when it did not; an answer that cannot be read is one too.
        busy_since: the monotonic time since when every request was turned away with 423, None where it is not.
        vitals: what a remote end tells of itself: token, clock, whether somebody must sign in.
        is_absent: the profile has no such end.
    """

    endpoint: Literal["em", "grid"]
    is_connected: bool = False
    round_trip_s: float | None = None
    last_answer_at: datetime | None = None
    error: str = ""
    queued: int = 0
    held: int = 0
    unknown: int = 0
    is_held: bool = False
    busy_since: float | None = None
    vitals: Vitals = field(default_factory=Vitals)
    is_absent: bool = False
