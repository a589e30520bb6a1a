"""The pollers, and what they make of the answers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from emtui.commands import RunPod
from emtui.errors import Locked, Unreachable
from emtui.files import MemorySource
from emtui.link.feeds import GridWatch, PodWatch, Poller
from emtui.models import PodSpec
from emtui.views import Feed
from tests.unit.local_pair import Pair, local_pair

DEADLINE_S = 10.0


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    async with local_pair(tmp_path / "ws") as made:
        yield made


class Seen:
    """The feeds of a poller, one after the other."""

    def __init__(self, pair: Pair, call: Callable[[], Awaitable[Any]], interval_s: float = 0.01) -> None:
        self.feeds: list[Feed[Any]] = []
        self._news = asyncio.Event()
        self.poller: Poller[Any] = Poller("x", pair.session.em, call, self._show, interval_s=interval_s)

    def _show(self, feed: Feed[Any]) -> None:
        self.feeds.append(feed)
        self._news.set()

    async def until(self, is_it: Callable[[Feed[Any]], bool]) -> Feed[Any]:
        async def wait() -> Feed[Any]:
            while True:
                for feed in self.feeds:
                    if is_it(feed):
                        return feed
                self._news.clear()
                await self._news.wait()

        return await asyncio.wait_for(wait(), DEADLINE_S)


async def test_values_come_and_an_error_keeps_the_last(pair: Pair) -> None:
    answers: list[Any] = ["first", Unreachable("cut", may_have_run=True), Locked("busy"), "second"]

    async def call() -> str:
        answer = answers.pop(0) if answers else "second"
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    seen = Seen(pair, call)
    seen.poller.start()
    first = await seen.until(lambda feed: feed.value == "first")
    assert first.at is not None
    stale = await seen.until(lambda feed: bool(feed.error))
    assert (stale.value, stale.error) == ("first", "cut")
    assert stale.retry_at is not None
    seen.poller.refresh()
    second = await seen.until(lambda feed: feed.value == "second")
    assert second.error == ""
    await seen.poller.aclose()


async def test_a_held_poller_asks_only_when_it_is_told_to(pair: Pair) -> None:
    calls = 0

    async def call() -> int:
        nonlocal calls
        calls += 1
        return calls

    seen = Seen(pair, call)
    seen.poller.start()
    await seen.until(lambda feed: feed.value == 2)
    assert seen.poller.toggle_hold()
    await asyncio.sleep(0.05)
    before = calls
    await asyncio.sleep(0.1)
    assert calls == before
    seen.poller.refresh()
    await seen.until(lambda feed: feed.value == before + 1 and feed.is_held)
    assert not seen.poller.toggle_hold()
    await seen.until(lambda feed: feed.value == before + 3 and not feed.is_held)
    await seen.poller.aclose()


async def test_what_costs_much_is_asked_for_less_often(pair: Pair) -> None:
    calls = 0

    async def call() -> int:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.05)
        return calls

    seen = Seen(pair, call)
    seen.poller.start()
    await asyncio.sleep(1.0)
    assert calls == 1, "0.05 s of work is 2 % of 2.5 s"
    await seen.poller.aclose()


async def test_the_pod_with_what_was_asked_for(pair: Pair) -> None:
    watch = PodWatch(pair.em)
    empty = await watch()
    assert empty.status.state.running is None
    assert await watch() is empty
    spec = PodSpec(docker_image="alpine", max_duration=1, node="FPGA")
    for exit_code in (0, 3):
        await pair.em.run_pod(spec)
        watch.asked(RunPod(spec), datetime.now(UTC))
        running = await watch()
        assert running.status.state.running is not None
        assert running.spec is spec
        pair.engine.end(pair.engine.requests[-1].pod_id, exit_code)
        assert (await watch()).status.state.terminated is not None
    watch.asked(RunPod(spec), datetime.now(UTC))
    past = (await watch()).past
    assert [(pod.reason, pod.is_good) for pod in past] == [("Error", False), ("Completed", True)]


async def test_the_grid_with_sizes_and_rights(pair: Pair) -> None:
    watch = GridWatch(pair.grid)
    assert (await watch()).models == ()
    await pair.grid.serve_model(MemorySource("a", b"12345"), "a", allow_download=True)
    await pair.grid.serve_model(MemorySource("b", b""), "b", allow_download=False)
    await pair.grid.register_dataset("digits", ["mnist"])
    view = await watch()
    assert [(one.model_id, one.is_copy_allowed, one.size_bytes) for one in view.models] == [
        ("a", True, 5),
        ("b", False, 0),
    ]
    assert view.tags == ("mnist",)
    assert await watch() is view
    watch.forget()
    assert await watch() is view
