"""A file on its way down: decoded as it arrives, and compared with what was promised (EM API §3)."""

import asyncio
import os
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from urllib.parse import unquote_to_bytes

from emtui.backend import CHUNK_BYTES, Download
from emtui.client.em.base64_json import Base64Json, said_error
from emtui.client.http.answers import SOMETHING_ELSE, is_json, problem_body, refuse_other_kinds, seen
from emtui.client.http.transport import Answer
from emtui.errors import ContractViolation, Unreachable, VerificationFailed
from emtui.threads import in_thread
from emtui.wire.errors import shown

_EXACT_NAME = re.compile(r"\bfilename\*\s*=\s*UTF-8'[^']*'([^;]+)", re.IGNORECASE)
_PLAIN_NAME = re.compile(r"""\bfilename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))""", re.IGNORECASE)
_PAGES = ("text/html", "application/xhtml+xml")
_MOST_SAID_BYTES = 1 << 16
_FOLDERS = re.compile(r".*[/\\]", re.DOTALL)


@asynccontextmanager
async def encoded_download(answer: Answer, path: str) -> AsyncIterator[Download]:
    """The file that an answer holds as base64 in JSON.

    Of `size_bytes` and `sha256` only what stands before the content is known at once. The chunks compare both before
    they end, wherever they stand.

    Raises:
        ContractViolation: what comes is no such JSON.
        Unreachable: it was cut off.
    """
    await refuse_other_kinds(answer)
    decoder = Base64Json()
    async with aclosing(_batches(answer)) as batches:
        first = b""
        async for batch in batches:
            first = await in_thread(decoder.feed, batch)
            if decoder.has_begun:
                break
        else:
            _end(decoder, answer)
        promise = decoder.promise
        async with aclosing(_decoded(decoder, first, batches, answer)) as chunks:
            name = _FOLDERS.sub("", promise.name) or _last_part(path)
            size_bytes, sha256 = promise.size_bytes, promise.sha256
            yield Download(name=name, size_bytes=size_bytes, chunks=chunks, sha256=sha256, is_hashed=True)


async def _decoded(
    decoder: Base64Json, first: bytes, batches: AsyncGenerator[bytes, None], answer: Answer
) -> AsyncGenerator[bytes, None]:
    """The file's bytes. While a batch is decoded the next one is read."""
    work: asyncio.Future[bytes] | None = None
    try:
        if first:
            yield first
        async for batch in batches:
            if work is not None and (chunk := await work):
                yield chunk
            work = asyncio.ensure_future(in_thread(decoder.feed, batch))
        if work is not None and (chunk := await work):
            yield chunk
        work = None
        _end(decoder, answer)
    except Unreachable as error:
        if work is not None:
            await work
        # A server that finds the file changed says so, and breaks off what it had begun.
        raise decoder.last_words() or error from None
    finally:
        if work is not None:
            await asyncio.wait((work,))
            if not work.cancelled():
                work.exception()  # looked at, so that asyncio does not report it as forgotten


def _end(decoder: Base64Json, answer: Answer) -> None:
    """The answer is over."""
    if answer.ends_with_the_connection and not decoder.is_whole:
        raise Unreachable("the downlink was cut off", may_have_run=True)
    decoder.finish()


@asynccontextmanager
async def raw_download(answer: Answer, path: str) -> AsyncIterator[Download]:
    """The file that an answer is, as it is (dialect 2026-03). Its name is in `Content-Disposition`.

    Where only the end of the connection ends it, its size is not known: whoever reads it has to compare.

    Raises:
        ContractViolation: a page or an error came in the place of a file.
        VerificationFailed: it has another size than its Content-Length says.
    """
    await _refuse_no_file(answer)
    name = _FOLDERS.sub("", disposition_name(answer.headers.get("content-disposition", ""))) or _last_part(path)
    async with aclosing(_counted(answer)) as chunks:
        yield Download(name=name, size_bytes=answer.length, chunks=chunks)


async def _refuse_no_file(answer: Answer) -> None:
    """A page and an object may be files of the volume; one that does not say so (`Content-Disposition`) is none."""
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if "content-disposition" in answer.headers or not (is_json(kind) or kind in _PAGES):
        return
    if is_json(kind):
        said = await problem_body(answer, _MOST_SAID_BYTES)
        raise (said_error(said) if isinstance(said, dict) else None) or ContractViolation(
            f"a file is promised, and {shown(kind)} came with {answer.status}: {shown(repr(said)[:400])}",
            remedy=SOMETHING_ELSE,
        )
    body, _ = await answer.read(_MOST_SAID_BYTES)
    raise ContractViolation(
        f"a file is promised, and {shown(kind)} came with {answer.status}: {seen(answer, body)}", remedy=SOMETHING_ELSE
    )


async def _counted(answer: Answer) -> AsyncGenerator[bytes, None]:
    count = 0
    async with aclosing(_batches(answer)) as batches:
        async for batch in batches:
            count += len(batch)
            yield batch
    if answer.length is not None and count != answer.length:
        raise VerificationFailed(f"size: {count:,} bytes came, {answer.length:,} were promised")


async def _batches(answer: Answer) -> AsyncGenerator[bytes, None]:
    """The body in pieces that are worth a thread, of at most `CHUNK_BYTES`. What came before a failure comes too."""
    parts: list[bytes] = []
    size = 0
    cut: Unreachable | None = None
    async with aclosing(answer.pieces()) as pieces:
        try:
            async for piece in pieces:
                if size + len(piece) > CHUNK_BYTES:
                    yield b"".join(parts)
                    parts, size = [], 0
                parts.append(piece)
                size += len(piece)
        except Unreachable as error:
            cut = error
    if parts:
        yield b"".join(parts)
    if cut is not None:
        raise cut


def disposition_name(value: str) -> str:
    """The file's name in a `Content-Disposition`; `filename*` before `filename`, empty where there is none."""
    exact = _EXACT_NAME.search(value)
    if exact:
        return os.fsdecode(unquote_to_bytes(exact[1].strip()))
    plain = _PLAIN_NAME.search(value)
    if not plain:
        return ""
    name = re.sub(r"\\(.)", r"\1", plain[1]) if plain[1] is not None else plain[2]
    # A header's bytes come as Latin-1, whatever they were.
    return os.fsdecode(name.encode("latin-1", "replace"))


def _last_part(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]
