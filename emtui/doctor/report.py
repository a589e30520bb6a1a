"""How the checks are told: for people, line by line as they come; for programs, as one JSON document."""

import json
import textwrap
from collections.abc import Sequence

from emtui import __version__
from emtui.doctor.checks import Check, State
from emtui.text import count, safe_str

_SHAPES: dict[State, str] = {"ok": "●", "note": "■", "fail": "▼"}
_COLOURS: dict[State, str] = {"ok": "32", "note": "33", "fail": "31"}
_NAME_WIDTH = 16
_LEAST_COLUMNS = 40
_MOST_COLUMNS = 120
_LONGEST = 2000


class Human:
    """The lines for people. Sections follow each other; a section's head stands before its first line."""

    def __init__(self, *, columns: int, has_shapes: bool, has_colour: bool) -> None:
        """`columns` is how wide a line may be; `has_shapes` takes ● ■ ▼ in place of words."""
        self._columns = max(_LEAST_COLUMNS, min(columns, _MOST_COLUMNS))
        self._has_shapes = has_shapes
        self._has_colour = has_colour
        self._section = ""

    def lines(self, checks: Sequence[Check]) -> list[str]:
        """What is to be written for these checks, without line ends."""
        written: list[str] = []
        for check in checks:
            if check.section != self._section:
                if self._section:
                    written.append("")
                self._section = check.section
                written.append(self._painted(check.section, "1"))
            written += self._check(check)
        return written

    def _check(self, check: Check) -> list[str]:
        head = f"  {_SHAPES[check.state] if self._has_shapes else f'{check.state:<4}'} "
        indent = len(head) + _NAME_WIDTH + 1
        lines = self._wrapped(safe_str(check.found, _LONGEST), indent)
        if check.todo:
            arrow = "→" if self._has_shapes else "->"
            lines += self._wrapped(f"{arrow} {safe_str(check.todo, _LONGEST)}", indent)
        name = safe_str(check.name, _LONGEST)
        if len(name) <= _NAME_WIDTH:
            lines[0] = f"{' ' * len(head)}{name:<{_NAME_WIDTH}} {lines[0][indent:]}"
        else:
            lines = [*self._wrapped(name, len(head)), *lines]
        return [self._painted(head, _COLOURS[check.state]) + lines[0][len(head) :], *lines[1:]]

    def _wrapped(self, text: str, indent: int) -> list[str]:
        margin = " " * indent
        wrapped = textwrap.wrap(
            text, self._columns, initial_indent=margin, subsequent_indent=margin, break_on_hyphens=False
        )
        return wrapped or [margin]

    def summary(self, checks: Sequence[Check], *, is_local: bool, engine: str) -> list[str]:
        """The last lines: whether it can be used, which lines say what could be better, and what does not work.

        They are all that is left on a small terminal: what does not work is said once more.
        """
        what = "Local mode" if is_local else "The profile"
        fails = [check for check in checks if check.state == "fail"]
        notes = [check for check in checks if check.state == "note"]
        with_engine = f", with the {engine} engine" if engine else ""
        said = f"{what} can be used{with_engine}."
        if fails:
            said = f"{what} cannot be used so: {count(len(fails), 'line says', 'lines say')} what does not work."
        if notes:
            names = ", ".join(dict.fromkeys(safe_str(check.name, _LONGEST) for check in notes))
            said += f" {count(len(notes), 'line says', 'lines say')} what could be better: {names}."
        repeated = [line for check in fails for line in self._check(check)]
        return ["", *textwrap.wrap(said, self._columns), *repeated]

    def _painted(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._has_colour else text


def document(checks: Sequence[Check], engine: str) -> str:
    """All of it as JSON, in ASCII. `engine` is empty where none is needed or works."""
    told = [
        {
            "section": check.section,
            "name": safe_str(check.name, _LONGEST),
            "state": check.state,
            "found": safe_str(check.found, _LONGEST),
            "todo": safe_str(check.todo, _LONGEST),
        }
        for check in checks
    ]
    return json.dumps({"version": __version__, "checks": told, "engine": engine}, indent=2)
