"""The Grid Node over HTTP, as a client meets it that knows nothing of emtui."""

import asyncio
import io
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from emtui.files import MemorySource
from emtui.server.grid import form as grid_form
from tests.grid_serving import DEADLINE_S, Served, served_grid

BYTES = bytes(range(256)) * 3
TEXT = BYTES.decode("latin-1")


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Served]:
    async with served_grid(tmp_path / "w") as served:
        yield served


@pytest.fixture
async def http(node: Served) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=node.url, trust_env=False, timeout=DEADLINE_S) as client:
        yield client


async def kept(node: Served, model_id: str) -> bytes:
    async with node.grid.get_model(model_id) as download:
        return b"".join([chunk async for chunk in download.chunks])


async def staged(node: Served) -> list[str]:
    return [entry.name for entry in node.grid._store._staging.scan()]


def said(answer: httpx.Response) -> tuple[int, Any]:
    assert answer.headers["content-type"] == "application/json"
    return answer.status_code, answer.json()


async def test_every_call_has_the_specified_status_and_body(node: Served, http: httpx.AsyncClient) -> None:
    await node.grid.register_dataset("digits", ("#mnist",))
    await node.grid.register_encrypted_model("shares", ("alice", "bob"), ("carol",))
    fields = {"encoding": "ISO-8859-1", "model_id": "m", "allow_download": True, "model": TEXT}
    assert said(await http.get("/models")) == (200, {"success": True, "models": []})
    saved = {"success": True, "message": "Model saved with id: m"}
    assert said(await http.post("/serve_model", json=fields)) == (200, saved)
    taken = {"success": False, "message": "Model id already exists."}
    assert said(await http.post("/serve_model", json=fields)) == (409, taken)
    closed = {**fields, "model_id": "closed", "allow_download": False}
    assert (await http.post("/serve_model", json=closed)).status_code == 200
    assert said(await http.get("/models/")) == (200, {"success": True, "models": ["m", "closed"]})
    refused = "You're not allowed to download this model."
    assert said(await http.get("/is_model_copy_allowed/m")) == (200, {"success": True})
    assert said(await http.get("/is_model_copy_allowed/closed")) == (200, {"success": False, "error": refused})
    assert said(await http.get("/is_model_copy_allowed/no")) == (200, {"success": False, "error": "Model not found."})
    assert said(await http.get("/get_model/m")) == (200, {"serialized_model": TEXT})
    assert said(await http.get("/get_model/closed")) == (403, {"error": refused})
    assert said(await http.get("/get_model/no")) == (404, {"error": "Model not found."})
    for path in ("/dataset-tags", "/dataset-tags/"):
        assert said(await http.get(path)) == (200, ["#mnist"])
    found = {"workers": ["alice", "bob"], "crypto_provider": ["carol"]}
    search = "/search-encrypted-models"
    assert said(await http.post(search, json={"model_id": "shares"})) == (200, found)
    assert said(await http.post(search, json={"model_id": "no"})) == (404, {"error": "Model ID not found!"})
    assert said(await http.post(search, json={})) == (400, {"error": "Invalid payload format"})
    assert said(await http.post("/search", json={"query": "#mnist"})) == (200, {"content": True})
    assert said(await http.post("/search", json={"query": "mnist"})) == (200, {"content": False})
    assert said(await http.post("/search", json={})) == (400, {})


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"query": "#t"}},
        {"files": {"query": (None, "#t")}},
        {"json": {"query": "#t"}},
        {"content": '{"query": "#t"}'},
    ],
    ids=["form", "multipart", "json", "json without a type"],
)
async def test_a_search_comes_in_any_body(node: Served, http: httpx.AsyncClient, body: dict[str, Any]) -> None:
    await node.grid.register_dataset("d", ("#t",))
    assert said(await http.post("/search", **body)) == (200, {"content": True})


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"[]", b"null", b'{"query": 5}', b'{"query": NaN}', b"[" * 100_000, b" " * 2_000_000]
)
async def test_a_search_for_what_is_no_tag_is_an_empty_400(http: httpx.AsyncClient, content: bytes) -> None:
    assert said(await http.post("/search", content=content)) == (400, {})
    invalid = {"error": "Invalid payload format"}
    assert said(await http.post("/search-encrypted-models", content=content)) == (400, invalid)


@pytest.mark.parametrize(
    "model_id", ["org/model", "a//b", "/abs", "..", "a?b#c", "%2F", "🛰️", "a\nb", "a b", "caf\udce9"]
)
async def test_an_id_is_what_follows_in_the_path(node: Served, http: httpx.AsyncClient, model_id: str) -> None:
    await node.grid.serve_model(MemorySource("m", b"x"), model_id, allow_download=True)
    quoted = quote(model_id, safe="", errors="surrogateescape").replace("..", "%2E%2E")
    assert said(await http.get(f"/get_model/{quoted}")) == (200, {"serialized_model": "x"})
    assert said(await http.get(f"/is_model_copy_allowed/{quoted}")) == (200, {"success": True})


