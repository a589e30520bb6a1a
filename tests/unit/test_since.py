"""Since when something is to be told: every form, and every way to get it wrong."""

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emtui.errors import InvalidField
from emtui.when import parse_since

NOW = datetime(2026, 11, 21, 20, 47, 13, 500_000, tzinfo=UTC)
MIDNIGHT = NOW.replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2h", NOW - timedelta(hours=2)),
        ("90m", NOW - timedelta(minutes=90)),
        ("90min", NOW - timedelta(minutes=90)),
        ("1h30m", NOW - timedelta(minutes=90)),
        ("3D", NOW - timedelta(days=3)),
        (" 1.5h ", NOW - timedelta(minutes=90)),
        ("0s", NOW),
        ("today", MIDNIGHT),
        ("Yesterday", MIDNIGHT - timedelta(days=1)),
        ("2026-11-20", MIDNIGHT - timedelta(days=1)),
        ("2026-11-21", MIDNIGHT),
        ("14:30Z", MIDNIGHT + timedelta(hours=14, minutes=30)),
        ("20:47:13Z", NOW.replace(microsecond=0)),
        ("21:00Z", MIDNIGHT - timedelta(hours=3)),
        ("23:30+02:00", MIDNIGHT - timedelta(hours=2, minutes=30)),
        ("22:30+02:00", MIDNIGHT + timedelta(hours=20, minutes=30)),
        ("2026-11-21T20:00:00+02:00", MIDNIGHT + timedelta(hours=18)),
        ("2026-11-21 20:00Z", MIDNIGHT + timedelta(hours=20)),
    ],
)
def test_each_form_is_a_moment_in_utc(text: str, expected: datetime) -> None:
    assert parse_since(text, NOW) == expected
    assert parse_since(text, NOW).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is not a time"),
        ("soon", "is not a time"),
        ("+2h", "is not a time"),
        ("-2h", "is not a time"),
        ("2026-11-21T20:00", "has no zone"),
        ("14:30", "has no zone"),
        ("2026-13-01", "is not a time that exists"),
        ("2026-11-21T24:61Z", "is not a time that exists"),
        ("2026-11-21T20:00:60Z", "has a second 60"),
        ("2026-11-22", "is still to come"),
        ("2026-11-21T21:00Z", "is still to come"),
        ("0001-01-01T00:00+14:00", "is not a time that exists"),
        ("999999999d", "is before there were any times"),
        ("1d" * 40, "is too long"),
    ],
)
def test_what_is_none_is_refused_with_the_field_and_a_remedy(text: str, why: str) -> None:
    with pytest.raises(InvalidField) as caught:
        parse_since(text, NOW)
    assert caught.value.field == "since"
    assert why in caught.value.message
    assert caught.value.remedy


@given(st.text(max_size=70))
def test_any_text_is_a_moment_that_is_past_or_a_refusal(text: str) -> None:
    with contextlib.suppress(InvalidField):
        assert parse_since(text, NOW) <= NOW
