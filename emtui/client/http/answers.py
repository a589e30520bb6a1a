"""What an answer's body says: JSON where JSON is promised, and else an error that shows what came."""

import asyncio
from typing import Any

from emtui.client.http.failures import retry_after_s
from emtui.client.http.transport import Answer
from emtui.errors import ContractViolation, EmtuiError, Unreachable
from emtui.wire.deep_json import loads
from emtui.wire.errors import error_from_wire, shown

# Reading less JSON than this takes less than a change of threads.
_SMALL_BYTES = 1 << 16
_SEEN_BYTES = 4096
_BOM = b"\xef\xbb\xbf"
SOMETHING_ELSE = (
    "Check the address: something else than the API answered; a captive portal or a proxy of this network does so too."
)


def is_success(answer: Answer) -> bool:
    return 200 <= answer.status < 300


def is_json(kind: str) -> bool:
    """Whether a Content-Type, in lower case and without its parameters, says that it is JSON."""
    return kind in ("application/json", "text/json") or kind.endswith("+json")


async def json_of(answer: Answer, most_bytes: int) -> Any:
    """The JSON of an answer that succeeded.

    Raises:
        ContractViolation: it is too large, or no JSON; the first characters of what came are shown.
        Unreachable: it was cut off.
    """
    body = await body_of(answer, most_bytes)
    return await asyncio.to_thread(parsed, answer, body) if len(body) > _SMALL_BYTES else parsed(answer, body)


async def body_of(answer: Answer, most_bytes: int) -> bytes:
    """The body of an answer of JSON, whole and not yet read.

    Raises:
        ContractViolation: it is too large, or says that it is something else.
    """
    await refuse_other_kinds(answer)
    body, is_whole = await answer.read(most_bytes)
    if not is_whole:
        raise ContractViolation(f"an answer of more than {most_bytes:,} bytes: {seen(answer, body)}")
    return body


async def refuse_other_kinds(answer: Answer) -> None:
    """Refuse what does not say that it is JSON.

    Raises:
        ContractViolation: with the first characters of what came.
    """
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind and not is_json(kind):
        body, _ = await answer.read(_SEEN_BYTES)
        raise ContractViolation(
            f"JSON is promised, and {shown(kind)} came with {answer.status}: {seen(answer, body)}",
            remedy=SOMETHING_ELSE,
        )


def parsed(answer: Answer, body: bytes) -> Any:
    """The value that a whole body is JSON of. Blocks as long as that takes.

    Raises:
        ContractViolation: it is none.
        Unreachable: it was cut off.
    """
    try:
        if body.startswith(_BOM):
            raise ValueError("a byte order mark is no JSON")
        return loads(body)
    except ValueError as error:
        if answer.ends_with_the_connection and body[:1] in (b"{", b"["):
            raise Unreachable(f"the answer was cut off after {len(body):,} bytes", may_have_run=True) from None
        what = f"{seen(answer, body)} ({error})" if body.strip() else "nothing at all"
        raise ContractViolation(
            f"JSON is promised, and with {answer.status} came: {what[:400]}", remedy=SOMETHING_ELSE
        ) from None


async def problem_of(answer: Answer, most_bytes: int) -> EmtuiError:
    """The error that an answer without success stands for."""
    return error_from_wire(
        answer.status,
        await problem_body(answer, most_bytes),
        retry_after_s=retry_after_s(answer.headers.get("retry-after")),
    )


async def problem_body(answer: Answer, most_bytes: int) -> object:
    """The JSON of an answer without success, its text where it is none, nothing where it cannot be had.

    It says nothing of the secrets that were sent.

    The status has told what counts; a body that is broken off or compressed changes nothing about it.
    """
    try:
        body, _ = await answer.read(most_bytes)
    except (ContractViolation, Unreachable):
        return ""
    return await asyncio.to_thread(_said, answer, body) if len(body) > _SMALL_BYTES else _said(answer, body)


def _said(answer: Answer, body: bytes) -> object:
    try:
        return answer.secrets.clean_all(loads(body))
    except ValueError:
        return answer.secrets.clean(body[:_SEEN_BYTES].decode("utf-8", "replace"))


def seen(answer: Answer, body: bytes) -> str:
    """The first characters of what came, harmless and without our own secrets."""
    try:
        text = body[:_SEEN_BYTES].decode("utf-8")
    except UnicodeDecodeError:
        text = body[:_SEEN_BYTES].decode("latin-1")
    return shown(answer.secrets.clean(text))
