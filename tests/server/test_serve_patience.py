"""Clients that stall, with a server in this process that is quick to lose its patience."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from emtui.server.run import Serving
from emtui.server.settings import Patience, Settings
from tests.serving import PASSWORD, serving_here

QUICK = Patience(headers_s=0.4, stall_s=0.5, rest_s=0.5, stop_s=1)


class Bench:
    """A running server and a client that has signed in."""

    def __init__(self, serving: Serving, directory: Path, client: httpx.AsyncClient) -> None:
        self.serving = serving
        self.directory = directory
        self.client = client
        self.host = serving.url.removeprefix("http://")

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        name, _, port = self.host.rpartition(":")
        return await asyncio.open_connection(name, int(port), limit=1 << 16)

    def head(self, method: str, path: str, *more: str) -> bytes:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}"]
        return "\r\n".join([*lines, f"Authorization: {self.client.headers['Authorization']}", *more, "", ""]).encode()

    async def status(self) -> int:
        return (await self.client.get("/em/pod/status")).status_code


@contextlib.asynccontextmanager
async def serving(directory: Path, patience: Patience) -> AsyncIterator[Bench]:
    """A server in this process."""
    settings = Settings(directory, password=PASSWORD, engine="simulated", patience=patience)
    async with (
        serving_here(settings) as one,
        httpx.AsyncClient(base_url=one.url, trust_env=False, timeout=20) as client,
    ):
        tokens = (await client.post("/auth/", json={"username": "client1", "password": PASSWORD})).json()
        client.headers["Authorization"] = f"Bearer {tokens['access']}"
        yield Bench(one, directory, client)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with serving(tmp_path / "dir", QUICK) as made:
        yield made


FORM = "Content-Type: multipart/form-data; boundary=b"
BEGUN = b'--b\r\nContent-Disposition: form-data; name="files"; filename="slow"\r\n\r\nabc'


async def test_an_uplink_that_stalls_loses_its_turn_and_keeps_nothing(bench: Bench) -> None:
    reader, writer = await bench.connect()
    writer.write(bench.head("POST", "/em/files/uplink", FORM, "Content-Length: 100000") + BEGUN)
    await writer.drain()
    while await bench.status() != 423:
        await asyncio.sleep(0.01)

    answer = await asyncio.wait_for(reader.read(), 5)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"] == "REQUEST_TIMEOUT"
    assert await bench.status() == 200
    assert list((bench.directory / "staging").iterdir()) == []
    assert list((bench.directory / "volume").iterdir()) == []
    writer.close()


async def test_a_byte_now_and_then_is_a_stall_too(bench: Bench) -> None:
    reader, writer = await bench.connect()
    writer.write(bench.head("POST", "/em/files/uplink", FORM, "Content-Length: 100000") + BEGUN)
    reading = asyncio.create_task(reader.read())
    began = time.monotonic()
    while not reading.done() and time.monotonic() - began < 10:
        writer.write(b"x")
        await asyncio.sleep(0.05)

    assert (await reading).startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - began < 5
    writer.close()


async def test_a_downlink_that_nobody_takes_loses_its_turn(bench: Bench) -> None:
    (bench.directory / "volume" / "large").write_bytes(bytes(50_000_000))
    reader, writer = await bench.connect()
    writer.write(bench.head("GET", "/em/files/downlink?filepath=large"))
    await reader.readexactly(1000)
    assert await bench.status() == 423

    deadline = time.monotonic() + 10
    while await bench.status() == 423:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)

    with contextlib.suppress(ConnectionError):
        rest = await asyncio.wait_for(reader.read(), 5)
        assert not rest.endswith(b"0\r\n\r\n"), "it has no end, so that nobody takes it for whole"
    writer.close()


async def test_a_downlink_whose_client_goes_gives_the_turn_back(bench: Bench) -> None:
    (bench.directory / "volume" / "large").write_bytes(bytes(50_000_000))
    reader, writer = await bench.connect()
    writer.write(bench.head("GET", "/em/files/downlink?filepath=large"))
    await reader.readexactly(1000)
    assert await bench.status() == 423

    writer.transport.abort()

    deadline = time.monotonic() + 0.4  # before the stall would end it
    while await bench.status() == 423:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_a_slow_head_is_closed(bench: Bench) -> None:
    reader, writer = await bench.connect()
    writer.write(b"GET /models HTTP/1.1\r\nHost: ")
    began = time.monotonic()
    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(), 5) == b""
    assert time.monotonic() - began < 3
    writer.close()


async def test_the_rest_of_a_refused_body_is_not_awaited_for_ever(bench: Bench) -> None:
    reader, writer = await bench.connect()
    writer.write(f"POST /em/files/uplink HTTP/1.1\r\nHost: {bench.host}\r\nContent-Length: 100000\r\n\r\nabc".encode())
    answer = await asyncio.wait_for(reader.readuntil(b"}"), 5)
    assert answer.startswith(b"HTTP/1.1 401 ")
    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


async def test_a_body_that_stalls_before_its_turn_keeps_nobody_waiting(bench: Bench) -> None:
    _, writer = await bench.connect()
    writer.write(bench.head("POST", "/em/files/delete", "Content-Type: application/json", "Content-Length: 100"))
    await writer.drain()
    for _ in range(5):
        assert await bench.status() == 200
    writer.close()


async def test_a_write_whose_client_has_gone_goes_on_to_its_end(bench: Bench) -> None:
    volume = bench.directory / "volume"
    (volume / "folder").mkdir()
    for number in range(2000):
        (volume / "folder" / str(number)).touch()
    body = b'{"filepath": "folder"}'
    _, writer = await bench.connect()
    writer.write(
        bench.head("POST", "/em/files/delete", "Content-Type: application/json", f"Content-Length: {len(body)}") + body
    )
    await writer.drain()
    writer.close()

    deadline = time.monotonic() + 10
    while list(volume.iterdir()) or await bench.status() == 423:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_told_to_stop_it_does_not_wait_longer_than_it_may(tmp_path: Path) -> None:
    patience = Patience(stop_s=1)
    began = 0.0
    async with serving(tmp_path / "dir", patience) as bench:
        reader, writer = await bench.connect()
        writer.write(bench.head("POST", "/em/files/uplink", FORM, "Content-Length: 100000") + BEGUN)
        await writer.drain()
        while await bench.status() != 423:
            await asyncio.sleep(0.01)
        began = time.monotonic()
    assert 0.9 < time.monotonic() - began < 8
    with contextlib.suppress(ConnectionError):
        assert await reader.read() == b"", "no answer: it may have been done or undone"
    assert list((tmp_path / "dir/staging").iterdir()) == []
    assert list((tmp_path / "dir/volume").iterdir()) == []
    writer.close()