async def test_slashes_of_an_id_need_no_quoting(node: Served, http: httpx.AsyncClient) -> None:
    await node.grid.serve_model(MemorySource("m", b"x"), "org/sub/model", allow_download=True)
    assert said(await http.get("/get_model/org/sub/model")) == (200, {"serialized_model": "x"})


# ------------------------------------------------------------------------------------------------ serving a model

FIELDS = {"encoding": "ISO-8859-1", "model_id": "m", "allow_download": "True", "allow_remote_inference": "True"}
SERVES: dict[str, dict[str, Any]] = {
    "a plain form": {"data": {**FIELDS, "model": TEXT}},
    "a field of a form": {"files": {**{name: (None, value) for name, value in FIELDS.items()}, "model": (None, TEXT)}},
    "a file of bytes": {"data": FIELDS, "files": {"model": ("m.bin", io.BytesIO(BYTES))}},
    "a file of text, as PyGrid's clients": {
        "data": FIELDS,
        "files": {"model": ("m", TEXT.encode(), "application/octet-stream")},
    },
    "JSON": {"json": {**FIELDS, "model": TEXT}},
}


@pytest.mark.parametrize("path", ["/serve-model/", "/serve-model", "/serve_model", "/serve_model/"])
@pytest.mark.parametrize("kind", SERVES)
async def test_a_model_is_served_in_any_body(node: Served, http: httpx.AsyncClient, path: str, kind: str) -> None:
    body = dict(SERVES[kind])
    if "files" in body and hasattr(body["files"]["model"][1], "seek"):
        body["files"]["model"][1].seek(0)
    answer = await http.post(path, **body)
    assert said(answer) == (200, {"success": True, "message": "Model saved with id: m"})
    assert await kept(node, "m") == BYTES


def form(*parts: tuple[str, bytes], boundary: str = "B") -> dict[str, Any]:
    """A form of parts: what stands in the disposition, and the content."""
    content = b"".join(
        f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + body + b"\r\n"
        for head, body in parts
    )
    content += f"--{boundary}--\r\n".encode()
    return {"content": content, "headers": {"Content-Type": f"multipart/form-data; boundary={boundary}"}}


async def test_fields_may_come_after_the_model(node: Served, http: httpx.AsyncClient) -> None:
    body = form(
        ('name="model"; filename="m"', "é✓".encode()),
        ('name="_charset_"', b"utf-8"),
        ('name="encoding"', b"utf-8"),
        ('name="model_id"', b"m"),
        ('name="allow_download"', b"True"),
    )
    assert (await http.post("/serve-model/", **body)).status_code == 200
    assert await kept(node, "m") == "é✓".encode()


@pytest.mark.parametrize("content", ["modèle".encode(), b"\xff\xfe", b"plain", b"", "✓".encode()])
async def test_a_file_that_is_no_serialized_text_is_kept_as_it_is(
    node: Served, http: httpx.AsyncClient, content: bytes
) -> None:
    answer = await http.post("/serve-model/", data=FIELDS, files={"model": ("m.txt", content)})
    assert answer.status_code == 200
    assert await kept(node, "m") == content


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"data": FIELDS}, 400, "model"),
        ({"data": {"model": "x"}}, 400, "model_id"),
        ({"data": {**FIELDS, "model": "x", "allow_download": "perhaps"}}, 400, "allow_download"),
        ({"data": {**FIELDS, "encoding": "none such"}, "files": {"model": b"x"}}, 400, "encoding"),
        (form(('name="model_id"', b"m")), 400, "model"),
        (form(('name="model"', b"1"), ('name="model"', b"2")), 400, "model"),
        (form(('name="model_id"', b"m"), ('name="model"', "✓".encode())), 400, "encoding"),
        (form(('name="_charset_"', b"utf-8"), ('name="model"; filename="m"', b"\xff")), 400, "model"),
    ],
)
async def test_a_wrong_form_is_refused_with_its_field_and_leaves_nothing(
    node: Served, http: httpx.AsyncClient, body: dict[str, Any], status: int, field: str
) -> None:
    answer = await http.post("/serve-model/", **body)
    code, fields = said(answer)
    assert (code, fields["success"], fields["field"]) == (status, False, field)
    assert list(await node.grid.models()) == []
    assert await staged(node) == []


