"""Answers that are not what is promised: a typed error that names the field, or shows what came (B7, B8, X5)."""

import contextlib
import json
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emtui.client.em.backend import HttpEM
from emtui.client.http.failures import retry_after_s
from emtui.client.http.limits import Limits
from emtui.errors import (
    BadRequest,
    Conflict,
    ContractViolation,
    EmtuiError,
    Forbidden,
    Locked,
    NotFound,
    RemoteFailed,
    Unreachable,
)
from emtui.files.source import MemorySource
from emtui.models import PodSpec
from tests.wire_server import answer, em_on

Call = Callable[[HttpEM], Awaitable[object]]


async def fetched(em: HttpEM) -> bytes:
    async with em.downlink("a") as download:
        return b"".join([chunk async for chunk in download.chunks])


CALLS: dict[str, Call] = {
    "uplink": lambda em: em.uplink([MemorySource("a", b"1")]),
    "list": lambda em: em.list_files(),
    "downlink": fetched,
    "delete": lambda em: em.delete("a"),
    "build": lambda em: em.build_image("d", "c", "i"),
    "load": lambda em: em.load_image("t", "i"),
    "images": lambda em: em.list_images(),
    "run": lambda em: em.run_pod(PodSpec(docker_image="i", max_duration=1, node="GPU")),
    "status": lambda em: em.pod_status(),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())


