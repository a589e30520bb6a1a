"""The calls that every fault is tried on, and what they are given."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from emtui.backend import CHUNK_BYTES
from emtui.client.em.backend import HttpEM
from emtui.client.http.limits import Limits, Wait
from emtui.files.source import MemorySource
from emtui.models import PodSpec
from tests.wire_server import answer

LISTED = answer(200, {"data": []})
UPLINKED = answer(200, {"data": {"file_count": 1, "total_size_kb": 1}})
SPEC = PodSpec(docker_image="i", max_duration=1, node="GPU")
SOON = Wait(0.3, 5.0)
QUICK = Limits(
    connect_s=1.0, chunk_s=0.3, rate_window_s=0.4, read=SOON, change=SOON, long_change=SOON, uplink=SOON, downlink=SOON
)

Call = Callable[[HttpEM], Awaitable[object]]


async def fetched(em: HttpEM) -> bytes:
    async with em.downlink("a") as download:
        return b"".join([chunk async for chunk in download.chunks])


CHANGES: dict[str, Call] = {
    "uplink": lambda em: em.uplink([MemorySource("a", b"1")]),
    "delete": lambda em: em.delete("a"),
    "build": lambda em: em.build_image("d", "c", "i"),
    "load": lambda em: em.load_image("t", "i"),
    "run": lambda em: em.run_pod(SPEC),
}
READS: dict[str, Call] = {
    "list": lambda em: em.list_files(),
    "images": lambda em: em.list_images(),
    "status": lambda em: em.pod_status(),
    "downlink": fetched,
}
every_change = pytest.mark.parametrize("call", CHANGES.values(), ids=CHANGES.keys())
every_call = pytest.mark.parametrize("call", (CHANGES | READS).values(), ids=(CHANGES | READS).keys())


class Endless:
    """A large source that counts what was taken of it."""

    def __init__(self, size_bytes: int) -> None:
        self.name, self.size_bytes, self.given = "big", size_bytes, 0
        self.is_open = False

    @asynccontextmanager
    async def open(self) -> AsyncIterator[AsyncIterator[bytes]]:
        self.is_open = True
        try:
            yield self._give()
        finally:
            self.is_open = False

    async def _give(self) -> AsyncIterator[bytes]:
        block = bytes(CHUNK_BYTES)
        while self.given < self.size_bytes:
            part = block[: self.size_bytes - self.given]
            self.given += len(part)
            yield part
