"""What befalls a Socket.IO connection (X16, B7), and how the client comes through it."""

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from emtui.client.grid.backend import RemoteGrid
from emtui.client.grid.calls import NotServed
from emtui.client.grid.connection import TooLarge, Waits
from emtui.client.grid.handshake import NoSocketIO
from emtui.client.grid.over_socketio import SocketIOGrid
from emtui.client.http.address import Address
from emtui.client.http.channel import Channel
from emtui.client.http.sign_in import Credentials
from emtui.errors import ContractViolation, NotFound, NotSignedIn, Unreachable, Untrusted
from emtui.files import MemorySource
from tests.grid_nodes import FakeNode, http_app, socket_node
from tests.grid_serving import DEADLINE_S, listening

QUICK = Waits(
    ready_s=1.0, connect_s=2.0, answer_s=0.5, serve_s=0.5, close_s=0.5, first_retry_s=0.05, longest_retry_s=0.2
)
MODELS = {"success": True, "models": ["m"]}


@contextlib.asynccontextmanager
async def client_of(url: str, token: str | None = None, **options: Any) -> AsyncIterator[SocketIOGrid]:
    channel = Channel(Address.parse(url), Credentials(token=token) if token else None)
    grid = SocketIOGrid(channel, waits=QUICK, **options)
    try:
        yield grid
    finally:
        await grid.aclose()
        await channel.aclose()


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not is_so():
            await asyncio.sleep(0.01)


class Relay:
    """Stands before a node: can be cut, and taken away altogether."""

    def __init__(self, target: str) -> None:
        self._target = int(target.rpartition(":")[2])
        self._port = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.accepted = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def up(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    def down(self) -> None:
        if self._server is not None:
            self._server.close()
        self.cut()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers |= {writer, far_writer}

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                while data := await source.read(65536):
                    sink.write(data)
                    await sink.drain()
            sink.close()

        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer), return_exceptions=True)


@contextlib.asynccontextmanager
async def relayed(events: Any) -> AsyncIterator[tuple[Relay, FakeNode]]:
    async with socket_node(events) as node:
        relay = Relay(node.url)
        await relay.up()
        try:
            yield relay, node
        finally:
            relay.down()


async def test_a_node_that_closes_the_connection_is_connected_to_again_and_pulled_afresh() -> None:
    times: list[int] = []
    async with (
        socket_node({"/models": lambda: MODELS}) as node,
        client_of(node.url, on_connect=lambda: times.append(1)) as grid,
    ):
        assert list(await grid.models()) == ["m"]
        for count in (2, 3):
            await node.hang_up()
            await until(lambda count=count: len(times) == count)
            assert list(await grid.models()) == ["m"]


async def test_a_connection_that_is_cut_comes_back_by_itself() -> None:
    times: list[int] = []
    async with (
        relayed({"/models": lambda: MODELS}) as (relay, _),
        client_of(relay.url, on_connect=lambda: times.append(1)) as grid,
    ):
        await grid.models()
        relay.cut()
        await until(lambda: len(times) == 2)
        assert list(await grid.models()) == ["m"]


async def test_a_node_that_is_down_for_a_second_is_waited_for() -> None:
    async with relayed({"/models": lambda: MODELS}) as (relay, _), client_of(relay.url) as grid:
        await grid.models()
        relay.down()
        await until(lambda: not grid.is_up)
        asyncio.get_running_loop().call_later(0.4, lambda: asyncio.ensure_future(relay.up()))
        assert list(await grid.models()) == ["m"]


async def test_a_call_while_it_is_down_says_that_nothing_was_executed() -> None:
    async with relayed({"/models": lambda: MODELS}) as (relay, _), client_of(relay.url) as grid:
        relay.down()
        with pytest.raises(Unreachable) as caught:
            await asyncio.wait_for(grid.models(), 2 * QUICK.ready_s)
        assert caught.value.may_have_run is False
        assert "refused" in caught.value.message


async def test_flapping_is_met_with_fewer_and_fewer_tries() -> None:
    async with relayed({}) as (relay, _), client_of(relay.url, on_connect=relay.cut) as grid:
        with contextlib.suppress(Unreachable):
            await grid.models()
        await asyncio.sleep(1.5)
        assert 3 <= relay.accepted <= 25


async def test_an_answer_that_never_comes_is_not_waited_for_for_ever() -> None:
    async def never() -> Any:
        await asyncio.sleep(DEADLINE_S)

    async with socket_node({"/models": never, "/dataset-tags": lambda: ["t"]}) as node, client_of(node.url) as grid:
        with pytest.raises(Unreachable) as caught:
            await grid.models()
        assert caught.value.may_have_run is True
        assert list(await grid.dataset_tags()) == ["t"]


