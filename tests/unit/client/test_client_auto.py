"""The dialect 2026-03 on the wire, and how `auto` finds out which one is spoken."""

from collections.abc import Awaitable, Callable

import pytest
from client_calls import DELETED, LISTED, OK, build, load, only, parts_of, run

from emtui.client.em.backend import HttpEM
from emtui.errors import ConfigProblem, Locked
from emtui.files.source import MemorySource
from tests.wire_server import Asked, answer, em_on

# --------------------------------------------------------------------------------------------------------- 2026-03

SERVED_2026 = (
    "POST /em/files/uplink",
    "POST /em/files/list",
    "POST /em/files/delete",
    "POST /em/pod/image/build",
    "POST /em/pod/image/load",
    "POST /em/pod/image/list",
    "POST /em/pod/run",
    "POST /em/pod/status",
    "POST /em/pvc/list",
)


async def test_the_calls_of_2026_03_name_the_volume_and_the_pod() -> None:
    options = {"dialect": "2026-03", "pvc_name": "vol", "pod_name": "pod-1"}
    async with em_on(only(*SERVED_2026), **options) as (em, server):
        await em.uplink([MemorySource("a", b"1")], "folder")
        await em.list_files()
        await em.delete("x")
        await build(em)
        await load(em)
        await em.list_images()
        await run(em)
        await em.pod_status()

    assert server.lines == [
        "POST /em/files/uplink",
        "POST /em/files/list",
        "POST /em/files/delete",
        "POST /em/pod/image/build",
        "POST /em/pod/image/load",
        "POST /em/pod/image/list",
        "POST /em/pod/run",
        "POST /em/pod/status?pod_name=pod-1",
    ]
    assert [content for _, content in parts_of(server.asked[0])] == [b"folder", b"vol", b"1"]
    assert [asked.json for asked in server.asked[1:7]] == [
        {"pvc_name": "vol"},
        {"filepath": "x", "pvc_name": "vol"},
        {"dockerfile": "echo-test/Dockerfile", "context": "echo-test", "image_name": "echo-test", "pvc_name": "vol"},
        {"tarfile": "test.tar", "image": "fisheye", "pvc_name": "vol"},
        {},
        {"image": "echo-test", "max_duration": 30, "node": "FPGA", "pod_name": "pod-1", "pvc_name": "vol"},
    ]
    assert server.asked[7].body == b""


async def test_a_downlink_of_2026_03_is_the_bytes_themselves() -> None:
    headers = {"Content-Disposition": "attachment; filename=\"x.bin\"; filename*=UTF-8''%C3%BC.bin"}
    reply = answer(200, raw=b"\0raw\xff", kind="application/octet-stream", headers=headers)
    async with em_on(reply, dialect="2026-03", pvc_name="vol") as (em, server), em.downlink("folder/x.bin") as download:
        data = b"".join([chunk async for chunk in download.chunks])

    assert server.lines == ["GET /em/files/downlink?filepath=folder/x.bin&pvc_name=vol"]
    assert (download.name, download.size_bytes, download.sha256, data) == ("ü.bin", 5, "", b"\0raw\xff")


async def test_the_only_volume_is_found_and_asked_for_once() -> None:
    async with em_on(only(*SERVED_2026), dialect="2026-03") as (em, server):
        await em.list_files()
        await em.delete("x")

    assert server.lines == ["POST /em/pvc/list", "POST /em/files/list", "POST /em/files/delete"]
    assert server.asked[2].json == {"filepath": "x", "pvc_name": "client1-pvc"}


@pytest.mark.parametrize(
    ("volumes", "said"), [(["one", {"pvc_name": "two"}], "2 volumes: one, two"), ([], "no volume of yours")]
)
async def test_several_volumes_or_none_are_named_not_guessed(volumes: list[object], said: str) -> None:
    async with em_on(answer(200, {"data": volumes}), dialect="2026-03") as (em, server):
        with pytest.raises(ConfigProblem, match=said) as caught:
            await em.list_files()

    assert "pvc_name" in caught.value.remedy
    assert server.lines == ["POST /em/pvc/list"]


# ------------------------------------------------------------------------------------------------------------- auto


async def test_auto_asks_in_2025_11_first_and_stays_with_it() -> None:
    async with em_on(lambda asked: answer(200, OK[asked.target])) as (em, server):
        assert (await em.info()).details == {}
        await em.list_files()
        assert (await em.info()).details == {"dialect": "2025-11"}
        await em.list_files()

    assert server.lines == ["GET /em/files/list"] * 2


@pytest.mark.parametrize(
    ("call", "lines"),
    [
        (lambda em: em.list_files(), ["GET /em/files/list", "POST /em/pvc/list", "POST /em/files/list"]),
        (lambda em: em.pod_status(), ["GET /em/pod/status", "POST /em/pod/status?pod_name=emtui"]),
        (lambda em: em.list_images(), ["GET /em/image/list", "GET /em/pod/image/list", "POST /em/pod/image/list"]),
    ],
)
async def test_auto_finds_2026_03_where_2025_11_is_not_served(
    call: Callable[[HttpEM], Awaitable[object]], lines: list[str]
) -> None:
    async with em_on(only(*SERVED_2026)) as (em, server):
        await call(em)
        assert (await em.info()).details == {"dialect": "2026-03"}
        await call(em)

    assert server.lines == [*lines, lines[-1]]


async def test_auto_finds_2026_03_by_a_volume_that_is_missed() -> None:
    def reply(asked: Asked) -> bytes:
        if asked.target == "/em/files/delete" and "pvc_name" not in asked.json:
            return answer(400, {"pvc_name": ["This field is required."]})
        return answer(200, OK[asked.target])

    async with em_on(reply) as (em, server):
        assert await em.delete("x") == DELETED["message"]
        assert (await em.info()).details == {"dialect": "2026-03"}

    assert server.lines == ["POST /em/files/delete", "POST /em/pvc/list", "POST /em/files/delete"]


async def test_auto_does_not_decide_by_what_was_not_executed() -> None:
    busy = [answer(423, {"error": "LOCKED", "message": "CG2 is busy"})]
    async with em_on(lambda asked: busy.pop() if busy else only(*SERVED_2026)(asked)) as (em, _):
        with pytest.raises(Locked):
            await em.pod_status()
        assert (await em.info()).details == {}
        await em.pod_status()
        assert (await em.info()).details == {"dialect": "2026-03"}


async def test_auto_says_what_the_first_dialect_met_where_neither_is_served() -> None:
    async with em_on(answer(404, raw=b"no", kind="text/plain")) as (em, _):
        with pytest.raises(ConfigProblem, match="GET /em/files/list is not served there"):
            await em.list_files()
        assert (await em.info()).details == {}


async def test_a_dialect_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigProblem, match="2024-01") as caught:
        async with em_on(b"", dialect="2024-01"):
            pass

    assert "2025-11" in caught.value.remedy


async def test_who_answers_is_told_without_asking() -> None:
    headers = {"X-Emtui-Engine": "sandbox"}
    async with em_on(answer(200, LISTED, headers=headers)) as (em, server):
        info = await em.info()
        assert (info.label, info.user, info.engine) == (f"127.0.0.1:{server.port}", "", "")
        assert server.asked == []
        await em.list_files()
        assert (await em.info()).engine == "sandbox"
