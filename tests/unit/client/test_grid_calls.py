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
    InvalidField,
    Locked,
    NotFound,
    RemoteFailed,
    Unreachable,
    Untrusted,
)
from emtui.files import MemorySource
from tests.grid_nodes import FakeNode, http_app, socket_node
from tests.grid_serving import listening

SERVED = {"success": True, "message": "Model saved with id: m"}
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


@pytest.mark.parametrize("nothing", [None, "", False])
async def test_an_error_that_is_null_is_none(nothing: Any) -> None:
    answers = {
        "/models": {"success": True, "models": ["m"], "error": nothing},
        "/get_model/m": {"serialized_model": "\xff", "error": nothing},
        "/search": {"content": True, "error": nothing},
        "/serve_model": {**SERVED, "error": nothing},
    }
    async with over_socket(answers) as (grid, _):
        assert list(await grid.models()) == ["m"]
        assert await fetch(grid, "m") == b"\xff"
        assert await grid.search("#t") is True
        assert await grid.serve_model(MemorySource("m", b"x"), "m", allow_download=True) == SERVED["message"]


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


# ------------------------------------------------------------------------------------- what is not the node's answer


def to_slash(request: Request, status: int = 308) -> Response:
    """What Flask answers where the route was written with a slash at its end."""
    return Response(status_code=status, headers={"Location": f"{request.url.path}/"})


@pytest.mark.parametrize("is_whole", [True, False], ids=["whole address", "path"])
@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_to_the_slash_means_the_other_path_which_is_remembered(status: int, is_whole: bool) -> None:
    asked: list[str] = []

    def models(request: Request) -> Any:
        asked.append(request.url.path)
        if request.url.path.endswith("/"):
            return {"models": ["m"]}
        to = f"{request.url}/" if is_whole else f"{request.url.path}/"
        return Response(status_code=status, headers={"Location": to})

    def search(request: Request) -> Any:
        return {"content": True} if request.url.path.endswith("/") else to_slash(request, status)

    routes = {("GET", "/models"): models, ("GET", "/models/"): models}
    async with over_http({**routes, ("POST", "/search"): search, ("POST", "/search/"): search}) as grid:
        assert list(await grid.models()) == list(await grid.models()) == ["m"]
        assert await grid.search("#t") is True
    assert asked == ["/models", "/models/", "/models/"]


async def test_models_whose_paths_end_with_a_slash_are_served_and_fetched() -> None:
    kept: list[Any] = []

    async def serve(request: Request) -> Any:
        kept.append((await request.json())["model"])
        return SERVED

    routes = {
        ("POST", "/serve_model"): to_slash,
        ("POST", "/serve_model/"): serve,
        ("GET", "/get_model/a b"): to_slash,
        ("GET", "/get_model/a b/"): {"serialized_model": "\xff"},
        ("GET", "/is_model_copy_allowed/a b"): to_slash,
        ("GET", "/is_model_copy_allowed/a b/"): {"success": True},
    }
    async with over_http(routes) as grid:
        assert await grid.serve_model(MemorySource("m", b"\x00"), "a b", allow_download=True) == SERVED["message"]
        assert await fetch(grid, "a b") == b"\xff"
        assert await grid.is_model_copy_allowed("a b") is True
    assert kept == ["\x00"]


@pytest.mark.parametrize(
    "location",
    [
        "/login",
        "/",
        "//evil.example.org/models/",
        "http://127.0.0.1:1/models/",
        "/models/?next=x",
        "/models",
        "http://[",
    ],
)
async def test_a_redirect_to_anything_else_is_not_trusted(location: str) -> None:
    def elsewhere(_: Request) -> Response:
        return Response(status_code=308, headers={"Location": location})

    async with over_http({("GET", "/models"): elsewhere, ("GET", "/models/"): {"models": ["m"]}}) as grid:
        with pytest.raises(Untrusted):
            await grid.models()


