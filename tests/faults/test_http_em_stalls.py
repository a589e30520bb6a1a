"""Stalls and trickles end by themselves, and a slow reader or a slow way is none (X6)."""

import asyncio
import time
from dataclasses import replace

import pytest
from http_em_calls import QUICK, UPLINKED, Call, Endless, every_call

from emtui.client.http.limits import Wait
from emtui.errors import Unreachable
from tests.wire_server import Conversation, answer, em_on


@every_call
async def test_an_answer_that_never_comes_is_a_stall(call: Call) -> None:
    async def script(talk: Conversation) -> None:
        await asyncio.sleep(5)

    async with em_on(script, limits=QUICK) as (em, _):
        began = time.monotonic()
        with pytest.raises(Unreachable, match="stalled") as caught:
            await call(em)

    assert time.monotonic() - began < 3
    assert caught.value.may_have_run


@every_call
@pytest.mark.parametrize("interval", [0.02, 60])
async def test_an_answer_that_trickles_or_stalls_is_ended(call: Call, interval: float) -> None:
    async def script(talk: Conversation) -> None:
        await talk.send(
            b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 90000\r\n\r\n{"content": "'
        )
        for _ in range(500):
            await talk.send(b"Q")
            await asyncio.sleep(interval)

    async with em_on(script, limits=QUICK, dialect="2025-11") as (em, _):
        began = time.monotonic()
        with pytest.raises(Unreachable, match="stalled"):
            await call(em)

    assert time.monotonic() - began < 3


async def test_a_head_that_trickles_ends_with_the_total() -> None:
    async def script(talk: Conversation) -> None:
        for _ in range(500):
            await talk.send(b"H" if _ == 0 else b"")
            await asyncio.sleep(0.05)
            await talk.send(b"" if talk.writer.is_closing() else b"T")

    limits = replace(QUICK, read=Wait(0.3, 0.8))
    async with em_on(script, limits=limits) as (em, _):
        began = time.monotonic()
        with pytest.raises(Unreachable):
            await em.pod_status()

    assert time.monotonic() - began < 3


async def test_a_body_that_nobody_takes_is_a_stall() -> None:
    async def script(talk: Conversation) -> None:
        await asyncio.sleep(5)

    source = Endless(400 << 20)
    async with em_on(script, limits=QUICK) as (em, _):
        began = time.monotonic()
        with pytest.raises(Unreachable, match="stalled: the other side takes no more") as caught:
            await em.uplink([source])

    assert time.monotonic() - began < 4
    assert caught.value.may_have_run
    assert not source.is_open


async def test_a_slow_way_is_no_stall() -> None:
    async def script(talk: Conversation) -> None:
        left = talk.length
        while left:
            left -= len(await talk.reader.read(min(left, 1 << 19)))
            await asyncio.sleep(0.02)
        await talk.send(UPLINKED)

    limits = replace(QUICK, uplink=Wait(2.0, 20.0))
    async with em_on(script, limits=limits) as (em, _):
        assert (await em.uplink([Endless(16 << 20)])).file_count == 1


async def test_a_reader_that_takes_its_time_is_no_stall() -> None:
    import base64
    import hashlib

    data = bytes(6 << 20)
    body = {
        "size": len(data),
        "hash": hashlib.sha256(data).hexdigest(),
        "content": base64.b64encode(data).decode(),
        "filename": "a",
    }
    async with em_on(answer(200, body), limits=QUICK) as (em, _), em.downlink("a") as download:
        count = 0
        async for chunk in download.chunks:
            count += len(chunk)
            await asyncio.sleep(0.2)  # longer in all than a stall is waited for

    assert count == len(data)


async def test_a_downlink_that_is_left_half_read_closes_its_connection() -> None:
    has_gone = asyncio.Event()

    async def script(talk: Conversation) -> None:
        await talk.send(b'HTTP/1.1 200 OK\r\nContent-Length: 900000000\r\n\r\n{"content": "')
        try:
            while True:
                await talk.send(b"QUJD" * 65_536)
        finally:
            has_gone.set()

    async with em_on(script) as (em, _):
        async with em.downlink("a") as download:
            await anext(download.chunks)
        await asyncio.wait_for(has_gone.wait(), 5)
