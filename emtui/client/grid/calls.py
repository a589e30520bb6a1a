"""The Grid Node API's calls, whatever carries them: what is asked, and what its answer says (Grid Node API)."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from emtui.errors import BadRequest, ContractViolation, EmtuiError, Forbidden
from emtui.wire.deep_json import loads
from emtui.wire.errors import shown
from emtui.wire.grid import MODEL_ENCODING, NOT_ALLOWED_TO_DOWNLOAD, error_of, json_text

if TYPE_CHECKING:
    from emtui.models import EncryptedModel

# Ids and sizes come with one answer; whoever asks for both within this time asks once.
_SAME_ANSWER_S = 1.0


class NotServed(ContractViolation):
    """The other side has no such call. Nothing was executed."""

    default_remedy = "Check the address: something else than a Grid Node answers there."


class GridCalls(ABC):
    """The calls whose answers are small; a transport says how one is asked, and brings and takes models."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] | None = None
        self._sizes_at = 0.0

    @abstractmethod
    async def _ask(
        self, call: str, fields: Mapping[str, Any] | None = None, *, model_id: str | None = None
    ) -> tuple[Any, int | None]:
        """The answer's body, and its status where the transport has one.

        `call` is the specified name, `fields` the body, and `model_id` what stands at the end of the name.
        """

    async def models(self) -> Sequence[str]:
        """The ids of the hosted models (`/models`)."""
        ids, self._sizes = listed(*await self._ask("/models"))
        self._sizes_at = time.monotonic()
        return ids

    async def model_sizes(self) -> dict[str, int]:
        """Bytes of the models, by id, where the node tells them, as a node of emtui does."""
        sizes, self._sizes = self._sizes, None
        if sizes is None or time.monotonic() - self._sizes_at > _SAME_ANSWER_S:
            _, sizes = listed(*await self._ask("/models"))
        return sizes

    async def is_model_copy_allowed(self, model_id: str) -> bool:
        """Whether the model may be downloaded (`/is_model_copy_allowed/<model_id>`)."""
        body, status = await self._ask("/is_model_copy_allowed", model_id=model_id)
        error = error_of(body, status)
        if isinstance(error, Forbidden) or (error is not None and error.message == NOT_ALLOWED_TO_DOWNLOAD):
            return False
        fields = _object(body, error, "is_model_copy_allowed")
        if fields.get("success") is not True:
            _wrong("success", "true or false", fields.get("success"))
        return True

    async def dataset_tags(self) -> Sequence[str]:
        """The tags of the node's datasets (`/dataset-tags`)."""
        body, status = await self._ask("/dataset-tags")
        _raise(error_of(body, status))
        return _texts("tags", body)

    async def search(self, query: str) -> bool:
        """Whether a dataset bears the tag (`/search`)."""
        body, status = await self._ask("/search", {"query": query})
        if body == {}:
            raise BadRequest("")
        content = _object(body, error_of(body, status), "search").get("content")
        if not isinstance(content, bool):
            _wrong("content", "true or false", content)
        return content

    async def search_encrypted_models(self, model_id: str) -> EncryptedModel:
        """Where an encrypted model is shared (`/search-encrypted-models`)."""
        from emtui.models import EncryptedModel

        body, status = await self._ask("/search-encrypted-models", {"model_id": model_id})
        fields = _object(body, error_of(body, status), "search-encrypted-models")
        return EncryptedModel(
            workers=_workers("workers", fields.get("workers")),
            crypto_provider=_workers("crypto_provider", fields.get("crypto_provider")),
        )


def read_body(body: object) -> Any:
    """An answer's body: some nodes answer the JSON text of it."""
    if isinstance(body, str):
        try:
            return loads(body)
        except ValueError:
            raise ContractViolation(f"an object is promised, and text came: {shown(body)}") from None
    return body


def listed(body: object, status: int | None) -> tuple[list[str], dict[str, int]]:
    """The ids of an answer to `/models`, and the sizes where it tells them.

    Raises:
        ContractViolation: it is of another shape; the field is named.
    """
    if isinstance(body, list):  # what the oldest nodes answer
        return _texts("models", body), {}
    fields = _object(body, error_of(body, status), "models")
    ids = _texts("models", fields.get("models"))
    sizes = fields.get("sizes", {})
    if not isinstance(sizes, Mapping):
        _wrong("sizes", "an object", sizes)
    for size in sizes.values():
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            _wrong("sizes", "bytes", size)
    return ids, dict(sizes)


def model_data(body: object, status: int | None) -> bytes:
    """The model in an answer to `/get_model`. Blocks for some milliseconds per MiB.

    Raises:
        NotFound, Forbidden: as `GridNode.get_model`.
        ContractViolation: it is of another shape, or no text that a model can be.
    """
    model = _object(body, error_of(body, status), "get_model").get("serialized_model")
    if isinstance(model, bytes):
        return model
    if not isinstance(model, str):
        _wrong("serialized_model", "text", model)
    try:
        return model.encode(MODEL_ENCODING)
    except UnicodeEncodeError:
        raise ContractViolation(f"serialized_model: text of {MODEL_ENCODING} is promised, not {shown(model)}") from None


def message_of(body: object, otherwise: str) -> str:
    """What the node says of a model that it has saved."""
    message = body.get("message") if isinstance(body, Mapping) else None
    return message if isinstance(message, str) and message else otherwise


def _object(body: object, error: EmtuiError | None, what: str) -> Mapping[str, Any]:
    _raise(error)
    if not isinstance(body, Mapping):
        _wrong(what, "an object", body)
    return body


def _raise(error: EmtuiError | None) -> None:
    if error is not None:
        raise error


def _texts(field: str, value: object) -> list[str]:
    if not isinstance(value, list):
        _wrong(field, "an array", value)
    for index, item in enumerate(value):
        if not isinstance(item, str):
            _wrong(f"{field}[{index}]", "text", item)
    return value


def _workers(field: str, value: object) -> tuple[str, ...]:
    """Each is text, or a pair of an id and its address; a single one may stand without its array."""
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list):
        _wrong(field, "an array", value)
    found = []
    for index, item in enumerate(value):
        parts = item if isinstance(item, list) else [item]
        if not parts or not all(isinstance(part, str) for part in parts):
            _wrong(f"{field}[{index}]", "text, or an id and its address,", item)
        found.append(" ".join(parts))
    return tuple(found)


def _wrong(field: str, promised: str, value: object) -> NoReturn:
    if isinstance(value, list | Mapping):
        came = "an array" if isinstance(value, list) else "an object"
    else:
        came = "nothing" if value is None else shown(json_text(value) if isinstance(value, str | int | float) else "")
    raise ContractViolation(f"{field}: {promised} is promised, not {came or 'what cannot be read'}")
