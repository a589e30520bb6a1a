"""The fields of a form: a label at the left, a control, and below it what is wrong with it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.suggester import Suggester
from textual.widget import Widget
from textual.widgets import Input, Static

from emtui.errors import InvalidField
from emtui.text import safe_str, safe_text
from widgets.safe_input import FIELD_LIMIT, SafeInput

Check = Callable[[str], object]
"""Takes what is in a field and raises `InvalidField` where that is wrong."""


class Field(Vertical):
    """One row of a form: label, control, and in place what is wrong.

    `wire` is the field's name on the wire, by which an `InvalidField` finds it. `check` looks at the value when the
    field is left.
    """

    DEFAULT_CSS = """
    Field {
        height: auto; width: 1fr; margin-bottom: 1;
        .field--row { height: 1; width: 1fr; }
        .field--label { width: 13; height: 1; color: $em-muted; }
        .field--below { width: 1fr; height: auto; padding: 0 0 0 14; color: $em-muted; display: none; }
        .field--problem { color: $em-critical; }
        &.-entered .field--label { color: $foreground; text-style: bold; }
    }
    """

    @dataclass
    class Changed(Message):
        """The value of a field is another one."""

        field: "Field"

        @property
        def control(self) -> "Field":
            return self.field

    def __init__(self, wire: str, label: str, *, hint: str = "", check: Check | None = None) -> None:
        super().__init__(id=f"field-{wire}")
        self.wire = wire
        self.label = label
        self._check = check
        self.problem: InvalidField | None = None
        self._label = Static(Content(label), classes="field--label")
        self._hint = Static(Content(hint), classes="field--below field--hint")
        self._hint.display = bool(hint)
        self._problem = Static(classes="field--below field--problem")

    def control_widget(self) -> Widget:
        """What takes the focus."""
        raise NotImplementedError

    @property
    def value(self) -> str:
        """What is in the field."""
        raise NotImplementedError

    def check(self) -> bool:
        """Whether the value is right by itself; says in place what is wrong with it."""
        if self._check is not None:
            try:
                self._check(self.value)
            except InvalidField as problem:
                self.show_problem(problem)
                return False
        return True

    def on_descendant_focus(self) -> None:
        self.add_class("-entered")

    def on_descendant_blur(self) -> None:
        self.remove_class("-entered")

    def compose(self) -> ComposeResult:
        with Horizontal(classes="field--row"):
            yield self._label
            yield self.control_widget()
        yield self._hint
        yield self._problem

    def say(self, hint: Content | str) -> None:
        """Change the hint below the control; an empty one takes no line."""
        content = Content(hint) if isinstance(hint, str) else hint
        self._hint.update(content)
        self._hint.display = bool(content.plain)

    def show_problem(self, problem: InvalidField | None) -> None:
        """Say in place what is wrong and what to do about it; None when nothing is."""
        self.problem = problem
        self.control_widget().set_class(problem is not None, "-wrong")
        self._problem.display = problem is not None
        if problem is not None:
            what = problem.message.removeprefix(f"{problem.field}: ")
            remedy = Content.assemble(" – ", safe_text(problem.remedy)) if problem.remedy else Content()
            self._problem.update(Content.assemble("▼ ", safe_text(what), remedy))

    def focus_control(self) -> None:
        self.control_widget().focus()


class TextField(Field):
    """A field for a line of text. With `choices`, up and down go through those that begin alike.

    What is typed into a secret one is drawn as dots and cannot be copied.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "choose(1)", "Next", show=False),
        Binding("up", "choose(-1)", "Previous", show=False),
    ]

    _SHOWN_CHOICES = 12

    def __init__(
        self,
        wire: str,
        label: str,
        value: str = "",
        *,
        placeholder: str = "",
        hint: str = "",
        choices: Sequence[str] = (),
        takes_lines: bool = False,
        is_secret: bool = False,
        check: Check | None = None,
    ) -> None:
        super().__init__(wire, label, hint=hint, check=check)
        self._choices = tuple(choices)
        self._stem: str | None = None
        self.input = SafeInput(
            value,
            placeholder=placeholder,
            takes_lines=takes_lines,
            is_secret=is_secret,
            suggester=_Prefix(self._choices) if self._choices else None,
        )
        self.is_touched = False
        self._settled = value

    def control_widget(self) -> SafeInput:
        return self.input

    @property
    def value(self) -> str:
        """Exactly what is in the field."""
        return self.input.value

    def set_value(self, value: str) -> None:
        """Put a value in that the operator has not written: the field follows others until it is touched."""
        self._settled = value
        self.input.value = value[:FIELD_LIMIT]
        self.input.action_end()

    def on_mount(self) -> None:
        self._show_choices()

    def on_descendant_blur(self) -> None:
        super().on_descendant_blur()
        if self.is_touched:  # nobody is told about a field that was only passed
            self.check()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if event.value != self._settled:
            self.is_touched = True
            self._settled = event.value
            self._stem = None
        self._show_choices()
        self.post_message(self.Changed(self))

    def on_safe_input_refused(self, event: SafeInput.Refused) -> None:
        event.stop()
        self.show_problem(InvalidField(self.wire, event.reason, remedy="Nothing was put in."))

    def _matching(self) -> list[str]:
        stem = (self.value if self._stem is None else self._stem).casefold()
        if self._stem is None and self.value in self._choices:
            stem = ""  # a choice that was made is not a search: the others are still there to go to
        return [choice for choice in self._choices if choice.casefold().startswith(stem)]

    def action_choose(self, step: int) -> None:
        """Put the next or previous matching choice in. Moves between the fields where there are none."""
        matching = self._matching()
        if not matching:
            self.screen.focus_next() if step > 0 else self.screen.focus_previous()
            return
        if self._stem is None:
            self._stem = "" if self.value in self._choices else self.value
        if self.value in matching:
            chosen = matching[(matching.index(self.value) + step) % len(matching)]
        else:
            chosen = matching[0 if step > 0 else -1]
        self.is_touched = True
        self._settled = chosen
        self.input.value = chosen
        self.input.action_end()

    def _show_choices(self) -> None:
        if not self._choices:
            return
        matching = self._matching()
        if not matching:
            self.say("none of the known ones begins so")
            return
        parts: list[Content | tuple[str, str]] = [("↑↓ ", "dim")]
        for number, choice in enumerate(matching[: self._SHOWN_CHOICES]):
            parts += [("  ", "")] if number else []
            parts.append(safe_text(choice, "$foreground bold" if choice == self.value else "", limit=40))
        if len(matching) > self._SHOWN_CHOICES:
            parts.append((f"  and {len(matching) - self._SHOWN_CHOICES} more", ""))
        self.say(Content.assemble(*parts))