async def test_an_answer_that_comes_late_is_nobodys() -> None:
    answers = iter([0.8, 0.0])

    async def slow() -> Any:
        await asyncio.sleep(next(answers))
        return MODELS

    async with socket_node({"/models": slow, "/dataset-tags": lambda: ["t"]}) as node, client_of(node.url) as grid:
        with pytest.raises(Unreachable):
            await grid.models()
        await asyncio.sleep(0.5)
        assert list(await grid.dataset_tags()) == ["t"]
        assert list(await grid.models()) == ["m"]


async def test_a_connection_lost_while_a_call_is_out_ends_the_call_at_once() -> None:
    is_asked = asyncio.Event()

    async def never(_body: Any) -> Any:
        is_asked.set()
        await asyncio.sleep(DEADLINE_S)

    async with relayed({"/serve_model": never}) as (relay, _), client_of(relay.url) as grid:
        task = asyncio.create_task(grid.serve_model(MemorySource("m", b"x"), "m", allow_download=True))
        await asyncio.wait_for(is_asked.wait(), DEADLINE_S)
        relay.cut()
        with pytest.raises(Unreachable) as caught:
            await asyncio.wait_for(task, 0.3)
        assert caught.value.may_have_run is True


async def test_what_is_too_large_is_refused_before_it_is_sent() -> None:
    async with socket_node({"/models": lambda: MODELS}) as node, client_of(node.url) as grid:
        for data in (bytes(1_000_001), b"\0" * 400_000):  # NUL takes six characters in JSON
            with pytest.raises(TooLarge) as caught:
                await grid.serve_model(MemorySource("m", data), "m", allow_download=True)
            assert "HTTP" in caught.value.remedy
        assert node.asked == []
        await grid.models()


async def test_an_answer_over_the_bound_ends_the_call_not_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emtui.client.grid.handshake.MAX_ANSWER_BYTES", 1000)
    answers = {"/models": lambda: {"models": ["x" * 2000]}, "/dataset-tags": lambda: ["t"]}
    for transports in (["websocket"], ["polling"]):
        async with socket_node(answers, transports=transports) as node, client_of(node.url) as grid:
            with pytest.raises(Unreachable):
                await grid.models()
            assert list(await grid.dataset_tags()) == ["t"]


async def test_long_polling_is_the_way_where_websockets_are_refused() -> None:
    async with socket_node({"/models": lambda: MODELS}, transports=["polling"]) as node, client_of(node.url) as grid:
        assert list(await grid.models()) == ["m"]
        many = await asyncio.wait_for(asyncio.gather(*(grid.models() for _ in range(40))), DEADLINE_S)
        assert len(many) == 40


# ------------------------------------------------------------------------------------------------- who is there


async def test_a_node_without_socket_io_is_told_at_once() -> None:
    async with listening(http_app({})) as url, client_of(url) as grid:
        with pytest.raises(NoSocketIO) as caught:
            await asyncio.wait_for(grid.models(), QUICK.ready_s)
        assert caught.value.may_have_run is False


async def test_a_redirect_to_the_same_path_without_its_slash_means_that_there_is_no_socket_io() -> None:
    async def redirect(scope: Any, receive: Any, send: Any) -> None:
        location = f"{scope['path'].rstrip('/')}?{scope['query_string'].decode()}".encode()
        kind = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
        await receive()
        await send({"type": f"{kind}.start", "status": 308, "headers": [(b"location", location)]})
        await send({"type": f"{kind}.body", "body": b""})

    async with listening(redirect) as url, client_of(url) as grid:
        with pytest.raises(NoSocketIO):
            await asyncio.wait_for(grid.models(), 5 * QUICK.ready_s)


async def test_a_redirect_is_not_followed_and_the_token_stays_here() -> None:
    async with socket_node({"/models": lambda: MODELS}) as elsewhere:

        async def redirect(scope: Any, receive: Any, send: Any) -> None:
            location = f"{elsewhere.url}{scope['path']}?{scope['query_string'].decode()}".encode()
            if scope["type"] == "websocket":
                await receive()
                headers = [(b"location", location)]
                await send({"type": "websocket.http.response.start", "status": 307, "headers": headers})
                await send({"type": "websocket.http.response.body", "body": b""})
                return
            await send({"type": "http.response.start", "status": 307, "headers": [(b"location", location)]})
            await send({"type": "http.response.body", "body": b""})

        async with listening(redirect) as url, client_of(url, token="canary-token") as grid:
            with pytest.raises(Untrusted) as caught:
                await grid.models()
            assert "canary" not in f"{caught.value!r} {caught.value.remedy}"
        assert elsewhere.headers == []


