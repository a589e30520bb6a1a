"""How a link is: what its answers and refusals say, gathered for the header."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from emtui.commands import Endpoint
from emtui.errors import (
    ContractViolation,
    EmtuiError,
    Forbidden,
    Locked,
    NotSignedIn,
    RemoteFailed,
    Unreachable,
    Untrusted,
)
from emtui.plain import Vitals
from emtui.views import LinkHealth


class Gauge:
    """One link's health. `on_change` gets each change, on the event loop's thread."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.health = LinkHealth(endpoint)
        self.on_change: Callable[[LinkHealth], None] = lambda _health: None
        self._signed_in = asyncio.Event()

    def answered(self, seconds: float) -> None:
        """A request was answered, after `seconds`."""
        self._put(is_connected=True, error="", round_trip_s=seconds, last_answer_at=datetime.now(UTC), busy_since=None)

    def got_through(self) -> None:
        """A transfer is under way: it is no longer somebody else's turn."""
        if self.health.busy_since is not None:
            self._put(busy_since=None)

    def refused(self, error: EmtuiError) -> None:
        """A request was turned away, failed or lost. All but the last is an answer; 423 is told until another one."""
        if isinstance(error, Unreachable | Untrusted):
            self._put(is_connected=False, error=error.message, busy_since=None)
            return
        vitals, busy_since, told = self.health.vitals, None, ""
        if isinstance(error, NotSignedIn):
            self._signed_in.clear()
            vitals = replace(vitals, needs_sign_in=True)
        elif isinstance(error, Locked):
            busy_since = time.monotonic() if self.health.busy_since is None else self.health.busy_since
        elif isinstance(error, RemoteFailed | ContractViolation | Forbidden) or error.status is None:
            told = error.message
        self._put(is_connected=True, error=told, vitals=vitals, last_answer_at=datetime.now(UTC), busy_since=busy_since)

    def note_vitals(self, vitals: Vitals) -> None:
        """What a remote end tells of itself has changed."""
        if vitals.needs_sign_in:
            self._signed_in.clear()
        else:
            self._signed_in.set()
        self._put(vitals=vitals)

    def note_signed_in(self) -> None:
        """Somebody has just signed in: what waits for it is tried again."""
        self._signed_in.set()
        self._put(vitals=replace(self.health.vitals, needs_sign_in=False))

    async def until_signed_in(self) -> None:
        """Wait until nobody has to sign in any more."""
        await self._signed_in.wait()

    def mark_absent(self) -> None:
        """The profile has no such end."""
        self._put(is_absent=True)

    def count(self, waiting: int, unknown: int, *, is_held: bool) -> None:
        """How many commands wait, and how many have an end that is not known."""
        self._put(queued=0 if is_held else waiting, held=waiting if is_held else 0, unknown=unknown, is_held=is_held)

    def _put(self, **changed: Any) -> None:
        self.health = replace(self.health, **changed)
        self.on_change(self.health)
