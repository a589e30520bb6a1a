"""The keys: those that work in the pane that one comes from, and the others."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from emtui.text import safe_text
from widgets.keys import bind, key_map_of
from widgets.safe_input import SafeInput

Row = tuple[str, str, str]
"""Group, key, and what it does; a row without a key is something to know."""

_KEY_COLUMNS = 14


class HelpScreen(ModalScreen[None]):
    """Rows by group; scrolls, `/` filters, `esc` and the keys for Quit and Help close. `pane` stands in its title."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Close", priority=True),
        bind("quit", "close"),
        bind("help", "close"),
        bind("pane.filter", "filter"),
        bind("list.down", "scroll(1)"),
        bind("list.up", "scroll(-1)"),
    ]
    AUTO_FOCUS = "#rows"
    DEFAULT_CSS = """
    HelpScreen {
        align: center middle; background: $background 70%;
        #help {
            width: 100%; max-width: 90; height: auto; max-height: 100%; margin: 0 1; padding: 0 2;
            border: round $em-border-focus; border-title-color: $foreground; border-title-style: bold;
            border-subtitle-color: $em-muted; background: $panel;
        }
        #filter { display: none; margin-bottom: 1; }
        #filter.-open { display: block; }
        #rows { height: auto; scrollbar-size-vertical: 1; }
        #rows Static { width: 1fr; height: auto; }
    }
    """

    def __init__(self, rows: Sequence[Row], pane: str = "") -> None:
        super().__init__()
        self._rows = tuple(rows)
        self._pane = pane
        self._is_over = False

    def compose(self) -> ComposeResult:
        with Vertical(id="help") as box:
            box.border_title = Content(f" Help · {self._pane} " if self._pane else " Help ")
            keys = key_map_of(self)
            filters = keys.hint("pane.filter", "filters")
            closes = f"esc, {keys.shown('quit')} or {keys.shown('help')} closes"
            box.border_subtitle = Content(f" {filters}   {closes} " if filters else f" {closes} ")
            yield SafeInput(placeholder="filter the keys", id="filter")
            with VerticalScroll(id="rows"):
                yield Static(id="text")

    def on_mount(self) -> None:
        self._show("")
        self._fit()

    def on_resize(self) -> None:
        self._fit()

    def _fit(self) -> None:
        is_open = self.query_one("#filter").has_class("-open")
        self.query_one("#rows").styles.max_height = max(3, self.size.height - 2 - (2 if is_open else 0))

    def _show(self, wanted: str) -> None:
        words = wanted.casefold().split()
        lines: list[Content] = []
        group = None
        for row in self._rows:
            if not all(word in " ".join(row).casefold() for word in words):
                continue
            if row[0] != group:
                group = row[0]
                lines += [Content("")] if lines else []
                lines.append(safe_text(group, "bold $em-folder"))
            if not row[1]:
                lines.append(Content.assemble("· ", safe_text(row[2])))
                continue
            key = safe_text(row[1], "bold")
            gap = " " * max(2, _KEY_COLUMNS - key.cell_length)
            lines.append(Content.assemble("  ", key, gap, safe_text(row[2])))
        if not lines:
            lines.append(Content.assemble("no key does ", safe_text(f"“{wanted}”", limit=60)))
        self.query_one("#text", Static).update(Content("\n").join(lines))

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._show(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.query_one("#rows").focus()

    def action_filter(self) -> None:
        field = self.query_one("#filter")
        field.add_class("-open")
        self._fit()
        field.focus()

    def action_scroll(self, rows: int) -> None:
        self.query_one("#rows", VerticalScroll).scroll_relative(y=rows, animate=False)

    def action_leave(self) -> None:
        """Out of the filter first, then out of the help."""
        field = self.query_one("#filter", SafeInput)
        if field.has_class("-open"):
            field.value = ""
            field.remove_class("-open")
            self._fit()
            self.query_one("#rows").focus()
        else:
            self.action_close()

    def action_close(self) -> None:
        if not self._is_over:
            self._is_over = True
            self.dismiss(None)
