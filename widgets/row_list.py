"""A list of any length: plain objects as rows, of which only the visible ones are drawn."""

from collections.abc import Hashable, Sequence, Set
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from textual.binding import BindingType
from textual.events import Blur, Click, Focus, Resize
from textual.message import Message

from widgets.canvas import Canvas
from widgets.cells import Line
from widgets.keys import bind
from widgets.palette import Part

R = TypeVar("R")

# The first cells of a markable row show the mark; a click there sets it.
MARK_WIDTH = 2

# How far from its old place a row is looked for before the whole list is.
_NEAR = 64


class RowList(Canvas, Generic[R], can_focus=True):
    """A virtual list with a cursor and, where `is_markable`, marks.

    Data: `set_rows(rows)` with any sequence; `replace_row(index, row)` for one of them. The cursor and the marks
    are kept by key: a row that moved keeps them. A subclass answers `key_of(row)` and `draw_row(row, width)`; it
    may bound the width of the text, nothing else is needed.

    Reading: `rows`, `cursor` (index), `cursor_row`, `cursor_key`, `marks`.
    Moving: `move_to(index)`, `move_to_key(key)`.
    Messages: `Highlighted` when the cursor came to another row, `Opened` for enter and a double click, `Marked`
    when the marks changed. Each has `control`.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        bind("list.up", "move(-1)"),
        bind("list.down", "move(1)"),
        bind("list.page_up", "page(-1)"),
        bind("list.page_down", "page(1)"),
        bind("list.first", "edge(-1)"),
        bind("list.last", "edge(1)"),
        bind("list.open", "open"),
        bind("list.mark", "mark"),
    ]

    is_markable: ClassVar[bool] = False
    follows_first: ClassVar[bool] = False
    """Whether a cursor on the first row stays on the first row when another one comes there."""

    @dataclass
    class Highlighted(Message):
        """The cursor came to another row, or to none (`key` is None)."""

        row_list: "RowList[Any]"
        key: Hashable

        @property
        def control(self) -> "RowList[Any]":
            return self.row_list

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, RowList.Highlighted) and message.control is self.control

    @dataclass
    class Opened(Message):
        """The operator pressed enter on a row, or clicked it twice."""

        row_list: "RowList[Any]"
        key: Hashable
        row: Any

        @property
        def control(self) -> "RowList[Any]":
            return self.row_list

    @dataclass
    class Marked(Message):
        """The marks changed."""

        row_list: "RowList[Any]"
        marks: Set[Hashable]

        @property
        def control(self) -> "RowList[Any]":
            return self.row_list

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 textual's name
        super().__init__(id=id, classes=classes)
        self._rows: Sequence[R] = ()
        self._cursor = 0
        self._told: Hashable = None
        self.marks: set[Hashable] = set()

    # ---------------------------------------------------------------------------------------- for subclasses

    def key_of(self, row: R) -> Hashable:
        """What a row is known by, across refreshes."""
        raise NotImplementedError

    def draw_row(self, row: R, width: int) -> Line:
        """The row's cells, together at most `width` wide. Foreign text through `emtui.text` only."""
        raise NotImplementedError

    def row_style(self, row: R) -> str:
        """The row style of a row that the cursor is not on: empty or `alert`."""
        del row
        return ""

    def index_of(self, key: Hashable, near: int) -> int | None:
        """Where the row with that key is, None where there is none. It was at `near` before."""
        key_of, rows, count = self.key_of, self._rows, len(self._rows)
        # Few rows come or go between two refreshes, so the search starts where the row was.
        for distance in range(_NEAR):
            for index in (near + distance, near - distance):
                if 0 <= index < count and key_of(rows[index]) == key:
                    return index
        return next((index for index, row in enumerate(rows) if key_of(row) == key), None)

    def clicked(self, row: R, x: int) -> bool:
        """A click at cell `x` of a row. True: it is dealt with and opens nothing."""
        del row
        if self.is_markable and x < MARK_WIDTH:
            self.action_mark()
            return True
        return False

    # ------------------------------------------------------------------------------------------------- the rows

    @property
    def rows(self) -> Sequence[R]:
        return self._rows

    def set_rows(self, rows: Sequence[R]) -> None:
        """Show `rows`. The cursor stays on the row with its key, or near where it was."""
        old_index, old_key = self._cursor, self.cursor_key
        self._rows = rows
        self._cursor = self._find(old_key, old_index)
        self.lines_changed()
        # What the operator looks at stays where it is on the screen.
        moved = self._cursor - old_index
        if moved and self.scroll_offset.y:
            self.scroll_to(y=self.scroll_offset.y + moved, animate=False, force=True)
        self._show_cursor()
        self._tell()

    def replace_row(self, index: int, row: R) -> None:
        """Put `row` in the place of one with the same key. Only its line is drawn again."""
        rows = self._rows
        if not isinstance(rows, list):
            rows = self._rows = list(rows)
        rows[index] = row
        self.line_changed(index)

    def _find(self, key: Hashable, near: int) -> int:
        count = len(self._rows)
        if not count:
            return 0
        if key is None or (self.follows_first and near == 0):
            return min(near, count - 1)
        index = self.index_of(key, near)
        return min(near, count - 1) if index is None else index

    # ----------------------------------------------------------------------------------------------- the cursor

    @property
    def cursor(self) -> int:
        """The cursor's index. 0 where there are no rows."""
        return self._cursor

    @property
    def cursor_row(self) -> R | None:
        return self._rows[self._cursor] if self._cursor < len(self._rows) else None

    @property
    def cursor_key(self) -> Hashable:
        """The key of the row under the cursor, None where there is none."""
        row = self.cursor_row
        return None if row is None else self.key_of(row)

    def move_to(self, index: int) -> None:
        """Put the cursor on a row, as near to `index` as there is one, and bring it into view."""
        index = max(0, min(index, len(self._rows) - 1))
        if index != self._cursor:
            before, self._cursor = self._cursor, index
            self.line_changed(before)
            self.line_changed(index)
        self._show_cursor()
        self._tell()

    def move_to_key(self, key: Hashable) -> bool:
        """Put the cursor on the row with that key. False where there is none."""
        index = self.index_of(key, self._cursor)
        if index is None:
            return False
        self.move_to(index)
        return True

    def _show_cursor(self) -> None:
        height = self.inner_height
        if height <= 0:
            return
        top = self.scroll_offset.y
        # Forced, since right after `set_rows` the scroll bar is not there yet.
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False, force=True)
        elif self._cursor >= top + height:
            self.scroll_to(y=self._cursor - height + 1, animate=False, force=True)

    def _tell(self) -> None:
        key = self.cursor_key
        if key != self._told:
            self._told = key
            self.post_message(self.Highlighted(self, key))

    # ------------------------------------------------------------------------------------------------- drawing

    def line_count(self) -> int:
        return len(self._rows)

    def draw_line(self, index: int, width: int) -> tuple[Line, str]:
        row = self._rows[index]
        style = self.row_style(row)
        if index == self._cursor:
            style = "cursor" if self.has_focus else style or "cursor-blurred"
        if not self.is_markable:
            return (Part(" "), *self.draw_row(row, width - 2)), style
        mark = Part("● ", "mark") if self.marks and self.key_of(row) in self.marks else Part("  ")
        return (mark, *self.draw_row(row, width - MARK_WIDTH - 1)), style

    # ------------------------------------------------------------------------------------------------- actions

    def action_move(self, by: int) -> None:
        self.move_to(self._cursor + by)

    def action_page(self, direction: int) -> None:
        self.move_to(self._cursor + direction * max(1, self.inner_height - 1))

    def action_edge(self, direction: int) -> None:
        self.move_to(0 if direction < 0 else len(self._rows) - 1)

    def action_open(self) -> None:
        row = self.cursor_row
        if row is not None:
            self.post_message(self.Opened(self, self.key_of(row), row))

    def action_mark(self) -> None:
        key = self.cursor_key
        if not self.is_markable or key is None:
            return
        self.marks ^= {key}
        self.line_changed(self._cursor)
        self.post_message(self.Marked(self, frozenset(self.marks)))
        self.action_move(1)

    def set_marks(self, marks: Set[Hashable]) -> None:
        """Have exactly these marks."""
        if marks != self.marks:
            self.marks = set(marks)
            self.lines_changed()
            self.post_message(self.Marked(self, frozenset(self.marks)))

    # -------------------------------------------------------------------------------------------------- events

    def on_click(self, event: Click) -> None:
        index = self.scroll_offset.y + event.y
        if event.x >= self.inner_width or index >= len(self._rows):
            return
        event.stop()
        self.move_to(index)
        if not self.clicked(self._rows[index], event.x) and event.chain == 2:
            self.action_open()

    def on_focus(self, event: Focus) -> None:
        del event
        self.line_changed(self._cursor)

    def on_blur(self, event: Blur) -> None:
        del event
        self.line_changed(self._cursor)

    def on_resize(self, event: Resize) -> None:
        del event
        self._show_cursor()
