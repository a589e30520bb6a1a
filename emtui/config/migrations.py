"""From older forms of the configuration to the one of now, step by step.

A step knows how the values change, which is done each time such a file is read, and how the text changes, which is
done where the operator asks for it (`emtui config migrate`): comments and order stay.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Values = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """From one version to the next.

    Attributes:
        values: the values of the next version.
        text: the file of the next version.
        change: what changes, for people.
    """

    values: Callable[[Values], Values]
    text: Callable[[str], str]
    change: str


_VERSION_0 = re.compile(r"(\s*(?:version|\"version\"|'version')[ \t]*=[ \t]*)[^\s#]+")


def _named_version(text: str) -> str:
    from emtui.config.positions import positions

    line = positions(text).lines.get(("version",))
    if line is not None:  # it says that it is of version 0
        lines = text.split("\n")
        lines[line - 1] = _VERSION_0.sub(r"\g<1>1", lines[line - 1], count=1)
        return "\n".join(lines)
    end = "\r\n" if "\r\n" in text else "\n"
    return f"version = 1{end}{end if text.strip() else ''}{text}"


STEPS: Mapping[int, Step] = {
    0: Step(lambda values: {**values, "version": 1}, _named_version, "version = 1 is written on top"),
}
"""By the version that they start from. A file without a version is of version 0: profiles, and nothing else."""


def newest(steps: Mapping[int, Step] = STEPS) -> int:
    """The version that the last step leads to."""
    return max(steps) + 1


def migrated(values: Values, version: int, steps: Mapping[int, Step] = STEPS) -> Values:
    """The values of a file of an older version, as the newest version has them."""
    for number in range(version, newest(steps)):
        values = steps[number].values(values)
    return values


def migrated_text(text: str, version: int, steps: Mapping[int, Step] = STEPS) -> str:
    """The text of a file of an older version, as the newest version has it."""
    for number in range(version, newest(steps)):
        text = steps[number].text(text)
    return text
