"""The clock: a scheduled run, a token's end and a certificate are only as right as it is."""

import ctypes
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from emtui.doctor.case import Case
from emtui.doctor.checks import Check
from emtui.text import timestamp

SECTION = "clock"

SYNCHRONISED = Path("/run/systemd/timesync/synchronized")
_SET_IT = "Set it: sudo timedatectl set-ntp true."
# No clock that was ever set is before the specification.
_OLDEST = datetime(2025, 11, 1, tzinfo=UTC)
# <sys/timex.h>
_STA_UNSYNC = 0x0040
_TIME_ERROR = 5


class _Timex(ctypes.Structure):
    """The head of `struct timex`; the rest is room."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 512),
    )


def look_at_clock(_case: Case) -> list[Check]:
    """The time, the zone, and whether somebody keeps the clock right. Blocks."""
    return [now_check(datetime.now(UTC)), zone_check(), synchronised_check(is_synchronised())]


def now_check(now: datetime) -> Check:
    """Whether the time can be."""
    if now < _OLDEST:
        return Check(SECTION, "UTC", "fail", f"{timestamp(now)}, which cannot be", _SET_IT)
    return Check(SECTION, "UTC", "ok", timestamp(now))


def zone_check() -> Check:
    """The local zone, beside which every time in UTC is shown."""
    local = datetime.now().astimezone()
    minutes = (local.utcoffset() or timedelta()) // timedelta(minutes=1)
    offset = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
    return Check(SECTION, "local zone", "ok", f"{local.tzname() or time.tzname[0]}, UTC{offset}")


def synchronised_check(is_right: bool | None) -> Check:
    """Whether the clock follows a time server; None where that cannot be told."""
    if is_right is None:
        return Check(SECTION, "synchronised", "ok", "not known: this system does not tell")
    if is_right:
        return Check(SECTION, "synchronised", "ok", "yes")
    found = "no time server keeps this clock right"
    return Check(SECTION, "synchronised", "note", found, f"{_SET_IT} In a container or VM: on its host.")


def is_synchronised(marker: Path = SYNCHRONISED) -> bool | None:
    """What systemd's `marker` or the kernel says. Blocks."""
    if os.access(marker, os.F_OK):
        return True
    if not sys.platform.startswith("linux"):
        return None
    timex = _Timex()
    try:
        state: int = ctypes.CDLL(None, use_errno=True).ntp_adjtime(ctypes.byref(timex))
    except (OSError, AttributeError):
        return None
    if state < 0:
        return None
    return state != _TIME_ERROR and not timex.status & _STA_UNSYNC
