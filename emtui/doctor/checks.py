"""What a look gives, and looking with a bound."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from emtui.doctor.bounds import Failed, NoEnd, within
from emtui.doctor.case import Case
from emtui.errors import EmtuiError

State = Literal["ok", "note", "fail"]
"""It works; it could be better; it does not work, so that what was asked for cannot be had."""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report. The texts may hold foreign ones: `report` makes them harmless.

    Attributes:
        section: what it belongs to: `engine`, `workspace`, …
        name: what was looked at.
        state: see `State`.
        found: what was found.
        todo: what to do about it; empty where there is nothing to do.
    """

    section: str
    name: str
    state: State
    found: str
    todo: str = ""


Look = Callable[[Case], list[Check]]
"""Looks at one subject. Blocks."""


@dataclass(frozen=True, slots=True)
class Step:
    """One look of the examination.

    Attributes:
        section, name: what it looks at, for the line that says that it failed.
        look: does it, in a thread of its own.
        patience_s: for how many seconds it is waited for.
    """

    section: str
    name: str
    look: Look
    patience_s: float = 5.0


def taken(step: Step, case: Case) -> list[Check]:
    """What a step finds. One that fails in a way that nobody foresaw, or does not end, is a line too."""
    try:
        answer = within(step.patience_s, f"doctor {step.name}", lambda: step.look(case))
    except NoEnd:
        case.is_held_up = True
        found = f"no end within {step.patience_s:g} s"
        return [Check(step.section, step.name, "fail", found, "See what holds it: a disk or a service that is away.")]
    return _failed(step, answer.error) if isinstance(answer, Failed) else answer


def _failed(step: Step, error: BaseException) -> list[Check]:
    if isinstance(error, EmtuiError):
        return [Check(step.section, step.name, "fail", error.message, error.remedy)]
    if isinstance(error, OSError):
        found = f"{error.filename or step.name}: {error.strerror or error}"
        return [Check(step.section, step.name, "fail", found, "See whether the path is right and its disk is well.")]
    found = f"{type(error).__name__}: {error}"
    return [Check(step.section, step.name, "fail", found, "A fault of emtui itself; please report this line.")]
