"""The network fails at every place: what may have been executed, what is repeated, and what ends (X1–X7, X22, B10)."""

import asyncio
import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest
from http_em_calls import LISTED, QUICK, UPLINKED, Call, Endless, every_call, every_change

from emtui.backend import CHUNK_BYTES
from emtui.client.em.backend import HttpEM
from emtui.client.http.address import Address
from emtui.errors import BadRequest, EmtuiError, Locked, NotSignedIn, Unreachable
from tests.certificates import certificate
from tests.wire_server import Conversation, answer, em_on, wire_server

# ------------------------------------------------------------------------------------------- what may have been done


@every_call
async def test_nothing_ran_where_nobody_listens(call: Call) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    em = HttpEM(Address.parse(f"http://127.0.0.1:{port}"))

    with pytest.raises(Unreachable, match="Connection refused") as caught:
        await call(em)

    assert not caught.value.may_have_run
    await em.aclose()


@every_call
async def test_nothing_ran_where_no_connection_comes_about(call: Call) -> None:
    with socket.socket() as full:
        # One that waits in a queue of none: further ones get no answer at all.
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        em = HttpEM(Address.parse(f"http://127.0.0.1:{full.getsockname()[1]}"), limits=replace(QUICK, connect_s=0.3))
        with pytest.raises(Unreachable, match=r"no connection within 0\.3 s") as caught:
            await call(em)
        assert not caught.value.may_have_run
        await em.aclose()
        for each in waiting:
            each.close()


@every_change
@pytest.mark.parametrize("how", ["close", "reset", "half an answer", "no HTTP"])
async def test_a_change_whose_answer_is_lost_may_have_run_and_is_not_repeated(call: Call, how: str) -> None:
    async def script(talk: Conversation) -> None:
        await talk.read_body()
        if how == "half an answer":
            await talk.send(b'HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{"message": ')
        if how == "no HTTP":
            await talk.send(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
        if how != "reset":
            talk.writer.close()
        else:
            talk.cut()

    async with em_on(script, dialect="2025-11") as (em, server):
        with pytest.raises(Unreachable) as caught:
            await call(em)
        await asyncio.sleep(0.05)

    assert caught.value.may_have_run
    assert len(server.asked) == 1


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
async def test_an_uplink_that_is_reset_on_its_way_may_have_run(share: float) -> None:
    source = Endless(8 << 20)

    async def script(talk: Conversation) -> None:
        await talk.read_body(int(talk.length * share))
        talk.cut()

    async with em_on(script) as (em, server):
        with pytest.raises(Unreachable) as caught:
            await em.uplink([source])

    assert caught.value.may_have_run
    assert len(server.asked) == 1
    assert not source.is_open


async def test_a_change_goes_over_a_connection_of_its_own() -> None:
    async with em_on(lambda asked: answer(200, {"data": []} if asked.method == "GET" else {})) as (em, server):
        for _ in range(3):
            await em.list_files()
        assert server.connections == 1
        await em.delete("a")
        await em.delete("a")
        assert server.connections == 3


async def test_a_read_on_a_connection_that_was_closed_meanwhile_is_repeated_once() -> None:
    async def script(talk: Conversation) -> None:
        """Answers once, and falls dead over the next request."""
        await talk.send(LISTED)
        await talk.reader.readuntil(b"\r\n\r\n")
        talk.cut()

    async with em_on(script, dialect="2025-11") as (em, server):
        for _ in range(4):
            await em.list_files()

    assert server.connections == 4


async def test_a_read_that_fails_on_a_fresh_connection_is_not_repeated() -> None:
    async def script(talk: Conversation) -> None:
        talk.cut()

    async with em_on(script, dialect="2025-11") as (em, server):
        with pytest.raises(Unreachable):
            await em.list_files()

    assert server.connections == 1


# ------------------------------------------------------------------------------- an answer in the middle of a body


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (answer(423, {"error": "LOCKED", "message": "CG2 is busy"}), Locked),
        (answer(413, {"message": "too large"}), BadRequest),
        (answer(400, {"error": "MAX_UPLINK_SIZE_EXCEEDED", "message": "Total upload size exceeds 500 MB"}), BadRequest),
        (answer(401, {"detail": "no"}), NotSignedIn),
    ],
)
@pytest.mark.parametrize("then", ["reads no more", "reads all", "closes", "closes at once", "resets"])
@pytest.mark.parametrize("before", [0, 3 << 20])
async def test_an_early_answer_stops_the_sending_and_is_the_result(
    reply: bytes, kind: type[EmtuiError], then: str, before: int
) -> None:
    source = Endless(400 << 20)

    async def script(talk: Conversation) -> None:
        await talk.read_body(before)
        await talk.send(reply)
        if then == "closes":
            await asyncio.sleep(0.05)
        if then == "reads no more":
            await asyncio.sleep(5)
        if then == "reads all":
            while await talk.reader.read(CHUNK_BYTES):
                pass
        if then == "resets":
            await asyncio.sleep(0.05)
            talk.cut()

    async with em_on(script, dialect="2025-11") as (em, _):
        began = time.monotonic()
        with pytest.raises(kind):
            await em.uplink([source])

    assert time.monotonic() - began < 4
    assert source.given < 200 << 20
    assert not source.is_open


