"""Socket.IO as it is served: what is too large, too slow or no packet at all, on both of its transports."""

import asyncio
import base64
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import requests
import socketio

from emtui.server.grid import over_socketio, socket_bounds
from emtui.server.grid.socket_bounds import SocketBounds
from emtui.server.settings import Patience
from tests.grid_serving import DEADLINE_S, listening, local_grid, served_grid
from tests.serving import Server, served, served_here

POLLING = "/socket.io/?EIO=4&transport=polling"


def session(server: Server) -> str:
    """The address of a new long-polling session."""
    sid = json.loads(requests.get(server.url + POLLING, timeout=10).text[1:])["sid"]
    return f"{POLLING}&sid={sid}"


@asynccontextmanager
async def websocket(server: Server) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    address = f"{server.url}/socket.io/?EIO=4&transport=websocket"
    async with aiohttp.ClientSession() as client, client.ws_connect(address) as one:
        assert (await one.receive_str()).startswith("0{")
        await one.send_str("40")
        assert (await one.receive_str()).startswith("40")
        yield one


async def acknowledged(one: aiohttp.ClientWebSocketResponse) -> Any:
    text = await asyncio.wait_for(one.receive_str(), DEADLINE_S)
    return json.loads(text[text.index("[") :])[0]


# --------------------------------------------------------------------------------------------------- long-polling


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_long_polling_request_over_the_limit_is_refused_at_once(server: Server, is_chunked: bool) -> None:
    body = bytes(1_100_000)
    answer = requests.post(
        server.url + session(server),
        data=iter([body[:600_000], body[600_000:]]) if is_chunked else body,
        timeout=10,
    )
    assert answer.status_code == 413
    assert answer.json()["error"] == "TOO_LARGE"
    assert "/serve_model" in answer.json()["remedy"]