async def test_a_refused_token_is_said_to_be_and_stands_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with (
        socket_node({}, accepts=lambda environ, auth: False) as node,
        client_of(node.url, token="canary-token") as grid,
    ):
        with pytest.raises(NotSignedIn) as caught:
            await grid.models()
        assert "canary" not in f"{caught.value!r} {caught.value.remedy} {grid!r}"
    assert node.headers[0]["HTTP_AUTHORIZATION"] == "Bearer canary-token"
    ours = [record for record in caplog.records if not record.name.startswith(("socketio.server", "engineio.server"))]
    assert not any("canary" in record.getMessage() for record in ours)


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with socket_node({"/models": lambda: MODELS}) as node, client_of(node.url) as grid:
        assert list(await grid.models()) == ["m"]


# ------------------------------------------------------------------------------------------------ wrong answers

DEEP: Any = []
for _ in range(300):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("answer", "field"),
    [
        (None, "models"),
        (5, "models"),
        ({}, "models"),
        ({"models": None}, "models"),
        ({"models": {"a": 1}}, "models"),
        ({"models": ["a", 5]}, "models[1]"),
        ({"models": [None]}, "models[0]"),
        ({"models": ["a"], "sizes": []}, "sizes"),
        ({"models": ["a"], "sizes": {"a": -1}}, "sizes"),
        ({"models": ["a"], "sizes": {"a": "big"}}, "sizes"),
        ({"models": DEEP}, "models[0]"),
        ("<html>no</html>", "<html>no</html>"),
    ],
)
async def test_an_answer_of_the_wrong_shape_names_the_field(answer: Any, field: str) -> None:
    async with socket_node({"/models": lambda: answer}) as node, client_of(node.url) as grid:
        with pytest.raises(ContractViolation) as caught:
            await grid.models()
        assert field in caught.value.message


@pytest.mark.parametrize(
    "packet", ['431["', '431{"a":1}', "431", "431" + "[" * 100_000, "431[NaN]", "431[" + "9" * 5000 + "]"]
)
async def test_an_answer_that_is_no_json_ends_the_call_with_a_reason(packet: str) -> None:
    async with raw_node(packet) as url, client_of(url) as grid:
        with pytest.raises(ContractViolation) as caught:
            await grid.models()
        assert "models" in caught.value.message


async def test_packets_that_are_none_do_not_end_the_client(caplog: pytest.LogCaptureFixture) -> None:
    rubbish = [
        "4",
        "49",
        "4x",
        "42",
        "42[5]",
        '42[["x"]]',
        '42["connect"]',
        "4599999999-1[]",
        '461-["x"]',
        "43",
        "4399[]",
    ]
    async with raw_node('431[{"models":["m"]}]', rubbish) as url, client_of(url) as grid:
        assert list(await grid.models()) == ["m"]
    gc.collect()  # a task that failed unseen would be told now
    assert not [record for record in caplog.records if record.name == "asyncio"]