async def test_a_success_that_is_said_too_early_is_not_believed() -> None:
    async def script(talk: Conversation) -> None:
        await talk.read_body(1 << 20)
        await talk.send(UPLINKED)
        await asyncio.sleep(3)

    async with em_on(script) as (em, _):
        with pytest.raises(Unreachable, match="before all of it was sent") as caught:
            await em.uplink([Endless(400 << 20)])

    assert caught.value.may_have_run


async def test_an_interim_answer_does_not_stop_the_sending() -> None:
    async def script(talk: Conversation) -> None:
        await talk.read_body(1 << 20)
        await talk.send(b"HTTP/1.1 102 Processing\r\n\r\n")
        await talk.reader.readexactly(talk.length - (1 << 20))
        await talk.send(UPLINKED)

    async with em_on(script) as (em, _):
        assert (await em.uplink([Endless(20 << 20)])).file_count == 1


async def test_an_early_answer_over_tls_is_the_result_too(tmp_path: Path) -> None:
    made = certificate(tmp_path)
    source = Endless(400 << 20)

    async def script(talk: Conversation) -> None:
        await talk.read_body(3 << 20)
        await talk.send(answer(423, {"message": "CG2 is busy"}))
        await asyncio.sleep(3)

    async with wire_server(script, made.context) as server:
        em = HttpEM(Address.parse(server.url), ca_file=str(made.pem))
        with pytest.raises(Locked):
            await em.uplink([source])
        await em.aclose()
    assert source.given < 200 << 20

    async def whole(talk: Conversation) -> None:
        await talk.read_body()
        await talk.send(UPLINKED)

    # The session tickets that come while the body is sent are no answer.
    async with wire_server(whole, made.context) as server:
        em = HttpEM(Address.parse(server.url), ca_file=str(made.pem))
        assert (await em.uplink([Endless(20 << 20)])).file_count == 1
        await em.aclose()


async def test_a_cancelled_uplink_is_broken_off_at_once() -> None:
    source = Endless(400 << 20)
    has_gone = asyncio.Event()

    async def script(talk: Conversation) -> None:
        await talk.read_body(1 << 20)
        task.cancel()
        try:
            while await talk.reader.read(CHUNK_BYTES):
                pass
        finally:
            has_gone.set()

    async with em_on(script) as (em, server):
        task = asyncio.ensure_future(em.uplink([source]))
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not source.is_open
        await asyncio.wait_for(has_gone.wait(), 5)

    assert len(server.asked) == 1


# --------------------------------------------------------------------------------------------------- the cause is named


async def test_a_name_that_is_not_known_is_named() -> None:
    em = HttpEM(Address.parse("https://em.invalid"))

    with pytest.raises(Unreachable, match=r"em\.invalid.*DNS") as caught:
        await em.list_files()

    assert not caught.value.may_have_run
    await em.aclose()


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "http_proxy", "ALL_PROXY"])
async def test_proxies_of_the_environment_are_not_used_and_that_is_said(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with wire_server(LISTED) as proxy:
        monkeypatch.setenv(name, proxy.url)
        async with em_on(LISTED) as (em, server):
            await em.list_files()
        assert len(server.asked) == 1
        em = HttpEM(Address.parse("http://127.0.0.1:1"))
        with pytest.raises(Unreachable) as caught:
            await em.list_files()
        await em.aclose()

    assert name in caught.value.remedy
    assert proxy.connections == 0


async def test_a_captive_portal_is_named() -> None:
    portal = answer(200, raw=b"<html><title>Hotel guest WiFi</title>", kind="text/html; charset=utf-8")
    async with em_on(portal) as (em, _):
        with pytest.raises(EmtuiError, match="Hotel guest WiFi") as caught:
            await em.list_files()

    assert "captive portal" in caught.value.remedy


async def test_a_server_that_comes_back_is_found_again() -> None:
    async with wire_server(LISTED) as server:
        em = HttpEM(Address.parse(server.url))
        await em.list_files()
        port = server.port
    with pytest.raises(Unreachable):
        await em.list_files()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", port)
    assert (await em.list_files()).nodes == ()
    await em.aclose()
    listening.close()
