"""Options whose value is a field of a command: what cannot be one is a wrong use, before anything is opened."""

from argparse import ArgumentTypeError
from collections.abc import Callable
from typing import TypeVar

from emtui.errors import InvalidField

T = TypeVar("T")


def field(parse: Callable[[str], T]) -> Callable[[str], T]:
    """An option's type: what `parse` refuses with `InvalidField` is refused with the reason and the remedy. The parser
    names the option, so the field's own name is left out."""

    def read(text: str) -> T:
        try:
            return parse(text)
        except InvalidField as error:
            what = error.message.removeprefix(f"{error.field}: ").rstrip(".")
            raise ArgumentTypeError(f"{what}. {error.remedy}".rstrip(". ")) from None

    return read


def given(text: str, field_name: str, without: str) -> str:
    """`text`, which is not empty. Raises `InvalidField` of `field_name`; `without` is what leaving it out means."""
    if text.strip():
        return text
    raise InvalidField(
        field_name, "is empty, as a variable of a script that is not set", remedy=f"Leave it out for {without}."
    )
