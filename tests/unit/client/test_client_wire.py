"""What each call of the EM API looks like on the wire, literally, in both dialects and each variant that was seen."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta, timezone

import pytest
from client_calls import DELETED, LISTED, OK, RAN, UPLINKED, build, delete, load, parts_of, run

from emtui.client.em.backend import HttpEM
from emtui.client.http.address import Address
from emtui.errors import BadRequest, NotFound
from emtui.files.source import MemorySource
from emtui.models import PodSpec
from tests.wire_server import answer, em_on, wire_server

WHEN = datetime(2025, 5, 22, 12, 10, tzinfo=timezone(timedelta(hours=2)))


# ---------------------------------------------------------------------------------------- the specification's first


async def test_uplink_is_a_form_with_files_and_their_folder() -> None:
    async with em_on(answer(200, UPLINKED)) as (em, server):
        result = await em.uplink([MemorySource("a.txt", b"one"), MemorySource("b.txt", b"\r\n--two")], "echo-test")

    assert (result.file_count, result.total_size_kb) == (1, 0.01)
    assert server.lines == ["POST /em/files/uplink"]
    assert parts_of(server.asked[0]) == [
        (b'Content-Disposition: form-data; name="dest_path"', b"echo-test"),
        (
            b'Content-Disposition: form-data; name="files"; filename="a.txt"\r\nContent-Type: application/octet-stream',
            b"one",
        ),
        (
            b'Content-Disposition: form-data; name="files"; filename="b.txt"\r\nContent-Type: application/octet-stream',
            b"\r\n--two",
        ),
    ]


@pytest.mark.parametrize(
    ("call", "line", "body", "said"),
    [
        (delete, "POST /em/files/delete", {"filepath": "a b/ü"}, "File deleted successfully"),
        (
            build,
            "POST /em/pod/image/build",
            {"dockerfile": "echo-test/Dockerfile", "context": "echo-test", "image_name": "echo-test"},
            "Docker Image built successfully",
        ),
        (load, "POST /em/image/load", {"tarfile": "test.tar", "image": "fisheye"}, "Tar file loaded successfully"),
        (
            run,
            "POST /em/pod/execution",
            {"docker_image": "echo-test", "max_duration": 30, "node": "FPGA"},
            "Docker run scheduled successfully",
        ),
    ],
)
async def test_a_change_is_a_post_of_json_as_specified(
    call: Callable[[HttpEM], Awaitable[object]], line: str, body: dict[str, object], said: str
) -> None:
    async with em_on(lambda asked: answer(200, OK[asked.target])) as (em, server):
        assert await call(em) == said

    assert server.lines == [line]
    assert server.asked[0].json == body
    assert server.asked[0].headers["content-type"] == "application/json"
    assert b"." not in server.asked[0].body if call is run else True  # 30, not 30.0


async def test_a_run_sends_the_optional_fields_only_where_they_are_given() -> None:
    spec = PodSpec(docker_image="a", max_duration=0.5, node="gpu", scheduled_time=WHEN, command="echo 'ü' | wc")
    async with em_on(answer(200, RAN)) as (em, server):
        await em.run_pod(spec)

    assert server.asked[0].json == {
        "docker_image": "a",
        "max_duration": 0.5,
        "node": "GPU",
        "scheduled_time": "2025-05-22T12:10:00+02:00",
        "command": "echo 'ü' | wc",
    }


async def test_reads_are_gets_without_a_body() -> None:
    async with em_on(lambda asked: answer(200, OK[asked.target])) as (em, server):
        assert (await em.list_files()).nodes == ()
        assert [image.reference for image in await em.list_images()] == ["client1-echo-test:latest"]
        assert (await em.pod_status()).to_wire() == {"state": {}}

    assert server.lines == ["GET /em/files/list", "GET /em/image/list", "GET /em/pod/status"]
    assert all(asked.headers["accept-encoding"] == "identity" for asked in server.asked)
    assert all("content-length" not in asked.headers for asked in server.asked)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("a.txt", "filepath=a.txt"),
        ("echo test/ü&=#?.txt", "filepath=echo%20test/%C3%BC%26%3D%23%3F.txt"),
        ("not\udcff\udc80utf8", "filepath=not%FF%80utf8"),
        ("50%2f", "filepath=50%252f"),
        ("nul\0", "filepath=nul%00"),
    ],
)
async def test_a_downlinks_path_is_its_bytes(path: str, query: str) -> None:
    async with em_on(answer(404, {"error": "NOT_FOUND", "message": "gone"})) as (em, server):
        with pytest.raises(NotFound, match="gone"):
            async with em.downlink(path):
                pass

    assert server.lines == [f"GET /em/files/downlink?{query}"]


async def test_names_that_are_not_utf8_go_as_escapes_in_json() -> None:
    async with em_on(answer(200, DELETED)) as (em, server):
        await em.delete("a\udcff/\x1b[31m")

    assert server.asked[0].body == b'{"filepath": "a\\udcff/\\u001b[31m"}'


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda em: em.delete("\ud800"), "filepath"),
        (lambda em: em.build_image("\ud800", "c", "i"), "dockerfile"),
        (lambda em: em.build_image("d", "\ud800", "i"), "context"),
        (lambda em: em.load_image("\ud800", "i"), "tarfile"),
        (lambda em: em.uplink([MemorySource("a", b"")], "\ud800"), "dest_path"),
        (lambda em: em.uplink([MemorySource("\ud800", b"")]), "file name"),
    ],
)
async def test_a_name_that_stands_for_no_bytes_is_refused_before_anything_is_sent(
    call: Callable[[HttpEM], Awaitable[object]], field: str
) -> None:
    async with em_on(answer(200, DELETED)) as (em, server):
        with pytest.raises(BadRequest, match=f"^{field}: a lone surrogate stands for no byte"):
            await call(em)

    assert server.asked == []


async def test_a_base_path_of_the_address_is_kept_and_no_slash_doubled() -> None:
    async with wire_server(answer(200, LISTED)) as server:
        em = HttpEM(Address.parse(f"{server.url}/api/"))
        await em.list_files()
        await em.aclose()

    assert server.lines == ["GET /api/em/files/list"]
