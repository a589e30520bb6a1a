"""The waiting itself: what is waited out, for how long, and how often it asks."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from emtui.errors import ContractViolation, EmtuiError, Locked, NotSignedIn, OutcomeNotKnown, RemoteFailed, Unreachable
from emtui.link.patience import Patience
from emtui.models import PodSpec, PodState, PodStatus
from emtui.pod import trace as pod_trace
from emtui.pod import wait as pod_wait
from emtui.pod.wait import Rivals, Verdict, wait_for_pod

SPEC = PodSpec(docker_image="a", max_duration=1, node="FPGA")
CREATING = PodStatus(state=PodState.model_validate({"waiting": {"reason": "ContainerCreating"}}))
DONE = PodStatus(state=PodState.model_validate({"terminated": {"exitCode": 0, "reason": "Completed"}}))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pod_wait, "_FIRST_POLL_S", 0.01)


def script(*answers: PodStatus | EmtuiError) -> Callable[[], Awaitable[PodStatus]]:
    """Answers in order, the last one again and again."""
    left: Iterator[PodStatus | EmtuiError] = iter(answers)
    last = answers[-1]

    async def look() -> PodStatus:
        answer = next(left, last)
        if isinstance(answer, EmtuiError):
            raise answer
        return answer

    return look


def lost() -> Unreachable:
    return Unreachable("no answer", may_have_run=False)


async def test_it_ends_with_the_pods_end_and_tells_each_status() -> None:
    told: list[PodStatus] = []
    end = await wait_for_pod(script(PodStatus(), CREATING, DONE), spec=SPEC, on_status=told.append)
    assert end.verdict is Verdict.COMPLETED
    assert told == [PodStatus(), CREATING, DONE]


async def test_a_busy_em_is_waited_out_even_where_it_may_not_take_long() -> None:
    busy = [Locked("busy") for _ in range(20)]
    end = await wait_for_pod(script(*busy, DONE), spec=SPEC, give_up_s=0.001, poll_s=0.01)
    assert end.exit_code == 0


@pytest.mark.parametrize("error", [lost(), RemoteFailed("500"), ContractViolation("no JSON")])
async def test_an_em_that_does_not_answer_is_waited_out(error: EmtuiError) -> None:
    end = await wait_for_pod(script(CREATING, error, DONE), spec=SPEC, give_up_s=20)
    assert end.exit_code == 0


async def test_the_patience_begins_anew_with_each_absence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pod_wait, "Patience", lambda: Patience(first_s=0.01, longest_s=0.01))
    answers = [CREATING, *[lost() for _ in range(3)]] * 4
    end = await wait_for_pod(script(*answers, DONE), spec=SPEC, give_up_s=0.5)
    assert end.exit_code == 0


async def test_an_em_that_stays_away_ends_it_and_the_pod_goes_on() -> None:
    began = time.monotonic()
    with pytest.raises(Unreachable) as raised:
        await wait_for_pod(script(CREATING, lost()), spec=SPEC, give_up_s=0.3)
    assert 0.3 <= time.monotonic() - began < 5
    assert raised.value.remedy.startswith("The pod goes on: emtui pod status")


async def test_a_question_that_was_patient_itself_counts_from_its_beginning() -> None:
    asked = 0

    async def look() -> PodStatus:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.3)
        raise lost()

    with pytest.raises(Unreachable):
        await wait_for_pod(look, spec=SPEC, give_up_s=0.3)
    assert asked == 1


async def test_who_is_not_signed_in_learns_it_at_once() -> None:
    with pytest.raises(NotSignedIn):
        await wait_for_pod(script(NotSignedIn("no token")), spec=SPEC, give_up_s=60)


async def test_it_does_not_wait_for_what_cannot_come_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pod_trace, "GRACE_S", 0.1)
    spec = PodSpec(docker_image="a", max_duration=0.002, node="FPGA")
    for answer, told in ((CREATING, "is that it waits (ContainerCreating)"), (PodStatus(), "has not told of this pod")):
        with pytest.raises(OutcomeNotKnown) as raised:
            await wait_for_pod(script(answer), spec=spec, poll_s=0.02)
        assert told in raised.value.message


async def test_a_question_without_an_answer_does_not_outlast_that_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pod_trace, "GRACE_S", 0.1)
    spec = PodSpec(docker_image="a", max_duration=0.002, node="FPGA")

    async def never() -> PodStatus:
        await asyncio.Event().wait()
        raise AssertionError("it cannot come here")

    async with asyncio.timeout(10):
        with pytest.raises(OutcomeNotKnown):
            await wait_for_pod(never, spec=spec)


async def test_the_clock_of_the_em_moves_the_end_of_a_scheduled_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pod_trace, "GRACE_S", 0.05)
    soon = datetime.now(UTC) + timedelta(hours=1)
    spec = PodSpec(docker_image="a", max_duration=0.001, node="FPGA", scheduled_time=soon)
    waits = PodStatus(state=PodState.model_validate({"waiting": {"reason": "Scheduled"}}))
    # Over there it is an hour later already.
    async with asyncio.timeout(10):
        with pytest.raises(OutcomeNotKnown):
            await wait_for_pod(script(waits), spec=spec, ahead_s=3600, poll_s=0.02)


async def test_the_questions_come_quickly_at_first_and_then_no_more_often_than_said() -> None:
    asked: list[float] = []

    async def look() -> PodStatus:
        asked.append(time.monotonic())
        return CREATING

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0):
            await wait_for_pod(look, spec=SPEC, poll_s=0.2)
    assert asked[1] - asked[0] < 0.1
    assert asked[-1] - asked[-2] >= 0.19
    assert len(asked) < 20


async def test_long_before_its_time_it_is_asked_for_seldom() -> None:
    spec = PodSpec(docker_image="a", max_duration=1, node="FPGA", scheduled_time=datetime.now(UTC) + timedelta(hours=3))
    count = 0

    async def look() -> PodStatus:
        nonlocal count
        count += 1
        return CREATING

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await wait_for_pod(look, spec=spec, poll_s=0.01)
    assert count == 1


async def test_a_status_of_the_pod_that_took_its_place_is_not_told_as_its_own() -> None:
    mine = PodStatus(state=PodState.model_validate({"running": {"startedAt": "2026-11-25T12:00:00Z"}}))
    other = PodStatus(state=PodState.model_validate({"running": {"startedAt": "2026-11-25T12:00:09Z"}}))
    among = iter([Rivals.NONE, Rivals.UNDER_WAY, Rivals.UNDER_WAY, Rivals.ACCEPTED])

    async def rivals() -> Rivals:
        return next(among)

    told: list[PodStatus] = []
    with pytest.raises(OutcomeNotKnown, match="another pod has taken this one's place"):
        await wait_for_pod(
            script(mine, mine, CREATING, other),
            spec=SPEC,
            before=DONE,
            rivals=rivals,
            on_status=told.append,
            poll_s=0.02,
        )
    assert told == [mine, mine]
