"""What is learned of the other side by the way: its clock, when the token ends, whether somebody must sign in."""

import base64
import binascii
import json
import math
import statistics
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from emtui.plain import Vitals

# A Date has whole seconds: on average it is half a second behind.
_DATE_LAG_S = 0.5
# Less than a Date can tell: whole seconds, and servers that write the same one for a second or more.
_SAME_CLOCK_S = 2.0
# What two answers of one clock can differ by: whole seconds, and servers that renew their Date once a second.
_NOISE_S = 2.5
_SAMPLES = 9
# An answer that took longer does not tell when its Date was written.
_LONGEST_ROUND_TRIP_S = 2.0
_STEP_S = 0.5


def ignore(_vitals: Vitals) -> None:
    """Nobody wants to know."""


class VitalsBook:
    """Keeps the vitals of one endpoint and tells each change, on the event loop's thread."""

    def __init__(self, on_change: Callable[[Vitals], None] = ignore) -> None:
        self.now = Vitals()
        self._on_change = on_change
        self._samples: deque[float] = deque(maxlen=_SAMPLES)

    def learn_date(self, date: str | None, received_at: float, round_trip_s: float) -> None:
        """An answer bore this `Date`. `received_at` is in seconds of `time.time()`."""
        if date is None or round_trip_s > _LONGEST_ROUND_TRIP_S:
            return
        try:
            moment = parsedate_to_datetime(date)
            stamp = moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
        except (ValueError, OverflowError):
            return
        sample = stamp + _DATE_LAG_S - (received_at - round_trip_s / 2)
        if self._samples and abs(sample - statistics.median(self._samples)) > _NOISE_S:
            self._samples.clear()  # one of the two clocks was set
        self._samples.append(sample)
        skew = statistics.median(self._samples)
        skew = 0.0 if abs(skew) <= _SAME_CLOCK_S else round(skew, 1)
        before = self.now.skew_s
        # A number that flickers says nothing.
        if before is None or (skew == 0.0) != (before == 0.0) or abs(skew - before) > _STEP_S:
            self._change(replace(self.now, skew_s=skew))

    def learn_token(self, token: str | None) -> None:
        """This token is in use from now on, None for none."""
        expiry = expires_at(token) if token else None
        self._change(replace(self.now, token_expires_at=expiry, needs_sign_in=self.now.needs_sign_in and not token))

    def needs_sign_in(self) -> None:
        """Nothing goes on until somebody signs in."""
        self._change(replace(self.now, needs_sign_in=True))

    def _change(self, vitals: Vitals) -> None:
        if vitals != self.now:
            self.now = vitals
            self._on_change(vitals)

    def is_expiring(self, token: str, margin_s: float) -> bool:
        """Whether the token ends, by the server's clock, within `margin_s` or the last quarter of a short life."""
        claims = _claims(token)
        expiry, issued = _number(claims.get("exp")), _number(claims.get("iat"))
        if expiry is None:
            return False
        if issued is not None and expiry > issued:
            margin_s = min(margin_s, (expiry - issued) / 4)
        return expiry - (time.time() + (self.now.skew_s or 0.0)) <= margin_s


def expires_at(token: str) -> datetime | None:
    """When a JWT ends (`exp`), None for what is none. Nothing is verified: that is the server's work."""
    expiry = _number(_claims(token).get("exp"))
    try:
        return None if expiry is None else datetime.fromtimestamp(expiry, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _claims(token: str) -> dict[str, object]:
    payload = [*token.split("."), ""][1]
    try:
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _number(value: object) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            return None
        return number if math.isfinite(number) else None
    return None
