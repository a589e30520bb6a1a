"""What went wrong on the way, as one of emtui's errors: its cause, and whether the request may have been executed."""

import os
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpcore

from emtui.client.http.address import Address
from emtui.client.http.tls import untrusted
from emtui.errors import EmtuiError, Unreachable, Untrusted
from emtui.text import safe_str

LONGEST_RETRY_AFTER_S = 120.0
"""What an other side can make a client wait; one that asks for a day is asked again all the same."""

_PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
# Nothing of the request has left before these.
_BEFORE_IT_LEFT = (httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.PoolTimeout)


def failure(error: Exception, address: Address, *, connect_s: float) -> EmtuiError:
    """What a failure of the network means for a request to `address`."""
    label = address.label
    causes = list(_causes(error))
    if isinstance(error, _BEFORE_IT_LEFT):
        return _before_it_left(error, causes, address, connect_s)
    if isinstance(error, httpcore.LocalProtocolError):
        # Said before the head is written. Its text may hold a header's value, which may be a token.
        return EmtuiError(f"{label}: the request cannot be sent", remedy="A fault of emtui; please report it.")
    if isinstance(error, httpcore.TimeoutException):
        reason = "the transfer has stalled"
    elif isinstance(error, httpcore.ProtocolError):
        reason = f"it broke off, or does not speak HTTP: {safe_str(str(error), 120)}"
    else:
        reason = _reason(causes, "the connection was lost")
    return Unreachable(f"{label}: {reason}", may_have_run=True)


def _before_it_left(
    error: Exception, causes: list[BaseException], address: Address, connect_s: float
) -> Unreachable | Untrusted:
    label = address.label
    if isinstance(error, httpcore.TimeoutException):
        return _unreachable(f"{label}: no connection within {connect_s:g} s")
    for cause in causes:
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError):
            return untrusted(cause, label)
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return _unreachable(f"{address.host}: no such name is known (DNS)", "Check the name and the network.")
    return _unreachable(f"{label}: {_reason(causes, 'no connection')}")


def _unreachable(message: str, remedy: str = Unreachable.default_remedy) -> Unreachable:
    proxies = [name for name in _PROXY_VARIABLES if os.environ.get(name)]
    if proxies:
        remedy = f"{remedy} Proxies are not used here, though {proxies[0]} is set."
    return Unreachable(message, may_have_run=False, remedy=remedy)


def before_the_call(what: str, error: EmtuiError) -> Unreachable:
    """`error` met a request that had to go before a call, which therefore has not left: nothing of it was executed."""
    wait_s = error.retry_after_s if isinstance(error, Unreachable) else None
    return Unreachable(
        f"{what} failed, so that nothing was sent: {error.message}",
        may_have_run=False,
        retry_after_s=wait_s,
        remedy=error.remedy or None,
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and all that it came from."""
    pending: list[BaseException | None] = [error]
    seen: set[int] = set()
    while pending:
        current = pending.pop(0)
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        pending += [current.__cause__, current.__context__]
        if isinstance(current, BaseExceptionGroup):
            pending += current.exceptions


def _reason(causes: list[BaseException], otherwise: str) -> str:
    numbers = [cause.errno for cause in causes if isinstance(cause, OSError) and cause.errno]
    return os.strerror(numbers[-1]) if numbers else otherwise


def retry_after_s(value: str | None) -> float | None:
    """What a `Retry-After` asks for, in seconds from now: it may be a number or a date. Capped; None for nonsense."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        seconds = float(text[:12])
    else:
        try:
            moment = parsedate_to_datetime(text)
            seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
        except (ValueError, OverflowError):
            return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_S)
