"""An uplink's body: its names, its length, its limit (B13)."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from python_multipart.multipart import MultipartParser, parse_options_header

from emtui.backend import CHUNK_BYTES, MAX_UPLINK_BYTES
from emtui.client.em.multipart import Multipart
from emtui.errors import BadRequest, Forbidden, LocalProblem
from emtui.files.source import MemorySource
from tests.wire_server import answer, em_on

UPLINKED = {"message": "Successfully uplinked files", "data": {"file_count": 1, "total_size_kb": 1}}


class Odd:
    """A source that says `size_bytes` and gives something else."""

    def __init__(self, name: str, size_bytes: int, *chunks: bytes, fails: BaseException | None = None) -> None:
        self.name, self.size_bytes = name, size_bytes
        self._chunks, self._fails = chunks, fails
        self.is_open = False

    @asynccontextmanager
    async def open(self) -> AsyncIterator[AsyncIterator[bytes]]:
        self.is_open = True
        try:
            yield self._give()
        finally:
            self.is_open = False

    async def _give(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk
        if self._fails is not None:
            raise self._fails


async def body_of(body: Multipart) -> bytes:
    data = b"".join([chunk async for chunk in body.stream()])
    assert len(data) == body.size_bytes
    return data


def disposition(data: bytes) -> bytes:
    return next(line for line in data.split(b"\r\n") if b'name="files"' in line)


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("plain name.txt", b'filename="plain name.txt"'),
        ("ü€😀", 'filename="ü€😀"'.encode()),
        ('a"b', b"filename=\"a%22b\"; filename*=UTF-8''a%22b"),
        ("a%22b", b"filename=\"a%22b\"; filename*=UTF-8''a%2522b"),
        ("a\\b", b"filename=\"a\\\\b\"; filename*=UTF-8''a%5Cb"),
        ("a\r\nX-Evil: 1", b"filename=\"a%0D%0AX-Evil: 1\"; filename*=UTF-8''a%0D%0AX-Evil%3A%201"),
        ("\x1b[31m", b"filename=\"\x1b[31m\"; filename*=UTF-8''%1B%5B31m"),
        ("\udcff.bin", b"filename=\"\xff.bin\"; filename*=UTF-8''%FF.bin"),
    ],
)
async def test_a_name_is_quoted_as_browsers_do_and_given_exactly_too(name: str, head: bytes) -> None:
    data = await body_of(Multipart({}, [MemorySource(name, b"x")], boundary="b"))

    assert disposition(data) == b'Content-Disposition: form-data; name="files"; ' + head
    assert data.count(b"Content-Disposition") == 1
    assert b"\r\nX-Evil" not in data


@settings(max_examples=200, deadline=None)
@given(
    raw=st.binary(min_size=1, max_size=255).filter(lambda raw: not set(raw) & {0, ord("/")}),
    content=st.binary(max_size=100),
)
async def test_any_name_and_any_bytes_are_read_back_by_another_parser(raw: bytes, content: bytes) -> None:
    try:
        body = Multipart({"dest_path": "f"}, [MemorySource(os.fsdecode(raw), content)], boundary="emtui")
    except (Forbidden, BadRequest):
        return  # what could be taken for a way out of the folder
    seen: list[tuple[bytes, bytes]] = []
    headers: list[bytes] = []
    data = await body_of(body)
    parser = MultipartParser(
        b"emtui",
        {
            "on_part_begin": lambda: seen.append((b"", b"")),
            "on_header_value": lambda part, start, end: headers.append(part[start:end]),
            "on_part_data": lambda part, start, end: seen.append((seen.pop()[0], part[start:end])),
        },
    )
    parser.write(data)
    parser.finalize()

    assert len(seen) == 2
    _, options = parse_options_header(headers[1])
    assert options[b"name"] == b"files"
    assert (seen[0][1], seen[1][1]) == (b"f", content)


@pytest.mark.parametrize(
    "name", ["../x", "a/b", "/etc/x", "..", "..\\x", "C:\\x", "%2e%2e%2fx", "", ".", "a\0b", "x" * 256]
)
async def test_a_name_that_is_none_or_leaves_its_folder_is_not_sent(name: str) -> None:
    async with em_on(answer(200, UPLINKED)) as (em, server):
        with pytest.raises((Forbidden, BadRequest)):
            await em.uplink([MemorySource(name, b"x")])

    assert server.asked == []


async def test_two_files_of_one_name_are_not_sent() -> None:
    async with em_on(answer(200, UPLINKED)) as (em, server):
        with pytest.raises(BadRequest, match="same name"):
            await em.uplink([MemorySource("a", b"1"), MemorySource("a", b"2")])

    assert server.asked == []


async def test_nothing_is_no_uplink() -> None:
    async with em_on(answer(200, UPLINKED)) as (em, server):
        with pytest.raises(BadRequest) as caught:
            await em.uplink([])

    assert (caught.value.code, server.asked) == ("NO_FILES", [])


@pytest.mark.parametrize("sizes", [[MAX_UPLINK_BYTES + 1], [MAX_UPLINK_BYTES, 1]])
async def test_one_byte_over_the_limit_is_refused_before_the_first_one(sizes: list[int]) -> None:
    sources = [Odd(str(number), size) for number, size in enumerate(sizes)]
    async with em_on(answer(200, UPLINKED)) as (em, server):
        with pytest.raises(BadRequest) as caught:
            await em.uplink(sources)

    assert caught.value.code == "MAX_UPLINK_SIZE_EXCEEDED"
    assert "several calls" in caught.value.remedy
    assert server.asked == []


async def test_the_limit_itself_is_sent() -> None:
    source = Odd("big", MAX_UPLINK_BYTES, fails=OSError(5, "I/O"))
    async with em_on(answer(200, UPLINKED)) as (em, server):
        with pytest.raises(LocalProblem, match="big"):
            await em.uplink([source])

        async with asyncio.timeout(5):
            while not server.asked:
                await asyncio.sleep(0.01)
    assert int(server.asked[0].headers["content-length"]) > MAX_UPLINK_BYTES


async def test_two_gigabytes_go_at_once_in_2026_03() -> None:
    source = Odd("big", 2_000_000_000, fails=OSError(5, "I/O"))
    async with em_on(answer(200, UPLINKED), dialect="2026-03", pvc_name="v") as (em, _):
        with pytest.raises(LocalProblem, match="big"):
            await em.uplink([source])
        with pytest.raises(BadRequest, match="exceeds"):
            await em.uplink([source, Odd("more", 1)])


@pytest.mark.parametrize(
    "source",
    [
        Odd("lies", 5, b"1234"),
        Odd("lies", 3, b"1234"),
        Odd("lies", 1, b""),
        Odd("lies", 0, b"1"),
        Odd("lies", 8, b"half", fails=LocalProblem("lies: gone")),
        Odd("lies", 8, b"half", fails=OSError(5, "Input/output error")),
        Odd("lies", 4 * CHUNK_BYTES, *[bytes(CHUNK_BYTES)] * 3),
    ],
)
async def test_a_source_that_fails_or_lies_breaks_the_request_off(source: Odd) -> None:
    async with em_on(answer(200, UPLINKED)) as (em, server):
        with pytest.raises(LocalProblem, match="lies"):
            await em.uplink([MemorySource("first", b"whole"), source])
        async with asyncio.timeout(5):
            while not server.connections:
                await asyncio.sleep(0.01)

        assert len(server.asked) <= 1
        assert all(asked.body == b"" for asked in server.asked)  # the announced body never became whole
    assert not source.is_open


async def test_many_small_files_go_in_few_pieces() -> None:
    body = Multipart({"dest_path": ""}, [MemorySource(f"{number:05}", b"tiny") for number in range(10_000)])
    pieces = [piece async for piece in body.stream()]

    assert sum(map(len, pieces)) == body.size_bytes
    assert len(pieces) < 100


async def test_the_boundary_is_short_enough_for_parsers_that_read_little_at_a_time() -> None:
    boundary = Multipart({"dest_path": ""}, [MemorySource("a", b"1")]).content_type.partition("boundary=")[2]

    assert 16 <= len(boundary) <= 24
