"""An EM on the wire whose pod goes through the states that a test gives, in a thread of its own."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

from tests.wire_server import Asked, WireServer, answer, wire_server

_START_S = 20.0


class ScriptedEM:
    """Answers a run, and then each question for the pod's status with the next of `states`, the last one for ever.

    A state is the specification's `state`, or a whole answer as bytes. `before` is told until a run has come. `told`
    counts the questions. A stepped one goes on to the next state when `go_on` says so, not with each question.
    """

    def __init__(self, before: dict[str, Any], states: list[dict[str, Any] | bytes], *, is_stepped: bool) -> None:
        self._before, self._states, self._is_stepped = before, states, is_stepped
        self._at = 0
        self.told = 0
        self.runs: list[Any] = []
        self.url = ""

    def go_on(self) -> None:
        """Tell the next state from now on."""
        self._at += 1

    def reply(self, asked: Asked) -> bytes:
        """The answer to one request."""
        if asked.target.startswith("/em/pod/execution"):
            self.runs.append(asked.json)
            return answer(body={"message": "Docker run scheduled successfully"})
        if not asked.target.startswith("/em/pod/status"):
            return answer(404, {"error": "NOT_FOUND", "message": "nothing here"})
        self.told += 1
        state: dict[str, Any] | bytes = self._before
        if self.runs:
            state = self._states[min(self._at, len(self._states) - 1)]
            self._at += not self._is_stepped
        if isinstance(state, bytes):
            return state
        return answer(body={"message": "Successfully fetched DPhi Pod status", "data": {"state": state}})


@contextlib.contextmanager
def scripted_em(
    *states: dict[str, Any] | bytes, before: dict[str, Any] | None = None, is_stepped: bool = False
) -> Iterator[ScriptedEM]:
    """Serve it on a free port until the context ends."""
    em = ScriptedEM(before or {}, list(states), is_stepped=is_stepped)
    served: Future[WireServer] = Future()
    loop = asyncio.new_event_loop()
    end = asyncio.Event()

    async def serve() -> None:
        async with wire_server(em.reply) as server:
            served.set_result(server)
            await end.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    em.url = served.result(_START_S).url
    try:
        yield em
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(_START_S)
        loop.close()
