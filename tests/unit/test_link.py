"""The Link: order, patience, endings."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from emtui.commands import Command, Delete, Downlink
from emtui.errors import (
    BuildFailed,
    ContractViolation,
    EmtuiError,
    LocalProblem,
    Locked,
    NotFound,
    NotSignedIn,
    RemoteFailed,
    Unreachable,
)
from emtui.journal.journal import Journal
from emtui.link.courier import Courier
from emtui.link.inquiry import Verdict
from emtui.link.link import Link
from emtui.link.patience import Patience
from emtui.plain import Vitals
from emtui.views import CommandState, Stage

DEADLINE_S = 10.0
CHANGE = Delete(("a.txt",))
READ = Downlink(("a.txt",), Path("out"))


async def _nothing(command: Command, courier: Courier) -> str:
    return f"did {command.name}"


class Bench:
    """A link with what it did written down."""

    def __init__(self, tmp_path: Path) -> None:
        self.journal = Journal(tmp_path / "journal.db")
        self.perform: Callable[[Command, Courier], Awaitable[str]] = _nothing
        self.verdict: tuple[Verdict, str] = ("cannot tell", "nobody knows")
        self.asked_since: list[datetime] = []
        self.hindrances: list[EmtuiError] = []
        self.stages: list[tuple[int, Stage]] = []
        self.states: list[CommandState] = []
        self.link = Link(
            "em", self.journal, self._perform, self._reconcile, who="tester", profile="test",
            patience=Patience(first_s=0.01, longest_s=0.02),
        )  # fmt: skip
        self.link.ledger.on_state = self._saw

    async def _perform(self, command: Command, courier: Courier) -> str:
        return await self.perform(command, courier)

    async def _reconcile(self, command: Command, sent_at: datetime) -> tuple[Verdict, str]:
        self.asked_since.append(sent_at)
        if self.hindrances:
            raise self.hindrances.pop(0)
        return self.verdict

    def _saw(self, state: CommandState) -> None:
        self.states.append(state)
        if not self.stages or self.stages[-1] != (state.id, state.stage):
            self.stages.append((state.id, state.stage))

    async def run(self, command: Command) -> CommandState:
        number = await self.link.submit(command)
        return await asyncio.wait_for(self.link.finished(number), DEADLINE_S)


@asynccontextmanager
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path)
    made.link.start()
    try:
        yield made
    finally:
        await made.link.aclose()
        made.journal.close()


async def test_a_command_goes_through_its_stages(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:

        async def perform(command: Command, courier: Courier) -> str:
            courier.expect(10)

            async def call() -> str:
                courier.moved(10)
                return "ok"

            return await courier.request(call, changes=True)

        b.perform = perform
        ended = await b.run(CHANGE)
        assert ended.stage is Stage.COMPLETE
        assert ended.note == "ok"
        assert ended.done_bytes == 10
        assert [stage for _, stage in b.stages] == [
            Stage.QUEUED, Stage.RELEASED, Stage.SENT, Stage.EXECUTING, Stage.COMPLETE,
        ]  # fmt: skip


async def test_the_intent_is_in_the_journal_before_the_request_leaves(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        seen: list[Stage] = []

        async def perform(command: Command, courier: Courier) -> str:
            async def call() -> str:
                seen.extend(entry.stage for entry in b.journal.recent(5))
                return "ok"

            return await courier.request(call, changes=True)

        b.perform = perform
        await b.run(CHANGE)
        assert seen == [Stage.SENT]
        assert b.journal.open_entries() == []


async def test_one_request_at_a_time_and_commands_before_polls(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        order: list[str] = []
        at_work = 0
        gate = asyncio.Event()

        async def work(name: str) -> str:
            nonlocal at_work
            at_work += 1
            assert at_work == 1
            order.append(name)
            await asyncio.sleep(0.005)
            at_work -= 1
            return name

        async def perform(command: Command, courier: Courier) -> str:
            await gate.wait()
            return await courier.request(lambda: work(command.name), changes=True)

        b.perform = perform
        first = await b.link.submit(CHANGE)
        polls = [asyncio.create_task(b.link.poll("files", lambda: work("poll"))) for _ in range(5)]
        await asyncio.sleep(0.02)
        second = await b.link.submit(READ)
        gate.set()
        await asyncio.wait_for(b.link.finished(first), DEADLINE_S)
        await asyncio.wait_for(b.link.finished(second), DEADLINE_S)
        assert await asyncio.wait_for(asyncio.gather(*polls), DEADLINE_S) == ["poll"] * 5
        assert order == ["delete", "downlink", "poll"], "five polls of one kind are one"


async def test_423_is_waited_out_visibly(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        refusals = 10

        async def perform(command: Command, courier: Courier) -> str:
            async def call() -> str:
                nonlocal refusals
                if refusals:
                    refusals -= 1
                    raise Locked("busy")
                return "at last"

            return await courier.request(call, changes=True)

        b.perform = perform
        ended = await b.run(CHANGE)
        assert (ended.stage, ended.note) == (Stage.COMPLETE, "at last")
        notes = [state.note for state in b.states if "CG2 busy" in state.note]
        assert any("2nd try" in note for note in notes)
        assert any("11th try" in note for note in notes)


async def test_a_wait_can_be_cancelled_and_nothing_was_done(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:

        async def perform(command: Command, courier: Courier) -> str:
            async def call() -> str:
                raise Locked("busy")

            return await courier.request(call, changes=True)

        b.perform = perform
        number = await b.link.submit(CHANGE)
        await asyncio.sleep(0.05)
        assert b.link.cancel(number)
        ended = await asyncio.wait_for(b.link.finished(number), DEADLINE_S)
        assert ended.stage is Stage.CANCELLED
        assert not b.link.cancel(number)


@pytest.mark.parametrize(
    ("verdict", "stage"),
    [("done", Stage.COMPLETE), ("not done", Stage.FAILED), ("cannot tell", Stage.UNKNOWN)],
)
async def test_a_lost_answer_is_looked_into_and_never_repeated(tmp_path: Path, verdict: Verdict, stage: Stage) -> None:
    async with bench(tmp_path) as b:
        calls = 0

        async def perform(command: Command, courier: Courier) -> str:
            async def call() -> str:
                nonlocal calls
                calls += 1
                raise Unreachable("reset by peer", may_have_run=True)

            return await courier.request(call, changes=True)

        b.perform, b.verdict = perform, (verdict, "as it looks")
        ended = await b.run(CHANGE)
        assert ended.stage is stage
        assert calls == 1
        assert "as it looks" in ended.note + ended.error
        assert b.link.health.unknown == (1 if stage is Stage.UNKNOWN else 0)


@pytest.mark.parametrize(
    ("verdict", "stage"),
    [("done", Stage.COMPLETE), ("not done", Stage.CANCELLED), ("cannot tell", Stage.UNKNOWN)],
)
async def test_a_cancelled_change_that_was_sent_is_looked_into(tmp_path: Path, verdict: Verdict, stage: Stage) -> None:
    async with bench(tmp_path) as b:
        entered = asyncio.Event()

        async def perform(command: Command, courier: Courier) -> str:
            async def call() -> str:
                entered.set()
                await asyncio.sleep(DEADLINE_S)
                return "too late"

            return await courier.request(call, changes=True)

        b.perform, b.verdict = perform, (verdict, "looked")
        number = await b.link.submit(CHANGE)
        await asyncio.wait_for(entered.wait(), DEADLINE_S)
        assert b.link.cancel(number)
        assert (await asyncio.wait_for(b.link.finished(number), DEADLINE_S)).stage is stage


async def test_what_was_not_executed_is_repeated_until_it_is(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        tries = 0

        async def perform(command: Command, courier: Courier) -> str:
            async def call() -> str:
                nonlocal tries
                tries += 1
                if tries < 5:
                    raise Unreachable("refused", may_have_run=False)
                return "there again"

            return await courier.request(call, changes=True)

        b.perform = perform
        assert (await b.run(CHANGE)).note == "there again"


async def test_a_read_that_is_lost_again_and_again_fails(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:

        async def perform(command: Command, courier: Courier) -> str:
            async def call() -> str:
                raise Unreachable("cut", may_have_run=True)

            return await courier.request(call, changes=False)

        b.perform = perform
        ended = await b.run(READ)
        assert (ended.stage, ended.error) == (Stage.FAILED, "cut")


async def test_a_failed_build_keeps_its_log(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:

        async def perform(command: Command, courier: Courier) -> str:
            raise BuildFailed(["#1 ERROR\n"])

        b.perform = perform
        ended = await b.run(CHANGE)
        assert ended.stage is Stage.FAILED
        assert ended.log_tail == ("#1 ERROR\n",)
        assert ended.remedy
        assert b.journal.recent(1)[0].log_tail == ("#1 ERROR\n",)


async def test_a_bug_ends_the_command_and_not_the_queue(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:

        async def perform(command: Command, courier: Courier) -> str:
            raise ZeroDivisionError("oops")

        b.perform = perform
        ended = await b.run(CHANGE)
        assert "ZeroDivisionError: oops" in ended.error
        b.perform = _nothing
        assert (await b.run(CHANGE)).stage is Stage.COMPLETE


async def test_held_commands_wait_for_release(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        b.link.hold()
        number = await b.link.submit(CHANGE)
        assert b.link.states[number].stage is Stage.HELD
        assert b.link.health.held == 1
        assert await asyncio.wait_for(b.link.poll("x", _answer), DEADLINE_S) == 7, "polls go on"
        assert b.link.states[number].stage is Stage.HELD
        b.link.release()
        assert (await asyncio.wait_for(b.link.finished(number), DEADLINE_S)).stage is Stage.COMPLETE


async def test_a_held_command_can_be_cancelled_and_never_leaves(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        b.link.hold()
        number = await b.link.submit(CHANGE)
        assert b.link.cancel(number)
        ended = await asyncio.wait_for(b.link.finished(number), DEADLINE_S)
        assert ended.stage is Stage.CANCELLED
        b.link.release()
        assert (await b.run(READ)).stage is Stage.COMPLETE


async def _answer() -> int:
    return 7


async def test_a_poll_that_fails_says_so_and_the_link_lives(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:

        async def away() -> int:
            raise Unreachable("no route", may_have_run=False)

        async def missing() -> int:
            raise NotFound("no such thing")

        with pytest.raises(Unreachable):
            await asyncio.wait_for(b.link.poll("x", away), DEADLINE_S)
        assert not b.link.health.is_connected
        assert b.link.health.error == "no route"
        assert await asyncio.wait_for(b.link.poll("x", _answer), DEADLINE_S) == 7
        assert b.link.health.is_connected
        with pytest.raises(NotFound):
            await asyncio.wait_for(b.link.poll("x", missing), DEADLINE_S)
        assert b.link.health.is_connected, "an answer is an answer"


async def test_closing_breaks_off_and_marks(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    async with bench(tmp_path) as b:
        started = asyncio.Event()

        async def perform(command: Command, courier: Courier) -> str:
            started.set()
            await asyncio.sleep(DEADLINE_S)
            return "never"

        b.perform = perform
        await b.link.submit(CHANGE)
        await b.link.submit(READ)
        await asyncio.wait_for(started.wait(), DEADLINE_S)
    assert [entry.stage for entry in journal.recent(10)] == [Stage.CANCELLED, Stage.CANCELLED]
    journal.close()


@pytest.mark.parametrize(
    ("left_at", "verdict", "stage"),
    [
        (Stage.QUEUED, "cannot tell", Stage.CANCELLED),
        (Stage.SENT, "done", Stage.COMPLETE),
        (Stage.SENT, "not done", Stage.FAILED),
        (Stage.SENT, "cannot tell", Stage.UNKNOWN),
    ],
)
async def test_what_a_killed_emtui_left_is_taken_over(
    tmp_path: Path, left_at: Stage, verdict: Verdict, stage: Stage
) -> None:
    now = datetime.now(UTC)
    journal = Journal(tmp_path / "journal.db")
    number = journal.begin(CHANGE, "tester", "test", now)
    if left_at is not Stage.QUEUED:
        journal.advance(number, left_at, now)
    journal.close()
    async with bench(tmp_path) as b:
        b.verdict = (verdict, "looked")
        for entry in b.journal.open_entries():
            b.link.adopt(entry)
        assert (await asyncio.wait_for(b.link.finished(number), DEADLINE_S)).stage is stage
        assert b.journal.open_entries() == []


async def test_a_journal_that_cannot_be_written_sends_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:

        def begin(*_values: object) -> int:
            raise LocalProblem("disk full")

        b.journal.begin = begin  # type: ignore[method-assign, assignment]  # the disk is full just here
        with pytest.raises(LocalProblem):
            await b.link.submit(CHANGE)
        assert b.link.states == {}


async def test_seen_failures_are_acknowledged(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:

        async def perform(command: Command, courier: Courier) -> str:
            raise NotFound("gone")

        b.perform = perform
        ended = await b.run(READ)
        assert not ended.acknowledged
        b.link.acknowledge(ended.id)
        assert b.link.states[ended.id].acknowledged


async def _and_then_it_still_works(b: Bench) -> None:
    b.perform = _nothing
    assert (await b.run(READ)).stage is Stage.COMPLETE
    assert await asyncio.wait_for(b.link.poll("still there", _answer), DEADLINE_S) == 7


@pytest.mark.parametrize("pauses", [0, 1, 2, 5, 50])
async def test_cancelling_again_and_again_is_cancelling_once(tmp_path: Path, pauses: int) -> None:
    async with bench(tmp_path) as b:
        entered = asyncio.Event()
        undone = False

        async def perform(command: Command, courier: Courier) -> str:
            async def call() -> str:
                nonlocal undone
                try:
                    entered.set()
                    await asyncio.sleep(DEADLINE_S)
                finally:
                    await asyncio.sleep(0.01)
                    undone = True
                return "never"

            return await courier.request(call, changes=True)

        b.perform, b.verdict = perform, ("not done", "looked")
        number = await b.link.submit(CHANGE)
        await asyncio.wait_for(entered.wait(), DEADLINE_S)
        for _ in range(8):
            b.link.cancel(number)
            for _ in range(pauses):
                await asyncio.sleep(0)
        assert (await asyncio.wait_for(b.link.finished(number), DEADLINE_S)).stage is Stage.CANCELLED
        assert undone, "the undoing was not broken off"
        await _and_then_it_still_works(b)


@pytest.mark.parametrize("ticks", range(6))
async def test_cancelling_just_as_it_leaves(tmp_path: Path, ticks: int) -> None:
    async with bench(tmp_path) as b:
        b.verdict = ("not done", "looked")
        b.link.hold()
        number = await b.link.submit(CHANGE)
        b.link.release()
        for _ in range(ticks):
            await asyncio.sleep(0)
        b.link.cancel(number)
        ended = await asyncio.wait_for(b.link.finished(number), DEADLINE_S)
        assert ended.stage in (Stage.CANCELLED, Stage.COMPLETE)
        await _and_then_it_still_works(b)


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), sqlite3.OperationalError("database is full")]
)
async def test_an_end_that_cannot_be_written_down_is_an_end(
    tmp_path: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(tmp_path) as b:

        def finish(*_values: object, **_named: object) -> None:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(b.journal, "finish", finish)
            ended = await b.run(CHANGE)
            assert ended.stage is Stage.COMPLETE
            assert "the journal could not be written" in ended.error
            held = await b.link.submit(READ)
            b.link.cancel(held)
            assert (await asyncio.wait_for(b.link.finished(held), DEADLINE_S)).stage.is_final
        await _and_then_it_still_works(b)


async def test_a_poll_that_breaks_is_told_and_the_link_lives(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:

        async def broken() -> int:
            raise OSError(5, "Input/output error")

        with pytest.raises(EmtuiError, match="Input/output error"):
            await asyncio.wait_for(b.link.poll("x", broken), DEADLINE_S)
        await _and_then_it_still_works(b)


async def test_a_reconciliation_that_breaks_leaves_it_unknown(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:

        async def perform(command: Command, courier: Courier) -> str:
            async def call() -> str:
                raise Unreachable("cut", may_have_run=True)

            return await courier.request(call, changes=True)

        b.perform = perform
        b.verdict = ("cannot tell",)  # type: ignore[assignment]  # what unpacking it raises is the fault
        assert (await b.run(CHANGE)).stage is Stage.UNKNOWN
        await _and_then_it_still_works(b)


async def test_looking_at_a_failure_does_not_change_its_times(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:

        async def perform(command: Command, courier: Courier) -> str:
            raise NotFound("gone")

        b.perform = perform
        ended = await b.run(READ)
        await asyncio.sleep(0.01)
        b.link.acknowledge(ended.id)
        assert b.link.states[ended.id].changed_at == ended.changed_at


async def test_an_interrupted_command_is_looked_into_from_when_it_was_sent(tmp_path: Path) -> None:
    asked, sent = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 5, tzinfo=UTC)
    journal = Journal(tmp_path / "journal.db")
    number = journal.begin(CHANGE, "tester", "test", asked)
    journal.advance(number, Stage.SENT, sent)
    journal.close()
    async with bench(tmp_path) as b:
        b.verdict = ("done", "looked")
        for entry in b.journal.open_entries():
            b.link.adopt(entry)
        await asyncio.wait_for(b.link.finished(number), DEADLINE_S)
        assert b.asked_since == [sent]


async def test_a_command_waits_until_somebody_has_signed_in(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        b.link.can_sign_in = True
        asked = 0

        async def perform(command: Command, courier: Courier) -> str:
            async def call() -> str:
                nonlocal asked
                asked += 1
                if asked == 1:
                    b.link.gauge.note_vitals(Vitals(needs_sign_in=True))
                    raise NotSignedIn("the token has ended")
                return "done"

            return await courier.request(call, changes=True)

        b.perform = perform
        number = await b.link.submit(CHANGE)
        async with asyncio.timeout(DEADLINE_S):
            while b.link.states[number].note != "waits until somebody signs in":
                await asyncio.sleep(0.01)
        assert asked == 1
        b.link.gauge.note_vitals(Vitals())
        ended = await asyncio.wait_for(b.link.finished(number), DEADLINE_S)
        assert (ended.stage, ended.note, asked) == (Stage.COMPLETE, "done", 2)
        assert b.asked_since == []  # a 401 was not executed: there is nothing to look into


async def test_a_command_fails_where_nobody_can_sign_in(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:

        async def perform(command: Command, courier: Courier) -> str:
            async def call() -> str:
                raise NotSignedIn("the given token is refused")

            return await courier.request(call, changes=True)

        b.perform = perform
        ended = await b.run(CHANGE)
        assert (ended.stage, ended.error) == (Stage.FAILED, "the given token is refused")


async def test_a_command_that_waits_for_a_sign_in_can_be_cancelled(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        b.link.can_sign_in = True

        async def perform(command: Command, courier: Courier) -> str:
            async def call() -> str:
                raise NotSignedIn("no token")

            return await courier.request(call, changes=True)

        b.perform = perform
        number = await b.link.submit(CHANGE)
        async with asyncio.timeout(DEADLINE_S):
            while not b.link.states[number].note:
                await asyncio.sleep(0.01)
        assert b.link.cancel(number)
        ended = await asyncio.wait_for(b.link.finished(number), DEADLINE_S)
        assert ended.stage is Stage.CANCELLED


@pytest.mark.parametrize(("changes", "tries"), [(True, 1), (False, 3)])
async def test_a_failure_inside_is_met_with_another_try_only_by_a_read(
    tmp_path: Path, changes: bool, tries: int
) -> None:
    async with bench(tmp_path) as b:
        asked = 0

        async def perform(command: Command, courier: Courier) -> str:
            async def call() -> str:
                nonlocal asked
                asked += 1
                raise RemoteFailed("it broke")

            return await courier.request(call, changes=changes)

        b.perform = perform
        ended = await b.run(CHANGE)
        assert (ended.stage, ended.error, asked) == (Stage.FAILED, "it broke", tries)


async def test_the_wait_tells_how_long_it_has_been(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        asked = 0

        async def perform(command: Command, courier: Courier) -> str:
            async def call() -> str:
                nonlocal asked
                asked += 1
                if asked < 3:
                    raise Locked("CG2 is busy")
                return "done"

            return await courier.request(call, changes=True)

        b.perform = perform
        assert (await b.run(CHANGE)).stage is Stage.COMPLETE
        notes = [state.note for state in b.states if "busy" in state.note]
        assert notes[0] == "CG2 busy for 0 s, 2nd try in 0 s"
        assert any("3rd try" in note for note in notes)
        assert b.link.health.busy_since is None


async def test_an_em_that_is_still_at_it_is_waited_for_before_it_is_asked(tmp_path: Path) -> None:
    """A 423 to the look is what an EM answers that is at the very request, or is undoing it."""
    async with bench(tmp_path) as b:

        async def perform(command: Command, courier: Courier) -> str:
            async def call() -> str:
                raise Unreachable("cut", may_have_run=True)

            return await courier.request(call, changes=True)

        b.perform = perform
        b.hindrances = [Locked("CG2 is busy"), Unreachable("refused", may_have_run=False), Locked("CG2 is busy")]
        b.verdict = ("done", "it is there")
        ended = await b.run(CHANGE)
        assert (ended.stage, ended.note) == (Stage.COMPLETE, "done: it is there (cut)")
        assert "looks whether it was done: CG2 is busy" in [state.note for state in b.states]


async def test_what_cannot_be_asked_about_is_unknown_and_looked_into_until_it_can(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        b.link.inquiry.look_s, b.link.inquiry.again_s = 0.05, 0.01

        async def perform(command: Command, courier: Courier) -> str:
            async def call() -> str:
                raise Unreachable("cut", may_have_run=True)

            return await courier.request(call, changes=True)

        b.perform = perform
        b.hindrances = [Unreachable("refused", may_have_run=False)] * 40
        b.verdict = ("not done", "it is not there")
        number = await b.link.submit(CHANGE)
        ended = await asyncio.wait_for(b.link.finished(number), DEADLINE_S)
        assert ended.stage is Stage.UNKNOWN
        assert ended.remedy == "It is looked into again when emtui next reaches the other side."
        b.perform = _nothing
        assert (await b.run(READ)).stage is Stage.COMPLETE, "the queue goes on meanwhile"
        async with asyncio.timeout(DEADLINE_S):
            while b.link.states[number].stage is Stage.UNKNOWN:
                await asyncio.sleep(0.01)
        ended = b.link.states[number]
        assert (ended.stage, ended.error) == (Stage.FAILED, "not done: it is not there (cut)")
        assert b.journal.recent(5)[-1].stage is Stage.FAILED


async def test_a_loop_that_ends_lets_nobody_wait_for_a_command(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:

        async def forever(_command: Command, _courier: Courier) -> str:
            await asyncio.Event().wait()
            return ""

        b.perform = forever
        number = await b.link.submit(CHANGE)
        while b.link.states[number].stage is not Stage.RELEASED:
            await asyncio.sleep(0.001)
        waiting = asyncio.ensure_future(b.link.finished(number))
        assert b.link._worker is not None
        b.link._worker.cancel()  # as asyncio.run does with every task
        assert not (await asyncio.wait_for(waiting, DEADLINE_S)).stage.is_final
        await asyncio.wait_for(b.link.aclose(), DEADLINE_S)


async def test_closing_does_not_wait_for_what_cannot_be_asked_about(tmp_path: Path) -> None:
    began = time.monotonic()
    async with bench(tmp_path) as b:
        b.link.inquiry.look_s = 0.0

        async def perform(command: Command, courier: Courier) -> str:
            async def call() -> str:
                raise Unreachable("cut", may_have_run=True)

            return await courier.request(call, changes=True)

        b.perform = perform
        b.hindrances = [Unreachable("refused", may_have_run=False)] * 10_000
        assert (await b.run(CHANGE)).stage is Stage.UNKNOWN
    assert time.monotonic() - began < 5


async def test_an_answer_that_cannot_be_read_is_looked_into(tmp_path: Path) -> None:
    """It was answered, so it was at work there: what the answer says nobody knows."""
    async with bench(tmp_path) as b:

        async def perform(command: Command, courier: Courier) -> str:
            async def call() -> str:
                raise ContractViolation("JSON is promised, and text/html came")

            return await courier.request(call, changes=isinstance(command, Delete))

        b.perform = perform
        b.verdict = ("done", "it is gone")
        assert (await b.run(CHANGE)).stage is Stage.COMPLETE
        asked = len(b.asked_since)
        assert asked == 1
        assert (await b.run(READ)).stage is Stage.FAILED
        assert len(b.asked_since) == asked


async def test_who_cancels_does_not_wait_long_for_a_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emtui.link.inquiry.CANCELLED_LOOK_S", 0.05)
    began = time.monotonic()
    async with bench(tmp_path) as b:
        entered = asyncio.Event()

        async def perform(command: Command, courier: Courier) -> str:
            async def call() -> str:
                entered.set()
                await asyncio.sleep(DEADLINE_S)
                return "too late"

            return await courier.request(call, changes=True)

        b.perform = perform
        b.hindrances = [Locked("CG2 is busy")] * 10_000
        number = await b.link.submit(CHANGE)
        await asyncio.wait_for(entered.wait(), DEADLINE_S)
        assert b.link.cancel(number)
        ended = await asyncio.wait_for(b.link.finished(number), DEADLINE_S)
        assert (ended.stage, ended.error) == (
            Stage.UNKNOWN,
            "not known whether it was done: CG2 is busy (it was cancelled)",
        )
    assert time.monotonic() - began < b.link.inquiry.look_s / 2
