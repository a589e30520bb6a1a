"""Errors on the wire: the status and body that stand for one, and the one that an answer stands for.

The specification has `error`, `message` and `log_tail` (EM API §1, §5, §6). A server of emtui adds `remedy` and
`field`, so that its client says the same as local mode does; `detail` is what servers in the field say of a 401.
A path that leaves the volume may be a 400 too: the specification has a 403 for a downlink only.
"""

from collections.abc import Mapping
from typing import Any

from emtui.errors import (
    BadRequest,
    BuildFailed,
    Conflict,
    ContractViolation,
    EmtuiError,
    Forbidden,
    InvalidField,
    LoadFailed,
    Locked,
    LoggedFailure,
    NotFound,
    NotSignedIn,
    RemoteFailed,
    Unreachable,
)
from emtui.text import safe_str

_MOST_LOG_LINES = 100
_MOST_MESSAGE_CHARS = 4096
_SHOWN_CHARS = 80

_MOST_WIRE_CHARS = 1000

_WITHOUT_STATUS = 500
_LOCKED_REMEDY = "Try again in a moment."


def error_to_wire(error: EmtuiError) -> tuple[int, dict[str, Any]]:
    """The status and the JSON body that stand for `error`. What no status is known for is a 500.

    A message may repeat what was sent: it is cut to 1,000 characters.
    """
    status = error.status or _WITHOUT_STATUS
    is_inner = status == _WITHOUT_STATUS and not isinstance(error, ContractViolation)
    message = _cut(error.message)
    body: dict[str, Any] = {"error": RemoteFailed.code if is_inner else error.code, "message": message}
    if isinstance(error, NotSignedIn):
        body["detail"] = message
    if isinstance(error, InvalidField):
        body["field"] = error.field
    if isinstance(error, LoggedFailure):
        body["log_tail"] = list(error.log_tail)
    if isinstance(error, Locked) and error.remedy == Locked.default_remedy:
        body["remedy"] = _LOCKED_REMEDY  # not every client tries again by itself
    elif error.remedy:
        body["remedy"] = error.remedy
    return status, body


def _cut(message: str) -> str:
    return message if len(message) <= _MOST_WIRE_CHARS else f"{message[: _MOST_WIRE_CHARS - 1]}…"


def error_from_wire(status: int, body: object, *, retry_after_s: float | None = None) -> EmtuiError:
    """What an answer with an error's status means. `body` is its JSON, or text where it is none.

    `retry_after_s` is what its Retry-After said, if it said it.
    """
    fields: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
    message = _message(fields, body, status)
    remedy = fields["remedy"] if isinstance(fields.get("remedy"), str) and fields["remedy"] else None
    code = fields["error"] if isinstance(fields.get("error"), str) and fields["error"].isidentifier() else None
    error = _of_status(status, code, message, fields, retry_after_s)
    if remedy is not None and not (isinstance(error, Locked) and remedy == _LOCKED_REMEDY):
        error.remedy = remedy
    return error


def _of_status(
    status: int, code: str | None, message: str, fields: Mapping[str, Any], retry_after_s: float | None
) -> EmtuiError:
    if status in (423, 429):
        locked = Locked(message)
        locked.retry_after_s = retry_after_s
        return locked
    if status == 413:
        return BadRequest(message, code="MAX_UPLINK_SIZE_EXCEEDED", remedy="Send the files in several calls.")
    if status in (502, 503, 504):
        # 503 is said before a request is taken on; a gateway says the others after it has handed it on.
        return Unreachable(f"{status}: {message}", may_have_run=status != 503, retry_after_s=retry_after_s)
    if status >= 500:
        return ContractViolation(message) if code == ContractViolation.code else RemoteFailed(message)
    if status == 400:
        return _of_bad_request(code, message, fields)
    kinds: dict[int, type[EmtuiError]] = {401: NotSignedIn, 403: Forbidden, 404: NotFound, 409: Conflict}
    kind = kinds.get(status, BadRequest)
    return kind(message, code=code)


def _of_bad_request(code: str | None, message: str, fields: Mapping[str, Any]) -> EmtuiError:
    if code == BuildFailed.code:
        return BuildFailed(_log_tail(fields))
    if code == LoadFailed.code:
        return LoadFailed(_log_tail(fields))
    if code == Forbidden.code:
        return Forbidden(message)
    field = fields.get("field")
    if code == InvalidField.code and isinstance(field, str):
        return InvalidField(field, message.removeprefix(f"{field}: "))
    return BadRequest(message, code=code)


def _log_tail(fields: Mapping[str, Any]) -> list[str]:
    lines = fields.get("log_tail")
    if isinstance(lines, str):
        lines = lines.splitlines(keepends=True)
    if not isinstance(lines, list):
        return []
    return [str(line)[:_MOST_MESSAGE_CHARS] for line in lines[-_MOST_LOG_LINES:]]


def _message(fields: Mapping[str, Any], body: object, status: int) -> str:
    for key in ("message", "detail", "error"):
        if isinstance(fields.get(key), str) and fields[key]:
            return str(fields[key])[:_MOST_MESSAGE_CHARS]
    # What a form's check says in the field: {"node": ["This field is required."]}.
    for key, value in fields.items():
        first = value[0] if isinstance(value, list) and value else value
        if isinstance(first, str):
            return f"{key}: {first}"[:_MOST_MESSAGE_CHARS]
    if isinstance(body, str) and body.strip():
        return f"it answered {status} with: {shown(body)}"
    return f"it answered {status} and no more"


def shown(body: str) -> str:
    """The first 80 characters of what came, harmless."""
    return safe_str(" ".join(body[: 4 * _SHOWN_CHARS].split()), _SHOWN_CHARS)
