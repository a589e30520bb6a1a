"""The commands of one Link: how each of them stands, for the screen at once, and for the journal where it ends."""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from emtui.errors import EmtuiError
from emtui.journal.journal import HasEnded, Journal
from emtui.views import CommandState, Stage

# Beyond this many finished commands the oldest are forgotten here; the journal has them.
_MOST_STATES = 2_000


class Ledger:
    """One state a command, by its number. `on_state` gets every change, on the event loop's thread."""

    def __init__(self, journal: Journal) -> None:
        self.states: dict[int, CommandState] = {}
        self.on_state: Callable[[CommandState], None] = lambda _state: None
        self._journal = journal
        self._finished: dict[int, asyncio.Event] = {}

    @property
    def unseen_unknown(self) -> int:
        """How many commands nobody knows the end of, and the operator has not looked at."""
        return sum(state.stage is Stage.UNKNOWN and not state.acknowledged for state in self.states.values())

    def add(self, state: CommandState) -> None:
        """A command that begins, or has been left without an end; one of an earlier start may have ended already."""
        event = self._finished[state.id] = asyncio.Event()
        if state.stage.is_final:
            event.set()
        self._put(state)

    async def finished(self, number: int) -> CommandState:
        """Wait until a command has ended, and tell how."""
        event = self._finished.get(number)
        if event is not None:
            await event.wait()
        return self.states[number]

    def let_go(self, number: int) -> None:
        """Let nobody wait any longer: there is nobody left who could tell how it ended."""
        self._finished[number].set()

    def is_unknown(self, number: int) -> bool:
        """Whether nobody knows yet how it ended."""
        return self.states[number].stage is Stage.UNKNOWN

    def change(self, number: int, **changed: Any) -> None:
        """Put fields of a command's state right, at this moment. What stays the same is no news: progress and lines
        of a log come many times a second."""
        state = self.states[number]
        if any(getattr(state, name) != value for name, value in changed.items()):
            self._put(replace(state, changed_at=datetime.now(UTC), **changed))

    def acknowledge(self, number: int) -> bool:
        """The operator has seen how it ended. False if that is known already."""
        state = self.states.get(number)
        if state is None or state.acknowledged:
            return False
        # Being looked at is no change: its times stay.
        self._put(replace(state, acknowledged=True))
        return True

    async def end(
        self,
        number: int,
        stage: Stage,
        *,
        note: str = "",
        error: str = "",
        remedy: str = "",
        log_tail: tuple[str, ...] = (),
        failure: EmtuiError | None = None,
        sha256: Mapping[str, str] | None = None,
        is_hindered: bool = False,
    ) -> None:
        """Write down how a command ended, and say so. The bytes that it has moved are those of its state."""
        try:
            await asyncio.to_thread(
                self._journal.finish,
                number,
                stage,
                datetime.now(UTC),
                note=note,
                error=error,
                remedy=remedy,
                log_tail=log_tail,
                sent_bytes=self.states[number].done_bytes,
                sha256=sha256,
                is_hindered=is_hindered,
            )
        except HasEnded as other:
            # Another emtui has looked into it too, and was quicker: what it has written holds.
            stage, note, error, remedy = other.entry.stage, other.entry.note, other.entry.error, other.entry.remedy
            log_tail, failure = other.entry.log_tail, None
        except KeyError:
            pass  # another emtui has dropped it meanwhile, so old is it
        except (EmtuiError, sqlite3.Error, OSError) as problem:
            # It has ended all the same; the next start will look into it again.
            unwritten = f"the journal could not be written: {problem}"
            error = f"{error}; {unwritten}" if error else unwritten
        self._put(
            replace(
                self.states[number],
                changed_at=datetime.now(UTC),
                stage=stage,
                note=note,
                error=error,
                remedy=remedy,
                log_tail=log_tail,
                failure=failure,
                is_cancellable=False,
            )
        )
        self._finished[number].set()

    def _put(self, state: CommandState) -> None:
        self.states[state.id] = state
        if len(self.states) > _MOST_STATES:
            oldest = next(iter(self.states))
            if self.states[oldest].stage.is_final:
                del self.states[oldest]
                self._finished.pop(oldest, None)
        self.on_state(state)
