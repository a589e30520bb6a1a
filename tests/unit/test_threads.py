"""Work beside the event loop: whoever is cancelled leaves nothing open."""

import asyncio
import threading

import pytest

from emtui.threads import opened_in_thread

DEADLINE_S = 10


class Thing:
    def __init__(self) -> None:
        self.is_closed = False

    def close(self) -> None:
        self.is_closed = True


async def test_what_is_opened_in_a_thread_is_closed_at_the_end() -> None:
    async with opened_in_thread(Thing) as thing:
        assert not thing.is_closed
    assert thing.is_closed


async def test_what_is_still_being_opened_when_the_caller_is_cancelled_is_closed_too() -> None:
    opening, go_on, made = threading.Event(), threading.Event(), Thing()

    def make() -> Thing:
        opening.set()
        assert go_on.wait(DEADLINE_S)
        return made

    async def caller() -> None:
        async with opened_in_thread(make):
            raise AssertionError("it was cancelled before")

    task = asyncio.create_task(caller())
    assert await asyncio.to_thread(opening.wait, DEADLINE_S)
    task.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert made.is_closed


async def test_what_cannot_be_opened_says_why() -> None:
    def make() -> Thing:
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        async with opened_in_thread(make):
            pass