class _Prefix(Suggester):
    """Completes with the first harmless choice that begins with what is written."""

    def __init__(self, choices: Sequence[str]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._choices = [choice for choice in choices if safe_str(choice) == choice]

    async def get_suggestion(self, value: str) -> str | None:
        return next((choice for choice in self._choices if choice.startswith(value)), None)


class Segments(Static, can_focus=True):
    """A few choices side by side: left and right, space, or a choice's first letter."""

    DEFAULT_CSS = """
    Segments {
        width: 1fr; height: 1; padding: 0; background: $surface 0%;
        &:focus { background: $em-cursor; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "step(-1)", "Previous", show=False),
        Binding("right,space", "step(1)", "Next", show=False),
    ]
    chosen: reactive[int] = reactive(0)

    @dataclass
    class Chosen(Message):
        """Another choice was made."""

        segments: "Segments"

        @property
        def control(self) -> "Segments":
            return self.segments

    def __init__(self, choices: Sequence[str], chosen: int = 0) -> None:
        super().__init__()
        self._choices = tuple(choices)
        self.set_reactive(Segments.chosen, chosen)

    @property
    def value(self) -> str:
        return self._choices[self.chosen]

    def render(self) -> Content:
        parts: list[Content | tuple[str, str]] = []
        for number, choice in enumerate(self._choices):
            is_chosen = number == self.chosen
            parts.append(("● " if is_chosen else "○ ", "$em-normal" if is_chosen else "$em-muted"))
            parts.append(safe_text(choice, "bold" if is_chosen else "$em-muted"))
            parts.append(("   ", ""))
        return Content.assemble(" ", *parts)

    def watch_chosen(self) -> None:
        self.post_message(self.Chosen(self))

    def action_step(self, step: int) -> None:
        self.chosen = (self.chosen + step) % len(self._choices)

    def on_key(self, event: events.Key) -> None:
        letter = (event.character or "").casefold()
        for number, choice in enumerate(self._choices):
            if letter.isalnum() and choice.casefold().startswith(letter):
                event.stop()
                self.chosen = number
                return

    def on_click(self, event: events.Click) -> None:
        at = 1
        for number, choice in enumerate(self._choices):
            at += len(choice) + 5
            if event.x < at:
                self.chosen = number
                return


class ChoiceField(Field):
    """A field for one of a few choices."""

    def __init__(self, wire: str, label: str, choices: Sequence[str], value: str, *, hint: str = "") -> None:
        super().__init__(wire, label, hint=hint)
        known = tuple(choices) if value in choices or not value else (*choices, value)
        self.segments = Segments(known, known.index(value) if value else 0)

    def control_widget(self) -> Segments:
        return self.segments

    @property
    def value(self) -> str:
        return self.segments.value

    def on_segments_chosen(self, event: Segments.Chosen) -> None:
        event.stop()
        self.post_message(self.Changed(self))
