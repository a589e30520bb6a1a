"""The line at a pane's bottom into which a filter is typed."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.timer import Timer

# A word is typed in one go; the list is filtered when the fingers rest.
DEBOUNCE_S = 0.12
# Longer than any name of a file can be; a pasted book is cut.
MOST_CHARACTERS = 255


class FilterBar(Horizontal):
    """`/ text`: posts `Changed` when the typing rests, `Kept` on enter or down, `Dropped` on esc."""

    DEFAULT_CSS = """
    FilterBar {
        height: 1;
        background: $em-bar;
        Static { width: 3; color: $primary; text-style: bold; }
        Input, Input:focus { background: transparent; padding: 0; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "drop", "Clear the filter", show=False),
        Binding("down", "keep", "To the list", show=False),
    ]

    @dataclass
    class Changed(Message):
        """The filter is `text` now."""

        bar: "FilterBar"
        text: str

        @property
        def control(self) -> "FilterBar":
            return self.bar

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, FilterBar.Changed)

    @dataclass
    class Kept(Message):
        """The operator goes back to the list, with the filter on."""

        bar: "FilterBar"

        @property
        def control(self) -> "FilterBar":
            return self.bar

    @dataclass
    class Dropped(Message):
        """The operator wants no filter."""

        bar: "FilterBar"

        @property
        def control(self) -> "FilterBar":
            return self.bar

    def __init__(self) -> None:
        super().__init__()
        self._timer: Timer | None = None

    def compose(self) -> "ComposeResult":
        yield Static(" / ")
        yield Input(compact=True, max_length=MOST_CHARACTERS, select_on_focus=False)

    @property
    def input(self) -> Input:
        return self.query_one(Input)

    def _tell(self) -> None:
        self._timer = None
        self.post_message(self.Changed(self, self.input.value))

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(DEBOUNCE_S, self._tell)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_keep()

    def action_keep(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._tell()
        self.post_message(self.Kept(self))

    def action_drop(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        self.post_message(self.Dropped(self))