@every_call
@pytest.mark.parametrize(
    ("reply", "shown"),
    [
        (answer(200, raw=b"<html>\n<h1>Sign in\x1b[31m</h1>", kind="text/html"), "text/html .*<html> <h1>Sign in"),
        (answer(200, raw=b"<html>", kind=""), "<html>"),
        (answer(200, raw=b""), "nothing|ended"),
        (answer(200, raw=b"fine", kind="text/plain"), "text/plain .*fine"),
        (answer(200, raw=b'\xef\xbb\xbf{"data": []}'), "byte order mark|JSON object"),
        (answer(200, raw='{"data": "Größe"}'.encode("latin-1")), "data"),
        (answer(200, raw=b"[1, 2]"), "object is promised|JSON object"),
        (answer(200, raw=b'{"data": NaN}'), "NaN|data"),
        (answer(200, raw=b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"), "deeper|recursion|JSON|first 65"),
        (answer(200, raw=b'{"data": ' + b"9" * 5_000 + b"}"), "digits|data"),
        (answer(200, raw=b'{"data": [}'), "data"),
    ],
)
async def test_what_is_no_such_json_is_an_error_that_says_what_came(call: Call, reply: bytes, shown: str) -> None:
    async with em_on(reply, dialect="2025-11") as (em, _):
        with pytest.raises(ContractViolation, match=shown) as caught:
            await call(em)

    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 600


@pytest.mark.parametrize(
    ("name", "body", "field"),
    [
        ("uplink", {}, "data"),
        ("uplink", {"data": {"total_size_kb": 1}}, "data.file_count"),
        ("uplink", {"data": {"file_count": "many", "total_size_kb": 1}}, "data.file_count"),
        ("list", {}, "data"),
        ("list", {"data": None}, "data"),
        ("list", {"data": {"a": 1}}, "data"),
        ("list", {"data": [3]}, "data[0]"),
        ("list", {"data": [{"type": "file"}]}, "data[0].name"),
        ("list", {"data": [{"type": "file", "name": ["a"]}]}, "data[0].name"),
        ("list", {"data": [{"type": "file", "name": "a", "size": -1}]}, "data[0].size"),
        ("list", {"data": [{"type": "file", "name": "a", "size": "1", "time": "now"}]}, "data[0].time"),
        ("images", {"message": "ok"}, "data"),
        ("images", {"data": [{"tag": "latest"}]}, "data[0].repository"),
        ("images", {"data": ["fine", 3]}, "data[1]"),
        ("images", {"data": [{"name": ["a"]}]}, "data[0].name: is not text"),
        ("status", {}, "data"),
        ("status", {"data": []}, "data"),
        ("status", {"data": {"state": {"running": {}}}}, "data.state.running.startedAt"),
        ("status", {"data": {"state": {"running": {"startedAt": "noon"}}}}, "data.state.running.startedAt"),
        ("status", {"data": {"state": {"terminated": {"exitCode": "x"}}}}, "data.state.terminated.exitCode"),
        ("downlink", {"content": 3, "size": 1, "hash": "0" * 64}, "JSON"),
        ("downlink", {"size": 0, "hash": "0" * 64}, "content"),
        ("downlink", {"content": "", "hash": "0" * 64}, "size"),
        ("downlink", {"content": "", "size": 0}, "hash"),
        ("downlink", {"content": "", "size": -1, "hash": "0" * 64}, "size"),
        ("downlink", {"size": True, "content": "", "hash": "0" * 64}, "size"),
        ("downlink", {"content": "", "size": 0, "hash": "xyz"}, "hash"),
        ("downlink", {"hash": 5, "content": "", "size": 0}, "hash"),
    ],
)
async def test_a_field_that_is_missing_or_wrong_is_named(name: str, body: object, field: str) -> None:
    async with em_on(answer(200, body), dialect="2025-11") as (em, _):
        with pytest.raises(ContractViolation, match=re.escape(field)):
            await CALLS[name](em)


# Keys that mean something, so that chance comes deep.
KEYS = st.sampled_from(
    ["data", "message", "error", "content", "filename", "size", "hash", "name", "type", "time", "contents", "state"]
) | st.sampled_from(["running", "startedAt", "terminated", "exitCode", "log_tail", "field", "detail", "file_count"])
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from(["", "file", "1", "\udcff\x1b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(body=JSON, status=st.sampled_from([200, 200, 200, 400, 401, 404, 423, 500]))
async def test_whatever_json_comes_each_call_has_a_result_or_a_typed_error(body: object, status: int) -> None:
    async with em_on(answer(status, body), dialect="2025-11") as (em, _):
        for call in CALLS.values():
            with contextlib.suppress(EmtuiError):
                await call(em)


@pytest.mark.parametrize("state", [None, {}, {"running": None, "waiting": None}, {"unheard": {"of": 1}}])
async def test_an_empty_state_is_no_pod(state: object) -> None:
    async with em_on(answer(200, {"data": {"state": state, "more": 1}, "more": []})) as (em, _):
        assert (await em.pod_status()).to_wire() == {"state": {}}


async def test_images_are_strings_or_objects_of_several_spellings() -> None:
    items: list[Any] = [
        "alpine",
        "host:5000/a:v1",
        {"Repository": "b", "Tag": "t", "ID": "sha256:1", "Size": "80MB", "CreatedAt": "now", "Extra": []},
        {"name": "c", "tag": None, "size": 5},
    ]
    async with em_on(answer(200, {"data": items})) as (em, _):
        images = await em.list_images()

    assert [image.reference for image in images] == ["alpine:latest", "host:5000/a:v1", "b:t", "c:latest"]
    assert (images[2].size, images[3].size_bytes) == ("80MB", 5)


@pytest.mark.parametrize("body", [{"message": None}, {"message": 3}, {}, {"message": "", "more": 1}])
async def test_a_change_that_succeeded_without_words_is_not_taken_for_a_failure(body: object) -> None:
    async with em_on(answer(200, body)) as (em, _):
        assert await em.delete("a") == "File deleted successfully"


async def test_a_listing_that_has_not_changed_is_the_same_object() -> None:
    def entry(size: str) -> dict[str, object]:
        return {"type": "file", "name": "a", "size": size, "time": "2025-11-20-12-31", "hash": -1}

    sizes = ["1", "1", "2"]
    async with em_on(lambda _asked: answer(200, {"data": [entry(sizes.pop(0))]})) as (em, _):
        first, second, third = await em.list_files(), await em.list_files(), await em.list_files()

    assert first is second
    assert first.fingerprint != third.fingerprint
    assert third.nodes[0].size == 2


async def test_a_listing_may_be_a_thousand_folders_deep_and_hold_strange_names() -> None:
    text = '{"type": "directory", "name": "0", "size": "1", "time": "2025-11-20-12-31", "contents": ['
    leaf = json.dumps({"type": "file", "name": "\udcff\x1b[31m", "size": "1", "time": "2025-11-20-12-31"})
    body = f'{{"data": [{text * 1_000}{leaf}{"]}" * 1_000}]}}'.encode()
    async with em_on(answer(200, raw=body)) as (em, _):
        paths = [path for path, _ in (await em.list_files()).walk()]

    assert paths[-1] == "0/" * 1_000 + "\udcff\x1b[31m"


# ------------------------------------------------------------------------------------------------------------ bounds


@pytest.mark.parametrize("name", ["list", "images", "status", "delete", "uplink"])
async def test_an_answer_beyond_its_bound_is_not_read_on(name: str) -> None:
    sent = 0

    async def endless(talk: Any) -> None:
        nonlocal sent
        await talk.read_body()
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        while not talk.writer.is_closing():
            await talk.send(b" " * 65_536)
            sent += 65_536

    limits = Limits(answer_bytes=1 << 20, listing_bytes=1 << 20)
    async with em_on(endless, dialect="2025-11", limits=limits) as (em, _):
        with pytest.raises(ContractViolation, match="more than 1,048,576 bytes"):
            await CALLS[name](em)

    assert sent < 16 << 20


@every_call
@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "gzip, gzip"])
async def test_a_compressed_answer_is_refused_unread(call: Call, coding: str) -> None:
    async with em_on(answer(200, raw=b"\x1f\x8b bomb", headers={"Content-Encoding": coding})) as (em, _):
        with pytest.raises(ContractViolation, match="compressed"):
            await call(em)


async def test_a_compressed_error_is_still_the_error_that_its_status_says() -> None:
    async with em_on(answer(503, raw=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})) as (em, _):
        with pytest.raises(Unreachable) as caught:
            await em.pod_status()

    assert not caught.value.may_have_run


# ------------------------------------------------------------------------------------------------------------ errors


@every_call
@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (400, {"error": "BAD", "message": "no such path"}, BadRequest, "no such path"),
        (403, {"error": "FORBIDDEN", "message": "leaves"}, Forbidden, "leaves"),
        (409, {"detail": "taken"}, Conflict, "taken"),
        (413, None, BadRequest, "413"),
        (423, {"error": "LOCKED", "message": "CG2 is busy"}, Locked, "CG2 is busy"),
        (423, "busy", Locked, "423"),
        (429, {}, Locked, "429"),
        (500, {"error": "INTERNAL_ERROR", "message": "oh"}, RemoteFailed, "oh"),
        (418, {"message": "a teapot"}, BadRequest, "teapot"),
        (300, {"message": "choose"}, EmtuiError, "choose"),
    ],
)
async def test_an_error_is_the_one_that_status_and_body_say(
    call: Call, status: int, body: object, kind: type[EmtuiError], message: str
) -> None:
    async with em_on(answer(status, body), dialect="2025-11") as (em, server):
        with pytest.raises(kind, match=message):
            await call(em)

    assert len(server.asked) == 1


