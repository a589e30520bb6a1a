"""Blocking work off the event loop, safe against cancellation."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Closable(Protocol):
    """What has to be closed."""

    def close(self) -> object: ...


C = TypeVar("C", bound=Closable)


async def in_thread(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """`asyncio.to_thread` whose caller, when it is cancelled, goes on only after the function has ended.

    A thread cannot be stopped. Without the wait a cancelled caller would close a descriptor or remove a file that
    the thread is still working with.
    """
    work = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait((work,))
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        work.exception()  # looked at, so that asyncio does not report it as forgotten
        raise cancelled
    return work.result()


@contextlib.asynccontextmanager
async def opened_in_thread(make: Callable[[], C]) -> AsyncIterator[C]:
    """What `make` opens, closed at the end; also where the caller is cancelled while it is being opened."""
    made: list[C] = []
    try:
        await in_thread(lambda: made.append(make()))
        yield made[0]
    finally:
        for one in made:
            one.close()
