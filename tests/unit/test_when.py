"""When a pod is to start: every form, and every way to get it wrong."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emtui.errors import InvalidField
from emtui.when import MAX_AHEAD, parse_when

NOW = datetime(2026, 11, 21, 20, 47, 13, 500_000, tzinfo=UTC)


def utc(year: int, month: int, day: int, hour: int, minute: int, second: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "   ", "now", "NOW", " Now ", "+0m", "+0h0s"])
def test_now_is_none(text: str) -> None:
    assert parse_when(text, NOW) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+10m", utc(2026, 11, 21, 20, 57, 13)),
        ("+10min", utc(2026, 11, 21, 20, 57, 13)),
        ("+90s", utc(2026, 11, 21, 20, 48, 43)),
        ("+2h", utc(2026, 11, 21, 22, 47, 13)),
        ("+1h30m", utc(2026, 11, 21, 22, 17, 13)),
        ("+1H30M", utc(2026, 11, 21, 22, 17, 13)),
        ("+0.5h", utc(2026, 11, 21, 21, 17, 13)),
        ("+1d", utc(2026, 11, 22, 20, 47, 13)),
        (" 21:30Z ", utc(2026, 11, 21, 21, 30)),
        ("21:30z", utc(2026, 11, 21, 21, 30)),
        ("21:30:15Z", utc(2026, 11, 21, 21, 30, 15)),
        ("14:30Z", utc(2026, 11, 22, 14, 30)),
        ("9:05Z", utc(2026, 11, 22, 9, 5)),
        ("9:05:07Z", utc(2026, 11, 22, 9, 5, 7)),
        ("20:47:13Z", utc(2026, 11, 22, 20, 47, 13)),
        ("00:30+02:00", utc(2026, 11, 21, 22, 30)),
        ("21:30+0200", utc(2026, 11, 22, 19, 30)),
        ("2026-11-21T20:00:00-02:00", utc(2026, 11, 21, 22, 0)),
        ("2026-11-21T22:00:00Z", utc(2026, 11, 21, 22, 0)),
        ("2026-11-21 22:00z", utc(2026, 11, 21, 22, 0)),
        ("2026-11-21t22:00:00.25Z", utc(2026, 11, 21, 22, 0)),
        ("2028-02-29T00:00Z", None),
    ],
)
def test_forms(text: str, expected: datetime | None) -> None:
    if expected is None:
        with pytest.raises(InvalidField, match="too far ahead"):
            parse_when(text, NOW)
    else:
        assert parse_when(text, NOW) == expected


@pytest.mark.parametrize(
    ("text", "what", "remedy"),
    [
        ("14:30", "has no zone", "14:30Z"),
        ("2026-11-22T20:00:00", "has no zone", "2026-11-22T20:00:00Z"),
        ("2026-11-21T20:00:00Z", "is past, 00:47:13 ago", "leave it empty"),
        ("1970-01-01T00:00:00Z", "is past", "2026-11-21T20:47:13Z"),
        ("14:30:60Z", "second 60", "00 to 59"),
        ("2026-11-22T14:30:60Z", "second 60", "00 to 59"),
        ("2026-13-01T00:00Z", "exists", "month"),
        ("2027-02-29T00:00Z", "exists", "day"),
        ("25:00Z", "exists", "hour"),
        ("12:00+99:00", "exists", "zone"),
        ("0000-01-01T00:00Z", "exists", "month"),
        ("0001-01-01T00:00+10:00", "is past", "after"),
        ("9999-12-31T23:59-10:00", "too far ahead", "366 days"),
        ("+999999999d", "too far ahead", "366 days"),
        ("+367d", "too far ahead", "366 days"),
        ("+" + "9" * 5000 + "h", "too long", "+10m"),
        ("tomorrow", "is not a time", "14:30Z"),
        ("10m", "is not a time", "+10m"),
        ("-10m", "is not a time", "+10m"),
        ("+10", "is not a time", "+10m"),
        ("+m", "is not a time", "+10m"),
        ("2026-11-22", "is not a time", "+10m"),
        ("+\u0661m", "is not a time", "+10m"),
        ("\x1b[31m", "is not a time", "+10m"),
        ("\udcff", "is not a time", "+10m"),
    ],
)
def test_refused_with_the_remedy(text: str, what: str, remedy: str) -> None:
    with pytest.raises(InvalidField) as caught:
        parse_when(text, NOW)
    assert caught.value.field == "scheduled_time"
    assert what in caught.value.message
    assert remedy in caught.value.remedy


def test_an_unusual_now_is_understood() -> None:
    east = NOW.astimezone(timezone(timedelta(hours=14)))
    assert parse_when("21:30Z", east) == parse_when("21:30Z", NOW)
    assert parse_when("+1m", east) == parse_when("+1m", NOW)


@given(st.text(max_size=80))
def test_any_text_is_a_moment_ahead_or_refused(text: str) -> None:
    try:
        moment = parse_when(text, NOW)
    except InvalidField:
        return
    assert moment is None or NOW.replace(microsecond=0) <= moment <= NOW + MAX_AHEAD
    assert moment is None or moment.utcoffset() == timedelta(0)


@given(st.integers(min_value=1, max_value=366 * 24 * 60 - 1))
def test_an_iso_time_comes_back_as_written(minutes: int) -> None:
    moment = NOW.replace(second=0, microsecond=0) + timedelta(minutes=minutes)
    if moment > NOW:
        assert parse_when(moment.isoformat(), NOW) == moment
