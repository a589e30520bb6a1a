"""Waiting for what may never end: a disk or a service that is away holds whoever asks it."""

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

R = TypeVar("R")

_LOOK_S = 0.1


class NoEnd(Exception):
    """It has not ended in time."""


@dataclass(frozen=True, slots=True)
class Failed:
    """What some work has raised: told, not raised, since signals raise in whoever waits."""

    error: BaseException


def within(patience_s: float, name: str, work: Callable[[], R]) -> R | Failed:
    """What `work` gives, in a thread of its own called `name`, which ends with the program at the latest.

    Raises:
        NoEnd: it did not end within `patience_s` seconds. It may still be at work.
    """
    answers: queue.SimpleQueue[R | Failed] = queue.SimpleQueue()

    def do() -> None:
        try:
            answers.put(work())
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is told
            answers.put(Failed(error))

    threading.Thread(target=do, name=name, daemon=True).start()
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        # A signal that comes just before a wait begins is looked at only after it.
        with contextlib.suppress(queue.Empty):
            return answers.get(timeout=min(_LOOK_S, patience_s))
    raise NoEnd
