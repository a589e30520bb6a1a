"""When a pod is to start: what an operator may write for it, and the moment that it means.

Accepted, in any case: nothing or `now`; `+10m`, `+90s`, `+1h30m`, `+2d`; a time of day with a zone, `14:30Z` or
`14:30:15+02:00`, which means the next such time; and ISO 8601 with a zone, `2026-11-21T20:00:00+02:00` (EM API §8).

And since when something is to be told: `2h`, `3d`, `1h30m`; `today` and `yesterday`, a date `2026-11-21`, all of UTC;
a time of day with a zone, which means the last such time; and ISO 8601 with a zone.
"""

import re
from datetime import UTC, datetime, timedelta

from emtui.errors import InvalidField
from emtui.text import duration, timestamp

FIELD = "scheduled_time"
SINCE = "since"

MAX_AHEAD = timedelta(days=366)
"""Nobody means a later moment; what is further away is a slip of the keyboard."""

EXAMPLES = "now, +10m, 14:30Z or 2026-11-21T20:00:00+02:00"
SINCE_EXAMPLES = "2h, 3d, today, 14:30Z, 2026-11-21 or 2026-11-21T20:00:00+02:00"

# Longer than any moment that can be meant; a pasted page is not parsed.
_MAX_LENGTH = 64

_UNIT_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "min": 60, "s": 1}
_PART = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(d|h|min|m|s)", re.ASCII)
_OFFSET = re.compile(rf"\+(?:{_PART.pattern})+", re.ASCII)
_AGE = re.compile(rf"(?:{_PART.pattern})+", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_ZONE = r"(?P<zone>Z|[+-]\d{2}:?\d{2})?"
_CLOCK = re.compile(rf"(?P<time>\d{{1,2}}:\d{{2}}(?::\d{{2}})?)\s*{_ZONE}", re.ASCII)
_ISO = re.compile(
    rf"(?P<date>\d{{4}}-\d{{2}}-\d{{2}})[T ](?P<time>\d{{2}}:\d{{2}}(?::\d{{2}}(?:\.\d{{1,6}})?)?)\s*{_ZONE}",
    re.ASCII,
)
_LEAP_SECOND = re.compile(r":60(?:\D|$)", re.ASCII)


def parse_when(text: str, now: datetime) -> datetime | None:
    """The moment that `text` means, in UTC to the second; None for now.

    `now` is aware.

    Raises:
        InvalidField: of `scheduled_time`: no such form, no zone, no such time, past, or too far ahead.
    """
    if len(text) > _MAX_LENGTH:
        raise _refused("is too long to be a time", f"Write {EXAMPLES}.")
    written = text.strip().upper()
    if written in ("", "NOW"):
        return None
    lower = written.lower()
    if _OFFSET.fullmatch(lower):
        return _offset(lower, now)
    if clock := _CLOCK.fullmatch(written):
        return _next_clock(clock, now)
    if iso := _ISO.fullmatch(written):
        return _checked(_moment(iso["date"], iso["time"], iso["zone"], written), now)
    raise _refused("is not a time", f"Write {EXAMPLES}.")


def parse_since(text: str, now: datetime) -> datetime:
    """The moment, in UTC, since when something is to be told; it is not later than `now`, which is aware.

    Raises:
        InvalidField: of `since`: no such form, no zone, no such time, or one that is still to come.
    """
    if len(text) > _MAX_LENGTH:
        raise _refused("is too long to be a time", f"Write {SINCE_EXAMPLES}.", SINCE)
    written = text.strip().upper()
    lower = written.lower()
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if lower in ("today", "yesterday"):
        return midnight - timedelta(days=lower == "yesterday")
    if _AGE.fullmatch(lower):
        return _ago(lower, now)
    if clock := _CLOCK.fullmatch(written):
        return _next_clock(clock, now, SINCE) - timedelta(days=1)
    if _DATE.fullmatch(written):
        return _past(_moment(written, "00:00", "Z", written, SINCE), now)
    if iso := _ISO.fullmatch(written):
        return _past(_moment(iso["date"], iso["time"], iso["zone"], written, SINCE), now)
    raise _refused("is not a time", f"Write {SINCE_EXAMPLES}.", SINCE)


def _ago(text: str, now: datetime) -> datetime:
    seconds = sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _PART.findall(text))
    try:
        return now.astimezone(UTC) - timedelta(seconds=seconds)
    except OverflowError:
        raise _refused("is before there were any times", f"Write {SINCE_EXAMPLES}.", SINCE) from None


def _past(moment: datetime, now: datetime) -> datetime:
    if moment > now:
        early = duration((moment - now).total_seconds())
        raise _refused(f"is still to come, in {early}", f"Give a time before {timestamp(now)}.", SINCE)
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # the first hours of the calendar, east of Greenwich
        raise _refused("is not a time that exists", "Check the year and the zone.", SINCE) from None


def _refused(what: str, remedy: str, field: str = FIELD) -> InvalidField:
    return InvalidField(field, what, remedy=remedy)


def _offset(text: str, now: datetime) -> datetime | None:
    seconds = sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _PART.findall(text))
    if seconds == 0:
        return None
    if seconds > MAX_AHEAD.total_seconds():
        raise _too_far()
    return (now.astimezone(UTC) + timedelta(seconds=seconds)).replace(microsecond=0)


def _next_clock(clock: re.Match[str], now: datetime, field: str = FIELD) -> datetime:
    time = clock["time"].zfill(5) if clock["time"].count(":") == 1 else clock["time"].zfill(8)
    if clock["zone"] is None:
        raise _no_zone(time, field)
    # The day is that of the written zone: 00:30+02:00 is next in the day that begins there.
    today = _moment("2000-01-01", time, clock["zone"], clock[0], field)
    there = now.astimezone(today.tzinfo)
    moment = today.replace(year=there.year, month=there.month, day=there.day)
    if moment <= now:
        moment += timedelta(days=1)
    return moment.astimezone(UTC)


def _moment(date: str, time: str, zone: str | None, written: str, field: str = FIELD) -> datetime:
    if zone is None:
        raise _no_zone(f"{date}T{time}", field)
    if _LEAP_SECOND.search(written):
        raise _refused("has a second 60", "Seconds go from 00 to 59.", field)
    try:
        return datetime.fromisoformat(f"{date}T{time}{zone}")
    except ValueError:
        raise _refused("is not a time that exists", "Check the month, the day, the hour and the zone.", field) from None


def _checked(moment: datetime, now: datetime) -> datetime:
    ahead = moment - now
    if ahead <= timedelta(0):
        late = duration(-ahead.total_seconds())
        raise _refused(f"is past, {late} ago", f"Give a time after {timestamp(now)}, or leave it empty for now.")
    if ahead > MAX_AHEAD:
        raise _too_far()
    return moment.astimezone(UTC).replace(microsecond=0)


def _too_far() -> InvalidField:
    return _refused("is too far ahead", f"At most {MAX_AHEAD.days} days.")


def _no_zone(written: str, field: str = FIELD) -> InvalidField:
    return _refused("has no zone", f"Write {written}Z for UTC, or the offset: {written}+02:00.", field)