def test_a_request_that_only_says_that_it_is_too_large_is_refused_before_it_comes(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(
            f"POST {session(server)} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000001\r\n\r\n".encode()
        )
        assert b" 413 " in connection.recv(1000)


def test_a_long_polling_request_may_come_in_chunks(server: Server) -> None:
    address = server.url + session(server)
    assert requests.post(address, data="40", timeout=10).text == "OK"
    assert requests.get(address, timeout=10).text.startswith("40{")
    assert requests.post(address, data=iter([b'421["/da', b'taset-tags"]']), timeout=10).text == "OK"
    assert requests.get(address, timeout=10).text == "431[[]]"


@pytest.mark.parametrize("packet", ["6", "0", "2probe"])
def test_a_packet_that_no_client_sends_is_answered_though_nobody_fetches(server: Server, packet: str) -> None:
    address = server.url + session(server)
    assert requests.post(address, data=packet, timeout=10).status_code == 400
    assert requests.get(address, timeout=10).status_code == 400, "the session has ended"


def test_a_long_polling_request_that_stalls_is_ended(tmp_path: Path) -> None:
    patience = Patience(stall_s=20, rest_s=0.3)
    with served_here(tmp_path / "dir", patience=patience) as server, server.connect() as connection:
        connection.sendall(
            f"POST {session(server)} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n4".encode()
        )
        assert b" 408 " in connection.recv(1000)


async def test_events_whose_client_has_gone_are_broken_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[bool] = []
    begun = asyncio.Event()

    async def slow(*_: Any) -> None:
        begun.set()
        try:
            await asyncio.sleep(DEADLINE_S)
        finally:
            ended.append(True)

    async with local_grid(tmp_path / "w") as grid:
        monkeypatch.setattr(grid, "dataset_tags", slow)
        sio = over_socketio.socket_server(lambda _: grid, lambda _: None, needs_auth=False)
        app = SocketBounds(socketio.ASGIApp(sio), sio.eio.sockets, Patience())
        async with listening(app) as url, aiohttp.ClientSession() as client:
            opened = await (await client.get(url + POLLING)).text()
            address = f"{url}{POLLING}&sid={json.loads(opened[1:])['sid']}"
            await (await client.post(address, data="40")).text()
            task = asyncio.create_task(client.post(address, data='421["/dataset-tags"]'))
            await asyncio.wait_for(begun.wait(), DEADLINE_S)
            task.cancel()
            async with asyncio.timeout(DEADLINE_S):
                while not ended:
                    await asyncio.sleep(0.01)
        await sio.shutdown()


async def test_a_session_that_says_nothing_is_forgotten_and_never_counts_as_a_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(over_socketio, "MAX_CLIENTS", 1)
    async with served_grid(tmp_path / "w") as node:
        node.sio.eio.ping_interval = node.sio.eio.ping_timeout = 0.3
        async with aiohttp.ClientSession() as client:
            for _ in range(5):
                await (await client.get(node.url + POLLING)).text()
            assert len(node.sio.eio.sockets) == 5
            async with asyncio.timeout(DEADLINE_S):
                first, second = socketio.AsyncClient(reconnection=False), socketio.AsyncClient(reconnection=False)
                await first.connect(node.url, transports=["websocket"])
                with pytest.raises(socketio.exceptions.ConnectionError):
                    await second.connect(node.url, transports=["websocket"])
                await first.disconnect()
                while node.sio.eio.sockets:
                    await asyncio.sleep(0.05)


def test_more_sessions_than_there_is_room_for_are_refused(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    known = session(server)
    monkeypatch.setattr(socket_bounds, "_MOST_SESSIONS", 1)
    answer = requests.get(server.url + POLLING, timeout=10)
    assert (answer.status_code, answer.json()["error"]) == (503, "TOO_MANY_CLIENTS")
    assert requests.post(server.url + known, data="40", timeout=10).text == "OK"


def test_a_refused_long_polling_request_does_not_keep_the_server_from_ending(tmp_path: Path) -> None:
    with served(tmp_path / "dir") as server:
        assert requests.post(server.url + session(server), data=bytes(1_100_000), timeout=10).status_code == 413
        assert requests.post(server.url + session(server), data="6", timeout=10).status_code == 400
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 10


# ------------------------------------------------------------------------------------------------------ websocket


@pytest.mark.parametrize("size", [1_100_000, 4_000_000])
async def test_an_event_over_the_limit_is_told_so_and_the_connection_lives(server: Server, size: int) -> None:
    async with websocket(server) as one:
        model = "x" * size
        await one.send_str('421["/serve_model",{"model_id":"large","allow_download":true,"model":"' + model + '"}]')
        answer = await acknowledged(one)
        assert answer["success"] is False
        assert "HTTP" in answer["message"]
        assert answer["remedy"] == "POST /serve_model"
        await one.send_str('422["/search",{"query":"' + model + '"}]')
        assert "HTTP" in (await acknowledged(one))["error"]
        await one.send_str('423["/is_model_copy_allowed/large"]')
        assert await acknowledged(one) == {"success": False, "error": "Model not found."}


async def test_a_model_of_bytes_over_the_limit_is_told_so_and_not_kept(server: Server) -> None:
    async with websocket(server) as one:
        await one.send_str('451-1["/serve_model",{"model_id":"large","model":{"_placeholder":true,"num":0}}]')
        await one.send_bytes(bytes(1_100_000))
        answer = await acknowledged(one)
        assert answer["success"] is False
        assert "HTTP" in answer["message"]
        await one.send_str('422["/is_model_copy_allowed/large"]')
        assert (await acknowledged(one))["success"] is False


@pytest.mark.parametrize(
    "frame", ["b4AAAA", "bA", "x", "", "4" + "[" * 200_000, "y" * 1_100_000, "40" + " " * 1_100_000]
)
async def test_a_frame_that_is_no_packet_ends_its_connection_quietly(
    server: Server, caplog: pytest.LogCaptureFixture, frame: str
) -> None:
    with caplog.at_level(logging.INFO):
        async with websocket(server) as one:
            await one.send_str(frame)
            message = await asyncio.wait_for(one.receive(), DEADLINE_S)
            assert message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
        async with websocket(server) as another:
            await another.send_str('421["/models"]')
            assert (await acknowledged(another))["success"] is True
    assert [record for record in caplog.records if record.exc_info] == []


async def test_bytes_of_a_good_frame_come_as_text_too(server: Server) -> None:
    async with websocket(server) as one:
        await one.send_str('451-1["/serve_model",{"model_id":"b64","model":{"_placeholder":true,"num":0}}]')
        await one.send_str("b" + base64.b64encode(b"\x00\xff").decode())
        assert (await acknowledged(one))["success"] is True