@pytest.mark.parametrize(
    "body",
    [
        {"content": b"--B\r\n", "headers": {"Content-Type": "multipart/form-data"}},
        {"content": b"rubbish", "headers": {"Content-Type": "multipart/form-data; boundary=B"}},
        {**form(('name="model"', b"x" * 100)), "content": form(('name="model"', b"x" * 100))["content"][:-30]},
        form(*[(f'name="{number}"', b"") for number in range(100)]),
        form(('name="model_id"', b"x" * 100_000)),
    ],
    ids=["no boundary", "no form", "cut short", "many fields", "long field"],
)
async def test_what_is_no_form_is_a_400_and_leaves_nothing(
    node: Served, http: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    answer = await http.post("/serve-model/", **body)
    assert answer.status_code == 400
    assert answer.json()["success"] is False
    assert await staged(node) == []


@pytest.mark.parametrize(("charset", "kept_as"), [("utf-8", b"\xff"), ("binary", "\xff".encode())])
async def test_a_header_says_what_the_file_is(
    node: Served, http: httpx.AsyncClient, charset: str, kept_as: bytes
) -> None:
    answer = await http.post(
        "/serve-model/",
        data=FIELDS,
        files={"model": ("m", "\xff".encode())},
        headers={"X-Emtui-Model-Charset": charset},
    )
    assert answer.status_code == 200
    assert await kept(node, "m") == kept_as


@pytest.mark.parametrize("is_text", [True, False])
async def test_a_model_over_the_limit_is_refused_while_it_is_read(
    node: Served, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, is_text: bool
) -> None:
    monkeypatch.setattr(grid_form, "MAX_MODEL_BYTES", 1000)
    for size, status in ((1000, 200), (1001, 413)):
        data = b"\xff" * size
        content = data.decode("latin-1").encode() if is_text else data
        fields = {**FIELDS, "model_id": str(size), "_charset_": "utf-8" if is_text else "binary"}
        answer = await http.post("/serve-model/", data=fields, files={"model": ("m", content)})
        assert answer.status_code == status
    assert list(await node.grid.models()) == ["1000"]
    assert await staged(node) == []


async def test_a_client_that_goes_away_in_the_middle_leaves_nothing(node: Served) -> None:
    host, port = node.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = 'Content-Disposition: form-data; name="model"; filename="m"'
    writer.write(
        f"POST /serve-model/ HTTP/1.1\r\nHost: {host}\r\nContent-Type: multipart/form-data; boundary=B\r\n"
        f"Content-Length: 5000000\r\n\r\n--B\r\n{head}\r\n\r\n".encode()
        + b"x" * 2_000_000
    )
    await writer.drain()
    async with asyncio.timeout(DEADLINE_S):
        while not await staged(node):
            await asyncio.sleep(0.01)
        writer.close()
        while await staged(node):
            await asyncio.sleep(0.01)
    assert list(await node.grid.models()) == []


# ----------------------------------------------------------------------------------------------------- large models


async def test_a_large_model_is_a_form_of_one_field_with_its_text(node: Served, http: httpx.AsyncClient) -> None:
    data = bytes(range(256)) * 5000
    await node.grid.serve_model(MemorySource("m", data), "large", allow_download=True)
    answer = await http.get("/get_model/large")
    kind, _, boundary = answer.headers["content-type"].partition("; boundary=")
    assert (answer.status_code, kind) == (200, "multipart/form-data")
    head, _, rest = answer.content.partition(b"\r\n\r\n")
    assert head.startswith(f"--{boundary}\r\n".encode())
    assert b'name="serialized_model"' in head
    content, end = rest[: -len(boundary) - 8], rest[-len(boundary) - 8 :]
    assert end == f"\r\n--{boundary}--\r\n".encode()
    assert content.decode("utf-8").encode("ISO-8859-1") == data


async def test_a_model_that_changes_while_it_is_sent_does_not_end_well(node: Served, http: httpx.AsyncClient) -> None:
    await node.grid.serve_model(MemorySource("m", bytes(20 << 20)), "m", allow_download=True)
    blob = next(entry.name for entry in node.grid._store._blobs.scan())
    file = node.grid._path / "blobs" / "models" / blob

    async def read_on() -> None:
        async with http.stream("GET", "/get_model/m") as answer:
            async for _ in answer.aiter_raw():
                os.truncate(file, 12 << 20)

    with pytest.raises(httpx.RemoteProtocolError):
        await read_on()


async def test_a_token_is_asked_for_where_one_is_needed(tmp_path: Path) -> None:
    async with served_grid(tmp_path / "w", needs_auth=True) as node:
        node.tokens["good"] = "client1"
        async with httpx.AsyncClient(base_url=node.url, trust_env=False) as http:
            for headers in ({}, {"Authorization": "Bearer bad"}):
                answer = await http.get("/models", headers=headers)
                assert answer.status_code == 401
                assert answer.headers["www-authenticate"].startswith("Bearer")
                assert answer.json()["detail"] == "Authentication credentials were not provided."
                assert (await http.post("/serve-model/", data=FIELDS, headers=headers)).status_code == 401
            assert (await http.get("/models", headers={"Authorization": "Bearer good"})).status_code == 200


@pytest.mark.parametrize(("method", "path"), [("POST", "/models"), ("GET", "/serve_model"), ("DELETE", "/get_model/m")])
async def test_another_method_is_a_405_that_says_which(http: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await http.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"]
