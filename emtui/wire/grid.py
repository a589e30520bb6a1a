"""The Grid Node API's words: its messages, what an answer's body means, and how an id stands in an address."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from emtui.errors import BadRequest, Conflict, EmtuiError, Forbidden, NotFound, NotSignedIn, RemoteFailed

MODEL_NOT_FOUND = "Model not found."
NOT_ALLOWED_TO_DOWNLOAD = "You're not allowed to download this model."
ID_TAKEN = "Model id already exists."
INVALID_PAYLOAD = "Invalid payload format"
ENCRYPTED_NOT_FOUND = "Model ID not found!"
NOT_SIGNED_IN = "Authentication credentials were not provided."

MODEL_ENCODING = "ISO-8859-1"
"""A serialized model travels as text: its bytes decoded so (wire contract)."""

COPIES_NOT_ALLOWED_REMEDY = "Ask whoever served it; copies are not allowed."


def saved(model_id: str) -> str:
    """What a node says of a model that it has saved."""
    return f"Model saved with id: {model_id}"


def error_of(body: object, status: int | None = None) -> EmtuiError | None:
    """The error that an answer of a Grid Node stands for, None if it is none.

    An acknowledgement carries the body alone: the status follows from its message (wire contract). `status` is the
    real one, over HTTP. Of a `/serve_model` every `success: false` is the 409: see `served_error`.
    """
    fields: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
    message = _text(fields, "error") or _text(fields, "message") or _text(fields, "detail")
    is_refused = fields.get("success") is False or "error" in fields
    if not is_refused and (status is None or status < 400):
        return None
    return _known(message, status)


_KNOWN: dict[str, tuple[type[EmtuiError], str | None]] = {
    MODEL_NOT_FOUND: (NotFound, None),
    ENCRYPTED_NOT_FOUND: (NotFound, None),
    NOT_ALLOWED_TO_DOWNLOAD: (Forbidden, COPIES_NOT_ALLOWED_REMEDY),
    INVALID_PAYLOAD: (BadRequest, "Give the id of an encrypted model."),
    ID_TAKEN: (Conflict, None),
    NOT_SIGNED_IN: (NotSignedIn, None),
}
_OF_STATUS: dict[int, type[EmtuiError]] = {
    400: BadRequest,
    401: NotSignedIn,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
}


def _known(message: str, status: int | None) -> EmtuiError:
    if message in _KNOWN:
        kind, remedy = _KNOWN[message]
        return kind(message, remedy=remedy)
    if status in _OF_STATUS:
        return _OF_STATUS[status](message or f"the Grid Node answered {status}")
    return RemoteFailed(message or "the Grid Node refused it without a reason")


def served_error(body: object, status: int | None = None) -> EmtuiError | None:
    """The error of an answer to `/serve_model`; older nodes word it differently, and put it under `error`."""
    fields: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
    if status in (400, 401, 403, 413) or (status is not None and status >= 500):
        return error_of(body, status)
    if fields.get("success") is True and (status is None or status < 400):
        return None
    message = _text(fields, "error") or _text(fields, "message")
    if status == 409 or fields.get("success") is False or message == ID_TAKEN:
        if message == NOT_SIGNED_IN:
            return NotSignedIn(message)
        return Conflict(ID_TAKEN)
    return error_of(body, status)


def _text(fields: Mapping[str, Any], key: str) -> str:
    value = fields.get(key)
    return value if isinstance(value, str) else ""


def quote_id(model_id: str) -> str:
    """A model's id as one segment of an address. Ids are free text; lone surrogates survive."""
    quoted = quote(model_id, safe="", errors="surrogatepass")
    # `.` and `..` would be taken for steps of the path.
    return quoted.replace(".", "%2E") if quoted.strip(".") == "" else quoted


def unquote_id(segment: bytes) -> str:
    """The inverse of `quote_id`. What is not UTF-8 is held by surrogateescape."""
    raw = unquote_to_bytes(segment)
    try:
        return raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return raw.decode("utf-8", "surrogateescape")
