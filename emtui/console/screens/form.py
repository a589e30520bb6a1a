"""What every dialog is: fields, then in words what will happen, then buttons.

`ctrl+s` does it, `esc` leaves, `enter` and `tab` go on to the next field. A dialog is made of plain data and is
dismissed with a frozen command, or with None. It reaches no backend.
"""

from collections.abc import Iterable
from typing import ClassVar, Generic, TypeVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from emtui.errors import EmtuiError, InvalidField
from emtui.text import safe_text
from widgets.fields import Field
from widgets.keys import bind, key_map_of

ResultT = TypeVar("ResultT")

Words = list[Content]
"""What will happen, a line each."""

_FRAME_ROWS = 2


class FormInputs(VerticalScroll, can_focus=False):
    """Holds the fields; scrolls where the terminal is too low for all of them."""


class Outlook(Vertical):
    """The words and the buttons, which are never scrolled away."""

    class Sized(Message):
        """They need another number of lines."""

    def on_resize(self) -> None:
        self.post_message(self.Sized())


class Form(ModalScreen[ResultT | None], Generic[ResultT]):
    """Base of the dialogs.

    A dialog gives its `title`, the `verb` of its button, its fields (`compose_fields`), its words (`words`, from what
    is known already, never blocking) and its command (`make`, which may look at the disk off the loop).
    """

    # Priority: the picker and the inputs have no say in leaving or doing.
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("dialog.submit", "submit", priority=True),
        Binding("escape", "leave", "Leave", priority=True),
        Binding("enter", "go_on", "Next field", show=False),
        Binding("down", "app.focus_next", show=False),
        Binding("up", "app.focus_previous", show=False),
    ]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (30, "-middle"), (45, "-high")]  # noqa: RUF012  # as textual declares it
    AUTO_FOCUS = ""

    DEFAULT_CSS = """
    Form {
        align: center middle; background: $background 70%;
        #dialog {
            width: 100%; max-width: 90; height: auto; max-height: 100%; margin: 0 1;
            border: round $em-border-focus; border-title-color: $foreground; border-title-style: bold;
            background: $panel; padding: 1 2 0 2;
        }
        &.-low #dialog { padding: 0 2; }
        FormInputs { height: auto; scrollbar-size-vertical: 1; }
        #outlook { height: auto; }
        #words { width: 1fr; height: auto; border-top: solid $em-border; padding: 0 0 1 0; }
        #buttons { width: 1fr; height: 1; margin-bottom: 1; }
        &.-high #dialog { max-width: 104; }
        &.-middle PathPicker { height: 16; }
        &.-high PathPicker { height: 28; }
        &.-low TargetList { max-height: 7; }
        &.-high TargetList { max-height: 24; }
        &.-low #words { padding: 0; }
        &.-low #buttons { margin-bottom: 0; margin-top: 1; }
        #hint { width: 1fr; height: 1; color: $em-muted; }
        #buttons Button {
            width: auto; min-width: 0; height: 1; border: none; margin: 0 0 0 2; padding: 0; line-pad: 1;
            background: $surface; color: $foreground; text-style: none;
            &:hover { background: $surface; }
            &:focus { background: $primary; color: $background; text-style: bold; background-tint: $primary 0%; }
            &#do { color: $em-folder; text-style: bold; }
            &#do:focus { color: $background; }
        }
        &.-critical #dialog { border: round $em-critical; border-title-color: $em-critical; }
        &.-critical #buttons Button#do { color: $em-critical; }
        &.-critical #buttons Button#do:focus { background: $error; color: $background; }
    }
    """

    dialog_title: ClassVar[str] = ""
    verb: ClassVar[str] = ""
    is_critical: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self._is_busy = False
        self._is_over = False
        if self.is_critical:
            self.add_class("-critical")

    # ------------------------------------------------------------------------------------- for each dialog

    def compose_fields(self) -> ComposeResult:
        """The fields, in the order of the tab key."""
        yield from ()

    def words(self) -> Words:
        """What will happen, from what is known at this moment."""
        return []

    async def make(self) -> ResultT:
        """The command. Raises `InvalidField` for what is wrong in a field, another `EmtuiError` for the rest."""
        raise NotImplementedError

    async def is_sure(self, command: ResultT) -> bool:  # noqa: ARG002  # for those that ask
        """Whether `command` may be given; a question may be asked first."""
        return True

    # ---------------------------------------------------------------------------------------------- layout

    def compose(self) -> ComposeResult:
        does = key_map_of(self).shown("dialog.submit")
        with Vertical(id="dialog") as box:
            box.border_title = Content(f" {self.dialog_title} ")
            with FormInputs(id="form"):
                yield from self.compose_fields()
            with Outlook(id="outlook"):
                yield Static(id="words")
                with Horizontal(id="buttons"):
                    yield Static(Content("enter next field"), id="hint")
                    yield Button(Content("Cancel  esc"), id="cancel", compact=True)
                    yield Button(Content(f"{self.verb}  {does}"), id="do", compact=True)

    def on_mount(self) -> None:
        self.show_words()
        first = self.first_field()
        # At once, not by `focus()`, which takes its turn after keys that were typed ahead.
        self.set_focus(self.query_one("#cancel") if first is None or self.is_critical else first.control_widget())

    def first_field(self) -> Field | None:
        """The field that has the focus at first."""
        return next(iter(self.query(Field)), None)

    def on_resize(self) -> None:
        self._fit()

    @on(Outlook.Sized)
    def _fit(self) -> None:
        """Let the fields scroll in what the words and the buttons leave."""
        box = self.query_one("#dialog")
        outlook = self.query_one("#outlook")
        frame = _FRAME_ROWS + box.styles.padding.height
        self.query_one(FormInputs).styles.max_height = max(3, self.size.height - frame - outlook.outer_size.height)

    def show_words(self) -> None:
        """Say anew what will happen."""
        if not self._is_here:
            return
        try:
            lines = self.words()
        except InvalidField as error:
            label = next((field.label for field in self.fields() if field.wire == error.field), error.field)
            what = error.message.removeprefix(f"{error.field}: ")
            lines = [Content.assemble((f"{label}: ", "$em-muted"), safe_text(what, "$em-muted"))]
        if any(field.problem for field in self.fields()):
            lines = [Content.styled("Nothing is done yet: see above.", "$em-muted")]
        self.say(Content("\n").join(lines))

    def say(self, words: Content) -> None:
        """Put this where it says what will happen; an answer may come when the dialog is gone."""
        if self._is_here:
            self.query_one("#words", Static).update(words)

    @property
    def _is_here(self) -> bool:
        return self.is_attached and not self._is_over

    def fields(self) -> Iterable[Field]:
        return self.query(Field)

    # ------------------------------------------------------------------------------------------------ keys

    @on(Field.Changed)
    def _say_anew(self, event: Field.Changed) -> None:
        if event.field.problem is not None:
            event.field.show_problem(None)
        self.show_words()

    @on(events.DescendantBlur)
    def _say_when_left(self) -> None:
        # The field that was left has looked at its value by now, or does so next.
        self.call_next(self.show_words)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_go_on()

    def action_go_on(self) -> None:
        """To the next field; from the last one to the button, which is Cancel where something can be lost."""
        fields = list(self.fields())
        if fields and self.focused is not None and self.focused in fields[-1].query(Widget):
            self.query_one("#cancel" if self.is_critical else "#do").focus()
        else:
            self.focus_next()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "do":
            self.action_submit()
        else:
            self.action_leave()

    def action_leave(self) -> None:
        self._end(None)

    def _end(self, result: ResultT | None) -> None:
        # A key that comes twice must not take the screen below with it.
        if not self._is_over:
            self._is_over = True
            self.dismiss(result)

    # ---------------------------------------------------------------------------------------------- doing it

    @property
    def is_settling(self) -> bool:
        """Whether it looks at what was typed, or is about to go: keys that follow are for what comes next."""
        return self._is_busy or self._is_over

    def action_submit(self) -> None:
        if not (self._is_busy or self._is_over):
            self._is_busy = True
            self._submit()

    @work(group="submit")
    async def _submit(self) -> None:
        wrong = [field for field in self.fields() if not field.check()]
        if wrong:
            wrong[0].focus_control()
            self.show_words()
            self._is_busy = False
            return
        try:
            command = await self.make()
            if await self.is_sure(command):
                self._end(command)
        except EmtuiError as error:
            self.show_error(error)
        finally:
            self._is_busy = False

    def show_error(self, error: EmtuiError) -> None:
        """In place where a field is to blame, else in the words. The dialog stays, with all that is in it."""
        for field in self.fields():
            is_to_blame = isinstance(error, InvalidField) and error.field == field.wire
            field.show_problem(error if is_to_blame and isinstance(error, InvalidField) else None)
            if is_to_blame:
                field.focus_control()
        self.show_words()
        if not any(field.problem for field in self.fields()):
            self.say(told(error))


def told(error: EmtuiError) -> Content:
    """An error in one paragraph: what happened, and what to do."""
    remedy = Content.assemble("\n", safe_text(error.remedy)) if error.remedy else Content()
    return Content.assemble(("▼ ", "$em-critical"), safe_text(error.message, "$em-critical"), remedy)
