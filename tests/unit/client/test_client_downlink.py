"""The base64 of a downlink: in any key order, however it is cut, and nothing but what is promised (B9)."""

import base64
import hashlib
import json
import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emtui.backend import CHUNK_BYTES
from emtui.client.em.backend import HttpEM
from emtui.client.em.base64_json import MOST_METADATA_BYTES, Base64Json
from emtui.client.em.downlink import disposition_name
from emtui.errors import ContractViolation, Unreachable, VerificationFailed
from tests.wire_server import Conversation, answer, em_on

DATA = bytes(range(256)) * 3
SHA256 = hashlib.sha256(DATA).hexdigest()


def promised(data: bytes = DATA, **changed: Any) -> dict[str, Any]:
    return {
        "content": base64.b64encode(data).decode(),
        "filename": "example.txt",
        "size": len(data),
        "hash": hashlib.sha256(data).hexdigest(),
    } | changed


def decoded(body: bytes, step: int) -> bytes:
    """What a decoder makes of a body that comes in pieces of `step` bytes."""
    decoder = Base64Json()
    data = b"".join([decoder.feed(body[start : start + step]) for start in range(0, len(body), step)])
    decoder.finish()
    return data


@pytest.mark.parametrize("step", [1, 2, 3, 5, 7, 64, 10_000])
@pytest.mark.parametrize(
    "order",
    [
        ["content", "filename", "size", "hash"],
        ["filename", "size", "hash", "content"],
        ["size", "content", "hash", "filename"],
        ["extra", "hash", "content", "size"],
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_keys_come_in_any_order_and_bytes_in_any_pieces(step: int, order: list[str], indent: int | None) -> None:
    fields = promised() | {"extra": {"a": ["}", '"content": "', None, -1.5e3]}, "filename": 'ü\udcff"\\'}
    body = json.dumps({key: fields[key] for key in order}, indent=indent).encode()

    assert decoded(body, step) == DATA


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=200), cuts=st.lists(st.integers(1, 40), min_size=1), seed=st.randoms())
def test_any_bytes_survive_any_cuts_and_any_escapes(data: bytes, cuts: list[int], seed: Any) -> None:
    plain = base64.b64encode(data).decode()
    ways = {
        "/": ["/", "\\/", "\\u002f", "\\u002F"],
        "+": ["+", "\\u002b"],
        "=": ["=", "\\u003d"],
        "A": ["A", "\\u0041"],
    }
    escaped = "".join(seed.choice(ways.get(sign, [sign])) for sign in plain)
    body = json.dumps(promised(data, content="HERE")).replace("HERE", escaped).encode()
    decoder = Base64Json()
    out, at, number = b"", 0, 0
    while at < len(body):
        size = cuts[number % len(cuts)]
        out += decoder.feed(body[at : at + size])
        at, number = at + size, number + 1
    decoder.finish()

    assert out == data


@pytest.mark.parametrize("step", [1, 4, 1_000])
@pytest.mark.parametrize(
    "content",
    [
        "QUJD\nREVG",  # a line break in base64
        "QUJDREVG====",
        "QUJDREV",  # truncated
        "QUJDRE=",
        "QQ==QQ==",  # goes on behind its end
        "-_-_",  # the alphabet of addresses
        "QUJD REVG",
        "QUJD!!!!",
        "QUJDé",
        "QUJD\udcff",
        "QUJD\\",
        'QUJD"',
        "=QUJ",
    ],
)
def test_what_is_no_standard_base64_is_refused(content: str, step: int) -> None:
    with pytest.raises(ContractViolation, match="content"):
        decoded(json.dumps(promised(content=content)).encode(), step)


@pytest.mark.parametrize(
    "changed", [{"size": len(DATA) - 1}, {"size": str(len(DATA) + 1)}, {"hash": "0" * 64}, {"content": ""}]
)
@pytest.mark.parametrize("is_first", [True, False])
def test_another_size_or_hash_is_a_file_that_is_not_the_promised_one(changed: dict[str, Any], is_first: bool) -> None:
    fields = promised(**changed)
    if not is_first:
        fields = dict(reversed(fields.items()))

    with pytest.raises(VerificationFailed):
        decoded(json.dumps(fields).encode(), 100)


