"""Answers that are not the node's: a framework's own page or text, and a redirect that only wants another slash."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import SplitResult, unquote_to_bytes, urljoin, urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}
_CARRIERS = {"ws": "http", "wss": "https"}

# What Flask, Express, NestJS, Spring, Kong and their like say by themselves of a path that nobody serves.
_OF_A_FRAMEWORK = re.compile(
    r"(?:error:?\s*)?404\b.*"
    r"|(?:page |path |route |url |endpoint )?not[ _]found[.!]?"
    r"|no such (?:page|path|route|url|endpoint)[.!]?"
    r"|the requested url .*"
    r"|cannot (?:get|post)\b.*"
    r"|no (?:matching )?route\b.*"
    r"|no message available"
    r"|(?:the )?method (?:is )?not allowed\b.*",
    re.IGNORECASE | re.DOTALL,
)


def is_of_a_node(body: object) -> bool:
    """Whether an answer without success is the node's own: it has a specified field, in words of its own."""
    if not isinstance(body, Mapping) or not body:
        return body == {}
    texts = [text for key in ("error", "message") if isinstance(text := body.get(key), str)]
    if isinstance(body.get("success"), bool):
        return bool(texts)
    return any(not _OF_A_FRAMEWORK.fullmatch(text.strip()) for text in texts)


def is_slash_apart(asked: str, location: str) -> bool:
    """Whether a redirect from the address `asked` to `location` only adds or removes the slash at the end of the path.

    So frameworks answer where a route was written in the other way. Nothing was executed.
    """
    try:
        here, there = urlsplit(asked), urlsplit(urljoin(asked, location))
        is_same = _origin(here) == _origin(there)
    except ValueError:
        return False
    if not is_same or "@" in there.netloc or here.query != there.query or there.fragment:
        return False
    one, other = unquote_to_bytes(here.path), unquote_to_bytes(there.path)
    return other in (one + b"/", one.removesuffix(b"/")) and one != other


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    scheme = _CARRIERS.get(parts.scheme, parts.scheme)
    return scheme, parts.hostname, parts.port or _DEFAULT_PORTS.get(scheme)
