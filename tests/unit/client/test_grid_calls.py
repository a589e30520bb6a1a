"""What the answers of nodes in the field mean, over Socket.IO and over HTTP."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from emtui.backend import GridNode
from emtui.client.grid.calls import NotServed
from emtui.client.grid.over_http import HttpGrid
from emtui.client.grid.over_socketio import SocketIOGrid
from emtui.client.http.address import Address
from emtui.client.http.channel import Channel
from emtui.errors import (
    BadRequest,
    Conflict,
    ContractViolation,
    EmtuiError,
    Forbidden,
    NotFound,
    RemoteFailed,
    Unreachable,
)
from emtui.files import MemorySource
from tests.grid_nodes import FakeNode, http_app, socket_node
from tests.grid_serving import listening

REFUSED = "You're not allowed to download this model."


@contextlib.asynccontextmanager
async def over_socket(events: dict[str, Any]) -> AsyncIterator[tuple[SocketIOGrid, FakeNode]]:
    """A client of a node that answers these bodies."""
    answers = {name: (lambda *_, answer=answer: answer) for name, answer in events.items()}
    async with socket_node(answers) as node:
        channel = Channel(Address.parse(node.url))
        grid = SocketIOGrid(channel)
        try:
            yield grid, node
        finally:
            await grid.aclose()
            await channel.aclose()


@contextlib.asynccontextmanager
async def over_http(routes: dict[tuple[str, str], Any]) -> AsyncIterator[HttpGrid]:
    """A client of a node that answers so; what is no function is the body of a 200."""
    answers = {key: answer if callable(answer) else lambda _, answer=answer: answer for key, answer in routes.items()}
    async with listening(http_app(answers)) as url:
        channel = Channel(Address.parse(url))
        try:
            yield HttpGrid(channel)
        finally:
            await channel.aclose()


async def fetch(grid: GridNode, model_id: str) -> bytes:
    async with grid.get_model(model_id) as download:
        return b"".join([chunk async for chunk in download.chunks])


@pytest.mark.parametrize("answer", [["a", "b"], {"models": ["a", "b"]}, '{"success": true, "models": ["a", "b"]}'])
async def test_the_ids_come_as_an_object_its_text_or_a_bare_array(answer: Any) -> None:
    async with over_socket({"/models": answer}) as (grid, _):
        assert list(await grid.models()) == ["a", "b"]
        assert await grid.model_sizes() == {}


async def test_ids_and_sizes_are_asked_for_once() -> None:
    async with over_socket({"/models": {"models": ["a"], "sizes": {"a": 5}}}) as (grid, node):
        await grid.models()
        assert await grid.model_sizes() == {"a": 5}
        assert node.asked == [("/models", None)]
        assert await grid.model_sizes() == {"a": 5}
        assert len(node.asked) == 2


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"success": True}, True),
        ({"success": False, "error": REFUSED}, False),
        ({"success": False, "message": REFUSED}, False),
        ({"error": REFUSED}, False),
        ({"success": False, "error": "Model not found."}, NotFound),
        ({"success": False, "error": "out of order"}, RemoteFailed),
        ({"success": False}, RemoteFailed),
        ({"success": "yes"}, ContractViolation),
        ({}, ContractViolation),
        ([], ContractViolation),
    ],
)
async def test_whether_a_copy_is_allowed(answer: Any, expected: Any) -> None:
    async with over_socket({"/is_model_copy_allowed/m": answer}) as (grid, _):
        if isinstance(expected, bool):
            assert await grid.is_model_copy_allowed("m") is expected
        else:
            with pytest.raises(expected):
                await grid.is_model_copy_allowed("m")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"error": REFUSED}, Forbidden),
        ({"error": "Model not found."}, NotFound),
        ({"serialized_model": 5}, ContractViolation),
        ({"serialized_model": None}, ContractViolation),
        ({}, ContractViolation),
        ({"serialized_model": "✓"}, ContractViolation),
    ],
)
async def test_a_model_that_does_not_come(answer: Any, kind: type[EmtuiError]) -> None:
    async with over_socket({"/get_model/m": answer}) as (grid, _):
        with pytest.raises(kind):
            await fetch(grid, "m")


@pytest.mark.parametrize("model", ["\x00\xff", b"\x00\xff"])
async def test_a_model_comes_as_text_or_as_bytes(model: Any) -> None:
    async with over_socket({"/get_model/m": {"serialized_model": model}}) as (grid, _):
        assert await fetch(grid, "m") == b"\x00\xff"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"success": False, "message": "Model id already exists."}, "Model id already exists."),
        ({"success": False, "error": "Model with id: m already eixsts."}, "Model id already exists."),
        ({"success": False, "message": "Model with id: m already exists."}, "Model id already exists."),
        ({"error": "Model ID should be unique. There is already a model."}, "Model id already exists."),
        ({"success": False}, "Model id already exists."),
        ({"success": False, "error": "no room left"}, "no room left"),
    ],
)
async def test_every_refusal_of_a_served_model_is_a_conflict(answer: Any, message: str) -> None:
    async with over_socket({"/serve_model": answer}) as (grid, node):
        with pytest.raises(Conflict) as caught:
            await grid.serve_model(MemorySource("m", b"\xff"), "m", allow_download=True)
        assert caught.value.message == message
        assert node.asked[0][1] == {
            "encoding": "ISO-8859-1",
            "model_id": "m",
            "allow_download": True,
            "allow_remote_inference": False,
            "model": "\xff",
        }


@pytest.mark.parametrize(
    ("answer", "workers", "provider"),
    [
        ({"workers": ["a", "b"], "crypto_provider": ["c"]}, ("a", "b"), ("c",)),
        ({"workers": [["a", "ws://a"]], "crypto_provider": [["c", "ws://c"]]}, ("a ws://a",), ("c ws://c",)),
        ({"workers": [], "crypto_provider": "c"}, (), ("c",)),
    ],
)
async def test_workers_come_alone_or_with_their_address(answer: Any, workers: Any, provider: Any) -> None:
    async with over_socket({"/search-encrypted-models": answer}) as (grid, _):
        found = await grid.search_encrypted_models("m")
        assert (found.workers, found.crypto_provider) == (workers, provider)


@pytest.mark.parametrize(
    ("answer", "field"),
    [
        ({"crypto_provider": []}, "workers"),
        ({"workers": [5], "crypto_provider": []}, "workers[0]"),
        ({"workers": [["a", 5]], "crypto_provider": []}, "workers[0]"),
        ({"workers": [[]], "crypto_provider": []}, "workers[0]"),
        ({"workers": []}, "crypto_provider"),
    ],
)
async def test_wrong_workers_are_named(answer: Any, field: str) -> None:
    async with over_socket({"/search-encrypted-models": answer}) as (grid, _):
        with pytest.raises(ContractViolation) as caught:
            await grid.search_encrypted_models("m")
        assert caught.value.message.startswith(field)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [({}, BadRequest), ({"content": "yes"}, ContractViolation), (True, ContractViolation), (None, ContractViolation)],
)
async def test_a_search_without_an_answer(answer: Any, kind: type[EmtuiError]) -> None:
    async with over_socket({"/search": answer}) as (grid, _):
        with pytest.raises(kind):
            await grid.search("#t")


# ---------------------------------------------------------------------------------------------------------- over HTTP


async def test_the_specified_path_is_asked_first_and_what_answers_is_remembered() -> None:
    asked: list[str] = []

    def models(request: Request) -> Any:
        asked.append(request.url.path)
        return {"models": ["m"]} if request.url.path.endswith("/") else HTMLResponse("no", status_code=404)

    async with over_http({("GET", "/models"): models, ("GET", "/models/"): models}) as grid:
        assert list(await grid.models()) == list(await grid.models()) == ["m"]
    assert asked == ["/models", "/models/", "/models/"]


async def test_a_node_of_pygrid_gets_a_small_model_as_a_form_of_text() -> None:
    forms: list[dict[str, Any]] = []

    async def serve(request: Request) -> Any:
        async with request.form() as form:
            forms.append(dict(form))
        return {"success": True, "message": "Model saved with id: m"}

    async with over_http({("POST", "/serve-model/"): serve}) as grid:
        answer = await grid.serve_model(MemorySource("m", b"\x00\xff\r\n"), "m", allow_download=False)
    assert answer == "Model saved with id: m"
    del forms[0]["_charset_"]
    assert forms == [
        {
            "encoding": "ISO-8859-1",
            "model_id": "m",
            "allow_download": "False",
            "allow_remote_inference": "False",
            "model": "\x00\xff\r\n",
        }
    ]


async def test_a_node_of_pygrid_gets_a_large_model_as_a_file_of_its_text() -> None:
    data = bytes(range(256)) * 4000
    kept: list[bytes] = []

    async def serve(request: Request) -> Any:
        async with request.form() as form:
            file: Any = form["model"]
            kept.append((await file.read()).decode("utf-8").encode(str(form["encoding"])))
        return JSONResponse({"success": True}, status_code=200)

    async with over_http({("POST", "/serve-model/"): serve}) as grid:
        assert await grid.serve_model(MemorySource("m", data), "m", allow_download=True) == "Model saved with id: m"
    assert kept == [data]


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (409, {"success": False, "message": "Model id already exists."}, Conflict),
        (409, {"success": False, "error": "Model with id: m already eixsts."}, Conflict),
        (500, {"error": "Model ID should be unique."}, Conflict),
        (400, {"success": False, "message": "what"}, BadRequest),
        (413, "too much", BadRequest),
        (500, {"error": "boom"}, RemoteFailed),
        (500, "<html>", RemoteFailed),
        (502, "<html>", Unreachable),
    ],
)
async def test_statuses_of_a_refused_model(status: int, body: Any, kind: type[EmtuiError]) -> None:
    def answer(_: Request) -> Response:
        return JSONResponse(body, status) if isinstance(body, dict) else HTMLResponse(body, status)

    async with over_http({("POST", "/serve_model"): answer}) as grid:
        with pytest.raises(kind):
            await grid.serve_model(MemorySource("m", b"x"), "m", allow_download=True)


async def test_what_is_no_node_is_told_by_its_pages() -> None:
    async with over_http({("GET", "/dataset-tags"): lambda _: HTMLResponse("<h1>Welcome</h1>")}) as grid:
        with pytest.raises(NotServed):
            await grid.models()
        with pytest.raises(ContractViolation) as caught:
            await grid.dataset_tags()
        assert "Welcome" in caught.value.message


@pytest.mark.parametrize("body", [{"detail": "Not Found"}, "<html>"])
async def test_a_404_that_is_not_the_nodes_own_is_no_missing_model(body: Any) -> None:
    def answer(_: Request) -> Response:
        return JSONResponse(body, 404) if isinstance(body, dict) else HTMLResponse(body, 404)

    async with over_http({("GET", "/get_model/m"): answer}) as grid:
        with pytest.raises(NotServed):
            await fetch(grid, "m")
