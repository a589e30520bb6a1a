"""One request at a time, for everybody: the EM does not work on two (EM API, Shared Behaviors)."""

from collections.abc import Iterator
from contextlib import contextmanager

from emtui.errors import Locked

BUSY = "CG2 is busy"


class Turn:
    """Who has it is at work; all others are `Locked` at once, and wait for nothing."""

    def __init__(self) -> None:
        self._is_taken = False

    @contextmanager
    def take(self) -> Iterator[None]:
        """Have it until the block ends.

        Raises:
            Locked: another request has it.
        """
        if self._is_taken:
            raise Locked(BUSY)
        self._is_taken = True
        try:
            yield
        finally:
            self._is_taken = False
