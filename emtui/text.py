"""The only door by which foreign text reaches the screen, and the one way to write sizes, times and durations.

Foreign is every string that emtui did not write itself: names, ids, tags, error messages, log lines, reasons.
Terminal libraries pass control bytes on and read `[markup]` in plain strings, so that a file's name could own the
terminal or be a button. `safe_str` makes a string harmless to a terminal; `safe_text` also makes it a `Content`,
which no widget reads as markup. Never give a foreign `str` to a widget.
"""

import unicodedata
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.content import Content

_ESCAPED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_COMBINING_CATEGORIES = frozenset({"Mn", "Me"})
_NAMED_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}

# No script needs more marks on one letter; a stack of them would draw over the lines above and below.
_MOST_COMBINING_MARKS = 4

# Longer than any screen is wide; a line without end must not cost more than one that is cut.
DEFAULT_LIMIT = 4096


def _escape(character: str) -> str:
    if character in _NAMED_ESCAPES:
        return _NAMED_ESCAPES[character]
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, held by surrogateescape
        return f"\\x{code - 0xDC00:02x}"
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def safe_str(foreign: object, limit: int = DEFAULT_LIMIT) -> str:
    """`foreign` on one line, with every character that a terminal could act on written as an escape.

    Escaped are the Unicode categories Cc, Cf, Cs, Co, Cn, Zl and Zp, and combining marks beyond the fourth in a
    row. At most `limit` characters are read; what is cut off is shown as `…`. The result may still hold `[markup]`:
    give it to a terminal, never to a widget.
    """
    text = str(foreign)
    if len(text) > limit:
        text = text[:limit] + "…"
    if text.isascii() and text.isprintable():
        return text
    shown: list[str] = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        marks = marks + 1 if category in _COMBINING_CATEGORIES else 0
        if category in _ESCAPED_CATEGORIES or marks > _MOST_COMBINING_MARKS:
            shown.append(_escape(character))
        else:
            shown.append(character)
    return "".join(shown)


def safe_text(foreign: object, style: str = "", limit: int = DEFAULT_LIMIT) -> "Content":
    """`safe_str` as a `Content` in one style: what a widget may be given."""
    from textual.content import Content  # a headless run never comes here

    return Content.styled(safe_str(foreign, limit), style) if style else Content(safe_str(foreign, limit))


# ---------------------------------------------------------------------------------------------------- numbers

_MOST_SECONDS = 1e11  # three thousand years
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def size(size_bytes: float | None) -> str:
    """Bytes in IEC units, at most four digits: `0 B`, `487 B`, `1.2 KiB`, `80 MiB`, `1.0 GiB`; `–` for None."""
    if size_bytes is None:
        return "–"
    value = float(size_bytes)
    for unit in _UNITS:
        if value < 1023.5 or unit == _UNITS[-1]:
            break
        value /= 1024
    if unit == "B" or value >= 9.95:
        return f"{value:.0f} {unit}"
    return f"{value:.1f} {unit}"


def rate(bytes_s: float) -> str:
    """Bytes a second: `12 MiB/s`."""
    return f"{size(bytes_s)}/s"


def _utc(moment: datetime) -> datetime:
    """`moment` in UTC. A foreign time at the very edge of the calendar has none: its digits are then taken as UTC."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return moment.replace(tzinfo=UTC)


def clock(moment: datetime) -> str:
    """`20:47:13Z`."""
    return _utc(moment).strftime("%H:%M:%SZ")


def timestamp(moment: datetime) -> str:
    """`2026-11-21T20:47:13Z`."""
    return _utc(moment).strftime("%Y-%m-%dT%H:%M:%SZ")


def day_of_year(moment: datetime) -> str:
    """`2026-325`."""
    return _utc(moment).strftime("%Y-%j")


def short_date(moment: datetime, now: datetime) -> str:
    """For a narrow column: `11-20 13:43` within the year, else `2024-11-20`."""
    utc = _utc(moment)
    return utc.strftime("%m-%d %H:%M") if utc.year == _utc(now).year else utc.strftime("%Y-%m-%d ")


def _whole(seconds: float) -> int:
    """Whole seconds from 0 up to what a column can hold; NaN is 0."""
    return int(min(max(0.0, seconds), _MOST_SECONDS))


def duration(seconds: float) -> str:
    """`00:12:04`, with days in front where there are any: `2d 03:00:00`."""
    whole = _whole(seconds)
    days, rest = divmod(whole, 86_400)
    text = f"{rest // 3600:02d}:{rest % 3600 // 60:02d}:{rest % 60:02d}"
    return f"{days}d {text}" if days else text


def countdown(seconds: float) -> str:
    """Seconds until something: `T-00:12:31` before it, `T+00:00:04` after it."""
    return f"T-{duration(seconds)}" if seconds > 0 else f"T+{duration(-seconds)}"


def age(seconds: float) -> str:
    """How old something is, as short as it can be said: `2 s`, `4 min`, `3 h`, `12 d`."""
    whole = _whole(seconds)
    if whole < 100:
        return f"{whole} s"
    if whole < 6_000:
        return f"{whole // 60} min"
    return f"{whole // 3600} h" if whole < 172_800 else f"{whole // 86_400} d"


def count(number: int, noun: str, plural: str = "") -> str:
    """`1 file`, `3 files`, `12,000 entries`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