@contextlib.asynccontextmanager
async def raw_node(packet: str, before: list[str] | None = None) -> AsyncIterator[str]:
    """A node that answers the first event with these packets."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "websocket"
        await receive()
        await send({"type": "websocket.accept"})
        text = '0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
        await send({"type": "websocket.send", "text": text})
        while (message := await receive())["type"] == "websocket.receive":
            if message.get("text", "").startswith("40"):
                await send({"type": "websocket.send", "text": '40{"sid":"t"}'})
            elif message.get("text", "").startswith("42"):
                for one in [*(before or []), packet]:
                    await send({"type": "websocket.send", "text": one})

    async with listening(app) as url:
        yield url


# -------------------------------------------------------------------------------------------------- both transports


@contextlib.asynccontextmanager
async def remote(url: str, **options: Any) -> AsyncIterator[RemoteGrid]:
    grid = RemoteGrid(Address.parse(url), waits=QUICK, **options)
    try:
        yield grid
    finally:
        await grid.aclose()


async def test_a_node_of_http_alone_is_used_without_waiting_each_time() -> None:
    async with listening(http_app({("GET", "/models/"): lambda _: MODELS})) as url, remote(url) as grid:
        assert list(await grid.models()) == ["m"]
        began = asyncio.get_running_loop().time()
        for _ in range(5):
            assert list(await grid.models()) == ["m"]
        assert asyncio.get_running_loop().time() - began < QUICK.ready_s
        assert (await grid.info()).details["transport"] == "HTTP"


async def test_a_node_of_socket_io_alone_says_so_of_what_is_too_large() -> None:
    async with socket_node({"/models": lambda: MODELS}, http=http_app({})) as node, remote(node.url) as grid:
        assert list(await grid.models()) == ["m"]
        with pytest.raises(TooLarge):
            await grid.serve_model(MemorySource("m", bytes(2_000_000)), "m", allow_download=True)
        assert (await grid.info()).details["transport"] == "Socket.IO"


async def test_a_large_model_comes_over_http_when_socket_io_gives_none() -> None:
    events = {"/get_model/big": lambda: {"success": False}, "/get_model/none": lambda: {"error": "Model not found."}}
    http = http_app({("GET", "/get_model/big"): lambda _: {"serialized_model": "\xff" * 10}})
    async with socket_node(events, http=http) as node, remote(node.url) as grid:
        async with grid.get_model("big") as download:
            assert b"".join([chunk async for chunk in download.chunks]) == b"\xff" * 10
        with pytest.raises(NotFound):
            async with grid.get_model("none"):
                pass


async def test_what_may_have_been_executed_is_not_done_again_over_http() -> None:
    async def never(_body: Any) -> Any:
        await asyncio.sleep(DEADLINE_S)

    posts: list[Any] = []
    http = http_app({("POST", "/serve_model"): lambda request: posts.append(request) or {"success": True}})
    async with socket_node({"/serve_model": never}, http=http) as node, remote(node.url) as grid:
        with pytest.raises(Unreachable) as caught:
            await grid.serve_model(MemorySource("m", b"x"), "m", allow_download=True)
        assert caught.value.may_have_run is True
        assert posts == []


@pytest.mark.parametrize("is_known", [True, False], ids=["HTTP answered before", "first call"])
async def test_a_model_is_sent_to_each_path_but_once(is_known: bool) -> None:
    posts: list[str] = []

    def missing(request: Request) -> Response:
        posts.append(request.url.path)
        return HTMLResponse("<html>", 404)

    paths = ("/serve_model", "/serve-model/", "/serve_model/", "/serve-model")
    http = http_app({("GET", "/models"): lambda _: MODELS, **{("POST", path): missing for path in paths}})
    async with listening(http) as url, remote(url) as grid:
        if is_known:
            await grid.models()
        for size_bytes in (1, 1 << 20):
            posts.clear()
            with pytest.raises(NotServed if size_bytes == 1 else (NotServed, TooLarge)):
                await grid.serve_model(MemorySource("m", bytes(size_bytes)), "m", allow_download=True)
            assert sorted(posts) == ["/serve-model/", "/serve_model"]


async def test_a_model_that_has_left_over_http_may_have_been_served_though_socket_io_is_down() -> None:
    posts: list[str] = []

    def lost(request: Request) -> Response:
        posts.append(request.url.path)
        return HTMLResponse("<html>", 504)

    http = http_app({("POST", "/serve_model"): lost})

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"].startswith("/socket.io"):
            await asyncio.sleep(DEADLINE_S)
        await http(scope, receive, send)

    async with listening(app) as url, remote(url) as grid:
        with pytest.raises(Unreachable) as caught:
            await grid.serve_model(MemorySource("m", b"x"), "m", allow_download=True)
        assert caught.value.may_have_run is True
        assert posts == ["/serve_model"]


async def test_an_address_without_any_node_is_told_so() -> None:
    async with listening(http_app({})) as url, remote(url) as grid:
        with pytest.raises(ContractViolation) as caught:
            await grid.models()
        assert "address" in caught.value.remedy


async def test_socket_io_is_tried_again_later_and_used_when_it_is_there() -> None:
    waits = Waits(ready_s=1.0, first_retry_s=0.05, longest_retry_s=0.1, not_served_s=0.1)
    async with socket_node({"/models": lambda: {"models": ["socket"]}}) as node:
        is_there = asyncio.Event()
        inner = http_app({("GET", "/models"): lambda _: {"models": ["http"]}})

        async def app(scope: Any, receive: Any, send: Any) -> None:
            is_socket = scope["path"].startswith("/socket.io")
            await (node_app if is_socket and is_there.is_set() else inner)(scope, receive, send)

        import socketio

        node_app = socketio.ASGIApp(node.sio)
        async with listening(app) as url:
            grid = RemoteGrid(Address.parse(url), waits=waits)
            assert list(await grid.models()) == ["http"]
            is_there.set()
            async with asyncio.timeout(DEADLINE_S):
                while list(await grid.models()) != ["socket"]:
                    await asyncio.sleep(0.02)
            await grid.aclose()


async def test_closing_leaves_no_task_behind() -> None:
    async with socket_node({"/models": lambda: MODELS}) as node:
        before = asyncio.all_tasks()
        times: list[int] = []
        async with remote(node.url, on_connect=lambda: times.append(1)) as grid:
            await grid.models()
            await node.hang_up()
            await until(lambda: len(times) == 2)
            await grid.models()
        for _ in range(20):
            await asyncio.sleep(0.02)
        left = [
            task for task in asyncio.all_tasks() - before if "emtui/client" in str(task) or "async_client" in str(task)
        ]
        assert left == []
