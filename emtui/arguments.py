"""What a caller gives, as what it has to be: a likeness is made the thing itself, anything else is a TypeError.

Python would take a `str` for several names of one letter each. Whoever calls from a notebook has no type checker.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

Take = Callable[[str, Any], T]
"""Takes the name of an argument, for the error, and what was given; returns what it has to be."""


def instance(*kinds: type[T]) -> Take[T]:
    """One of these types."""

    def take(name: str, given: Any) -> T:
        if not isinstance(given, kinds):
            raise TypeError(f"{name}: {' or '.join(kind.__name__ for kind in kinds)} is needed, {_not(given)}")
        return given

    return take


text = instance(str)
flag = instance(bool)


def path(name: str, given: Any) -> Path:
    """A path of this machine: a `Path`, or text. Raises ValueError for an empty one, which would be the folder here."""
    if given == "":
        raise ValueError(f"{name}: it is empty")
    if not isinstance(given, str | os.PathLike):
        raise TypeError(f"{name}: Path or str is needed, {_not(given)}")
    return Path(given)


def several(one: Take[T]) -> Take[tuple[T, ...]]:
    """A tuple, out of a list or whatever else holds several. A single one is refused: a text is no list of letters."""

    def take(name: str, given: Any) -> tuple[T, ...]:
        if isinstance(given, str | bytes | os.PathLike):
            raise TypeError(f"{name}: several can be given, {_not(given)}; one alone is [{given!r}]")
        if not isinstance(given, Iterable):
            raise TypeError(f"{name}: a list or tuple is needed, {_not(given)}")
        return tuple(one(name, item) for item in given)

    return take


def _not(given: Any) -> str:
    return f"not {'None' if given is None else type(given).__name__}"
