"""Pane 4: what the Grid Node hosts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.message import Message

from emtui import text
from emtui.views import GridView
from widgets.canvas import Lines
from widgets.cells import Line, cut, left, right
from widgets.keys import key_map_of
from widgets.palette import Part
from widgets.pane import Pane
from widgets.row_list import RowList
from widgets.status import Status

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.events import Resize

    from emtui.models import HostedModel

SIZE_WIDTH = 9
COPY_WIDTH = 6
_LEAST_NAME = 16
# Tags take at most this many lines from the models.
MOST_TAG_LINES = 3

_COPY = {True: ("●", Status.NORMAL), False: ("•", Status.OFF), None: ("…", "faint")}


class ModelList(RowList["HostedModel"]):
    """The rows of `GridPane`."""

    def key_of(self, row: HostedModel) -> str:
        return row.model_id

    def draw_row(self, row: HostedModel, width: int) -> Line:
        has_size = width >= _LEAST_NAME + COPY_WIDTH + SIZE_WIDTH + 3
        room = width - COPY_WIDTH - 1 - has_size * (SIZE_WIDTH + 1)
        sign, style = _COPY[row.is_copy_allowed]
        parts = [
            Part(left(text.safe_str(row.model_id, 512), room)),
            Part(" copy ", "muted" if row.is_copy_allowed else "faint"),
            Part(sign, style),
        ]
        if has_size:
            parts.append(Part(right(text.size(row.size_bytes), SIZE_WIDTH + 1), "muted"))
        return tuple(parts)


def tag_lines(tags: tuple[str, ...], width: int, most: int = MOST_TAG_LINES) -> tuple[Line, ...]:
    """`tags  #mnist  #boston` in at most `most` lines; what does not fit is counted: `+12 more`."""
    lines: list[list[Part]] = [[Part(" tags ", "muted")]]
    used = 6
    for position, tag in enumerate(tags):
        shown = text.safe_str(tag, 256)
        word = " " + cut(shown if shown.startswith("#") else f"#{shown}", width - 8) + " "
        more = f" +{len(tags) - position} more"
        is_last = len(lines) == most
        space = width - (len(more) if is_last and position + 1 < len(tags) else 0)
        if used + cell_len(word) > space:
            if is_last:
                lines[-1].append(Part(more, "faint"))
                break
            lines.append([Part(" " * 6)])
            used = 6
        lines[-1].append(Part(word, "accent"))
        used += cell_len(word)
    return tuple(tuple(line) for line in lines)


class GridPane(Pane[GridView]):
    """The Grid Node (`Feed[GridView]`).

    For the app: `selected`, the model under the cursor; `select(model_id)`.
    Messages: `Opened` (enter on a model).
    """

    DEFAULT_CSS = """
    GridPane #grid-tags { height: auto; max-height: 3; display: none; }
    """

    number = 4
    heading = "Grid"
    is_filterable = True

    @dataclass
    class Opened(Message):
        """The operator opened a model."""

        pane: GridPane
        model: HostedModel

        @property
        def control(self) -> GridPane:
            return self.pane

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 textual's name
        super().__init__(id=id, classes=classes)
        self.model_list = ModelList()
        self.tag_lines = Lines(id="grid-tags")
        self.tag_lines.can_focus = False

    def compose(self) -> ComposeResult:
        yield self.model_list
        yield self.tag_lines

    @property
    def canvas(self) -> ModelList:
        return self.model_list

    @property
    def selected(self) -> HostedModel | None:
        """The model under the cursor."""
        return self.model_list.cursor_row

    def select(self, model_id: str) -> bool:
        """Put the cursor on a model. False where it is not shown."""
        return self.model_list.move_to_key(model_id)

    def accept(self, value: GridView) -> None:
        needle = self.filter_text.casefold()
        self.model_list.set_rows([model for model in value.models if needle in model.model_id.casefold()])
        self._show_tags(value.tags)

    def forget(self) -> None:
        self.model_list.set_rows(())
        self._show_tags(())

    def _show_tags(self, tags: tuple[str, ...]) -> None:
        width = self.outer_size.width - 2
        lines = tag_lines(tags, width) if tags and width > 12 else ()
        self.tag_lines.lines = lines
        self.tag_lines.styles.height = len(lines)
        self.tag_lines.display = bool(lines)

    def filter_changed(self, needle: str) -> None:
        del needle
        self.accept(self.feed.value or GridView())

    def facts(self, value: GridView) -> list[Line]:
        return [(Part(text.count(len(value.models), "model"), "muted"),)]

    def empty_text(self) -> tuple[str, str]:
        return "no models yet", key_map_of(self).hint("serve_model", "serves one")

    def on_resize(self, event: Resize) -> None:
        del event
        if self.feed.value is not None:
            self._show_tags(self.feed.value.tags)

    def on_row_list_opened(self, event: RowList.Opened) -> None:
        event.stop()
        self.post_message(self.Opened(self, event.row))
