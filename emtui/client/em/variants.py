"""How a call is spoken on one server: which of its paths, names and encodings it takes, and what to try next."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from emtui.client.em.dialects import Call, Encoding, Route
from emtui.errors import BuildFailed, InvalidField, LoadFailed

_NOT_SERVED = (404, 405)
_WRONG_BODY = 415
_WRONG_FIELDS = (400, 422)
# Said by a server that has understood the request.
_UNDERSTOOD = (BuildFailed.code, LoadFailed.code, InvalidField.code)
_WORDS_OF_AN_ERROR = ("error", "message", "detail", "remedy", "code", "status", "log_tail")
_SAYS_MISSING = re.compile(r"required|missing|must|not (?:given|provided|found in)|no .* provided", re.IGNORECASE)
_MOST_MESSAGE_CHARS = 400


@dataclass(frozen=True)
class Variant:
    """One way to speak a call."""

    call: Call
    route_index: int = 0
    encoding_index: int = 0
    chosen: Mapping[str, str] = field(default_factory=dict)

    @property
    def route(self) -> Route:
        return self.call.routes[self.route_index]

    @property
    def encoding(self) -> Encoding | None:
        return self.call.encodings[self.encoding_index] if self.call.encodings else None

    def name(self, value: str) -> str:
        """What a value is called on the wire."""
        if value in self.chosen:
            return self.chosen[value]
        if value in self.route.names:
            return self.route.names[value]
        return self.call.names.get(value, (value,))[0]

    def next_route(self) -> "Variant | None":
        if self.route_index + 1 >= len(self.call.routes):
            return None
        return Variant(self.call, self.route_index + 1)

    def next_encoding(self) -> "Variant | None":
        if self.encoding_index + 1 >= len(self.call.encodings):
            return None
        return replace(self, encoding_index=self.encoding_index + 1)

    def others(self) -> Iterator[tuple[str, str]]:
        """Each value that could have another name, with that name."""
        for value, names in self.call.names.items():
            for name in names:
                if name != self.name(value):
                    yield value, name


def is_not_served(call: Call, status: int) -> bool:
    """Whether an answer says that there is no such call at this path."""
    return status in _NOT_SERVED and not (call.has_own_404 and status == 404)


def following(variant: Variant, status: int, body: object) -> Variant | None:
    """What to try after an answer without success, None where it is the answer: nothing was executed by it."""
    if is_not_served(variant.call, status):
        return variant.next_route()
    if status == _WRONG_BODY:
        return variant.next_encoding()
    if status not in _WRONG_FIELDS or _is_understood(body):
        return None
    missing = set(_missing(body, _names_to_look_for(variant)))
    for value, name in variant.others():
        if name in missing and value not in variant.chosen:
            return replace(variant, chosen={**variant.chosen, value: name})
    if any(variant.name(value) in missing for value in variant.call.in_body):
        return variant.next_encoding()  # it was there: this server does not read this kind of body
    return None


def misses(body: object, name: str) -> bool:
    """Whether an answer says that the field `name` is missing."""
    return not _is_understood(body) and name in _missing(body, (name,))


def _names_to_look_for(variant: Variant) -> tuple[str, ...]:
    return (*(variant.name(value) for value in variant.call.in_body), *(name for _, name in variant.others()))


def _is_understood(body: object) -> bool:
    return isinstance(body, Mapping) and body.get("error") in _UNDERSTOOD


def _missing(body: object, names: tuple[str, ...]) -> Iterator[str]:
    """Those of `names` which an error's body says are missing.

    A form's check puts them as keys, `{"image": ["This field is required."]}`; another one as places,
    `{"detail": [{"loc": ["body", "image"], "type": "missing"}]}`; others say it in words.
    """
    fields: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
    for name in names:
        said = fields.get(name)
        if name not in _WORDS_OF_AN_ERROR and said is not None and _says_missing(said):
            yield name
    detail = fields.get("detail")
    for entry in detail if isinstance(detail, list) else ():
        place = entry.get("loc") if isinstance(entry, Mapping) else None
        if isinstance(place, list) and place and place[-1] in names and entry.get("type") == "missing":
            yield place[-1]
    for key in ("message", "detail", "error"):
        text = fields.get(key)
        if isinstance(text, str) and _SAYS_MISSING.search(text := text[:_MOST_MESSAGE_CHARS]):
            yield from (name for name in names if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text))


def _says_missing(said: object) -> bool:
    texts = said if isinstance(said, list) else [said]
    return any(isinstance(text, str) and _SAYS_MISSING.search(text[:_MOST_MESSAGE_CHARS]) for text in texts)
