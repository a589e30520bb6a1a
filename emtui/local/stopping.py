"""Long work in a thread that ends early when its caller is cancelled, and what the disk's errors say."""

import asyncio
import contextlib
import errno
import os
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

from emtui.errors import LocalProblem

R = TypeVar("R")


class StopRequested(Exception):
    """The caller was cancelled; raised by the work itself, seen by nobody."""


class Stop:
    """Tells work in a thread that nobody waits for it any more."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        self._event.set()

    def check(self) -> None:
        """Raises StopRequested once the caller has been cancelled."""
        if self._event.is_set():
            raise StopRequested


async def stoppable(work: Callable[[Stop], R]) -> R:
    """Run `work` in a thread. When the caller is cancelled, `Stop` is set, and the thread's end is waited for."""
    stop = Stop()
    return await to_end(asyncio.to_thread(work, stop), stop.set)


async def to_end(work: Coroutine[Any, Any, R], on_cancel: Callable[[], None] | None = None) -> R:
    """Await `work` to its end, also where the caller is cancelled meanwhile: that is raised afterwards."""
    running = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not running.done():
        try:
            await asyncio.wait((running,))
        except asyncio.CancelledError as error:
            cancelled = error
            if on_cancel is not None:
                on_cancel()
    if cancelled is not None:
        running.exception()  # looked at, so that asyncio does not report it as forgotten
        raise cancelled
    return running.result()


_REMEDIES = {
    errno.ENOSPC: "Free some space on the disk of the workspace, then try again. Nothing was kept.",
    errno.EDQUOT: "Free some space in your quota, then try again. Nothing was kept.",
    errno.EROFS: "The disk of the workspace is read-only; open another directory with --local.",
    errno.EIO: "The disk of the workspace fails; look at the system's log.",
}


_DENIED = (errno.EACCES, errno.EPERM)


def remedy_for(error: OSError, path: str = "") -> str:
    """What can be done about an error of the workspace's disk; empty for nothing that is known.

    `path` is where in the volume it was, empty where that is not known.
    """
    if error.errno not in _DENIED:
        return _REMEDIES.get(error.errno or 0, "")
    from shlex import quote

    # All that is below the volume's own folder: one that holds it may be closed as well.
    top = path.strip("/").partition("/")[0]
    shown = quote(f"/data/{top}") if top else "/data/<folder>"
    return (
        "Give yourself the rights to it. What a pod has written as root, a pod can open to you: "
        f"run one with the command chmod -R a+rwX {shown}"
    )


@contextlib.contextmanager
def disk_errors(what: str, path: str = "") -> Iterator[None]:
    """OSErrors of the workspace's disk as LocalProblem; `what` is the operation that they end, `path` where."""
    try:
        yield
    except OSError as error:
        raise LocalProblem(f"{what}: {os.strerror(error.errno or 0)}", remedy=remedy_for(error, path)) from error
