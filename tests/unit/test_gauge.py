"""What the header is told of a link."""

import asyncio
from datetime import UTC, datetime

import pytest

from emtui.errors import (
    ContractViolation,
    Forbidden,
    Locked,
    NotFound,
    NotSignedIn,
    RemoteFailed,
    Unreachable,
    Untrusted,
)
from emtui.link.gauge import Gauge
from emtui.plain import Vitals
from emtui.views import LinkHealth


@pytest.fixture
def gauge() -> Gauge:
    return Gauge("em")


def test_an_answer_makes_it_well(gauge: Gauge) -> None:
    seen: list[LinkHealth] = []
    gauge.on_change = seen.append
    gauge.refused(Unreachable("no route", may_have_run=False))
    assert (gauge.health.is_connected, gauge.health.error) == (False, "no route")
    gauge.answered(0.25)
    assert (gauge.health.is_connected, gauge.health.error, gauge.health.round_trip_s) == (True, "", 0.25)
    assert gauge.health.last_answer_at is not None
    assert seen[-1] is gauge.health
    assert len(seen) == 2


def test_busy_is_told_from_the_first_423_until_something_else(gauge: Gauge) -> None:
    gauge.refused(Locked("CG2 is busy"))
    since = gauge.health.busy_since
    assert since is not None
    gauge.refused(Locked("CG2 is busy"))
    assert gauge.health.busy_since == since
    assert (gauge.health.is_connected, gauge.health.error) == (True, "")
    gauge.answered(0.1)
    assert gauge.health.busy_since is None


def test_a_refusal_is_an_answer(gauge: Gauge) -> None:
    gauge.refused(Unreachable("no route", may_have_run=False))
    for error in (NotFound("no such file"), NotSignedIn("no token")):
        gauge.refused(error)
        assert (gauge.health.is_connected, gauge.health.error) == (True, "")


def test_an_answer_that_is_wrong_is_an_answer_and_is_told(gauge: Gauge) -> None:
    for error in (ContractViolation("JSON is promised, and text/html came"), RemoteFailed("it broke"), Forbidden("no")):
        gauge.refused(error)
        assert (gauge.health.is_connected, gauge.health.error) == (True, error.message)
        assert gauge.health.last_answer_at is not None
    gauge.refused(Untrusted("self-signed certificate"))
    assert (gauge.health.is_connected, gauge.health.error) == (False, "self-signed certificate")


def test_busy_ends_with_a_transfer_that_is_under_way(gauge: Gauge) -> None:
    gauge.refused(Locked("CG2 is busy"))
    gauge.got_through()
    assert gauge.health.busy_since is None


async def test_a_401_needs_a_new_sign_in_whatever_was_before(gauge: Gauge) -> None:
    gauge.note_signed_in()
    gauge.refused(NotSignedIn("revoked"))
    assert gauge.health.vitals.needs_sign_in
    waiting = asyncio.create_task(gauge.until_signed_in())
    await asyncio.sleep(0)
    assert not waiting.done()
    gauge.note_signed_in()
    await asyncio.wait_for(waiting, 5)
    assert not gauge.health.vitals.needs_sign_in


async def test_who_waits_for_a_sign_in_goes_on_after_it(gauge: Gauge) -> None:
    gauge.note_vitals(Vitals(needs_sign_in=True))
    waiting = asyncio.create_task(gauge.until_signed_in())
    await asyncio.sleep(0)
    assert not waiting.done()
    ends = datetime(2026, 11, 21, tzinfo=UTC)
    gauge.note_vitals(Vitals(token_expires_at=ends, skew_s=1.5))
    await asyncio.wait_for(waiting, 5)
    assert gauge.health.vitals == Vitals(ends, 1.5)
