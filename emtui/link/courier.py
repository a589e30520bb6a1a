"""What a command at work holds in its hand: it sends requests, reports progress and log lines, and is patient.

The Link makes one for each command that it releases. `perform` uses it and knows nothing of queues or journals.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from emtui.errors import ContractViolation, EmtuiError, Locked, NotSignedIn, RemoteFailed, Unreachable
from emtui.link.patience import Patience, ordinal
from emtui.text import age
from emtui.views import Stage

T = TypeVar("T")

LOG_TAIL_LINES = 100
"""As many log lines as the EM itself gives (EM API §5)."""

# Ten reports a second look smooth; more would only cost.
_REPORT_EVERY_S = 0.1
# Weight of the newest measurement in the smoothed rate.
_RATE_WEIGHT = 0.2
_READ_TRIES = 3
# A refusal comes at once; a transfer that has gone on for so long has been let in.
_THROUGH_AFTER_S = 1.0


class OutcomeUnknown(Exception):
    """The request may have been executed, but no answer came, or none that can be read."""

    def __init__(self, cause: EmtuiError) -> None:
        super().__init__(cause.message)
        self.cause = cause


@dataclass(slots=True)
class Report:
    """What has changed about a command; None is "as before"."""

    stage: Stage | None = None
    note: str | None = None
    done_bytes: int | None = None
    total_bytes: int | None = None
    rate_bytes_s: float | None = None


@dataclass
class Courier:
    """One command's way to the backend.

    Attributes:
        report: takes each change; on the event loop's thread.
        mark_sent: writes to the journal that a request is about to leave; awaited before it does.
        patience: how long to wait where the other side is busy or away.
        answered: takes the seconds of each answer.
        refused: takes each error by which a request was turned away or lost, before the next try.
        got_through: called once a transfer is under way that is not turned away.
        signed_in: waits until somebody has signed in; None where nobody can, and a 401 ends the command.
        log_line: takes every line of the remote's log.
        sha256: of each file that has been fetched, by its path there, as `note_sha256` took it.
    """

    report: Callable[[Report], None]
    mark_sent: Callable[[], Awaitable[None]]
    patience: Patience = field(default_factory=Patience)
    answered: Callable[[float], None] = lambda _seconds: None
    refused: Callable[[EmtuiError], None] = lambda _error: None
    got_through: Callable[[], None] = lambda: None
    signed_in: Callable[[], Awaitable[None]] | None = None
    log_line: Callable[[str], None] = lambda _line: None
    busy_name: str = "CG2"
    log_lines: deque[str] = field(default_factory=lambda: deque(maxlen=LOG_TAIL_LINES))
    has_sent_change: bool = False
    sha256: dict[str, str] = field(default_factory=dict)
    _done: int = 0
    _total: int | None = None
    _rate: float = 0.0
    _reported_at: float = 0.0
    _reported_bytes: int = 0
    _began: float = 0.0
    _is_through: bool = False

    async def request(self, call: Callable[[], Awaitable[T]], *, changes: bool) -> T:
        """Send one request and give its answer; wait out 423 and an absent other side, visibly, as long as the
        patience lasts.

        `call` is called afresh for each try. `changes` tells whether the request changes anything over there: one
        that may have been executed is then never repeated.

        Raises:
            OutcomeUnknown: a changing request may have been executed.
            EmtuiError: as the backend has it.
        """
        tries = 0
        reads_lost = 0
        turned_away_at: float | None = None
        while True:
            tries += 1
            await self.mark_sent()
            if tries > 1:
                self.report(Report(stage=Stage.SENT, note=""))
            began = self._began = time.monotonic()
            self._is_through = False
            done_before = self._done
            before = self.has_sent_change
            self.has_sent_change = before or changes
            try:
                answer = await call()
            except ContractViolation as error:
                self.refused(error)
                if changes:
                    # It was answered, so it was at work there; what the answer says nobody knows.
                    raise OutcomeUnknown(error) from error
                raise
            except (Locked, Unreachable, RemoteFailed, NotSignedIn) as error:
                self.refused(error)
                if isinstance(error, Unreachable) and error.may_have_run and changes:
                    raise OutcomeUnknown(error) from error
                if isinstance(error, RemoteFailed) and changes:
                    raise
                self.has_sent_change = before
                # A read that was answered with a failure, or not at all, is worth another try, but not for ever.
                reads_lost += isinstance(error, RemoteFailed) or (isinstance(error, Unreachable) and error.may_have_run)
                if reads_lost >= _READ_TRIES:
                    raise
                self._done = done_before
                turned_away_at = began if turned_away_at is None else turned_away_at
                await self._wait(tries, error, turned_away_at)
            else:
                self.answered(time.monotonic() - began)
                return answer

    async def _wait(self, tries: int, error: EmtuiError, since: float) -> None:
        if isinstance(error, NotSignedIn):
            if self.signed_in is None:
                raise error
            self.report(Report(stage=Stage.RELEASED, note="waits until somebody signs in", done_bytes=self._done))
            await self.signed_in()
            return
        asked_s = error.retry_after_s if isinstance(error, Locked | Unreachable) else None
        reason = f"{self.busy_name} busy" if isinstance(error, Locked) else error.message
        until = time.monotonic() + self.patience.wait_s(tries, asked_s)
        if self.patience.give_up_s is not None:
            end = since + self.patience.give_up_s
            if time.monotonic() >= end:
                error.remedy = (
                    f"Gave up after {age(time.monotonic() - since)}. Allow more by --timeout, or try again later."
                )
                raise error
            until = min(until, end)
        while (left := until - time.monotonic()) > 0:
            waited = age(time.monotonic() - since)
            note = f"{reason} for {waited}, {ordinal(tries + 1)} try in {left:.0f} s"
            self.report(Report(stage=Stage.RELEASED, note=note, done_bytes=self._done))
            await asyncio.sleep(min(1.0, left))

    def expect(self, total_bytes: int | None) -> None:
        """How many bytes there will be in all."""
        self._total = total_bytes
        self._reported_at = time.monotonic()
        self.report(Report(done_bytes=0, total_bytes=total_bytes))

    def moved(self, count: int) -> None:
        """`count` more bytes have gone by. Reported ten times a second at most."""
        self._done += count
        now = time.monotonic()
        if not self._is_through and now - self._began > _THROUGH_AFTER_S:
            self._is_through = True
            self.got_through()
        elapsed = now - self._reported_at
        if elapsed < _REPORT_EVERY_S and self._done != self._total:
            return
        moment_rate = max(0, self._done - self._reported_bytes) / max(elapsed, 1e-3)
        self._rate = moment_rate if self._rate == 0.0 else self._rate + _RATE_WEIGHT * (moment_rate - self._rate)
        self._reported_at, self._reported_bytes = now, self._done
        self.report(Report(stage=Stage.EXECUTING, done_bytes=self._done, rate_bytes_s=self._rate))

    @property
    def done_bytes(self) -> int:
        """How many bytes have gone by in all."""
        return self._done

    def note_sha256(self, path: str, sha256: str) -> None:
        """A file has come whole, and is that; for the journal."""
        self.sha256[path] = sha256

    def log(self, line: str) -> None:
        """A line of the remote's log, as it comes."""
        self.log_lines.append(line)
        self.log_line(line)
        now = time.monotonic()
        if line.strip() and now - self._reported_at >= _REPORT_EVERY_S:
            self._reported_at = now
            self.report(Report(stage=Stage.EXECUTING, note=line.strip()))
