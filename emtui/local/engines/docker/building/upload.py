"""How a build context gets into a Docker Engine, told while it lasts: sending it, then the engine's own unpacking."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from emtui.local.engines.buildlog import Step
from emtui.local.engines.docker.building.context_tar import Body
from emtui.local.engines.talk import transferred
from emtui.text import size

_TELL_S = 1.0
# Unpacking has no measure of its own: the engine says nothing while it lasts.
_TELL_UNPACKING_S = (2.0, 10.0)


class Upload:
    """The step of the log that a context is sent in. `size_bytes` is what its files have together."""

    def __init__(self, step: Step, body: Body, size_bytes: int) -> None:
        self.step = step
        self._body = body
        self._size_bytes = size_bytes
        self._is_sent = False
        self._is_done = False

    def unpacked(self) -> None:
        """End the step, once: the engine has all of it."""
        if self._body.is_whole and not self._is_done:
            self._sent()
            self._is_done = True
            self.step.done()

    def _sent(self) -> None:
        if not self._is_sent:
            self._is_sent = True
            self.step.note(transferred(self._size_bytes))

    @contextlib.asynccontextmanager
    async def told(self) -> AsyncIterator[None]:
        """Tell how it goes for as long as the block lasts."""
        telling = asyncio.ensure_future(self._tell())
        try:
            yield
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)

    async def _tell(self) -> None:
        while not self._body.is_whole:
            await asyncio.sleep(_TELL_S)
            if not self._body.is_whole:
                sent = min(self._body.sent_bytes, self._size_bytes)
                self.step.note(f"transferring context: {size(sent)} / {size(self._size_bytes)}")
        self._sent()
        waits = iter(_TELL_UNPACKING_S)
        wait = next(waits)
        while not self._is_done:
            await asyncio.sleep(wait)
            wait = next(waits, wait)
            if not self._is_done:
                self.step.note("unpacking the context")
