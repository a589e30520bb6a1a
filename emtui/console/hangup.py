"""Leaving when somebody else says so: a signal, or a terminal that is gone.

Textual writes from a thread of its own, through a queue with a bound. When the terminal is gone a write fails, the
thread dies, the queue fills, and the event loop waits for it for ever. So what can no longer be written is dropped.

The event loop's own signal handlers get a signal as a byte in a pipe, and lose it when a burst of keys has filled the
pipe. Python's handlers do not.
"""

import asyncio
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TextIO

# What a shell says of a program that a signal has ended.
_SIGNAL_EXIT = 128


class _Tolerant:
    """A text file that is silent from its first failed write on. Everything else is the file's own."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._is_gone = False

    def write(self, text: str) -> int:
        self._unless_gone(lambda: self._file.write(text))
        return len(text)

    def flush(self) -> None:
        self._unless_gone(self._file.flush)

    def _unless_gone(self, act: Callable[[], object]) -> None:
        if not self._is_gone:
            try:
                act()
            except OSError:
                self._is_gone = True

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)


@contextmanager
def terminal_may_go() -> Iterator[None]:
    """Within it, the stream that Textual writes to may fail without a word."""
    kept = sys.__stderr__
    if kept is not None:
        sys.__stderr__ = _Tolerant(kept)  # type: ignore[assignment, misc] # has what a TextIO has
    try:
        yield
    finally:
        sys.__stderr__ = kept  # type: ignore[misc] # Final in the stubs only


@contextmanager
def signals_leave(leave: Callable[[int], None]) -> Iterator[None]:
    """Within it, SIGTERM and SIGHUP call `leave` on the running event loop with the exit code of the signal.

    Where no loop runs yet, they end the program at once.
    """

    def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            sys.exit(_SIGNAL_EXIT + number)
        loop.call_soon_threadsafe(leave, _SIGNAL_EXIT + number)

    kept = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
