"""The Grid Node over HTTP: the names of the Grid Node API as paths, with real status codes."""

from __future__ import annotations

import contextlib
import functools
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from emtui.backend import Download
from emtui.errors import BadRequest, NotSignedIn
from emtui.local.grid import LocalGrid
from emtui.server.grid import answers
from emtui.server.grid.answers import Answer, answered
from emtui.server.grid.form import ServeForm, TooLarge, form_fields
from emtui.server.http.answers import JSON_TYPE, Header, send_stream, send_whole
from emtui.server.http.call import Call, ClientGone, Stalled, parsed_query
from emtui.server.http.forms import is_form
from emtui.server.settings import Patience
from emtui.wire.grid import MODEL_BYTES_HEADER, MODEL_ENCODING, SIZES_HEADER, unquote_id

MAX_WHOLE_MODEL_BYTES = 1 << 20
"""A larger model is answered as a form of one field, in pieces."""

MAX_BODY_BYTES = 32 << 20
"""Of a model that is served as JSON or as a plain form: it is in memory as a whole."""

_MAX_SMALL_BODY_BYTES = 1 << 20
_FORM = "application/x-www-form-urlencoded"
_CHALLENGE: Header = (b"www-authenticate", b'Bearer realm="grid"')
_PREFIX = re.compile(rb"/+(?:is[_-]model[_-]copy[_-]allowed|get[_-]model)(?:/|$)")

Who = Callable[[Request], Awaitable[str | None]]
Handler = Callable[["_Exchange"], Awaitable[Answer | None]]


class _Anything(Convertor[str]):
    """What Starlette's `path` is, and line breaks too."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("anything", _Anything())


class _Exchange:
    """One request, with the node that it is for."""

    def __init__(self, call: Call, node: LocalGrid) -> None:
        self.call = call
        self.node = node

    @property
    def model_id(self) -> str:
        """What follows the call's name in the path: an id may hold anything, slashes too."""
        raw = self.call.scope.get("raw_path") or self.call.scope["path"].encode()
        prefix = _PREFIX.match(raw)
        return unquote_id(raw[prefix.end() :]) if prefix else ""

    async def fields(self, limit_bytes: int = _MAX_SMALL_BODY_BYTES) -> Mapping[str, Any] | None:
        """The body's fields, as JSON whatever its type, or as a form. None where it has none."""
        body = await self.call.body(limit_bytes)
        try:
            if self.call.media_type == _FORM:
                return parsed_query(body)
            if is_form(self.call.content_type):
                return form_fields(self.call.content_type, body)
        except BadRequest:
            return None
        return answers.fields_of(body)


def grid_router(node_of: Callable[[str | None], LocalGrid], who: Who, patience: Patience | None = None) -> Router:
    """The Grid Node API's paths, an ASGI application.

    `node_of` gives a user's node, and that of those who have not signed in for None. `who` gives the user of a
    request, None for nobody; it raises `NotSignedIn` where a request must have a user, or its token is not accepted.
    """
    waits = patience or Patience()

    def route(handler: Handler, *paths: str, method: str = "GET") -> list[Route]:
        endpoint = functools.partial(_Endpoint, handler, node_of, who, waits)
        return [Route(path, _Application(endpoint), methods=[method], include_in_schema=False) for path in paths]

    return Router(
        routes=[
            *route(_models, "/models", "/models/"),
            *route(_is_copy_allowed, "/is_model_copy_allowed/{model_id:anything}", "/is_model_copy_allowed"),
            *route(_get_model, "/get_model/{model_id:anything}", "/get_model"),
            *route(_serve_model, "/serve_model", "/serve_model/", "/serve-model", "/serve-model/", method="POST"),
            *route(_dataset_tags, "/dataset-tags", "/dataset-tags/"),
            *route(_search_encrypted, "/search-encrypted-models", "/search-encrypted-models/", method="POST"),
            *route(_search, "/search", "/search/", method="POST"),
        ],
        redirect_slashes=False,
    )


class _Application:
    """Makes Starlette call it as an application, not as a function of a request."""

    def __init__(self, endpoint: Callable[[], _Endpoint]) -> None:
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._endpoint().answer(scope, receive, send)


