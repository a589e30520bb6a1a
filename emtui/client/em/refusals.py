"""What an answer without success says of how a call was spoken: not at this path, not by this name, not in this body.

Only what is sure counts. A sentence that happens to hold a field's name is the EM's answer: the call was worked on,
and must not be sent again in other words.
"""

import html
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from emtui.errors import BuildFailed, InvalidField, LoadFailed

# Said by a server that has understood the request.
_UNDERSTOOD = (BuildFailed.code, LoadFailed.code, InvalidField.code, "NO_FILES", "MAX_UPLINK_SIZE_EXCEEDED")
_TEXTS = ("message", "detail", "error")
_INNER = (*_TEXTS, "errors", "json", "form", "body")
_MISSING_TYPES = ("missing", "value_error.missing")
_MOST_CHARS = 300
_MOST_PAGE_CHARS = 4096

# Said of one field: "This field is required.", "Missing data for required field."
_OF_A_FIELD = re.compile(
    r"(?:this |the )?(?:field |value |parameter |property |key |argument )?(?:is |was )?(?:missing )?"
    r"(?:required|missing)(?: field| parameter| property| argument| key)?(?: in the [\w ]{1,80})?[.!]?"
    r"|missing data for required field[.!]?",
    re.IGNORECASE,
)
_NAME = r"['\"`]?[A-Za-z_][\w-]*['\"`]?"
_NAMES = rf"(?P<names>{_NAME}(?:(?:, and |, or |, ?| and | or | & ){_NAME})*)"
_KIND = (
    r"(?:(?:required|mandatory|form|json|body|request|query) )*"
    r"(?:fields?|parameters?|params?|keys?|arguments?|values?|property|properties)"
)
_IS = "(?:(?:is|are|was|were) )?"
_GIVEN = "(?:given|provided|set|specified|supplied)"
_IN_WORDS = tuple(
    re.compile(rf"(?:error: ?)?{pattern}[.!]?", re.IGNORECASE)
    for pattern in (
        rf"(?:the )?(?:{_KIND} )?{_NAMES}(?: {_KIND})? (?:is|are) (?:required|mandatory)",
        rf"(?:the )?(?:{_KIND} )?{_NAMES}(?: {_KIND})? must be {_GIVEN}",
        rf"(?:the )?(?:{_KIND} )?{_NAMES}(?: {_KIND})? {_IS}not {_GIVEN}",
        rf"(?:the )?{_KIND} {_NAMES} (?:is|are|was|were) missing",
        rf"(?:the )?{_NAMES} {_KIND} (?:is|are|was|were) missing",
        rf"missing {_KIND}:? {_NAMES}",
        rf"{_KIND} (?:required|missing):? {_NAMES}",
        rf"no (?:{_KIND} )?{_NAMES} {_IS}{_GIVEN}",
        r"(?:KeyError:? ?)?['\"](?P<names>\w+)['\"]",
    )
)
# What says nothing but that the request was not understood.
_UNSPECIFIC = re.compile(
    r"(?:error:? )?(?:400:? ?)?(?:bad|invalid|malformed)[ _]request(?: body| data| payload)?(?: ?\(?400\)?)?[.!]?"
    r"|(?:the|your) browser (?:\(or proxy\) )?sent a request that this server could not understand[.!]?"
    r"|failed to decode json object\b.*|json parse error\b.*|there was an error parsing the body[.!]?"
    r"|(?:invalid|no|missing) (?:json|body|payload|form|form data|input|data)(?: data| body)?"
    r"(?: provided| given| received)?[.!]?"
    rf"|missing {_KIND}[.!]?|{_KIND} (?:are |is )?(?:missing|required)[.!]?",
    re.IGNORECASE,
)
_NOISE = re.compile(r"<(title|style|script|address)\b.*?</\1\s*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_SERVER_NAME = re.compile(r"(?:nginx|apache|openresty|caddy)(?:/[\w.]+)?", re.IGNORECASE)
# What frameworks say by themselves of a path that nobody serves.
_NO_SUCH_PATH = re.compile(
    r"(?:error:? )?(?:404:? ?)?(?:the )?(?:page |path |route |url |endpoint |resource )?not[ _]found[.!]?"
    r"|(?:404 )?page not found|the requested url\b.*|cannot (?:get|post)\b.*|no message available"
    r"|no such (?:path|page|route|url|endpoint)[.!]?|no (?:matching )?route\b.*"
    r"|(?:the )?(?:page|route|url|endpoint)\b.*(?:not found|does not exist|unknown)[.!]?",
    re.IGNORECASE | re.DOTALL,
)


def is_of_no_path(body: object, path: str) -> bool:
    """Whether a 404 says that `path` is not served. One that says in words that something else is missing does not."""
    text = _text(body)
    return not text or _NO_SUCH_PATH.fullmatch(text) is not None or path.strip("/") in text


def missing(body: object, names: Collection[str]) -> set[str]:
    """Those of `names` which an answer surely says are missing.

    A form's check puts them as keys, `{"image": ["This field is required."]}`; another one as places,
    `{"detail": [{"loc": ["body", "image"], "type": "missing"}]}`; others say it in words.
    """
    if is_understood(body):
        return set()
    found: set[str] = set()
    if isinstance(body, Mapping):
        for fields in (body, *(inner for key in _INNER if isinstance(inner := body.get(key), Mapping))):
            found |= {name for name in names if any(_OF_A_FIELD.fullmatch(text) for text in _texts(fields.get(name)))}
        for key in _INNER:
            found |= set(_places(body.get(key)))
    for text in _lines(body):
        found |= set(_named(text))
    return found & set(names)


def is_understood(body: object) -> bool:
    """Whether the code of an answer says that the call was understood, and then failed."""
    code = body.get("error") if isinstance(body, Mapping) else None
    return isinstance(code, str) and (code in _UNDERSTOOD or code.endswith("_FAILED"))


def is_unspecific(body: object) -> bool:
    """Whether a 400 gives no reason at all: a framework's fixed page or text, said before the call was looked at."""
    if is_understood(body):
        return False
    if isinstance(body, Mapping) and any(isinstance(value, list | Mapping) and value for value in body.values()):
        return False
    return all(_UNSPECIFIC.fullmatch(text) for text in _lines(body))


def _text(body: object) -> str:
    """What a JSON answer says, empty where it says nothing or is none."""
    said = (body.get(key) for key in _TEXTS) if isinstance(body, Mapping) else ()
    return " ".join(next((text for text in said if isinstance(text, str) and text), "").split())


def _lines(body: object) -> list[str]:
    """What an answer says in words: an object's message, or the lines of a page."""
    if not isinstance(body, str):
        return [text[:_MOST_CHARS]] if (text := _text(body)) else []
    page = body[:_MOST_PAGE_CHARS]
    if page.lstrip().startswith("<"):
        page = html.unescape(re.sub(r"<[^>]*>", "\n", _NOISE.sub("\n", page)))
    lines = (" ".join(line.split())[:_MOST_CHARS] for line in page.splitlines())
    return [line for line in lines if line and not _SERVER_NAME.fullmatch(line)]


def _named(text: str) -> Iterator[str]:
    """The fields that a sentence says are missing, if it says just that."""
    field, colon, said = text.partition(": ")
    if colon and _OF_A_FIELD.fullmatch(said):
        yield field.strip("'\"`")
    for pattern in _IN_WORDS:
        if match := pattern.fullmatch(text):
            yield from re.findall(r"[A-Za-z_][\w-]*", match["names"])


def _places(entries: Any) -> Iterator[str]:
    for entry in entries if isinstance(entries, list) else ():
        place = entry.get("loc") if isinstance(entry, Mapping) else None
        if isinstance(place, list) and place and isinstance(place[-1], str) and entry.get("type") in _MISSING_TYPES:
            yield place[-1]


def _texts(said: object) -> list[str]:
    return [text.strip() for text in (said if isinstance(said, list) else [said]) if isinstance(text, str)]
