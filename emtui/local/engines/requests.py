"""What every engine does with what it is asked: lines brought to the loop's thread, ids checked."""

import asyncio
import re

from emtui.backend import LogSink
from emtui.errors import BadRequest
from emtui.local.engines.buildlog import Emit

_POD_ID = re.compile(r"[A-Za-z0-9-]{1,128}")


def from_thread(log: LogSink) -> Emit:
    """A sink for a thread: each line is given to `log` on the loop's thread, in order, before the thread's result."""
    loop = asyncio.get_running_loop()

    def emit(line: str) -> None:
        loop.call_soon_threadsafe(log, line)

    return emit


def check_pod_id(pod_id: str) -> None:
    """Raises BadRequest where it could not be a folder's name."""
    if not _POD_ID.fullmatch(pod_id):
        raise BadRequest(f"pod_id: letters, digits and - only, not {pod_id!r}")