class _Endpoint:
    """One call of the API: who asks, which node, what it answers."""

    def __init__(
        self, handler: Handler, node_of: Callable[[str | None], LocalGrid], who: Who, patience: Patience
    ) -> None:
        self._handler = handler
        self._node_of = node_of
        self._who = who
        self._patience = patience

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: tuple[Header, ...] = (JSON_TYPE,)
        try:
            user = await self._who(Request(scope, receive))
        except NotSignedIn:
            found: Answer | None = answers.not_signed_in()
            headers = (JSON_TYPE, _CHALLENGE)
        else:
            exchange = _Exchange(Call(scope, receive, send, self._patience), self._node_of(user))
            try:
                found = await self._handler(exchange)
            except ClientGone:
                return
        if found is not None:
            await send_whole(send, found.status, found.json(), headers)


async def _models(exchange: _Exchange) -> Answer:
    with_sizes = exchange.call.header(SIZES_HEADER.lower().encode()) == "1"
    return await answers.models(exchange.node, with_sizes=with_sizes)


async def _is_copy_allowed(exchange: _Exchange) -> Answer:
    return await answers.is_model_copy_allowed(exchange.node, exchange.model_id)


async def _dataset_tags(exchange: _Exchange) -> Answer:
    return await answers.dataset_tags(exchange.node)


async def _search_encrypted(exchange: _Exchange) -> Answer:
    try:
        fields = await exchange.fields()
    except (BadRequest, Stalled):
        fields = None
    return await answers.search_encrypted_models(exchange.node, fields)


async def _search(exchange: _Exchange) -> Answer:
    try:
        fields = await exchange.fields()
    except (BadRequest, Stalled):
        fields = None
    return await answers.search(exchange.node, fields)


async def _serve_model(exchange: _Exchange) -> Answer:
    if not is_form(exchange.call.content_type):
        try:
            fields = await exchange.fields(MAX_BODY_BYTES)
        except BadRequest:
            return await answered(_too_large_whole, "message", success=False)
        except Stalled:
            return await answered(_stalled, "message", success=False)
        return await answers.serve_model(exchange.node, fields)

    async def take() -> dict[str, Any]:
        async with exchange.node.incoming() as taken:
            try:
                wish = await ServeForm(exchange.call.content_type, taken).read(exchange.call)
            except Stalled:
                await _stalled()
            message = await taken.commit(wish.model_id, allow_download=wish.allow_download, encoding=wish.encoding)
        return {"success": True, "message": message}

    return await answered(take, "message", success=False)


async def _too_large_whole() -> None:
    raise TooLarge(
        f"a body of more than {MAX_BODY_BYTES >> 20} MiB",
        remedy="Send a larger model as a file of a multipart form.",
    )


async def _stalled() -> None:
    raise BadRequest("nothing came any more", remedy="Nothing was kept. Send it again.")


async def _get_model(exchange: _Exchange) -> Answer | None:
    async with contextlib.AsyncExitStack() as stack:

        async def call() -> Download | dict[str, str]:
            download = await stack.enter_async_context(exchange.node.get_model(exchange.model_id))
            if download.size_bytes is None or download.size_bytes > MAX_WHOLE_MODEL_BYTES:
                return download
            data = b"".join([chunk async for chunk in download.chunks])
            return {"serialized_model": data.decode(MODEL_ENCODING)}

        answer = await answered(call, "error")
        if not isinstance(answer.body, Download):
            return answer
        boundary = secrets.token_hex(16)
        headers: list[Header] = [(b"content-type", f"multipart/form-data; boundary={boundary}".encode())]
        if answer.body.size_bytes is not None:
            headers.append((MODEL_BYTES_HEADER.lower().encode(), str(answer.body.size_bytes).encode()))
        pieces = _form_of(answer.body, boundary)
        await send_stream(exchange.call.send, pieces, tuple(headers), stall_s=exchange.call.patience.stall_s)
    return None


async def _form_of(download: Download, boundary: str) -> AsyncIterator[bytes]:
    """The form of the one field `serialized_model`: the model's text, in UTF-8."""
    yield (
        f'--{boundary}\r\nContent-Disposition: form-data; name="serialized_model"\r\n'
        "Content-Type: text/plain; charset=utf-8\r\n\r\n"
    ).encode()
    async for chunk in download.chunks:
        yield chunk.decode(MODEL_ENCODING).encode()
    yield f"\r\n--{boundary}--\r\n".encode()