async def test_a_redirect_that_goes_round_ends() -> None:
    def without(request: Request) -> Response:
        return Response(status_code=308, headers={"Location": request.url.path.rstrip("/")})

    routes = {
        ("GET", f"/{name}{end}"): without if end else to_slash
        for name in ("models", "get_model/m")
        for end in ("", "/")
    }
    async with over_http(routes) as grid:
        for call in (grid.models(), fetch(grid, "m")):
            with pytest.raises(NotServed):
                await call


@pytest.mark.parametrize("status", [302, 303])
async def test_a_model_that_may_have_been_served_before_a_redirect_is_not_sent_again(status: int) -> None:
    posts: list[str] = []

    def serve(request: Request) -> Response:
        posts.append(request.url.path)
        return to_slash(request, status)

    async with over_http({("POST", "/serve_model"): serve, ("POST", "/serve_model/"): serve}) as grid:
        with pytest.raises(Untrusted):
            await grid.serve_model(MemorySource("m", b"x"), "m", allow_download=True)
    assert posts == ["/serve_model"]


FRAMEWORKS = [
    {"message": "The requested URL was not found on the server. If you entered the URL manually please check it."},
    {"error": "Not Found"},
    {"statusCode": 404, "message": "Cannot GET /models", "error": "Not Found"},
    {"status": 404, "error": "Not Found", "message": "No message available", "path": "/models"},
    {"message": "no Route matched with those values"},
    {"error": "404 Not Found: The requested URL was not found on the server."},
]


@pytest.mark.parametrize("body", FRAMEWORKS, ids=lambda body: next(iter(body.values())))
async def test_a_404_in_a_frameworks_words_is_no_answer_of_the_node(body: Any) -> None:
    async def serve(request: Request) -> Any:
        async with request.form():
            return SERVED

    def missing(_: Request) -> Response:
        return JSONResponse(body, 404)

    routes = {
        ("GET", "/models"): missing,
        ("GET", "/models/"): {"models": ["m"]},
        ("POST", "/serve_model"): missing,
        ("POST", "/serve-model/"): serve,
        ("GET", "/get_model/m"): missing,
    }
    async with over_http(routes) as grid:
        assert list(await grid.models()) == ["m"]
        assert await grid.serve_model(MemorySource("m", b"x"), "m", allow_download=True) == SERVED["message"]
        with pytest.raises(NotServed):
            await fetch(grid, "m")


@pytest.mark.parametrize("body", [{"error": "Model not found."}, {"success": False, "error": "Not Found"}])
async def test_a_404_in_the_nodes_own_words_is_its_answer(body: Any) -> None:
    async with over_http({("GET", "/get_model/m"): lambda _: JSONResponse(body, 404)}) as grid:
        with pytest.raises(NotFound) as caught:
            await fetch(grid, "m")
    assert caught.value.message == body["error"]


@pytest.mark.parametrize("status", [423, 429, 502, 503, 504])
async def test_not_now_is_heard_with_how_long_to_wait_whatever_the_body(status: int) -> None:
    def busy(_: Request) -> Response:
        return JSONResponse({"success": False, "error": "busy"}, status, headers={"Retry-After": "7"})

    paths = [("GET", "/models"), ("GET", "/get_model/m"), ("POST", "/search"), ("POST", "/serve_model")]
    async with over_http(dict.fromkeys(paths, busy)) as grid:
        serve = grid.serve_model(MemorySource("m", b"x"), "m", allow_download=True)
        for call in (grid.models(), fetch(grid, "m"), grid.search("#t"), serve):
            with pytest.raises((Locked, Unreachable)) as caught:
                await call
            error: Any = caught.value
            assert isinstance(error, Locked) is (status in (423, 429))
            assert error.retry_after_s == 7
            assert "busy" in error.message
            assert getattr(error, "may_have_run", False) is (status in (502, 504))


async def test_what_is_no_encoding_is_refused_before_anything_is_sent() -> None:
    async with over_http({}) as grid:
        with pytest.raises(InvalidField) as caught:
            await grid.serve_model(MemorySource("m", bytes(1 << 20)), "m", allow_download=True, encoding="nope")
    assert caught.value.field == "encoding"
