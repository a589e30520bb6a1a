"""Options whose value is a field of a command: what cannot be one is a wrong use, before anything is opened."""

from argparse import ArgumentTypeError
from collections.abc import Callable
from typing import TypeVar

from emtui.errors import InvalidField

T = TypeVar("T")


def field(parse: Callable[[str], T]) -> Callable[[str], T]:
    """An option's type: what `parse` refuses with `InvalidField` is refused with the field's name and the remedy."""

    def read(text: str) -> T:
        try:
            return parse(text)
        except InvalidField as error:
            raise ArgumentTypeError(f"{error.message}. {error.remedy}".rstrip(". ")) from None

    return read


def given(text: str, field_name: str, without: str) -> str:
    """`text`, which is not empty. Raises `InvalidField` of `field_name`; `without` is what leaving it out means."""
    if text.strip():
        return text
    raise InvalidField(
        field_name, "is empty: a variable of a script that is not set?", remedy=f"Leave it out for {without}."
    )
