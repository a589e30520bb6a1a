"""An EM on the wire that answers as a test scripts it, in a thread of its own."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

from tests.wire_server import Asked, Script, WireServer, answer, wire_server

_START_S = 20.0


@contextlib.contextmanager
def wired(replies: Callable[[Asked], bytes | Script] | bytes) -> Iterator[WireServer]:
    """Serve on a free port until the context ends."""
    started: Future[WireServer] = Future()
    loop = asyncio.new_event_loop()
    end = asyncio.Event()

    async def serve() -> None:
        async with wire_server(replies) as server:
            started.set_result(server)
            await end.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    try:
        yield started.result(_START_S)
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(_START_S)
        loop.close()


def listed(*nodes: dict[str, Any]) -> bytes:
    """The answer to a question for the volume."""
    return answer(200, {"message": "Successfully listed files", "data": list(nodes)})


def file_node(name: str, size: int, time: str = "2025-11-20-12-31") -> dict[str, Any]:
    """A file in a listing."""
    return {"type": "file", "name": name, "size": str(size), "time": time, "hash": 1}
