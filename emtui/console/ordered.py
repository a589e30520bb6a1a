"""Keys in order: each takes effect before the next one is looked at.

Textual forwards every key at once to the widget that has the focus at that moment. What is typed or pasted ahead by
quick fingers, or sent by a script, then lands in the wrong field: in `path<tab>folder` all letters go to the first
one. Here a key is followed on its way up, from queue to queue, and the next one waits until it has arrived.
A screen that still looks at what was typed (`is_settling`) is waited for too: what follows ctrl+s is not for it.
"""

import asyncio
import time
from collections import deque
from typing import Any

from textual import events
from textual.app import App, ReturnType
from textual.dom import DOMNode

# A key makes a widget send a message (`Submitted`, say), which stands behind the first follower in its queue.
_ROUNDS = 2

# A widget that is removed takes its queue, and a follower in it, along.
_LONGEST_S = 0.25

# So long a key waits for a screen that settles; one that talks to a server takes its time.
_LONGEST_SETTLING_S = 2.0
_LOOK_AGAIN_S = 0.02

# It leads out of whatever takes too long.
_WAITS_FOR_NOTHING = "escape"


class OrderedApp(App[ReturnType]):
    """An app in which what is typed takes effect in the order in which it was typed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._typed: deque[events.Key | events.Paste] = deque()
        self._on_its_way: object | None = None
        self._settles_until: float | None = None

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            self._typed.append(event)
            await self._send_next()
        else:
            await super().on_event(event)

    async def _send_next(self) -> None:
        if self._on_its_way is not None or not self._typed:
            return
        if self._settles(self._typed[0]):
            self.set_timer(_LOOK_AGAIN_S, self._send_next)
            return
        self._settles_until = None
        follower = self._on_its_way = object()
        event = self._typed.popleft()
        way = list((self.focused or self.screen).ancestors_with_self)
        asyncio.get_running_loop().call_later(_LONGEST_S, self.call_later, self._arrived, follower)
        await super().on_event(event)
        self._follow(follower, deque(way * _ROUNDS))

    def _settles(self, event: events.Key | events.Paste) -> bool:
        if not getattr(self.screen, "is_settling", False) or getattr(event, "key", "") == _WAITS_FOR_NOTHING:
            return False
        if self._settles_until is None:
            self._settles_until = time.monotonic() + _LONGEST_SETTLING_S
        return time.monotonic() < self._settles_until

    def _follow(self, follower: object, way: deque[DOMNode]) -> None:
        """One queue further up; at the end of the way the key has arrived."""
        while way:
            node = way.popleft()
            if node.call_later(self._follow, follower, way):
                return
        self.call_later(self._arrived, follower)

    async def _arrived(self, follower: object) -> None:
        if self._on_its_way is follower:
            self._on_its_way = None
            await self._send_next()
