"""One contained run from its start to its end, in a process of one thread: signals, deadline, disk, last words."""

import os
import select
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from emtui.local.engines.disk import DiskWatch
from emtui.local.engines.sandbox.isolation import Contained, Isolation
from emtui.local.engines.sandbox.jail import Jail, close_quietly, exit_code

# How often clocks, disk and orders are looked at; a signal or the command's end is seen at once.
TICK_S = 1.0

# What is kept of the command's stderr, for the message of one that could not be started.
_TAIL_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended.

    Attributes:
        exit_code: 128 + signal for a signal.
        start_error: why it could not be started, empty where it could.
        is_overdue: it was stopped at its deadline.
        is_evicted: it was ended since the disk was nearly full.
        is_out_of_memory: the kernel has killed something in it for want of memory.
    """

    exit_code: int
    start_error: str = ""
    is_overdue: bool = False
    is_evicted: bool = False
    is_out_of_memory: bool = False


class Run:
    """Starts, watches, ends. `tick` is called about every second; `asked_to_stop` tells the grace period once asked."""

    def __init__(self, isolation: Isolation, jail: Jail, woken: int) -> None:
        self._isolation = isolation
        self._jail = jail
        self._woken = woken
        self._tail = b""
        self._kill_at = float("inf")
        self._is_overdue = False
        self._is_evicted = False

    def to_end(
        self,
        max_duration_s: float,
        grace_s: float,
        *,
        on_start: Callable[[], None],
        tick: Callable[[], None],
        asked_to_stop: Callable[[], float | None],
    ) -> Ended:
        """Run it. Raises OSError where it cannot even be begun."""
        null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        error_read, error_write = os.pipe()
        try:
            contained = self._isolation.start(self._jail, null, error_write)
        except BaseException:
            close_quietly(error_read)
            raise
        finally:
            close_quietly(null, error_write)
        try:
            on_start()
            self._watch(contained, error_read, (max_duration_s, grace_s), tick, asked_to_stop)
            tail = self._tail.decode("utf-8", "replace")
            return Ended(exit_code(contained.process), contained.start_error(tail), self._is_overdue, self._is_evicted,
                         contained.cgroup.was_out_of_memory())  # fmt: skip
        finally:
            contained.kill()
            contained.process.wait()
            contained.close()
            close_quietly(error_read)

    def _watch(
        self,
        contained: Contained,
        error_read: int,
        durations: tuple[float, float],
        tick: Callable[[], None],
        asked_to_stop: Callable[[], float | None],
    ) -> None:
        max_duration_s, grace_s = durations
        disk = DiskWatch(self._jail.root, self._jail.limits.keep_free_bytes)
        term_at = time.monotonic() + max_duration_s
        ended = os.pidfd_open(contained.process.pid)
        sources = [error_read, self._woken, ended]
        next_tick = 0.0
        try:
            while contained.process.poll() is None:
                now = time.monotonic()
                if now >= next_tick:
                    next_tick = now + TICK_S
                    tick()
                    if disk.is_too_full() and not self._is_evicted:
                        self._is_evicted = True
                        self._kill_at = now
                grace = asked_to_stop()
                if grace is not None:
                    self._stop(contained, now, grace)
                if now >= term_at and self._kill_at == float("inf"):
                    self._is_overdue = True
                    self._stop(contained, now, grace_s)
                if now >= self._kill_at:
                    contained.kill()
                until = min(next_tick, term_at if self._kill_at == float("inf") else self._kill_at)
                self._wait(sources, error_read, max(0.0, min(TICK_S, until - now)))
            self._read_rest(error_read)
        finally:
            os.close(ended)

    def _stop(self, contained: Contained, now: float, grace_s: float) -> None:
        if self._kill_at == float("inf"):
            contained.terminate()
        self._kill_at = min(self._kill_at, now + grace_s)

    def _wait(self, sources: list[int], error_read: int, timeout_s: float) -> None:
        ready, _, _ = select.select(sources, [], [], timeout_s)
        if self._woken in ready:
            os.read(self._woken, 4096)
        if error_read in ready:
            chunk = os.read(error_read, 65_536)
            self._tail = (self._tail + chunk)[-_TAIL_BYTES:]
            if not chunk:
                sources.remove(error_read)

    def _read_rest(self, error_read: int) -> None:
        os.set_blocking(error_read, False)
        try:
            while chunk := os.read(error_read, 65_536):
                self._tail = (self._tail + chunk)[-_TAIL_BYTES:]
        except BlockingIOError:
            pass  # somebody still holds the other end, and has nothing to say


def wake_on_signals(*numbers: int) -> tuple[int, set[int]]:
    """Make signals wake a `select`: the descriptor to watch, and the set that the signals are put into."""
    woken, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    seen: set[int] = set()
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for number in numbers:
        signal.signal(number, lambda got, _frame: seen.add(got))
    return woken, seen
