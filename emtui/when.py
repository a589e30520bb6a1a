"""When a pod is to start: what an operator may write for it, and the moment that it means.

Accepted, in any case: nothing or `now`; `+10m`, `+90s`, `+1h30m`, `+2d`; a time of day with a zone, `14:30Z` or
`14:30:15+02:00`, which means the next such time; and ISO 8601 with a zone, `2026-11-21T20:00:00+02:00` (EM API §8).
"""

import re
from datetime import UTC, datetime, timedelta

from emtui.errors import InvalidField
from emtui.text import duration, timestamp

FIELD = "scheduled_time"

MAX_AHEAD = timedelta(days=366)
"""Nobody means a later moment; what is further away is a slip of the keyboard."""

EXAMPLES = "now, +10m, 14:30Z or 2026-11-21T20:00:00+02:00"

# Longer than any moment that can be meant; a pasted page is not parsed.
_MAX_LENGTH = 64

_UNIT_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "min": 60, "s": 1}
_PART = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(d|h|min|m|s)", re.ASCII)
_OFFSET = re.compile(rf"\+(?:{_PART.pattern})+", re.ASCII)
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


def _refused(what: str, remedy: str) -> InvalidField:
    return InvalidField(FIELD, what, remedy=remedy)


def _offset(text: str, now: datetime) -> datetime | None:
    seconds = sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _PART.findall(text))
    if seconds == 0:
        return None
    if seconds > MAX_AHEAD.total_seconds():
        raise _too_far()
    return (now.astimezone(UTC) + timedelta(seconds=seconds)).replace(microsecond=0)


def _next_clock(clock: re.Match[str], now: datetime) -> datetime:
    time = clock["time"].zfill(5) if clock["time"].count(":") == 1 else clock["time"].zfill(8)
    if clock["zone"] is None:
        raise _no_zone(time)
    # The day is that of the written zone: 00:30+02:00 is next in the day that begins there.
    today = _moment("2000-01-01", time, clock["zone"], clock[0])
    there = now.astimezone(today.tzinfo)
    moment = today.replace(year=there.year, month=there.month, day=there.day)
    if moment <= now:
        moment += timedelta(days=1)
    return moment.astimezone(UTC)


def _moment(date: str, time: str, zone: str | None, written: str) -> datetime:
    if zone is None:
        raise _no_zone(f"{date}T{time}")
    if _LEAP_SECOND.search(written):
        raise _refused("has a second 60", "Seconds go from 00 to 59.")
    try:
        return datetime.fromisoformat(f"{date}T{time}{zone}")
    except ValueError:
        raise _refused("is not a time that exists", "Check the month, the day, the hour and the zone.") from None


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


def _no_zone(written: str) -> InvalidField:
    return _refused("has no zone", f"Write {written}Z for UTC, or the offset: {written}+02:00.")
