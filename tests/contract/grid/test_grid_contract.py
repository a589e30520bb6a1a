"""What every Grid Node backend must do (Grid Node API), through the `GridNode` protocol alone."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from emtui.backend import CHUNK_BYTES, GridNode
from emtui.errors import BadRequest, Conflict, EmtuiError, Forbidden, InvalidField, NotFound
from emtui.files import MemorySource

DEADLINE_S = 30

HOSTILE_IDS = [
    "with space",
    " leading and trailing ",
    "org/model",
    "../../etc/passwd",
    "/absolute",
    "..",
    "#1",
    "a?b=c&d",
    "%2e%2e%2f",
    "🛰️ model",
    "caf\udce9",
    "lone \ud800 surrogate",
    "nul\0inside",
    "new\nline\ttab",
    "\x1b]52;c;aGk=\x07",
    "[@click=app.quit]x",
    "[/_",
    "a[/]b",
    "-rf",
    "'; DROP TABLE models; --",
    "$(reboot)",
    "ά́́́́́",
    "x" * 1000,
]


class Stream:
    """A source that does as it is told: chunks, a size that may lie, an error or a wait in the middle."""

    def __init__(self, chunks: list[Any], size_bytes: int, name: str = "model.bin") -> None:
        self.name = name
        self.size_bytes = size_bytes
        self._chunks = chunks
        self.reached = asyncio.Event()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[AsyncIterator[bytes]]:
        yield self._read()

    async def _read(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            if isinstance(chunk, Exception):
                raise chunk
            if chunk is None:
                self.reached.set()
                await asyncio.Event().wait()
            yield chunk


async def fetch(grid: GridNode, model_id: str) -> bytes:
    async with grid.get_model(model_id) as download:
        return b"".join([chunk async for chunk in download.chunks])


async def serve(grid: GridNode, model_id: str, data: bytes = b"weights", *, allow_download: bool = True) -> str:
    return await grid.serve_model(MemorySource("m.bin", data), model_id, allow_download=allow_download)


async def assert_absent(grid: GridNode, model_id: str) -> None:
    assert model_id not in await grid.models()
    assert model_id not in await grid.model_sizes()
    with pytest.raises(NotFound):
        await fetch(grid, model_id)


async def test_an_empty_node_hosts_nothing(grid: GridNode) -> None:
    assert list(await grid.models()) == []
    assert await grid.model_sizes() == {}
    assert list(await grid.dataset_tags()) == []
    assert (await grid.info()).label


async def test_a_served_model_is_listed_and_comes_back_byte_for_byte(grid: GridNode) -> None:
    data = bytes(range(256)) * 3
    assert await serve(grid, "mnist-cnn", data) == "Model saved with id: mnist-cnn"
    assert list(await grid.models()) == ["mnist-cnn"]
    assert await grid.is_model_copy_allowed("mnist-cnn") is True
    async with grid.get_model("mnist-cnn") as download:
        assert download.size_bytes in (None, len(data))
        assert b"".join([chunk async for chunk in download.chunks]) == data
    assert (await grid.model_sizes()).get("mnist-cnn", len(data)) == len(data)


async def test_an_empty_model_is_a_model(grid: GridNode) -> None:
    await serve(grid, "empty", b"")
    assert await fetch(grid, "empty") == b""


async def test_models_keep_the_order_in_which_they_were_saved(grid: GridNode) -> None:
    for model_id in ("z", "a", "m"):
        await serve(grid, model_id)
    assert list(await grid.models()) == ["z", "a", "m"]


async def test_a_model_that_may_not_be_copied(grid: GridNode) -> None:
    await serve(grid, "secret", allow_download=False)
    assert await grid.is_model_copy_allowed("secret") is False
    with pytest.raises(Forbidden) as caught:
        await fetch(grid, "secret")
    assert caught.value.message == "You're not allowed to download this model."
    assert caught.value.status == 403
    assert list(await grid.models()) == ["secret"]


@pytest.mark.parametrize("model_id", ["nothing", ""])
async def test_a_model_that_is_not_there(grid: GridNode, model_id: str) -> None:
    for call in (lambda: grid.is_model_copy_allowed(model_id), lambda: fetch(grid, model_id)):
        with pytest.raises(NotFound) as caught:
            await call()
        assert caught.value.message == "Model not found."
        assert caught.value.status == 404


async def test_an_id_that_is_taken_keeps_its_first_model(grid: GridNode) -> None:
    await serve(grid, "one", b"first")
    with pytest.raises(Conflict) as caught:
        await serve(grid, "one", b"second")
    assert caught.value.message == "Model id already exists."
    assert caught.value.status == 409
    assert await fetch(grid, "one") == b"first"


async def test_a_model_of_every_byte_comes_back_whatever_its_size(grid: GridNode) -> None:
    for factor in (1, 200, 900):  # in JSON, as a field of a form, as a file
        data = bytes(range(256)) * factor
        await serve(grid, f"bytes {factor}", data)
        assert await fetch(grid, f"bytes {factor}") == data


LOOKALIKES = ["modèle à étés".encode(), "modèle".encode("latin-1"), b"\xc3", b"\xc2\x80", b"\r\n--"]


@pytest.mark.parametrize("data", LOOKALIKES)
async def test_bytes_that_look_like_text_come_back_as_they_are(bench: Any, data: bytes) -> None:
    for factor in (1, 30_000) if bench.most_bytes is None else (1, 10_000):
        await serve(bench.grid, f"m{factor}", data * factor)
        assert await fetch(bench.grid, f"m{factor}") == data * factor


async def test_another_encoding_is_its_own_business(grid: GridNode) -> None:
    data = "modèle ✓".encode()
    await grid.serve_model(MemorySource("m", data), "utf", allow_download=True, encoding="utf-8")
    assert await fetch(grid, "utf") == data


@pytest.mark.parametrize("encoding", ["no\nencoding", "nope", "utf\n8", "hex", "idna", ""])
async def test_an_encoding_that_is_none_is_refused(bench: Any, encoding: str) -> None:
    grid = bench.grid
    for size_bytes in (1, 900_000 if bench.most_bytes else 2_000_000):
        with pytest.raises(InvalidField) as caught:
            await grid.serve_model(MemorySource("m", bytes(size_bytes)), "m", allow_download=True, encoding=encoding)
        assert caught.value.field == "encoding"
        assert caught.value.message == f"encoding: not the name of an encoding: {encoding}"
        assert caught.value.remedy == "Use ISO-8859-1, which holds any bytes."
    assert list(await grid.models()) == []


async def test_an_empty_id_is_refused(grid: GridNode) -> None:
    with pytest.raises(InvalidField) as caught:
        await serve(grid, "")
    assert caught.value.field == "model_id"
    assert list(await grid.models()) == []


@pytest.mark.parametrize("model_id", HOSTILE_IDS, ids=ascii)
async def test_an_id_is_free_text(grid: GridNode, model_id: str) -> None:
    data = model_id.encode("utf-8", "surrogatepass")
    assert await serve(grid, model_id, data) == f"Model saved with id: {model_id}"
    assert list(await grid.models()) == [model_id]
    assert await grid.is_model_copy_allowed(model_id) is True
    assert await fetch(grid, model_id) == data
    with pytest.raises(Conflict):
        await serve(grid, model_id)


async def test_ids_that_look_alike_are_different_models(grid: GridNode) -> None:
    ids = ["é", "e\u0301", "É", "caf\udce9", "café", "a", "a ", "a\0"]
    for model_id in ids:
        await serve(grid, model_id, repr(model_id).encode())
    assert list(await grid.models()) == ids
    for model_id in ids:
        assert await fetch(grid, model_id) == repr(model_id).encode()


async def test_a_large_model_is_streamed_or_refused_whole(bench: Any) -> None:
    grid = bench.grid
    block = hashlib.sha256(b"seed").digest() * (CHUNK_BYTES // 32)
    size_bytes = 20 * len(block)
    if bench.most_bytes is not None:
        with pytest.raises(BadRequest) as refused:
            await grid.serve_model(Stream([block] * 20, size_bytes), "large", allow_download=True)
        assert refused.value.code == "TOO_LARGE"
        assert "HTTP" in refused.value.remedy
        await assert_absent(grid, "large")
        return
    await grid.serve_model(Stream([block] * 20, size_bytes), "large", allow_download=True)
    count = 0
    async with grid.get_model("large") as download:
        async for chunk in download.chunks:
            assert 0 < len(chunk) <= CHUNK_BYTES
            assert chunk == (block * 2)[count % len(block) : count % len(block) + len(chunk)]
            count += len(chunk)
    assert count == size_bytes


async def test_a_download_that_is_left_early_does_no_harm(bench: Any) -> None:
    grid = bench.grid
    size_bytes = 3 * CHUNK_BYTES if bench.most_bytes is None else bench.most_bytes // 2
    await serve(grid, "m", b"x" * size_bytes)
    async with grid.get_model("m") as download:
        async for _ in download.chunks:
            break
    assert len(await fetch(grid, "m")) == size_bytes


@pytest.mark.parametrize(
    "stream",
    [
        lambda: Stream([b"half", OSError("the disk is gone")], 8),
        lambda: Stream([b"short"], 8),
        lambda: Stream([b"much too long"], 8),
        lambda: Stream([b"none of it"], 0),
    ],
    ids=["fails at half", "gives less", "gives more", "gives some of nothing"],
)
async def test_a_source_that_fails_or_lies_leaves_nothing(grid: GridNode, stream: Callable[[], Stream]) -> None:
    with pytest.raises((EmtuiError, OSError)):
        await grid.serve_model(stream(), "m", allow_download=True)
    await assert_absent(grid, "m")
    await serve(grid, "m", b"the id is still free")
    assert await fetch(grid, "m") == b"the id is still free"


async def test_a_cancelled_serve_leaves_nothing(grid: GridNode) -> None:
    stream = Stream([b"half", None, b"rest"], 8)
    task = asyncio.create_task(grid.serve_model(stream, "m", allow_download=True))
    await asyncio.wait_for(stream.reached.wait(), DEADLINE_S)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, DEADLINE_S)
    await assert_absent(grid, "m")
    await serve(grid, "m")


async def test_of_two_serves_with_one_id_exactly_one_wins(grid: GridNode) -> None:
    contents = [bytes([number]) * 100_000 for number in range(8)]
    answers = await asyncio.wait_for(
        asyncio.gather(*(serve(grid, "one", data) for data in contents), return_exceptions=True), DEADLINE_S
    )
    won = [index for index, answer in enumerate(answers) if answer == "Model saved with id: one"]
    lost = [answer for answer in answers if isinstance(answer, Conflict)]
    assert (len(won), len(lost)) == (1, 7)
    assert await fetch(grid, "one") == contents[won[0]]
    assert list(await grid.models()) == ["one"]


async def test_calls_do_not_wait_for_a_serve(grid: GridNode) -> None:
    stream = Stream([b"half", None], 8)
    task = asyncio.create_task(grid.serve_model(stream, "slow", allow_download=True))
    await asyncio.wait_for(stream.reached.wait(), DEADLINE_S)
    await asyncio.wait_for(serve(grid, "quick", b"q"), DEADLINE_S)
    assert list(await asyncio.wait_for(grid.models(), DEADLINE_S)) == ["quick"]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, DEADLINE_S)


async def test_tags_are_told_once_and_found(bench: Any) -> None:
    await bench.add_dataset("mnist-train", ("mnist", "images"))
    await bench.add_dataset("mnist-test", ("mnist",))
    await bench.add_dataset("mnist-test", ("mnist",))
    await bench.add_dataset("hostile", ("[red]\x1b", "caf\udce9"))
    assert sorted(await bench.grid.dataset_tags()) == sorted(["mnist", "images", "[red]\x1b", "caf\udce9"])
    for tag in ("mnist", "images", "[red]\x1b", "caf\udce9"):
        assert await bench.grid.search(tag) is True
    for tag in ("mnis", "MNIST", "%"):
        assert await bench.grid.search(tag) is False
    with pytest.raises(BadRequest):
        await bench.grid.search("")


async def test_encrypted_models_are_found(bench: Any) -> None:
    await bench.add_encrypted("shared/1", ("alice", "bob ws://b:3000"), ("charlie",))
    found = await bench.grid.search_encrypted_models("shared/1")
    assert found.workers == ("alice", "bob ws://b:3000")
    assert found.crypto_provider == ("charlie",)
    assert "shared/1" not in await bench.grid.models()


async def test_an_encrypted_model_that_is_not_there(grid: GridNode) -> None:
    with pytest.raises(NotFound) as caught:
        await grid.search_encrypted_models("nothing")
    assert caught.value.message == "Model ID not found!"
    with pytest.raises(BadRequest) as refused:
        await grid.search_encrypted_models("")
    assert refused.value.message == "Invalid payload format"
    assert refused.value.status == 400
