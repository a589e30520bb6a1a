"""Servers that answer before they have read: refused and closed at once, or asked to go on (X4)."""

import asyncio
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from http_em_calls import LISTED, UPLINKED, Endless

from emtui.client.em.backend import HttpEM
from emtui.client.http.address import Address
from emtui.errors import EmtuiError, Locked, NotSignedIn
from tests.certificates import certificate
from tests.wire_server import Conversation, answer, em_on, wire_server

BUSY = answer(423, {"error": "LOCKED", "message": "CG2 is busy"})


@contextmanager
def standard_server(status: int) -> Iterator[str]:
    """Python's own server, which answers a POST without reading it."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.dumps({"message": "CG2 is busy", "detail": "no"}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = True

        def log_message(self, *_args: object) -> None:
            """Nobody reads it."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("size_bytes", [1_000, 200_000, 1_000_000, 30_000_000])
@pytest.mark.parametrize(("status", "kind"), [(423, Locked), (401, NotSignedIn)])
async def test_a_refusal_of_what_was_not_read_is_always_heard(
    size_bytes: int, status: int, kind: type[EmtuiError]
) -> None:
    with standard_server(status) as url:
        for _ in range(10):
            em = HttpEM(Address.parse(url), dialect="2025-11")
            with pytest.raises(kind):
                await em.uplink([Endless(size_bytes)])
            await em.aclose()


async def test_a_refusal_of_what_was_not_read_is_heard_over_tls(tmp_path: Path) -> None:
    made = certificate(tmp_path)

    async def script(talk: Conversation) -> None:
        await talk.read_body(1 << 20)
        await talk.send(BUSY)

    async with wire_server(script, made.context) as server:
        em = HttpEM(Address.parse(server.url), ca_file=str(made.pem), dialect="2025-11")
        for _ in range(5):
            with pytest.raises(Locked):
                await em.uplink([Endless(100 << 20)])
        await em.aclose()


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    "interim",
    [
        [b"HTTP/1.1 100 Continue\r\n\r\n"],
        [b"HTTP/1.1 102 Processing\r\nX-A: b\r\n\r\n"] * 3,
        [b"HTTP/1.", b"1 10", b"0 Continue\r\n", b"\r\n"],
    ],
)
async def test_an_answer_behind_an_interim_one_is_heard(interim: list[bytes], at_once: bool) -> None:
    async def script(talk: Conversation) -> None:
        if at_once:
            for part in interim:
                await talk.send(part)
                await asyncio.sleep(0.01)
        await talk.read_body()
        if not at_once:
            await talk.send(*interim)
        await talk.send(UPLINKED)

    async with em_on(script, dialect="2025-11") as (em, server):
        async with asyncio.timeout(5):
            assert (await em.uplink([Endless(300_000)])).file_count == 1

    assert len(server.asked) == 1


async def test_a_kept_connection_carries_one_body_after_the_other() -> None:
    options = {"dialect": "2026-03", "pvc_name": "vol"}
    async with em_on(LISTED, **options) as (em, server):
        async with asyncio.timeout(5):
            for _ in range(3):
                await em.list_files()

    assert server.connections == 1
    assert [asked.json for asked in server.asked] == [{"pvc_name": "vol"}] * 3
