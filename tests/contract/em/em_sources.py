"""Sources that tell the truth, and sources that do not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from emtui.backend import CHUNK_BYTES, EM
from emtui.errors import Locked


async def free(em: EM) -> None:
    """Until a request that was broken off is over at the other side too, within five seconds."""
    async with asyncio.timeout(5):
        while True:
            try:
                await em.list_files()
            except Locked:
                await asyncio.sleep(0.01)
            else:
                return


class Given:
    """`chunks` under `name`; `size_bytes` may lie. `fails` is raised after the last chunk."""

    def __init__(
        self, name: str, *chunks: bytes, size_bytes: int | None = None, fails: BaseException | None = None
    ) -> None:
        self.name = name
        self.size_bytes = sum(map(len, chunks)) if size_bytes is None else size_bytes
        self._chunks = chunks
        self._fails = fails

    @asynccontextmanager
    async def open(self) -> AsyncIterator[AsyncIterator[bytes]]:
        yield self._give()

    async def _give(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            for start in range(0, len(chunk), CHUNK_BYTES):
                yield chunk[start : start + CHUNK_BYTES]
        if self._fails is not None:
            raise self._fails


class Stalled(Given):
    """Gives half of its bytes, says so by `is_reading`, and waits for ever."""

    def __init__(self, name: str) -> None:
        super().__init__(name, b"half", size_bytes=8)
        self.is_reading = asyncio.Event()

    async def _give(self) -> AsyncIterator[bytes]:
        yield b"half"
        self.is_reading.set()
        await asyncio.Event().wait()


class Zeros(Given):
    """`size_bytes` of nothing much, made as it is read; what it has given is counted."""

    def __init__(self, name: str, gives: int, *, says: int) -> None:
        super().__init__(name, size_bytes=says)
        self._gives = gives
        self.given = 0

    async def _give(self) -> AsyncIterator[bytes]:
        block = bytes(CHUNK_BYTES)
        while self.given < self._gives:
            part = block[: self._gives - self.given]
            self.given += len(part)
            yield part
