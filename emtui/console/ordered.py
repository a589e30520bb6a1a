"""Keys in order: each takes effect before the next one is looked at.

Textual forwards every key at once to the widget that has the focus at that moment. What is typed or pasted ahead by
quick fingers, or sent by a script, then lands in the wrong field: in `path<tab>folder` all letters go to the first
one. Here a key is followed on its way up, from queue to queue, and the next one waits until it has arrived.
"""

import asyncio
from collections import deque
from typing import Any

from textual import events
from textual.app import App, ReturnType
from textual.dom import DOMNode

# A key makes a widget send a message (`Submitted`, say), which stands behind the first follower in its queue.
_ROUNDS = 2

# A widget that is removed takes its queue, and a follower in it, along.
_LONGEST_S = 0.25


class OrderedApp(App[ReturnType]):
    """An app in which what is typed takes effect in the order in which it was typed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._typed: deque[events.Key | events.Paste] = deque()
        self._on_its_way: object | None = None

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            self._typed.append(event)
            await self._send_next()
        else:
            await super().on_event(event)

    async def _send_next(self) -> None:
        if self._on_its_way is not None or not self._typed:
            return
        follower = self._on_its_way = object()
        event = self._typed.popleft()
        way = list((self.focused or self.screen).ancestors_with_self)
        asyncio.get_running_loop().call_later(_LONGEST_S, self.call_later, self._arrived, follower)
        await super().on_event(event)
        self._follow(follower, deque(way * _ROUNDS))

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
