"""How long to wait before the next try: jittered, growing, capped.

The EM does one request at a time for everybody, so that a 423 is a queue, not an error. Whole seconds are told to
the operator, so that the wait can be watched.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 15.0
LONGEST_ASKED_WAIT_S = 120.0
"""However long the other side asks to wait (Retry-After), no longer than this: it may ask for a year."""
_GROWTH = 1.7


@dataclass(frozen=True, slots=True)
class Patience:
    """Waits between tries: `first_s`, then 1.7 times longer each time up to `longest_s`, each ± a quarter.

    `jitter` gives a number from 0 to 1; two clients that met the same 423 must not come back together.
    `give_up_s` is how long tries are made in all; None is without an end, as an operator at the screen wants it.
    """

    first_s: float = FIRST_WAIT_S
    longest_s: float = LONGEST_WAIT_S
    jitter: Callable[[], float] = field(default=random.random)
    give_up_s: float | None = None

    def wait_s(self, tries: int, asked_s: float | None = None) -> float:
        """Seconds to wait after the `tries`-th try in a row (from 1) was turned away.

        `asked_s` is what the other side asked for: it is waited at least, up to `LONGEST_ASKED_WAIT_S`.
        """
        # The exponent is capped too: an hour of tries must not overflow.
        plain = min(self.longest_s, self.first_s * _GROWTH ** min(tries - 1, 64))
        wait_s = plain * (0.75 + 0.5 * self.jitter())
        return wait_s if asked_s is None else max(wait_s, min(asked_s, LONGEST_ASKED_WAIT_S))


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `3rd`, `11th`."""
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"
