"""Keeps what the panes show fresh: one poller for each, all through the Links, none ever the reason of an exit.

A poll that meets 423 keeps the last value and comes again; one that fails keeps it too and says why. An answer that
costs much is asked for less often, so that an idle console stays idle however large the volume is.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Generic, TypeVar

from emtui.backend import EM, GridNode
from emtui.commands import RunPod
from emtui.errors import EmtuiError, Locked, NotFound
from emtui.link.link import Link
from emtui.link.patience import Patience
from emtui.settings import POLL_S
from emtui.views import Feed, GridView, PastPod, PodView

if TYPE_CHECKING:
    from emtui.models import PodSpec, Terminated

T = TypeVar("T")

LARGEST_SHARE = 0.02
"""A poll of a local end may take this share of the time at most: what it costs, this machine pays."""

REMOTE_SHARE = 0.2
"""The same for a remote end, where most of the time is the network's."""

_LONGEST_INTERVAL_S = 120.0
_PAST_PODS = 5


class Poller(Generic[T]):
    """Asks one thing again and again, and gives each change as a `Feed`.

    `interval_s` may be changed at any time. `show` is called on the event loop's thread after every poll; the value
    in it is the same object as before if nothing changed and the backend says so. `answered` is set with the first
    answer, or error.
    """

    def __init__(
        self,
        key: str,
        link: Link,
        call: Callable[[], Awaitable[T]],
        show: Callable[[Feed[T]], None],
        *,
        interval_s: float = POLL_S,
        share: float = LARGEST_SHARE,
    ) -> None:
        self.feed: Feed[T] = Feed()
        self.interval_s = interval_s
        self._share = share
        self._key, self._link, self._call, self._show = key, link, call, show
        self.answered = asyncio.Event()
        self._now = asyncio.Event()
        self._patience = Patience(first_s=1.0, longest_s=30.0)
        self._took_s = 0.0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"poll-{self._key}")

    def refresh(self) -> None:
        """Ask at once, held or not."""
        self._now.set()

    def toggle_hold(self) -> bool:
        """Stop the polling, or go on. Returns whether it is stopped now."""
        self._put(replace(self.feed, is_held=not self.feed.is_held))
        if not self.feed.is_held:
            self.refresh()
        return self.feed.is_held

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        failures = 0
        while True:
            began = time.monotonic()
            try:
                value = await self._link.poll(self._key, self._timed)
            except Locked:
                self.answered.set()
                await self._pause(self.interval_s)  # somebody else's request is at work; the next poll is soon enough
            except EmtuiError as error:
                failures += 1
                wait_s = max(self.interval_s, self._patience.wait_s(failures))
                retry_at = time.monotonic() + wait_s
                self._put(replace(self.feed, error=error.message, remedy=error.remedy, retry_at=retry_at))
                await self._pause(wait_s)
            else:
                failures = 0
                # The one who is shown the value may change the interval because of it.
                self._put(Feed(value, datetime.now(UTC), is_held=self.feed.is_held))
                wait_s = min(_LONGEST_INTERVAL_S, max(self.interval_s, self._took_s / self._share))
                await self._pause(wait_s - (time.monotonic() - began))

    async def _timed(self) -> T:
        # From within the link's queue: the wait for other requests is not this one's cost.
        began = time.monotonic()
        try:
            return await self._call()
        finally:
            self._took_s = time.monotonic() - began

    async def _pause(self, seconds: float) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._now.wait(), None if self.feed.is_held else max(0.05, seconds))
            if self._now.is_set() or not self.feed.is_held:
                self._now.clear()
                return

    def _put(self, feed: Feed[T]) -> None:
        self.feed = feed
        self._show(feed)
        self.answered.set()


class PodWatch:
    """Makes the pod's view of the EM's status and of what this console asked for."""

    def __init__(self, em: EM, spec: PodSpec | None = None, asked_at: datetime | None = None) -> None:
        from emtui.models import PodStatus

        self._em = em
        self._view = PodView(PodStatus(), spec, asked_at)

    def asked(self, command: RunPod, at: datetime) -> None:
        """A run has been accepted: what came before is past."""
        from emtui.models import PodStatus

        past = self._view.past
        state = self._view.status.state
        if state.terminated is not None:
            past = (self._past(state.terminated), *past)[:_PAST_PODS]
        elif state.waiting is not None and state.waiting.reason:
            # It never ran, and never will: it has been replaced.
            past = (PastPod(self._image(), state.waiting.reason, datetime.now(UTC), is_good=False), *past)[:_PAST_PODS]
        self._view = PodView(PodStatus(), command.spec, at, past)

    async def __call__(self) -> PodView:
        status = await self._em.pod_status()
        if status != self._view.status:
            self._view = replace(self._view, status=status)
        return self._view

    def _image(self) -> str:
        return self._view.spec.docker_image if self._view.spec else "pod"

    def _past(self, ended: Terminated) -> PastPod:
        return PastPod(self._image(), ended.reason, ended.finished_at or datetime.now(UTC), ended.exit_code == 0)


class GridWatch:
    """Makes the Grid Node's view; whether a model may be copied is asked once a model, and again on demand."""

    def __init__(self, grid: GridNode) -> None:
        self._grid = grid
        self._allowed: dict[str, bool] = {}
        self._view = GridView()

    def forget(self) -> None:
        """Ask anew of each model whether it may be copied."""
        self._allowed.clear()

    async def __call__(self) -> GridView:
        from emtui.models import HostedModel

        ids = await self._grid.models()
        sizes = await self._grid.model_sizes()
        tags = tuple(await self._grid.dataset_tags())
        for model_id in ids:
            if model_id not in self._allowed:
                with contextlib.suppress(NotFound):  # gone between the two questions
                    self._allowed[model_id] = await self._grid.is_model_copy_allowed(model_id)
        models = tuple(
            HostedModel(model_id=one, is_copy_allowed=self._allowed.get(one), size_bytes=sizes.get(one)) for one in ids
        )
        view = GridView(models, tags)
        if view != self._view:
            self._view = view
        return self._view
