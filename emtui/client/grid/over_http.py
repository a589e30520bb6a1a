"""The Grid Node over HTTP: the calls' names as paths, with real status codes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

from emtui.backend import Download, Source
from emtui.client.grid.calls import GridCalls, NotServed, message_of, model_data, read_body
from emtui.client.grid.elsewhere import is_of_a_node, is_slash_apart
from emtui.client.grid.form import ModelForm, model_in_form
from emtui.client.grid.over_socketio import whole
from emtui.client.http.answers import is_success, json_of, problem_body
from emtui.client.http.bodies import Body, json_body
from emtui.client.http.channel import Channel
from emtui.client.http.failures import retry_after_s
from emtui.client.http.limits import Wait
from emtui.client.http.transport import Answer, Redirected, Request
from emtui.errors import ContractViolation
from emtui.files import MemorySource
from emtui.plain import EndpointInfo
from emtui.wire.errors import error_from_wire
from emtui.wire.grid import (
    MODEL_BYTES_HEADER,
    MODEL_CHARSET_HEADER,
    MODEL_ENCODING,
    SIZES_HEADER,
    check_encoding,
    quote_id,
    saved,
    served_error,
    text_of_model,
)

# Up to this a model goes as the specification has it, in JSON; a larger one as a form.
_MOST_JSON_BYTES = 256 << 10
_FORM = "multipart/form-data"

# The specification's path first, then what nodes in the field have.
_PATHS: Mapping[str, tuple[str, ...]] = {
    "/models": ("/models", "/models/"),
    "/dataset-tags": ("/dataset-tags", "/dataset-tags/"),
    "/search": ("/search", "/search/"),
    "/search-encrypted-models": ("/search-encrypted-models", "/search-encrypted-models/"),
}


# Whatever stands in the body: it is to be asked again later, or a gateway says it.
_NOT_NOW = (423, 429, 502, 503, 504)


class Moved(NotServed):
    """The node has it at the path with a slash more or less: `request` asks there."""

    def __init__(self, message: str, request: Request) -> None:
        super().__init__(message)
        path = request.path
        self.request = replace(request, path=path[:-1] if path.endswith("/") else f"{path}/")


class HttpGrid(GridCalls):
    """A Grid Node (`GridNode`) over HTTP.

    Besides what `GridNode` names, every call may raise `NotServed` and `Untrusted`.
    """

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel
        self._served: dict[str, str] = {}

    async def _ask(
        self, call: str, fields: Mapping[str, Any] | None = None, *, model_id: str | None = None
    ) -> tuple[Any, int | None]:
        limits = self._channel.limits
        if model_id is not None:
            return await self._get(f"{call}/{quote_id(model_id)}")
        body = None if fields is None else json_body(fields)
        method = "GET" if body is None else "POST"
        headers = {SIZES_HEADER: "1"} if call == "/models" else {}
        known = self._served.get(call)
        for path in (known,) if known else _PATHS[call]:
            request = Request(method, path, limits.read, body=body, headers=headers)
            try:
                async with self._open(request) as answer:
                    found = await self._body_of(answer, request)
            except NotServed:
                self._served.pop(call, None)
                continue
            self._served[call] = path
            return found
        raise self._not_served(call)

    async def _get(self, path: str) -> tuple[Any, int | None]:
        return await self._send(Request("GET", path, self._channel.limits.read))

    async def _send(self, request: Request) -> tuple[Any, int]:
        async with self._open_there(request) as answer:
            return await self._body_of(answer, request)

    @asynccontextmanager
    async def _open(self, request: Request) -> AsyncIterator[Answer]:
        """Send a request, as `Channel.open` does.

        Raises:
            Moved: the node has it at the path with a slash more or less. Nothing was executed.
        """
        async with AsyncExitStack() as stack:
            try:
                answer = await stack.enter_async_context(self._channel.open(request))
            except Redirected as error:
                # After these two a change may have been made, and its result lies elsewhere.
                is_refused = not (request.changes and error.http_status in (302, 303))
                address = self._channel.address
                if is_refused and is_slash_apart(f"{address.origin}{address.target(request.path)}", error.target):
                    raise Moved(f"{error.message}: only the slash differs", request) from None
                raise
            yield answer

    @asynccontextmanager
    async def _open_there(self, request: Request) -> AsyncIterator[Answer]:
        """Send a request; once more where the node has it at the path with a slash more or less."""
        async with AsyncExitStack() as stack:
            try:
                answer = await stack.enter_async_context(self._open(request))
            except Moved as moved:
                answer = await stack.enter_async_context(self._open(moved.request))
            yield answer

    async def _body_of(self, answer: Answer, request: Request, most_bytes: int | None = None) -> tuple[Any, int]:
        """The body and the status of an answer.

        Raises:
            NotServed: there is no such path.
            Locked, Unreachable, RemoteFailed: not now, a server failed on the way, or the node failed inside.
        """
        limits = self._channel.limits
        most_bytes = most_bytes or limits.answer_bytes
        if is_success(answer):
            return read_body(await json_of(answer, most_bytes)), answer.status
        body = await problem_body(answer, most_bytes)
        if answer.status in (404, 405) and not is_of_a_node(body):
            raise self._not_served(request.path)
        if answer.status in _NOT_NOW or (answer.status >= 500 and not is_of_a_node(body)):
            wait_s = retry_after_s(answer.headers.get("retry-after"))
            raise error_from_wire(answer.status, body, retry_after_s=wait_s)
        return body, answer.status

    def _not_served(self, path: str) -> NotServed:
        return NotServed(f"{self._channel.address.label}: {path.split('/')[1]} is not served over HTTP")

    @asynccontextmanager
    async def get_model(self, model_id: str) -> AsyncIterator[Download]:
        """Download a model (`/get_model/<model_id>`); a large one is streamed."""
        limits = self._channel.limits
        headers = {"Accept": f"application/json, {_FORM}"}
        request = Request("GET", f"/get_model/{quote_id(model_id)}", limits.downlink, headers=headers)
        async with self._open_there(request) as answer:
            kind = answer.headers.get("content-type", "")
            if is_success(answer) and kind.partition(";")[0].strip().lower() == _FORM:
                size_bytes = _length(answer.headers.get(MODEL_BYTES_HEADER.lower()))
                async with (
                    aclosing(answer.pieces()) as pieces,
                    aclosing(model_in_form(kind, pieces)) as model,
                    aclosing(_checked(model, size_bytes)) as chunks,
                ):
                    yield Download(model_id, size_bytes, chunks)
                return
            body = await self._body_of(answer, request, limits.listing_bytes)
            data = await asyncio.to_thread(model_data, *body)
            async with MemorySource(model_id, data).open() as chunks:
                yield Download(model_id, len(data), chunks)

    async def serve_model(
        self, source: Source, model_id: str, *, allow_download: bool, encoding: str = MODEL_ENCODING
    ) -> str:
        """Host a model: a small one by `/serve_model`, a large one by the form of `/serve-model/`."""
        check_encoding(encoding)
        limits = self._channel.limits
        tries: list[tuple[str, Callable[[], Any], Wait]] = []
        form = {
            "encoding": encoding,
            "model_id": model_id,
            "allow_download": str(allow_download),
            "allow_remote_inference": "False",
        }

        async def as_json() -> Body:
            model = text_of_model(await whole(source), encoding)
            fields = {"encoding": encoding, "model_id": model_id, "model": model}
            return json_body({**fields, "allow_download": allow_download, "allow_remote_inference": False})

        async def as_form() -> Body:
            return await ModelForm.of(source, form)

        if source.size_bytes <= _MOST_JSON_BYTES:
            tries.append(("/serve_model", as_json, limits.change))
        tries += [("/serve-model/", as_form, limits.uplink), ("/serve_model", as_form, limits.uplink)]
        missing: set[str] = set()
        for path, body_of, wait in tries:
            if path in missing:
                continue
            body = await body_of()
            headers = {MODEL_CHARSET_HEADER: body.charset} if isinstance(body, ModelForm) else {}
            try:
                answer, status = await self._send(Request("POST", path, wait, True, body, headers))
            except NotServed:
                missing.add(path)
                continue
            error = served_error(answer, status)
            if error is not None:
                raise error
            return message_of(answer, saved(model_id))
        raise self._not_served("/serve_model")

    async def info(self) -> EndpointInfo:
        """Who answers."""
        return EndpointInfo(
            label=self._channel.address.label, user=self._channel.username, details={"transport": "HTTP"}
        )

    async def aclose(self) -> None:
        """Nothing of its own is open; the channel is its owner's."""


def _length(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 20 else None


async def _checked(chunks: AsyncIterator[bytes], size_bytes: int | None) -> AsyncGenerator[bytes, None]:
    count = 0
    async for chunk in chunks:
        count += len(chunk)
        yield chunk
    if size_bytes is not None and count != size_bytes:
        raise ContractViolation(f"serialized_model: {count:,} bytes came, {size_bytes:,} were promised")
