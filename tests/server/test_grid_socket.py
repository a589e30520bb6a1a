"""The Grid Node over Socket.IO, as a client meets it that knows nothing of emtui."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import socketio

from emtui.files import MemorySource
from tests.grid_serving import DEADLINE_S, Served, served_grid


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Served]:
    async with served_grid(tmp_path / "w") as served:
        yield served


@asynccontextmanager
async def connected(url: str, **options: Any) -> AsyncIterator[socketio.AsyncClient]:
    client = socketio.AsyncClient(reconnection=False)
    await client.connect(url, **{"transports": ["websocket"], **options})
    try:
        yield client
    finally:
        await client.disconnect()


@asynccontextmanager
async def raw(url: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A connection of one's own making: whatever is sent, is sent."""
    address = f"{url}/socket.io/?EIO=4&transport=websocket"
    async with aiohttp.ClientSession() as session, session.ws_connect(address) as socket:
        assert (await socket.receive_str()).startswith("0{")
        await socket.send_str("40")
        assert (await socket.receive_str()).startswith("40")
        yield socket


async def answer_to(socket: aiohttp.ClientWebSocketResponse, packet: str) -> Any:
    await socket.send_str(packet)
    text = await asyncio.wait_for(socket.receive_str(), DEADLINE_S)
    return json.loads(text[text.index("[") :])


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_every_event_is_acknowledged_with_the_specified_body_alone(node: Served, transport: str) -> None:
    await node.grid.register_dataset("digits", ("#mnist",))
    await node.grid.register_encrypted_model("shares", ("alice", "bob"), ("carol",))
    async with connected(node.url, transports=[transport]) as client:
        fields = {"encoding": "ISO-8859-1", "model_id": "m/1", "allow_download": True, "model": "\x00\xff"}
        assert await client.call("/models") == {"success": True, "models": []}
        assert await client.call("/serve_model", fields) == {"success": True, "message": "Model saved with id: m/1"}
        assert await client.call("/serve_model", fields) == {"success": False, "message": "Model id already exists."}
        closed = {**fields, "model_id": "closed", "allow_download": False}
        assert (await client.call("/serve_model", closed))["success"] is True
        assert await client.call("/models") == {"success": True, "models": ["m/1", "closed"]}
        assert await client.call("/is_model_copy_allowed/m/1") == {"success": True}
        refused = "You're not allowed to download this model."
        assert await client.call("/is_model_copy_allowed/closed") == {"success": False, "error": refused}
        assert await client.call("/is_model_copy_allowed/no") == {"success": False, "error": "Model not found."}
        assert await client.call("/get_model/m/1") == {"serialized_model": "\x00\xff"}
        assert await client.call("/get_model/closed") == {"error": refused}
        assert await client.call("/get_model/no") == {"error": "Model not found."}
        assert await client.call("/dataset-tags") == ["#mnist"]
        found = {"workers": ["alice", "bob"], "crypto_provider": ["carol"]}
        assert await client.call("/search-encrypted-models", {"model_id": "shares"}) == found
        assert await client.call("/search-encrypted-models", {}) == {"error": "Invalid payload format"}
        assert await client.call("/search-encrypted-models") == {"error": "Invalid payload format"}
        assert await client.call("/search-encrypted-models", {"model_id": "no"}) == {"error": "Model ID not found!"}
        assert await client.call("/search", {"query": "#mnist"}) == {"content": True}
        assert await client.call("/search", {"query": "mnist"}) == {"content": False}
        assert await client.call("/search", {}) == {}


@pytest.mark.parametrize("name", ["/serve_model", "/serve-model", "serve_model", "serve-model", "/serve-model/"])
@pytest.mark.parametrize("body", [dict, json.dumps])
async def test_names_and_bodies_come_as_the_field_has_them(node: Served, name: str, body: Any) -> None:
    async with connected(node.url) as client:
        fields = body({"model_id": "m", "allow_download": "True", "allow_remote_inference": "False", "model": "x"})
        assert (await client.call(name, fields))["success"] is True
        assert await client.call("models") == {"success": True, "models": ["m"]}
        assert await client.call("get_model/m") == {"serialized_model": "x"}
        assert await client.call("is-model-copy-allowed/m") == {"success": True}


async def test_a_model_may_come_as_bytes(node: Served) -> None:
    async with connected(node.url) as client:
        answer = await client.call("/serve_model", {"model_id": "m", "allow_download": True, "model": b"\x00\xff"})
        assert answer == {"success": True, "message": "Model saved with id: m"}
        assert await client.call("/get_model/m") == {"serialized_model": "\x00\xff"}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"model_id": "m"}, "model"),
        ({"model_id": "m", "model": 5}, "model"),
        ({"model": "x"}, "model_id"),
        ({"model_id": 5, "model": "x"}, "model_id"),
        ({"model_id": "m", "model": "x", "allow_download": "maybe"}, "allow_download"),
        ({"model_id": "m", "model": "x", "encoding": "no such"}, "encoding"),
        ({"model_id": "m", "model": "x", "encoding": "punycode"}, "encoding"),
        ({"model_id": "m", "model": "x", "encoding": "hex"}, "encoding"),
        ({"model_id": "m", "model": "✓", "encoding": "ISO-8859-1"}, "encoding"),
        ([], "body"),
        ("no json", "body"),
        (None, "body"),
    ],
)
async def test_a_wrong_field_is_named_and_nothing_is_kept(node: Served, fields: Any, field: str) -> None:
    async with connected(node.url) as client:
        answer = await client.call("/serve_model", fields)
        assert answer["success"] is False
        assert answer["field"] == field
        assert answer["message"].startswith(f"{field}: ")
        assert await client.call("/models") == {"success": True, "models": []}


