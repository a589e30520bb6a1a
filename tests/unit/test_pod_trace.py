"""Which states are this pod's, and what they come to."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from emtui.errors import NotFound, OutcomeNotKnown
from emtui.models import PodSpec, PodState, PodStatus
from emtui.pod.trace import GRACE_S, LAG_S, STUCK_REASONS, PodEnd, PodTrace, Rivals, Verdict, verdict_of

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
EMPTY = PodStatus()


def at(seconds: float) -> str:
    return (NOON + timedelta(seconds=seconds)).isoformat()


def status(**state: Any) -> PodStatus:
    return PodStatus(state=PodState.model_validate(state))


def waiting(reason: str = "ContainerCreating", message: str = "") -> PodStatus:
    return status(waiting={"reason": reason, "message": message})


def running(start: float) -> PodStatus:
    return status(running={"startedAt": at(start)})


def ended(code: int = 0, reason: str = "Completed", start: float | None = None, end: float | None = None) -> PodStatus:
    given: dict[str, Any] = {"exitCode": code, "reason": reason}
    if start is not None:
        given["startedAt"] = at(start)
    if end is not None:
        given["finishedAt"] = at(end)
    return status(terminated=given)


def trace(before: PodStatus | None = EMPTY, *, minutes: float = 1, scheduled: float | None = None) -> PodTrace:
    moment = NOON + timedelta(seconds=scheduled) if scheduled is not None else None
    spec = PodSpec(docker_image="a", max_duration=minutes, node="FPGA", scheduled_time=moment)
    return PodTrace(before, spec, 0.0, max(0.0, scheduled or 0.0))


def follow(one: PodTrace, *statuses: PodStatus, every_s: float = 1.0) -> PodEnd | None:
    """Give the statuses, one after the other; the last answer."""
    end = None
    for number, told in enumerate(statuses):
        assert end is None, f"it had ended before {told}"
        end = one.note(told, number * every_s)
    return end


@pytest.mark.parametrize(
    ("code", "reason", "verdict"),
    [
        (0, "Completed", Verdict.COMPLETED),
        (0, "", Verdict.COMPLETED),
        (3, "Error", Verdict.FAILED),
        (143, "", Verdict.FAILED),
        (143, "DeadlineExceeded", Verdict.DEADLINE),
        (0, "DeadlineExceeded", Verdict.DEADLINE),
        (137, "OOMKilled", Verdict.OUT_OF_MEMORY),
        (137, "Evicted", Verdict.FAILED),
        (128, "StartError", Verdict.NOT_STARTED),
    ],
)
def test_an_end_is_what_its_reason_and_its_exit_code_say(code: int, reason: str, verdict: Verdict) -> None:
    told = ended(code, reason).state.terminated
    assert told is not None
    assert verdict_of(told) is verdict


def test_an_end_is_told_in_one_line() -> None:
    end = follow(trace(), waiting(), running(1), ended(start=1, end=4))
    assert end is not None
    assert (end.describe(), end.exit_code, end.ran_s) == ("Completed, exit code 0, ran 00:00:03", 0, 3.0)
    without_times = follow(trace(), ended(7, "Error"))
    assert without_times is not None
    assert (without_times.describe(), without_times.ran_s) == ("Error, exit code 7", None)


# -------------------------------------------------------------------------------------------- the pod before


def test_the_end_of_the_pod_before_is_not_this_ones() -> None:
    old = ended(start=-60, end=-50)
    one = trace(old)
    assert follow(one, old, old, old) is None
    end = one.note(ended(5, "Error", start=3, end=4), 5)
    assert end is not None
    assert end.exit_code == 5


def test_an_end_without_times_is_the_one_before_until_something_else_was_told() -> None:
    old = ended()
    assert follow(trace(old), old, old) is None
    end = follow(trace(old), old, waiting(), old)
    assert end is not None
    assert end.verdict is Verdict.COMPLETED


@pytest.mark.parametrize("between", [waiting(), running(-60)])
def test_a_pod_within_the_same_second_as_the_one_before_is_known_by_what_lies_between(between: PodStatus) -> None:
    old = ended(start=-60, end=-60)
    one = trace(old)
    assert follow(one, old, between) is None
    end = one.note(old, 2)
    assert end is not None
    assert end.verdict is Verdict.COMPLETED


@pytest.mark.parametrize("other", [ended(start=-60, end=-59), ended(3, "Error", start=-60, end=-60)])
def test_an_end_differs_from_the_one_before_by_its_time_or_its_code_alone(other: PodStatus) -> None:
    one = trace(ended(start=-60, end=-60))
    assert one.note(other, 0) is not None


def test_a_pod_that_starts_in_the_second_of_the_one_that_it_replaces_is_this_one() -> None:
    one = trace(running(-60))
    assert follow(one, running(-60), waiting(), running(-60)) is None
    assert one.note(ended(start=-60, end=-59), 3) is not None


def test_a_status_that_lags_behind_this_pods_start_is_still_the_one_befores() -> None:
    one = trace(running(-60))
    assert follow(one, waiting(), running(3), running(-60), ended(143, "Error", start=-60, end=1)) is None
    assert one.last == running(3)


def test_the_end_of_the_pod_before_with_its_times_stays_old_though_none_was_told_of_once() -> None:
    old = ended(start=-60, end=-60)
    assert follow(trace(old), old, EMPTY, old) is None


def test_a_pod_that_is_being_replaced_is_not_this_one() -> None:
    one = trace(running(-60))
    stopped = ended(143, "Error", start=-60, end=1)
    assert follow(one, running(-60), stopped, waiting(), running(3)) is None
    end = one.note(ended(start=3, end=5), 6)
    assert end is not None
    assert end.exit_code == 0


def test_an_end_that_may_be_that_of_the_replaced_pod_has_to_stay_for_a_while() -> None:
    one = trace(running(-60))
    stopped = ended(143, "Error")
    assert one.note(stopped, 0) is None
    assert one.note(stopped, LAG_S / 2) is None
    assert one.note(waiting(), LAG_S / 2 + 1) is None
    end = one.note(ended(0), LAG_S / 2 + 2)
    assert end is not None
    assert end.exit_code == 0
    lasting = trace(waiting("Scheduled"))
    assert lasting.note(stopped, 0) is None
    assert lasting.note(stopped, LAG_S + 0.1) is not None


def test_a_reason_of_the_pod_before_counts_only_after_a_while() -> None:
    old = waiting("ImagePullBackOff", "no such image a")
    one = trace(old)
    assert follow(one, old, old, old, old, old) is None
    later = trace(old)
    polls = [later.note(old, LAG_S + second) for second in range(5)]
    assert polls[-1] is not None
    assert polls[-1].verdict is Verdict.NOT_STARTED


def test_where_every_status_is_its_own_even_the_first_end_counts() -> None:
    assert follow(trace(None), ended(start=-60, end=-50)) is not None


def test_clocks_that_differ_by_hours_change_nothing() -> None:
    hours = -7 * 3600
    one = trace(ended(start=hours - 60, end=hours - 50))
    assert follow(one, waiting(), running(hours + 1)) is None
    end = one.note(ended(start=hours + 1, end=hours + 2), 3)
    assert end is not None
    assert end.ran_s == 1.0


# ----------------------------------------------------------------------------------------------- not started


@pytest.mark.parametrize("reason", sorted(STUCK_REASONS))
def test_a_reason_that_does_not_come_right_ends_it_after_several_polls(reason: str) -> None:
    one = trace()
    assert follow(one, waiting(), waiting(reason), waiting(reason), waiting(reason)) is None
    end = one.note(waiting(reason), 4)
    assert end is not None
    assert (end.verdict, end.exit_code) == (Verdict.NOT_STARTED, None)
    assert end.describe() == f"not started: {reason}"


def test_a_reason_that_changes_into_another_such_one_goes_on_being_counted() -> None:
    polls = [waiting("ErrImagePull"), waiting("ImagePullBackOff"), waiting("ErrImagePull"), waiting("ErrImagePull")]
    assert follow(trace(), *polls) is not None


def test_a_reason_that_comes_right_is_forgotten() -> None:
    one = trace()
    assert follow(one, waiting("ErrImagePull"), waiting("ErrImagePull"), waiting(), waiting("ErrImagePull")) is None
    assert follow(one, running(5)) is None


def test_several_polls_within_a_moment_are_not_enough() -> None:
    assert follow(trace(), *[waiting("ErrImagePull")] * 10, every_s=0.1) is None


# -------------------------------------------------------------------------------------------------- replaced


@pytest.mark.parametrize("other", [running(9), ended(start=9, end=10), waiting("ContainerCreating")])
def test_another_pod_in_its_place_is_said(other: PodStatus) -> None:
    with pytest.raises(OutcomeNotKnown, match="another pod has taken this one's place") as raised:
        follow(trace(), running(1), other)
    assert "cannot be told" in raised.value.remedy


def test_a_pod_that_is_removed_is_said_after_several_polls() -> None:
    one = trace()
    assert follow(one, running(1), EMPTY, EMPTY) is None
    with pytest.raises(OutcomeNotKnown, match="no pod any more"):
        one.note(EMPTY, 3)


def test_a_crash_after_a_start_is_no_other_pod() -> None:
    one = trace()
    crash = waiting("CrashLoopBackOff")
    end = follow(one, running(1), crash, crash, crash, crash)
    assert end is not None
    assert end.verdict is Verdict.NOT_STARTED


# ------------------------------------------------------------------------------------------------- scheduled


def test_before_its_time_the_pod_of_before_may_go_on() -> None:
    one = trace(running(-60), scheduled=600)
    assert follow(one, running(-60), ended(143, "Error", start=-60, end=300), EMPTY, EMPTY, EMPTY, EMPTY) is None
    assert one.note(running(601), 602) is None
    assert one.note(ended(start=601, end=605), 606) is not None


def test_a_pod_that_runs_before_its_time_is_another_one() -> None:
    with pytest.raises(OutcomeNotKnown, match="before this one's time"):
        follow(trace(scheduled=600), waiting("Scheduled"), running(30))


def test_an_end_before_its_time_is_another_pods() -> None:
    one = trace(scheduled=600)
    assert follow(one, ended(start=30, end=40), ended(143, "Error", end=50), ended(1, "Error")) is None


def test_its_time_may_be_cut_to_the_second() -> None:
    one = trace(scheduled=600)
    assert one.note(running(599), 600) is None
    assert one.last is not None


# ------------------------------------------------------------------------------------------------- no longer


def test_the_waiting_has_an_end_which_a_start_puts_off_once() -> None:
    one = trace(minutes=2, scheduled=600)
    assert one.deadline == 600 + 120 + GRACE_S
    one.note(running(700), 700)
    assert one.deadline == 700 + 120 + GRACE_S
    one.note(running(700), 750)
    assert one.deadline == 700 + 120 + GRACE_S


def test_a_pod_that_is_there_already_has_no_such_end() -> None:
    one = PodTrace(None, None, 0.0, 0.0)
    assert one.deadline is None
    assert follow(one, running(-100), running(-100)) is None
    assert one.note(ended(start=-100, end=2), 3) is not None


def test_where_no_pod_is_there_is_nothing_to_wait_for() -> None:
    with pytest.raises(NotFound, match="no pod"):
        follow(PodTrace(None, None, 0.0, 0.0), EMPTY, EMPTY, EMPTY)


# ----------------------------------------------------------------------------------------------------- other runs


@pytest.mark.parametrize("told", [running(1), ended(0, start=1, end=2), ended(3), waiting(), EMPTY])
def test_a_pod_that_was_not_seen_to_start_before_another_run_is_nobodys(told: PodStatus) -> None:
    with pytest.raises(OutcomeNotKnown, match="another run was sent"):
        trace().note(told, 1.0, Rivals.ACCEPTED)


def test_while_another_run_is_under_way_nothing_is_taken_for_this_pod() -> None:
    one = trace()
    assert one.note(ended(3, start=1, end=2), 1.0, Rivals.UNDER_WAY) is None
    end = one.note(ended(3, start=1, end=2), 2.0, Rivals.NONE)  # the other one was turned away
    assert end is not None
    assert end.exit_code == 3


def test_a_pod_that_was_seen_to_start_keeps_its_end_whoever_comes_then() -> None:
    one = trace()
    one.note(running(1), 1.0)
    assert one.note(running(1), 2.0, Rivals.ACCEPTED) is None
    end = one.note(ended(5, "Error", start=1, end=3), 3.0, Rivals.ACCEPTED)
    assert end is not None
    assert end.exit_code == 5


@pytest.mark.parametrize("told", [ended(0), waiting(), EMPTY])
def test_what_comes_without_its_start_is_not_this_pods_once_another_run_was_accepted(told: PodStatus) -> None:
    one = trace()
    one.note(running(1), 1.0)
    with pytest.raises(OutcomeNotKnown, match=r"taken this one's place: it started .* and another run was sent since"):
        one.note(told, 2.0, Rivals.ACCEPTED)


@pytest.mark.parametrize("other", [running(9), ended(start=9, end=10)])
def test_a_pod_that_ran_for_long_is_not_said_to_have_been_replaced_before_its_start(other: PodStatus) -> None:
    one = trace()
    for second in range(1, 9):
        assert one.note(running(1), second) is None
    with pytest.raises(OutcomeNotKnown) as raised:
        one.note(other, 10, Rivals.ACCEPTED)
    assert raised.value.message == (
        "another pod has taken this one's place: it started 2026-11-25T12:00:01Z, and the other 2026-11-25T12:00:09Z"
    )
    assert one.last == running(1)
