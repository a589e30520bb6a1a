"""Models in forms: what is written has its length, and what is read may be cut anywhere."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from emtui.client.grid.form import ModelForm, boundary_of, model_in_form
from emtui.errors import ContractViolation, LocalProblem
from emtui.files import MemorySource

FIELDS = {"encoding": "ISO-8859-1", "model_id": "m", "allow_download": "True", "allow_remote_inference": "False"}
TYPE = 'multipart/form-data; boundary="B-1"'
PLAIN = 'Content-Disposition: form-data; name="serialized_model"'


def form(content: bytes, head: str = PLAIN, end: bytes = b"\r\n--B-1--\r\n") -> bytes:
    return f"--B-1\r\n{head}\r\n\r\n".encode() + content + end


async def read(whole: bytes, step: int) -> bytes:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(whole), step):
            yield whole[start : start + step]

    return b"".join([chunk async for chunk in model_in_form(TYPE, pieces())])


@pytest.mark.parametrize("step", [1, 2, 3, 7, 64, 10_000])
@pytest.mark.parametrize("preamble", [b"", b"to be passed over\r\n"])
async def test_a_model_is_read_however_it_is_cut(step: int, preamble: bytes) -> None:
    data = bytes(range(256)) + b"\r\n--B-\r\n--B-2\r\n"
    assert await read(preamble + form(data.decode("latin-1").encode()), step) == data


@given(st.binary(max_size=400), st.integers(1, 50), st.sampled_from(["", "; charset=utf-8", "octet"]))
async def test_any_bytes_come_back_as_text_or_as_they_are(data: bytes, step: int, kind: str) -> None:
    if kind == "octet":
        head, content = f"{PLAIN}\r\nContent-Type: application/octet-stream", data
    else:
        head, content = f"{PLAIN}\r\nContent-Type: text/plain{kind}", data.decode("latin-1").encode()
    if b"\r\n--B-1" not in content:
        assert await read(form(content, head), step) == data


async def test_bytes_that_no_text_can_be_are_taken_as_they_are() -> None:
    data = b"plain first, " * 10 + bytes(range(256))
    assert await read(form(data), 16) == data


@pytest.mark.parametrize(
    "whole",
    [
        b"",
        b"--B-1--\r\n",
        b"no form at all",
        form(b"x")[:-10],
        form(b"x", 'Content-Disposition: form-data; name="other"'),
        form("é✓".encode(), f"{PLAIN}\r\nContent-Type: text/plain; charset=utf-8"),
        form("é".encode() + b"\xff", f"{PLAIN}\r\nContent-Type: text/plain; charset=utf-8"),
        b"--B-1\r\n" + b"X: " + b"y" * 100_000,
    ],
)
async def test_what_is_no_such_form_is_refused(whole: bytes) -> None:
    with pytest.raises(ContractViolation):
        await read(whole, 64)


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; x=y"])
def test_a_form_needs_a_boundary(kind: str) -> None:
    with pytest.raises(ContractViolation):
        boundary_of(kind)


@pytest.mark.parametrize("encoding", ["ISO-8859-1", "utf-8"])
@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)), bytes(range(256)) * 3000])
async def test_a_form_is_as_long_as_it_says_and_the_same_each_time(data: bytes, encoding: str) -> None:
    body = await ModelForm.of(MemorySource("m", data), {**FIELDS, "encoding": encoding})
    for _ in range(2):
        assert len(b"".join([chunk async for chunk in body.stream()])) == body.size_bytes


class Shrinks(MemorySource):
    """A file that is another one when it is read a second time."""

    reads = 0

    async def _chunks(self) -> AsyncIterator[bytes]:
        self.reads += 1
        yield b"\xff\xff" if self.reads == 1 else b"xx"


async def test_a_source_that_changes_between_its_two_readings_is_not_sent_whole() -> None:
    body = await ModelForm.of(Shrinks("m", b"??"), FIELDS)
    with pytest.raises(LocalProblem):
        _ = [chunk async for chunk in body.stream()]


@pytest.mark.parametrize("data", [b"\x00\xff", bytes(range(256)) * 3000], ids=["a field", "a file"])
async def test_the_form_parser_of_aiohttp_reads_the_form(data: bytes) -> None:
    forms: list[dict[str, object]] = []

    async def serve(request: web.Request) -> web.Response:
        form = dict(await request.post())
        model = form["model"]
        forms.append({**form, "model": model if isinstance(model, str) else model.file.read().decode()})
        return web.Response()

    app = web.Application(client_max_size=1 << 24)
    app.router.add_post("/serve-model/", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        body = await ModelForm.of(MemorySource("m", data), FIELDS)
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                f"http://{host}:{port}/serve-model/", data=body.stream(), headers={"Content-Type": body.content_type}
            ) as answer,
        ):
            assert answer.status == 200
    finally:
        await runner.cleanup()
    assert forms == [{**FIELDS, "model": data.decode("latin-1")}]
