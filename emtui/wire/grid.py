"""The Grid Node API's words: its messages, what an answer's body means, and how an id stands in an address."""

import codecs
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from emtui.errors import (
    BadRequest,
    Conflict,
    ContractViolation,
    EmtuiError,
    Forbidden,
    InvalidField,
    NotFound,
    NotSignedIn,
    RemoteFailed,
)

MODEL_NOT_FOUND = "Model not found."
NOT_ALLOWED_TO_DOWNLOAD = "You're not allowed to download this model."
ID_TAKEN = "Model id already exists."
INVALID_PAYLOAD = "Invalid payload format"
ENCRYPTED_NOT_FOUND = "Model ID not found!"
NOT_SIGNED_IN = "Authentication credentials were not provided."

MODEL_ENCODING = "ISO-8859-1"
"""A serialized model travels as text: its bytes decoded so (wire contract)."""

MAX_EVENT_BYTES = 1_000_000
"""What a Socket.IO server takes in one event (engine.io's default); more drops the connection without an error."""

SIZES_HEADER = "X-Emtui-Sizes"
"""With `1` a client of emtui asks that `/models` tells `sizes` too, {id: bytes}: the specification has none."""

MODEL_BYTES_HEADER = "X-Emtui-Model-Bytes"
"""How many bytes the model of a `/get_model` answer has, where that is not the length of the answer."""

MODEL_CHARSET_HEADER = "X-Emtui-Model-Charset"
"""With `utf-8` it says that the model in the form of a `/serve-model/` is text, with `binary` that it is the bytes."""

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
    message = _message(fields)
    # Null and empty mean that there is none, as of every field.
    is_refused = fields.get("success") is False or bool(fields.get("error"))
    if not is_refused and (status is None or status < 400):
        return None
    return _own(fields, message) or _known(message, status)


def refusal(error: EmtuiError, key: str) -> tuple[int, dict[str, Any]]:
    """The status and the body of a refused call; `key` is where the specification has its message.

    What the specification names is answered so and no more. Anything else also says its `code`, `remedy` and
    `field`, so that a client of emtui says the same as local mode does.
    """
    body: dict[str, Any] = {key: error.message}
    if error.message in _KNOWN:
        return _STATUS_OF_KNOWN.get(type(error), 400), body
    status = error.status or RemoteFailed.status
    is_inner = status == RemoteFailed.status and not isinstance(error, ContractViolation)
    body["code"] = RemoteFailed.code if is_inner else error.code
    if isinstance(error, InvalidField):
        body["field"] = error.field
    if error.remedy:
        body["remedy"] = error.remedy
    return status or 500, body


def _own(fields: Mapping[str, Any], message: str) -> EmtuiError | None:
    """The error that a server of emtui has described with `refusal`."""
    code = _text(fields, "code")
    kind = _OWN.get(code)
    if code == InvalidField.code and _text(fields, "field"):
        error: EmtuiError = InvalidField(fields["field"], message.removeprefix(f"{fields['field']}: "))
    elif kind is not None:
        error = kind(message)
    else:
        return None
    error.remedy = _text(fields, "remedy")
    return error


_KNOWN: dict[str, tuple[type[EmtuiError], str | None]] = {
    MODEL_NOT_FOUND: (NotFound, None),
    ENCRYPTED_NOT_FOUND: (NotFound, None),
    NOT_ALLOWED_TO_DOWNLOAD: (Forbidden, COPIES_NOT_ALLOWED_REMEDY),
    INVALID_PAYLOAD: (BadRequest, "Give the id of an encrypted model."),
    ID_TAKEN: (Conflict, None),
    NOT_SIGNED_IN: (NotSignedIn, None),
}
_STATUS_OF_KNOWN = {NotFound: 404, Forbidden: 403, Conflict: 409, NotSignedIn: 401}
_OWN: dict[str, type[EmtuiError]] = {
    kind.code: kind
    for kind in (BadRequest, Conflict, ContractViolation, Forbidden, NotFound, NotSignedIn, RemoteFailed)
}
_OF_STATUS: dict[int, type[EmtuiError]] = {
    400: BadRequest,
    401: NotSignedIn,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: BadRequest,
}


def _known(message: str, status: int | None) -> EmtuiError:
    if message in _KNOWN:
        kind, remedy = _KNOWN[message]
        return kind(message, remedy=remedy)
    if status in _OF_STATUS:
        return _OF_STATUS[status](message or f"the Grid Node answered {status}")
    return RemoteFailed(message or "the Grid Node refused it without a reason")


_TAKEN = re.compile(r"already e[xi]{2}sts|should be unique", re.IGNORECASE)


def served_error(body: object, status: int | None = None) -> EmtuiError | None:
    """The error of an answer to `/serve_model`; older nodes word it differently, and put it under `error`."""
    fields: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
    if status in (400, 401, 403, 413) or (status is not None and status >= 500 and not _TAKEN.search(_message(fields))):
        return error_of(body, status)
    if fields.get("success") is True and (status is None or status < 400):
        return None
    message = _message(fields)
    own = _own(fields, message)
    if own is not None or message == NOT_SIGNED_IN:
        return own or NotSignedIn(message)
    if status == 409 or fields.get("success") is False or _TAKEN.search(message):
        return Conflict(ID_TAKEN if not message or _TAKEN.search(message) else message)
    return error_of(body, status)


def _message(fields: Mapping[str, Any]) -> str:
    return _text(fields, "error") or _text(fields, "message") or _text(fields, "detail")


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
    return foreign_text(unquote_to_bytes(segment))


def foreign_text(raw: bytes) -> str:
    """Text that may hold lone surrogates. What is not UTF-8 is held by surrogateescape."""
    try:
        return raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return raw.decode("utf-8", "surrogateescape")


# Not one character after the other, and slow.
_NO_ENCODINGS = frozenset({"idna", "punycode"})


def text_of_model(data: bytes, encoding: str) -> str:
    """A model's bytes as the text that travels.

    Raises:
        InvalidField: `encoding` is none, or cannot hold these bytes.
    """
    with _encoding(encoding):
        text = data.decode(encoding)
        if text.encode(encoding) == data:
            return text
    raise InvalidField("encoding", f"this model is no text of {encoding}", remedy=_ENCODING_REMEDY)


def bytes_of_model(text: str, encoding: str) -> bytes:
    """The bytes of the text that a model travels as.

    Raises:
        InvalidField: `encoding` is none, or has not all of these characters.
    """
    with _encoding(encoding):
        return text.encode(encoding)


_ENCODING_REMEDY = f"Use {MODEL_ENCODING}, which holds any bytes."


@contextmanager
def _encoding(name: str) -> Iterator[None]:
    try:
        check_encoding(name)
        yield
    except UnicodeError:
        problem = f"this model is no text of {name[:64]}"
        raise InvalidField("encoding", problem, remedy=_ENCODING_REMEDY) from None


def check_encoding(name: str) -> None:
    """Raises InvalidField where `name` is not an encoding of text that is known here."""
    try:
        # Python reads `utf\n8` as a name too; no node has to.
        is_known = (
            name.isascii()
            and name.isprintable()
            and codecs.lookup(name).name not in _NO_ENCODINGS
            and isinstance("".encode(name), bytes)
        )
    except (LookupError, ValueError):  # ValueError: a NUL in the name
        is_known = False
    if not is_known:
        raise InvalidField("encoding", f"not the name of an encoding: {name[:64]}", remedy=_ENCODING_REMEDY)


def json_text(value: object) -> str:
    """`value` as JSON that UTF-8 can hold, as short as it can be: lone surrogates, which ids may have, are escapes."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"))
    return text