def test_a_size_in_digits_and_a_hash_in_upper_case_are_as_good() -> None:
    assert decoded(json.dumps(promised(size=str(len(DATA)), hash=SHA256.upper())).encode(), 100) == DATA


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"[",
        b'"content"',
        b"null",
        b"{}",
        b'{"content"',
        b'{"content": ',
        b'{"content": "QUJD',
        b'{"content": "QUJD"',
        b'{"content": "QUJD", ',
        b'{"content": "QUJD",}',
        b'{"content": "QUJD"}}',
        b'{"content": "QUJD" "size": 3}',
        b'{"content": ["QUJD"]}',
        b'{"content": null, "size": 3}',
        b'{"content": "QUJD", "content": "QUJD"}',
        b'{"size": 3,, "content": "QUJD"}',
        b'{"size": NaN, "content": "QUJD"}',
        b"{" + b'"a": ' + b"[" * 5_000 + b"]" * 5_000 + b', "content": ""}',
        b'{"a": ' + b"9" * 5_000 + b', "content": ""}',
        b'{"a": "' + b"x" * MOST_METADATA_BYTES + b'", "content": ""}',
        b'{"content": "", "a": "' + b"x" * MOST_METADATA_BYTES + b'"}',
        b" " * (MOST_METADATA_BYTES + 1) + b'{"content": ""}',
    ],
)
@pytest.mark.parametrize("step", [7, 1 << 20])
def test_what_is_no_such_object_is_refused(body: bytes, step: int) -> None:
    with pytest.raises(ContractViolation) as caught:
        decoded(body, step)

    assert caught.value.message.isprintable()


def test_an_error_in_the_place_of_the_file_is_said() -> None:
    with pytest.raises(ContractViolation, match="it changed"):
        decoded(b'{"error": "CONTRACT_VIOLATION", "message": "it changed"}', 9)
    with pytest.raises(ContractViolation, match="it changed"):
        decoded(b'{"content": "QUJD", "error": "CONTRACT_VIOLATION", "message": "it changed"}', 9)


async def fetched(em: HttpEM) -> bytes:
    async with em.downlink("a") as download:
        return b"".join([chunk async for chunk in download.chunks])


# ------------------------------------------------------------------------------------------------------ on the wire


async def test_a_large_file_comes_in_bounded_chunks_with_what_is_promised_first() -> None:
    data = os.urandom(5_000_000)
    fields = promised(data)
    reply = answer(200, {key: fields[key] for key in ("filename", "size", "hash", "content")})
    async with em_on(reply) as (em, _), em.downlink("folder/other") as download:
        chunks = [chunk async for chunk in download.chunks]

    assert (download.name, download.size_bytes, download.sha256) == ("example.txt", len(data), fields["hash"])
    assert b"".join(chunks) == data
    assert max(map(len, chunks)) <= CHUNK_BYTES


async def test_what_comes_behind_the_content_is_not_known_at_first_but_compared_all_the_same() -> None:
    async with em_on(answer(200, promised())) as (em, _), em.downlink("folder/a.txt") as download:
        assert (download.name, download.size_bytes, download.sha256) == ("a.txt", None, "")
        assert b"".join([chunk async for chunk in download.chunks]) == DATA
    async with em_on(answer(200, promised(hash="1" * 64))) as (em, _), em.downlink("folder/a.txt") as download:
        with pytest.raises(VerificationFailed, match="SHA-256"):
            async for _ in download.chunks:
                pass


@pytest.mark.parametrize("name", ["../../x", "/etc/x", "..\\x", "C:\\x"])
async def test_a_name_that_brings_folders_is_only_its_last_part(name: str) -> None:
    fields = {"filename": name} | promised(filename=name)
    async with em_on(answer(200, fields)) as (em, _), em.downlink("a") as download:
        assert download.name == "x"


