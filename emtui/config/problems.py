"""What is wrong with a configuration: where it stands, what was expected, and what was meant."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emtui.errors import ConfigProblem


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, or odd, in a file.

    Attributes:
        file: which one.
        message: what is wrong.
        remedy: what to do; begins with `Did you mean` where that can be guessed.
        key: the key with its tables, with dots between; empty where it is about the whole file.
        line: where; None where that is not known.
        is_warning: it is told, and the file is used nevertheless.
    """

    file: Path
    message: str
    remedy: str
    key: str = ""
    line: int | None = None
    is_warning: bool = False

    @property
    def is_for_console(self) -> bool:
        """Only the console takes that value: whatever else starts does without."""
        return self.key.partition(".")[0] in ("console", "keys")

    @property
    def where(self) -> str:
        """`FILE:LINE`, or as much as is known."""
        return f"{self.file}:{self.line}" if self.line is not None else f"{self.file}"

    @property
    def text(self) -> str:
        """Where, what and which key, without the remedy."""
        return ": ".join(part for part in (self.where, self.key, self.message) if part)

    def as_error(self) -> ConfigProblem:
        """It as what is raised."""
        return ConfigProblem(self.text, remedy=self.remedy)

    def as_notice(self) -> str:
        """It as a line for people."""
        return f"{self.text}. {self.remedy}".rstrip()


class Problems(ConfigProblem):
    """A file that cannot be used. The first problem is the message; `all` has every one, in the order of lines."""

    def __init__(self, found: Sequence[Problem]) -> None:
        self.all = tuple(sorted(found, key=lambda problem: problem.line or 0))
        told = first_of([problem.as_error() for problem in self.all])
        super().__init__(told.message, remedy=told.remedy)


def first_of(errors: Sequence[ConfigProblem]) -> ConfigProblem:
    """The first of several errors, with what tells the others."""
    first, *others = errors
    if not others:
        return first
    return ConfigProblem(first.message, remedy=f"{first.remedy} emtui config check tells {len(others)} more.".lstrip())


def key_of(path: Sequence[str | int]) -> str:
    """Keys as TOML writes them: `profile."bench at home".local`, `base_images[1]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        is_bare = part.isascii() and part.replace("-", "_").replace("_", "a").isalnum()
        text += ("." if text else "") + (part if is_bare else f'"{part}"')
    return text


def did_you_mean(word: str) -> str:
    """The question with a space behind it, empty where nothing is meant."""
    return f"Did you mean {word}? " if word else ""
