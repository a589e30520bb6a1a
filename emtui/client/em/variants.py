"""How a call is spoken on one server: which of its paths, names and encodings it takes, and what to try next."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from emtui.client.em.dialects import Call, Encoding, Route
from emtui.client.em.refusals import is_of_no_path, is_unspecific, missing

_NOT_FOUND = 404
_NO_SUCH_METHOD = (405, 501)
_WRONG_BODY = 415
_WRONG_FIELDS = (400, 422)
_NOT_UNDERSTOOD = 400


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

    def next_name(self) -> "Variant | None":
        """With another name for a value, where none was tried yet."""
        for value, name in self.others():
            if value not in self.chosen:
                return self.with_name(value, name)
        return None

    def with_name(self, value: str, name: str) -> "Variant":
        return replace(self, chosen={**self.chosen, value: name})

    def others(self) -> Iterator[tuple[str, str]]:
        """Each value that could have another name, with that name."""
        for value, names in self.call.names.items():
            for name in names:
                if name != self.name(value):
                    yield value, name


def is_not_served(variant: Variant, status: int, body: object) -> bool:
    """Whether an answer says that there is no such call at this path."""
    if status != _NOT_FOUND:
        return status in _NO_SUCH_METHOD
    return not variant.call.has_own_404 and is_of_no_path(body, variant.route.path)


def following(variant: Variant, status: int, body: object) -> Variant | None:
    """What to try after an answer without success, None where it is the answer: nothing was executed by it."""
    if is_not_served(variant, status, body):
        return variant.next_route()
    if status == _WRONG_BODY:
        return variant.next_encoding()
    return _respelled(variant, status, body) if status in _WRONG_FIELDS else None


def _respelled(variant: Variant, status: int, body: object) -> Variant | None:
    """The same call at the same path by another name or in another body."""
    sent = {variant.name(value) for value in variant.call.in_body}
    absent = missing(body, {*sent, *(name for _, name in variant.others())})
    for value, name in variant.others():
        if name in absent and value not in variant.chosen:
            return variant.with_name(value, name)
    if absent & sent:
        return variant.next_encoding()  # it was there: this server does not read this kind of body
    if status == _NOT_UNDERSTOOD and is_unspecific(body):
        return variant.next_encoding() or variant.next_name()
    return None


def says_nothing(variant: Variant, status: int, body: object) -> bool:
    """Whether an answer says only that the call is not spoken so, so that what was said before may say more."""
    if is_not_served(variant, status, body) or status == _WRONG_BODY:
        return True
    if status not in _WRONG_FIELDS:
        return False
    sent = {variant.name(value) for value in variant.call.in_body}
    return bool(missing(body, sent)) or (status == _NOT_UNDERSTOOD and is_unspecific(body))


def misses(status: int, body: object, *names: str) -> bool:
    """Whether an answer says that one of these fields is missing."""
    return status in _WRONG_FIELDS and bool(missing(body, names))