@pytest.mark.parametrize("is_chunked", [True, False])
async def test_a_server_that_finds_the_file_changed_says_so_before_it_breaks_off(is_chunked: bool) -> None:
    body = b'{"content": "QUJD", "error": "CONTRACT_VIOLATION", "message": "a: changed while it was read"'

    async def script(talk: Conversation) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        if is_chunked:
            await talk.send(head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(body) + body + b"\r\n")
        else:
            await talk.send(head + b"Content-Length: 5000\r\n\r\n" + body)
        talk.writer.close()

    async with em_on(script) as (em, _), em.downlink("a") as download:
        with pytest.raises(ContractViolation, match="changed while it was read"):
            async for _ in download.chunks:
                pass


@pytest.mark.parametrize("framing", [b"Content-Length: 5000\r\n", b"Transfer-Encoding: chunked\r\n", b""])
@pytest.mark.parametrize("body", [b'{"filename": "a", "con', b'{"content": "QUJDREVG', b'{"content": "QUJD'])
async def test_a_downlink_that_is_cut_off_is_never_whole(framing: bytes, body: bytes) -> None:
    async def script(talk: Conversation) -> None:
        framed = b"%x\r\n%b\r\n" % (len(body), body) if b"chunked" in framing else body
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + framing + b"\r\n" + framed)
        talk.writer.close()

    async with em_on(script) as (em, _):
        with pytest.raises(Unreachable):
            await fetched(em)


async def test_a_raw_file_that_is_cut_off_is_never_whole() -> None:
    async def script(talk: Conversation) -> None:
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        talk.writer.close()

    async with em_on(script, dialect="2026-03", pvc_name="v") as (em, _), em.downlink("a") as download:
        with pytest.raises(Unreachable):
            async for _ in download.chunks:
                pass


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("attachment; filename=a.txt", "a.txt"),
        ('attachment; filename="a \\"b\\".txt"; size=3', 'a "b".txt'),
        ("attachment; filename*=utf-8''%e2%82%ac%20a.txt", "€ a.txt"),
        ("attachment; filename=\"b\"; filename*=UTF-8'en'a%FF", "a\udcff"),
        ('attachment; filename="ü"'.encode().decode("latin-1"), "ü"),
        ("attachment", ""),
        ("", ""),
    ],
)
def test_a_name_is_read_from_the_content_disposition(value: str, name: str) -> None:
    assert disposition_name(value) == name


RAW = {"dialect": "2026-03", "pvc_name": "vol"}


@pytest.mark.parametrize("behind", [0, 1, 10, 60])
async def test_a_downlink_without_a_length_that_is_cut_behind_its_content_is_cut_off(behind: int) -> None:
    body = json.dumps(promised()).encode()
    end = body.index(b'", "filename"') + 1 + behind

    async def script(talk: Conversation) -> None:
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + body[:end])
        talk.writer.close()

    async with em_on(script) as (em, _):
        with pytest.raises(Unreachable, match="cut off") as caught:
            await fetched(em)

    assert caught.value.may_have_run


@pytest.mark.parametrize(
    ("kind", "raw", "said"),
    [
        ("text/html; charset=utf-8", b"<h1>captive portal</h1>", "text/html came with 200: <h1>captive portal"),
        ("application/json", b'{"error": "INTERNAL", "message": "it failed"}', "it failed"),
        ("application/problem+json", b"[1]", "application/problem"),
    ],
)
async def test_a_page_or_an_error_is_no_raw_file(kind: str, raw: bytes, said: str) -> None:
    async with em_on(answer(200, raw=raw, kind=kind), **RAW) as (em, _):
        with pytest.raises(ContractViolation, match=said):
            await fetched(em)


@pytest.mark.parametrize("kind", ["text/html", "application/json"])
async def test_a_page_that_is_a_file_of_the_volume_comes_down(kind: str) -> None:
    reply = answer(200, raw=b"<p>mine", kind=kind, headers={"Content-Disposition": 'attachment; filename="a"'})
    async with em_on(reply, **RAW) as (em, _):
        assert await fetched(em) == b"<p>mine"


async def test_a_raw_file_that_only_the_connection_ends_has_no_size() -> None:
    async def script(talk: Conversation) -> None:
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\nperhaps half")
        talk.writer.close()

    async with em_on(script, **RAW) as (em, _), em.downlink("a") as download:
        assert (download.size_bytes, download.is_hashed) == (None, False)  # whoever reads it compares
