"""What the Grid Node answers (Grid Node API), whatever the transport: a status, and the body that is the answer.

Over Socket.IO only the body travels. What goes wrong is an answer too; nothing is raised.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from emtui.errors import EmtuiError, InvalidField, NotSignedIn, RemoteFailed
from emtui.files import MemorySource
from emtui.local.grid import LocalGrid
from emtui.server.http.call import ClientGone
from emtui.wire.deep_json import loads
from emtui.wire.grid import (
    MODEL_ENCODING,
    NOT_ALLOWED_TO_DOWNLOAD,
    NOT_SIGNED_IN,
    bytes_of_model,
    json_text,
    refusal,
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """A status of HTTP and the body; `status` is of no account over Socket.IO."""

    status: int
    body: Any

    def json(self) -> bytes:
        """The body. Lone surrogates, which no UTF-8 can hold, stay as escapes; all else is as short as it can be."""
        return json_text(self.body).encode()


INTERNAL = RemoteFailed("the Grid Node failed inside", remedy="Look at the server's log.")


async def answered(call: Callable[[], Awaitable[Any]], key: str, **also: Any) -> Answer:
    """The answer that a call's result, or its error, is. `key` is where the specification has the error's message.

    Raises:
        ClientGone: nobody waits for the answer.
    """
    try:
        return Answer(200, await call())
    except EmtuiError as error:
        status, body = refusal(error, key)
    except ClientGone:
        raise
    except Exception:  # noqa: BLE001 - the connection lives, and the caller learns nothing of the inside
        _log.exception("a call of the Grid Node failed")
        status, body = refusal(INTERNAL, key)
    return Answer(status, {**also, **body})


def not_signed_in() -> Answer:
    """What is said without a token, or with one that is not accepted."""
    status, body = refusal(NotSignedIn(NOT_SIGNED_IN), "error")
    return Answer(status, {**body, "message": NOT_SIGNED_IN, "detail": NOT_SIGNED_IN})


async def models(node: LocalGrid, *, with_sizes: bool) -> Answer:
    """`/models`."""

    async def call() -> dict[str, Any]:
        body: dict[str, Any] = {"success": True, "models": list(await node.models())}
        if with_sizes:
            body["sizes"] = await node.model_sizes()
        return body

    return await answered(call, "error", success=False)


async def is_model_copy_allowed(node: LocalGrid, model_id: str) -> Answer:
    """`/is_model_copy_allowed/<model_id>`: 200 whatever the answer."""

    async def call() -> dict[str, Any]:
        if await node.is_model_copy_allowed(model_id):
            return {"success": True}
        return {"success": False, "error": NOT_ALLOWED_TO_DOWNLOAD}

    answer = await answered(call, "error", success=False)
    return Answer(200 if answer.status < 500 else answer.status, answer.body)


async def dataset_tags(node: LocalGrid) -> Answer:
    """`/dataset-tags`."""

    async def call() -> list[str]:
        return list(await node.dataset_tags())

    return await answered(call, "error")


async def search_encrypted_models(node: LocalGrid, fields: Mapping[str, Any] | None) -> Answer:
    """`/search-encrypted-models`."""
    model_id = None if fields is None else fields.get("model_id")

    async def call() -> dict[str, Any]:
        found = await node.search_encrypted_models(model_id if isinstance(model_id, str) else "")
        return {"workers": list(found.workers), "crypto_provider": list(found.crypto_provider)}

    return await answered(call, "error")


async def search(node: LocalGrid, fields: Mapping[str, Any] | None) -> Answer:
    """`/search`. Without a tag the specified answer is an empty object."""
    query = None if fields is None else fields.get("query")
    if not isinstance(query, str) or not query:
        return Answer(400, {})

    async def call() -> dict[str, Any]:
        return {"content": await node.search(query)}

    return await answered(call, "error")


@dataclass(frozen=True, slots=True)
class ServeFields:
    """The fields of a `/serve_model`, but for the model."""

    model_id: str
    encoding: str
    allow_download: bool


def serve_fields(fields: Mapping[str, Any]) -> ServeFields:
    """What was given; `allow_remote_inference` is read and of no account here: nothing is inferred.

    Raises:
        InvalidField: the field is named.
    """
    is_allowed = _statement(fields, "allow_download")
    _statement(fields, "allow_remote_inference")
    encoding = _text(fields, "encoding") or MODEL_ENCODING
    return ServeFields(_text(fields, "model_id"), encoding, is_allowed)


async def serve_model(node: LocalGrid, fields: Mapping[str, Any] | None) -> Answer:
    """`/serve_model` whose model is one of the fields, as text or as bytes."""

    async def call() -> dict[str, Any]:
        given = _object(fields)
        wish = serve_fields(given)
        data = model_bytes(given.get("model"), wish.encoding)
        source = MemorySource("model", data)
        message = await node.serve_model(
            source, wish.model_id, allow_download=wish.allow_download, encoding=wish.encoding
        )
        return {"success": True, "message": message}

    return await answered(call, "message", success=False)


def model_bytes(model: object, encoding: str) -> bytes:
    """The model in a body.

    Raises:
        InvalidField: it is missing, or no text of `encoding`.
    """
    if isinstance(model, str):
        return bytes_of_model(model, encoding)
    if isinstance(model, bytes | bytearray):
        return bytes(model)
    what = "is missing" if model is None else "is neither text nor bytes"
    raise InvalidField("model", what, remedy=f"Send the model's bytes as text of {MODEL_ENCODING}.")


def fields_of(body: object) -> Mapping[str, Any] | None:
    """The fields of a body: an object, or the JSON text of one. None where it is anything else."""
    if isinstance(body, str | bytes):
        try:
            body = loads(body)
        except ValueError:
            return None
    return body if isinstance(body, Mapping) else None


def _object(fields: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if fields is None:
        raise InvalidField("body", "an object is needed", remedy="Send encoding, model_id, allow_download and model.")
    return fields


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidField(name, "is no text")
    return value or ""


_STATEMENTS = {"true": True, "false": False}


def _statement(fields: Mapping[str, Any], name: str) -> bool:
    """True, False, or their names. Not given means False, as nothing is given away that nobody allowed."""
    value = fields.get(name)
    if isinstance(value, bool) or value is None or value == "":
        return bool(value)
    known = _STATEMENTS.get(value.lower()) if isinstance(value, str) else None
    if known is None:
        raise InvalidField(name, "is neither True nor False")
    return known
