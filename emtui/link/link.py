"""Link: the way to one endpoint. Sends commands and polls one at a time, and knows how each command ended.

The EM refuses concurrent requests, so order is the client's job: a queue in front of each endpoint, the operator's
commands before polls, polls of one kind merged, and none while a command is at work. Every command ends as
complete, failed, cancelled or unknown; an unknown one is never repeated by itself but looked into (`reconcile`).
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from emtui.commands import Command, Endpoint
from emtui.errors import EmtuiError, LoggedFailure, fault
from emtui.journal.journal import Entry, Journal
from emtui.journal.writers import ENDED_BEFORE, ENDED_MEANWHILE
from emtui.link.courier import Courier, OutcomeUnknown, Report
from emtui.link.gauge import Gauge
from emtui.link.inquiry import Ending, Inquiry, Question, Reconcile
from emtui.link.ledger import Ledger
from emtui.link.patience import Patience
from emtui.views import CommandState, LinkHealth, Stage

T = TypeVar("T")

Perform = Callable[[Command, Courier], Awaitable[str]]
"""Carries a command out and gives the note of its result."""

_LOOK = "Look, then decide."


@dataclass(slots=True)
class _Job:
    command: Command
    id: int
    is_cancelled: bool = False
    task: asyncio.Task[str] | None = None


class Link:
    """One endpoint's queue.

    `ledger` tells how each command stands, `gauge` how the link is; `on_log` gets every line of a build's or load's
    log, on the event loop's thread.
    `can_sign_in`: somebody is there to sign in, so that a command which meets a 401 waits for that instead of failing.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        journal: Journal,
        perform: Perform,
        reconcile: Reconcile,
        *,
        who: str,
        profile: str,
        patience: Patience | None = None,
    ) -> None:
        self.endpoint: Endpoint = endpoint
        self.gauge = Gauge(endpoint)
        self.ledger = Ledger(journal)
        self.on_log: Callable[[int, str], None] = lambda _number, _line: None
        self.can_sign_in = False
        self._journal = journal
        self._perform = perform
        self._who, self._profile = who, profile
        self._patience = patience or Patience()
        self._jobs: deque[_Job] = deque()
        self._polls: dict[str, tuple[Callable[[], Awaitable[Any]], asyncio.Future[Any]]] = {}
        self._wake = asyncio.Event()
        self._is_held = False
        self._current: _Job | None = None
        self._worker: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.inquiry = Inquiry(
            reconcile,
            self._patience,
            self.poll,
            close=self._close,
            is_unknown=self.ledger.is_unknown,
            hindered=self._hindered,
        )

    @property
    def states(self) -> Mapping[int, CommandState]:
        """Every command's state, by its number."""
        return self.ledger.states

    @property
    def health(self) -> LinkHealth:
        """How the link is."""
        return self.gauge.health

    # -------------------------------------------------------------------------------------------- the operator

    def start(self) -> None:
        """Begin to work. Needs a running event loop."""
        self._worker = asyncio.create_task(self._work(), name=f"link-{self.endpoint}")

    async def submit(self, command: Command) -> int:
        """Put a command into the queue, once its intent is safe in the journal. Returns its number.

        Raises:
            LocalProblem: the journal cannot be written; the command is not sent.
        """
        asked_at = datetime.now(UTC)
        number = await asyncio.to_thread(self._journal.begin, command, self._who, self._profile, asked_at)
        stage = Stage.HELD if self._is_held else Stage.QUEUED
        self.ledger.add(
            CommandState(
                number, command.name, command.describe(), stage, asked_at, asked_at, self.endpoint, is_cancellable=True
            )
        )
        self._jobs.append(_Job(command, number))
        self._wake.set()
        self._report_health()
        return number

    async def finished(self, number: int) -> CommandState:
        """Wait until a command has ended, and tell how."""
        return await self.ledger.finished(number)

    def hold(self) -> None:
        """Let no further command leave until `release`. Polls go on."""
        self._is_held = True
        for job in self._jobs:
            self.ledger.change(job.id, stage=Stage.HELD)
        self._report_health()

    def release(self) -> None:
        """Let the held commands go."""
        self._is_held = False
        for job in self._jobs:
            self.ledger.change(job.id, stage=Stage.QUEUED)
        self._wake.set()
        self._report_health()

    def cancel(self, number: int) -> bool:
        """Stop a command: one that has not left never does; one at work is broken off. False if it has ended."""
        for job in self._jobs:
            if job.id == number:
                self._jobs.remove(job)
                self._background(self._end(number, Stage.CANCELLED, note="cancelled before it left"))
                return True
        current = self._current
        if current is None or current.id != number or self.states[number].stage.is_final:
            return False
        # Once is enough: a second one would break off the undoing.
        if not current.is_cancelled:
            current.is_cancelled = True
            if current.task is not None:
                current.task.cancel()
        return True

    def acknowledge(self, number: int) -> None:
        """The operator has seen how a command ended."""
        if self.ledger.acknowledge(number):
            self._background(asyncio.to_thread(self._journal.acknowledge, number))
            self._report_health()

    async def poll(self, key: str, call: Callable[[], Awaitable[T]]) -> T:
        """Ask something that changes nothing, after all commands. Polls of one `key` that wait are one.

        Raises:
            EmtuiError: as the backend has it, `Locked` included: the next poll is soon enough.
        """
        waiting = self._polls.get(key)
        if waiting is None:
            future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            waiting = (call, future)
            self._polls[key] = waiting
            self._wake.set()
        answer: T = await asyncio.shield(waiting[1])
        return answer

    async def aclose(self) -> None:
        """Stop working. A command at work is broken off and marked; what waits is marked as never sent."""
        self.inquiry.begin_to_close()
        for job in list(self._jobs):
            self.cancel(job.id)
        if self._current is not None:
            number = self._current.id
            self.cancel(number)
            await self.ledger.finished(number)
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.wait([self._worker])
        for _, future in self._polls.values():
            future.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks))

    # ------------------------------------------------------------------------------------ what was left behind

    def remember(self, state: CommandState) -> None:
        """Take over a command of an earlier start that has ended, so that it can be looked into."""
        self.ledger.add(state)

    def adopt(self, entry: Entry) -> None:
        """Take over a command that an emtui which was killed has left without an end.

        One that never left is cancelled; one that may have run is unknown, and looked into in the background.
        """
        self.ledger.add(_state_of(entry))
        if entry.stage in (Stage.QUEUED, Stage.HELD, Stage.RELEASED):
            self._background(self._end(entry.id, Stage.CANCELLED, note=ENDED_BEFORE))
        elif entry.command is None:
            self._background(self._end(entry.id, Stage.UNKNOWN, error=ENDED_MEANWHILE, remedy=_LOOK))
        else:
            self._background(
                self.inquiry.conclude(
                    Question(entry.id, entry.command, entry.sent_at or entry.asked_at, ENDED_MEANWHILE, Stage.FAILED),
                    in_turn=True,
                )
            )

    async def settle(self, entry: Entry) -> None:
        """Ask once more about an unknown command of an earlier start; what hinders it again changes nothing."""
        if entry.command is not None and entry.id not in self.states:
            self.ledger.add(_state_of(entry))
            sent_at = entry.sent_at or entry.asked_at
            await self.inquiry.settle(Question(entry.id, entry.command, sent_at, "", Stage.FAILED))

    async def look_into(self, number: int, command: Command) -> None:
        """Ask again whether an unknown command has been executed; where that still cannot be told, nothing changes."""
        state = self.states[number]
        await self.inquiry.again(Question(number, command, state.asked_at, state.error, Stage.FAILED))

    def keep_looking(self, number: int, command: Command) -> None:
        """Look into an unknown command, beside the queue and without an end, until the other side can be asked."""
        state = self.states[number]
        self.inquiry.look_beside(Question(number, command, state.asked_at, state.error, Stage.FAILED))

    def _hindered(self, number: int, error: EmtuiError) -> None:
        self.gauge.refused(error)
        self.ledger.change(number, note=f"looks whether it was done: {error.message}")

    async def _close(self, number: int, end: Ending) -> None:
        await self._end(
            number, end.stage, note=end.note, error=end.error, remedy=end.remedy, is_hindered=end.is_hindered
        )

    # ------------------------------------------------------------------------------------------------ the work

    async def _work(self) -> None:
        try:
            await self._work_on()
        finally:
            # Ended from outside, as by a loop that ends: the next emtui finds out how the command at work has ended.
            if self._current is not None:
                self.ledger.let_go(self._current.id)

    async def _work_on(self) -> None:
        while True:
            if self._jobs and not self._is_held:
                job = self._current = self._jobs.popleft()
                self._report_health()
                await self._carry_out(job)
                self._current = None
                self._report_health()
            elif self._polls:
                key = next(iter(self._polls))
                await self._answer(*self._polls.pop(key))
            else:
                self._wake.clear()
                await self._wake.wait()

    async def _answer(self, call: Callable[[], Awaitable[Any]], future: "asyncio.Future[Any]") -> None:
        began = time.monotonic()
        try:
            answer = await call()
        except asyncio.CancelledError:
            future.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - a poll that breaks must not take the queue along
            problem = error if isinstance(error, EmtuiError) else fault(error)
            if not future.done():
                future.set_exception(problem)
                future.exception()  # nobody may be left to hear it
            self.gauge.refused(problem)
        else:
            self.gauge.answered(time.monotonic() - began)
            if not future.done():
                future.set_result(answer)

    async def _carry_out(self, job: _Job) -> None:
        number, command = job.id, job.command
        self.ledger.change(number, stage=Stage.RELEASED)
        sent_at = datetime.now(UTC)
        is_sent = False

        async def mark_sent() -> None:
            nonlocal is_sent
            if not is_sent:
                is_sent = True
                await asyncio.to_thread(self._journal.advance, number, Stage.SENT, datetime.now(UTC))
                self.ledger.change(number, stage=Stage.SENT)

        courier = Courier(
            lambda report: self._apply(number, report),
            mark_sent,
            self._patience,
            self.gauge.answered,
            self.gauge.refused,
            self.gauge.got_through,
            self.gauge.until_signed_in if self.can_sign_in else None,
            log_line=lambda line: self.on_log(number, line),
        )
        # In a task of its own: only that can be cancelled, never the way to the command's end.
        job.task = asyncio.ensure_future(self._perform(command, courier))
        if job.is_cancelled:
            job.task.cancel()
        await asyncio.wait([job.task])
        # The last report of the progress may be a moment old.
        self.ledger.change(number, done_bytes=courier.done_bytes)
        if job.task.cancelled():
            if courier.has_sent_change:
                # What was broken off may have been done all the same, and then the operator must know.
                await self.inquiry.conclude(Question(number, command, sent_at, "it was cancelled", Stage.CANCELLED))
            else:
                await self._end(number, Stage.CANCELLED, note="cancelled, nothing was kept")
            return
        error = job.task.exception()
        if error is None:
            await self._end(number, Stage.COMPLETE, note=job.task.result(), sha256=courier.sha256)
        elif isinstance(error, OutcomeUnknown):
            await self.inquiry.conclude(Question(number, command, sent_at, str(error), Stage.FAILED))
        else:
            problem = error if isinstance(error, EmtuiError) else fault(error)
            tail = problem.log_tail if isinstance(problem, LoggedFailure) else tuple(courier.log_lines)
            await self._end(
                number,
                Stage.FAILED,
                error=problem.message,
                remedy=problem.remedy,
                log_tail=tail,
                failure=problem,
                sha256=courier.sha256,
            )

    async def _end(self, number: int, stage: Stage, **how: Any) -> None:
        await self.ledger.end(number, stage, **how)
        self._report_health()

    def _apply(self, number: int, report: Report) -> None:
        changed = {name: getattr(report, name) for name in report.__slots__ if getattr(report, name) is not None}
        self.ledger.change(number, **changed)

    def _report_health(self) -> None:
        self.gauge.count(len(self._jobs), self.ledger.unseen_unknown, is_held=self._is_held)

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _state_of(entry: Entry) -> CommandState:
    """How a command of an earlier start stands; its texts are the journal's."""
    return CommandState(
        entry.id, entry.name, entry.title, entry.stage, entry.asked_at, entry.changed_at, entry.endpoint
    )