@pytest.mark.parametrize(("status", "may_have_run"), [(502, True), (503, False), (504, True)])
@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7), (" 0 ", 0), ("99999999999999999999", 120), ("soon", None), ("-5", None), ("", None), ("١", None)],
)
async def test_a_gateways_error_tells_whether_it_ran_and_how_long_to_wait(
    status: int, may_have_run: bool, value: str, seconds: float | None
) -> None:
    headers = {"Retry-After": value.encode().decode("latin-1")}
    async with em_on(answer(status, raw=b"<html>bad gateway", kind="text/html", headers=headers)) as (em, server):
        with pytest.raises(Unreachable, match="bad gateway") as caught:
            await em.run_pod(PodSpec(docker_image="i", max_duration=1, node="GPU"))

    assert (caught.value.may_have_run, caught.value.retry_after_s) == (may_have_run, seconds)
    assert len(server.asked) == 1


def test_a_retry_after_may_be_a_date() -> None:
    soon = retry_after_s(format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True))

    assert soon is not None
    assert 27 < soon <= 30
    assert retry_after_s(format_datetime(datetime.now(UTC) + timedelta(days=30))) == 120
    assert retry_after_s("Thu, 01 Jan 1970 00:00:00 GMT") == 0
    assert retry_after_s("Thu, 99 Jan 1970 00:00:00 GMT") is None
    assert retry_after_s("Mon, 01 Jan 2029 00:00:00 +99999999999999999999") is None
    assert retry_after_s("Mon, 01 Jan 0001 00:00:00 +2359") in (0, None)


async def test_busy_tells_how_long_it_asks_to_wait() -> None:
    async with em_on(answer(423, {"message": "busy"}, headers={"Retry-After": "3"})) as (em, _):
        with pytest.raises(Locked) as caught:
            await em.pod_status()

    assert caught.value.retry_after_s == 3


@every_call
async def test_an_endless_error_is_cut_at_a_bound(call: Call) -> None:
    reply = answer(500, raw=b"x" * 3_000_000, kind="text/plain")
    async with em_on(reply, limits=Limits(answer_bytes=1_000)) as (em, _):
        with pytest.raises(RemoteFailed) as caught:
            await call(em)

    assert len(caught.value.message) < 300


async def test_a_missing_file_says_what_the_em_says() -> None:
    async with em_on(answer(404, {"error": "NOT_FOUND", "message": "no such file", "remedy": "Look."})) as (em, _):
        with pytest.raises(NotFound, match="no such file") as caught:
            await fetched(em)

    assert caught.value.remedy == "Look."