async def test_an_event_that_nobody_knows_is_said_to_be_one_and_the_connection_lives(node: Served) -> None:
    async with connected(node.url) as client:
        for name in ("/nonsense", "", "/", "message", "/models/x/y", "/get_models"):
            assert (await client.call(name))["error"] == "unknown event"
        assert (await client.call("/models"))["success"] is True


async def test_a_handler_that_fails_tells_nothing_of_the_inside(node: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("canary: /secret/path")

    monkeypatch.setattr(node.grid._store, "ids", fail)
    async with connected(node.url) as client:
        answer = await client.call("/models")
        assert answer["success"] is False
        assert "canary" not in json.dumps(answer)
        assert answer["error"] == "the Grid Node failed inside"
        assert await client.call("/dataset-tags") == []


async def test_a_model_too_large_for_one_answer_is_to_be_fetched_over_http(node: Served) -> None:
    await node.grid.serve_model(MemorySource("m", bytes(17 << 20)), "large", allow_download=True)
    async with connected(node.url) as client:
        assert "HTTP" in (await client.call("/get_model/large"))["error"]


async def test_sizes_are_told_to_those_who_ask_for_them_only(node: Served) -> None:
    await node.grid.serve_model(MemorySource("m", b"12345"), "m", allow_download=True)
    async with connected(node.url, headers={"X-Emtui-Sizes": "1"}) as client:
        assert await client.call("/models") == {"success": True, "models": ["m"], "sizes": {"m": 5}}


# ------------------------------------------------------------------------------------------------ who may connect


async def test_without_a_token_nobody_gets_in_where_one_is_needed(tmp_path: Path) -> None:
    async with served_grid(tmp_path / "w", needs_auth=True) as node:
        node.tokens["good"] = "client1"
        for options in ({}, {"auth": {"token": "bad"}}, {"auth": "x"}, {"headers": {"Authorization": "Bearer bad"}}):
            with pytest.raises(socketio.exceptions.ConnectionError):
                async with connected(node.url, **options):
                    pass
        for options in ({"auth": {"token": "good"}}, {"headers": {"Authorization": "Bearer good"}}):
            async with connected(node.url, **options) as client:
                assert (await client.call("/models"))["success"] is True


async def test_a_token_that_is_none_is_refused_even_where_none_is_needed(node: Served) -> None:
    with pytest.raises(socketio.exceptions.ConnectionError):
        async with connected(node.url, auth={"token": "ended"}):
            pass


async def test_a_token_that_ends_meanwhile_is_no_longer_answered(node: Served) -> None:
    node.tokens["good"] = "client1"
    async with connected(node.url, auth={"token": "good"}) as client:
        assert (await client.call("/models"))["success"] is True
        node.tokens.clear()
        assert (await client.call("/models"))["error"] == "Authentication credentials were not provided."


async def test_a_page_of_another_origin_is_refused(node: Served) -> None:
    with pytest.raises(socketio.exceptions.ConnectionError):
        async with connected(node.url, headers={"Origin": "http://evil.example"}):
            pass
    async with connected(node.url, headers={"Origin": node.url}) as client:
        assert (await client.call("/models"))["success"] is True


# ------------------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    "packet",
    [
        '421["/models"',
        "421" + '["/search",' + "[" * 100_000 + "]" * 100_000 + "]",
        "421{}",
        "421[]",
        "421[5]",
        '421[["x"]]',
        '421["connect",{}]',
        '421["disconnect"]',
    ],
    ids=["cut", "deep", "object", "empty", "number", "array", "connect", "disconnect"],
)
async def test_an_event_that_cannot_be_read_is_answered_and_the_connection_lives(node: Served, packet: str) -> None:
    async with raw(node.url) as socket:
        assert "error" in (await answer_to(socket, packet))[0] or packet.startswith('421["/search"')
        assert (await answer_to(socket, '422["/models"]'))[0]["success"] is True


@pytest.mark.parametrize("packet", ["4", "4x", "49", "4599999-1[]", '451-1["/serve_model",{"_placeholder":true}]'])
async def test_what_is_no_packet_is_passed_over(node: Served, packet: str) -> None:
    async with raw(node.url) as socket:
        await socket.send_str(packet)
        if packet.startswith("451-"):
            await socket.send_bytes(b"x")
            assert json.loads((await socket.receive_str())[3:])[0]["success"] is False
        assert (await answer_to(socket, '422["/models"]'))[0]["success"] is True


async def test_an_event_over_the_limit_costs_its_sender_the_connection_and_nobody_else(node: Served) -> None:
    async with connected(node.url) as bystander, raw(node.url) as socket:
        await socket.send_str('421["/serve_model",{"model_id":"m","model":"' + "x" * 1_100_000 + '"}]')
        message = await asyncio.wait_for(socket.receive(), DEADLINE_S)
        assert message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING)
        assert await bystander.call("/models") == {"success": True, "models": []}


async def test_a_client_that_floods_and_reads_nothing_is_slowed_down_while_others_are_served(node: Served) -> None:
    loop = asyncio.get_running_loop()
    async with connected(node.url) as bystander, raw(node.url) as flood:

        async def send() -> None:
            for number in range(100_000):
                await flood.send_str(f'42{number}["/search",{{"query":"{"x" * 200}"}}]')

        task = asyncio.create_task(send())
        waits = []
        for _ in range(20):
            began = loop.time()
            assert (await bystander.call("/models", timeout=DEADLINE_S))["success"] is True
            waits.append(loop.time() - began)
        queues = [one.queue.qsize() for one in node.sio.eio.sockets.values()]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert sorted(waits)[10] < 0.5
    assert max(queues) < 200
