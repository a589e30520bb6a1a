"""How a command ended whose answer never came: asked with patience, and put into words."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from emtui.commands import Command
from emtui.errors import EmtuiError, Locked, NotSignedIn, Unreachable, fault
from emtui.journal.writers import LOOKED_INTO
from emtui.link.patience import Patience
from emtui.views import Stage

Verdict = Literal["done", "not done", "cannot tell"]
Answer = tuple[Verdict, str]
Reconcile = Callable[[Command, datetime], Awaitable[Answer]]
"""Finds out whether a command that was sent at a time has been executed, and says how it knows."""

LOOK_S = 15.0
"""How long the queue waits for a look; after that it is looked into beside the queue."""

LOOK_AGAIN_S = 5.0
"""Between two looks beside the queue, at least."""

CANCELLED_LOOK_S = 5.0
"""As long where somebody has cancelled the command: who does so wants to go on, or to leave."""

CLOSING_LOOK_S = 2.0
"""Nobody who leaves waits long for a look; the next start looks again."""

_REMEDY = "Look, then decide."


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look has found. `is_hindered`: only a busy or absent other side, or a missing sign-in, is in its way."""

    verdict: Verdict
    how: str
    is_hindered: bool = False


@dataclass(frozen=True, slots=True)
class Ending:
    """How a command ends; the texts as `CommandState` has them, `is_hindered` as `Finding`."""

    stage: Stage
    note: str = ""
    error: str = ""
    remedy: str = ""
    is_hindered: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a command.

    Attributes:
        number: the journal's number of it.
        sent_at: when it left, or was asked for.
        why: why nobody knows how it ended.
        if_not_done: how it ends if it was not done.
    """

    number: int
    command: Command
    sent_at: datetime
    why: str
    if_not_done: Stage


def ending(finding: Finding, why: str, if_not_done: Stage) -> Ending:
    """How a command ends of which that was found; `why` and `if_not_done` as `Question` has them."""
    # A connection that is lost says the same of the request and of the look.
    because = f" ({why})" if why and why != finding.how else ""
    if finding.verdict == "done":
        return Ending(Stage.COMPLETE, note=f"done: {finding.how}{because}")
    if finding.verdict == "cannot tell":
        remedy = LOOKED_INTO if finding.is_hindered else _REMEDY
        error = f"not known whether it was done: {finding.how}{because}"
        return Ending(Stage.UNKNOWN, error=error, remedy=remedy, is_hindered=finding.is_hindered)
    if if_not_done is Stage.CANCELLED:
        return Ending(Stage.CANCELLED, note=f"cancelled: {finding.how}")
    return Ending(if_not_done, error=f"not done: {finding.how}{because}", remedy="Do it again.")


class Inquiry:
    """Finds out how the commands of one link ended.

    `look_s` is how long the queue waits for a look, no longer than anything else is waited for; `again_s` is the least
    time between two looks beside the queue.
    """

    def __init__(
        self,
        reconcile: Reconcile,
        patience: Patience,
        poll: Callable[[str, Callable[[], Awaitable[Answer]]], Awaitable[Answer]],
        *,
        close: Callable[[int, Ending], Awaitable[None]],
        is_unknown: Callable[[int], bool],
        hindered: Callable[[int, EmtuiError], None],
    ) -> None:
        """`poll` asks through the queue; `close` ends a command; `hindered` hears what is in the way meanwhile."""
        self.look_s, self.again_s = LOOK_S, LOOK_AGAIN_S
        if patience.give_up_s is not None:
            self.look_s = min(self.look_s, patience.give_up_s)
        self._reconcile = reconcile
        self._patience = patience
        self._poll = poll
        self._close = close
        self._is_unknown = is_unknown
        self._hindered = hindered
        self._beside: set[asyncio.Task[None]] = set()
        self._is_closing = False

    async def conclude(self, question: Question, *, in_turn: bool = False) -> None:
        """Find out how a command ended, and end it so. What hinders it is waited out for a while, and then beside.

        `in_turn` asks through the queue; the worker itself, which is the queue, asks directly.
        """
        if in_turn:
            finding = await self._in_turn(question)
        else:
            finding = await self._with_patience(question, self._most_s(question))
        await self._close(question.number, ending(finding, question.why, question.if_not_done))
        if finding.is_hindered:
            self.look_beside(question)

    async def again(self, question: Question) -> None:
        """Ask once more; where it still cannot be told, nothing changes."""
        finding = await self._in_turn(question)
        if finding.verdict != "cannot tell":
            await self._close(question.number, ending(finding, question.why, question.if_not_done))

    async def settle(self, question: Question) -> bool:
        """Ask once. Where that is hindered, nothing changes; else it ends as was found. Returns whether it has."""
        finding = await self._in_turn(question)
        if not finding.is_hindered and self._is_unknown(question.number):
            await self._close(question.number, ending(finding, question.why, question.if_not_done))
        return not finding.is_hindered

    def look_beside(self, question: Question) -> None:
        """Look in turn, in the background, as often as it takes until the other side can be asked."""
        if not self._is_closing:
            task = asyncio.create_task(self._look_beside(question), name=f"look-{question.number}")
            self._beside.add(task)
            task.add_done_callback(self._beside.discard)

    def begin_to_close(self) -> None:
        """From now on nobody waits for long."""
        self._is_closing = True
        for task in list(self._beside):
            task.cancel()

    async def _look_beside(self, question: Question) -> None:
        tries = 0
        while self._is_unknown(question.number):
            tries += 1
            await asyncio.sleep(max(self.again_s, self._patience.wait_s(tries)))
            if await self.settle(question):
                return

    def _most_s(self, question: Question) -> float:
        if self._is_closing:
            return CLOSING_LOOK_S
        return min(self.look_s, CANCELLED_LOOK_S) if question.if_not_done is Stage.CANCELLED else self.look_s

    async def _with_patience(self, question: Question, for_s: float) -> Finding:
        """An EM that is still at the very request, or is undoing it, answers 423: that is no reason to give up."""
        until = time.monotonic() + for_s
        tries = 0
        while True:
            tries += 1
            try:
                return Finding(*await self._ask(question))
            except (Locked, Unreachable) as error:
                wait_s = self._patience.wait_s(tries, error.retry_after_s)
                if time.monotonic() + wait_s > until:
                    return Finding("cannot tell", error.message, is_hindered=True)
                self._hindered(question.number, error)
                await asyncio.sleep(wait_s)
            except NotSignedIn as error:
                return Finding("cannot tell", error.message, is_hindered=True)
            except EmtuiError as error:
                return Finding("cannot tell", error.message)

    async def _in_turn(self, question: Question) -> Finding:
        try:
            return Finding(*await self._poll(f"reconcile-{question.number}", lambda: self._ask(question)))
        except EmtuiError as error:
            is_hindered = isinstance(error, Locked | Unreachable | NotSignedIn)
            return Finding("cannot tell", error.message, is_hindered=is_hindered)

    async def _ask(self, question: Question) -> Answer:
        try:
            verdict, how = await self._reconcile(question.command, question.sent_at)
        except EmtuiError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the command must come to its end
            return "cannot tell", fault(error).message
        return verdict, how
