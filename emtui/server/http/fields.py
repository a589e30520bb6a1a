"""The fields of a call, however they come: as JSON, as a form, as a form with parts, or in the query.

Missing, empty and null are the same: not given (wire contract).
"""

from collections.abc import Mapping

from emtui.errors import EmtuiError, InvalidField
from emtui.models import without_empty
from emtui.server.http.call import Call, json_fields, parsed_query
from emtui.server.http.forms import FormReader, PartBegins, PartData, is_form

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


class UnsupportedMediaType(EmtuiError):
    """415: a body that is neither JSON nor a form."""

    code = "UNSUPPORTED_MEDIA_TYPE"
    status = 415


class Fields:
    """The given fields of one call, by name."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = without_empty(values)

    def value(self, *names: str) -> object:
        """The first of `names` that is given, None where none is."""
        return next((self._values[name] for name in names if name in self._values), None)

    def text(self, *names: str) -> str:
        """The first of `names` that is given, empty where none is. A file's name is one, with any bytes.

        Raises:
            InvalidField: one of them is no text.
        """
        given = [(name, self._values[name]) for name in names if name in self._values]
        for name, value in given:
            if not isinstance(value, str):
                raise InvalidField(name, "text is needed", remedy="Write it in quotes.")
        return str(given[0][1]) if given else ""

    def needed(self, *names: str) -> str:
        """The first of `names` that is given.

        Raises:
            InvalidField: none is, or it is no text.
        """
        text = self.text(*names)
        if not text:
            raise InvalidField(names[0], "This field is required.", remedy=f"Give {names[0]}.")
        return text


async def read_fields(call: Call) -> Fields:
    """The fields of a call's body.

    Raises:
        BadRequest: the body is over 1 MiB, or not what its type says.
        UnsupportedMediaType: neither JSON nor a form.
    """
    body = await call.body()
    media_type = call.media_type
    if not body:
        return Fields({})
    if media_type == JSON or (media_type.endswith("+json") and media_type.startswith("application/")):
        return Fields(json_fields(body))
    if media_type == FORM:
        return Fields(parsed_query(body))
    if is_form(call.content_type):
        return Fields(_form_fields(call.content_type, body))
    raise UnsupportedMediaType(
        f"a body of this type is not read: {media_type or 'none is named'}", remedy=f"Send {JSON}, or a form."
    )


def _form_fields(content_type: str, body: bytes) -> dict[str, str]:
    reader = FormReader(content_type)
    fields: dict[str, bytes] = {}
    name = ""
    for event in reader.feed(body):
        if isinstance(event, PartBegins):
            name = event.name
            fields[name] = b""
        elif isinstance(event, PartData):
            fields[name] += event.data
    reader.finish()
    return {name: value.decode("utf-8", "surrogateescape") for name, value in fields.items()}
