"""The kinds of values that the configuration has: how each is read, from a file or a variable, and how it is told.

Nothing that costs time is imported here: what the environment says is read on the way to the first frame.
"""

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from emtui.pod import limits as pod_limits

_MOST_LETTERS = 4096
_MOST_ITEMS = 256
_LONGEST_SHOWN = 40
_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off")
_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")
_IMAGE = re.compile(r"[a-z0-9]+(?:[._/-]+[a-z0-9]+)*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Wrong(ValueError):
    """A value that cannot be.

    Attributes:
        meant: what it may have been meant to be, empty where nothing is like it.
        remedy: what to do, where there is more to say than to mend it.
    """

    def __init__(self, message: str, meant: str = "", remedy: str = "") -> None:
        super().__init__(message)
        self.meant = meant
        self.remedy = remedy


def meant(word: str, known: Iterable[str]) -> str:
    """The one of `known` that `word` may have been meant to be, empty where none is like it."""
    import difflib

    choices = list(known)
    by_fold = {choice.casefold(): choice for choice in choices}
    if word.casefold() in by_fold:
        return by_fold[word.casefold()]
    return next(iter(difflib.get_close_matches(word, choices, n=1, cutoff=0.6)), "")


def shown(value: object) -> str:
    """A value as an error tells it: short, on one line."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list | tuple):
        return "an array"
    if isinstance(value, bool):
        return str(value).lower()
    text = f"“{value}”" if isinstance(value, str) else str(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"


class Kind:
    """How values of one kind are read. `name` is what people call it."""

    name = "text"

    def read(self, value: object) -> Any:
        """What a value of TOML means; what `read` gave, it gives again. Raises Wrong or ValueError."""
        raise NotImplementedError

    def read_text(self, text: str) -> Any:
        """What a variable's text, which is not empty, means. Raises Wrong or ValueError."""
        return self.read(text)

    def schema(self) -> dict[str, Any]:
        """It in JSON Schema."""
        return {"type": "string"}


class Text(Kind):
    """A text of a single line."""

    def read(self, value: object) -> str:
        if not isinstance(value, str):
            raise Wrong(f"a text in quotes is expected, not {shown(value)}")
        if len(value) > _MOST_LETTERS:
            raise Wrong(f"a text of at most {_MOST_LETTERS} letters is expected, not of {len(value)}")
        if _CONTROL.search(value):
            raise Wrong("a text without control characters is expected")
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "maxLength": _MOST_LETTERS}


class File(Text):
    """A path; `~` is the home."""

    name = "path"


class Url(Text):
    """The address of an EM or a Grid Node. Whether plain http may go there is told when it is opened."""

    name = "address"

    def read(self, value: object) -> str:
        text = super().read(value)
        if text:
            from emtui.client.http.address import Address
            from emtui.errors import ConfigProblem

            try:
                Address.parse(text, insecure=True)
            except ConfigProblem as problem:
                raise Wrong(problem.message, remedy=problem.remedy) from None
        return text


class Flag(Kind):
    """True or false."""

    name = "true or false"

    def read(self, value: object) -> bool:
        if not isinstance(value, bool):
            word = value.casefold() if isinstance(value, str) else ""
            likely = "true" if word in _TRUE else "false" if word in _FALSE else ""
            raise Wrong(f"true or false (a boolean, without quotes) is expected, not {shown(value)}", likely)
        return value

    def read_text(self, text: str) -> bool:
        word = text.strip().casefold()
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
        raise Wrong(
            f"one of {', '.join((*_TRUE, *_FALSE))} is expected, not {shown(text)}", meant(word, _TRUE + _FALSE)
        )

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


class Whole(Kind):
    """A whole number, 0 or more."""

    name = "whole number"

    def read(self, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            likely = value if isinstance(value, str) and value.isascii() and value.isdigit() else ""
            raise Wrong(f"a whole number is expected, not {shown(value)}", likely)
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": 0}


@dataclass(frozen=True)
class Seconds(Kind):
    """Seconds from `least` to `most`; where `has_end` is false, 0 means without an end."""

    least: float
    most: float
    has_end: bool = True
    name = "seconds"

    def read(self, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            likely = value if isinstance(value, str) and _NUMBER.fullmatch(value) else ""
            raise Wrong(f"a number of seconds is expected, not {shown(value)}", likely)
        if not self.has_end and value == 0:
            return 0.0
        if not (math.isfinite(value) and self.least <= value <= self.most):
            endless = "" if self.has_end else ", or 0 for without an end,"
            raise Wrong(f"{self.least:g} to {self.most:g} seconds{endless} are expected, not {shown(value)}")
        return float(value)

    def read_text(self, text: str) -> float:
        if not _NUMBER.fullmatch(text.strip()):
            raise Wrong(f"a number of seconds is expected, not {shown(text)}")
        return self.read(float(text))

    def schema(self) -> dict[str, Any]:
        return {"type": "number", "minimum": self.least if self.has_end else 0, "maximum": self.most}


@dataclass(frozen=True)
class Choice(Kind):
    """One of a few words. `words` is called when one is to be judged; `is_open` where each machine has its own."""

    words: Callable[[], tuple[str, ...]]
    is_open: bool = False
    name = "word"

    def read(self, value: object) -> str:
        words = self.words()
        if not isinstance(value, str) or value not in words:
            likely = meant(str(value), words) if isinstance(value, str | int | float) else ""
            raise Wrong(f"one of {', '.join(words)} is expected, not {shown(value)}", likely)
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "string"} if self.is_open else {"type": "string", "enum": list(self.words())}


class Names(Kind):
    """Several texts: an array, or with commas between them in a variable."""

    name = "array of texts"
    item = Text()

    def read(self, value: object) -> tuple[str, ...]:
        return tuple(self.item.read(item) for item in self.read_array(value))

    def read_array(self, value: object) -> list[object]:
        """The array, whatever is in it. Raises Wrong."""
        if not isinstance(value, list | tuple):
            raise Wrong(f"an array of texts is expected, not {shown(value)}")
        if len(value) > _MOST_ITEMS:
            raise Wrong(f"at most {_MOST_ITEMS} texts are expected, not {len(value)}")
        return list(value)

    def read_text(self, text: str) -> tuple[str, ...]:
        return self.read([name.strip() for name in text.split(",") if name.strip()])

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.item.schema(), "maxItems": _MOST_ITEMS}


class BaseImage(Text):
    """The name of an image on board, which is there with any tag."""

    def read(self, value: object) -> str:
        name = super().read(value)
        if not _IMAGE.fullmatch(name):
            likely = name.partition(":")[0].strip().lower()
            raise Wrong(
                f"the name of a base image without a tag is expected, not {shown(name)}",
                likely if _IMAGE.fullmatch(likely) else "",
            )
        return name


class BaseImages(Names):
    """Base images on board."""

    item = BaseImage()


@dataclass(frozen=True)
class Limit(Kind):
    """What a pod may use, as `emtui.pod.limits` reads it."""

    reader: Callable[[object], float]
    name: str
    has_units: bool = False

    def read(self, value: object) -> float:
        if isinstance(value, dict | list | tuple):
            raise Wrong(f"a number is expected, not {shown(value)}")
        return self.reader(value)

    def schema(self) -> dict[str, Any]:
        return {"type": ["integer", "string"] if self.has_units else ["number", "string"]}


MEMORY = Limit(pod_limits.memory_bytes, "size", has_units=True)
CPUS = Limit(pod_limits.cpus, "number")
PROCESSES = Limit(pod_limits.processes, "whole number")
