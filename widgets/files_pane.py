"""Pane 1: the volume's tree."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from textual.binding import BindingType
from textual.message import Message
from textual.widgets import Input

from emtui import text
from widgets.cells import Line, cut, right
from widgets.file_rows import ROOT_PATH, FileRow, Orders, TreeRows, existing, matching_rows, tree_rows, without_nested
from widgets.keys import bind, key_map_of
from widgets.palette import Part
from widgets.pane import Pane
from widgets.row_list import MARK_WIDTH, RowList

if TYPE_CHECKING:
    from datetime import datetime

    from textual.app import ComposeResult

    from emtui.plain import FileNode, Listing

SIZE_WIDTH = 9
TIME_WIDTH = 11
# A name needs this many cells before the time, and then the size, may take some of them.
_NAME_BEFORE_TIME = 26
_NAME_BEFORE_SIZE = 16
_INDENT = 2
# However deep a folder is, its entries' names are seen.
_DEEPEST_INDENT = 0.5

_TYPE_SIGNS = {"link": ("→ link", "link"), "other": ("not a file", "faint")}


class FileTree(RowList[FileRow]):
    """The tree itself. `FilesPane` gives it its rows."""

    is_markable = True

    BINDINGS: ClassVar[list[BindingType]] = [
        bind("files.expand", "expand"),
        bind("files.collapse", "collapse"),
    ]

    @dataclass
    class Toggle(Message):
        """The folder at `path` is to be opened or closed."""

        file_tree: FileTree
        path: str
        is_open: bool

        @property
        def control(self) -> FileTree:
            return self.file_tree

    now: datetime | None = None
    _widths = (0, 0)

    def key_of(self, row: FileRow) -> str:
        return row.path

    def index_of(self, key: Hashable, near: int) -> int | None:
        rows = self.rows
        return rows.index_of(str(key)) if isinstance(rows, TreeRows) else super().index_of(key, near)

    def draw_row(self, row: FileRow, width: int) -> Line:
        size_width = SIZE_WIDTH + 1 if width >= _NAME_BEFORE_SIZE + SIZE_WIDTH else 0
        time_width = TIME_WIDTH + 2 if width >= _NAME_BEFORE_TIME + SIZE_WIDTH + TIME_WIDTH else 0
        room = width - size_width - time_width
        node = row.node
        indent = min((row.depth + 1) * _INDENT, int(room * _DEEPEST_INDENT))
        sign = ("▾ " if row.is_open else "▸ ") if row.is_folder else "  "
        parts = [Part(" " * indent), Part(sign, "accent" if row.is_open else "muted")]
        room -= indent + 2
        if node is None:
            parts.append(Part("/" + " " * (room - 1), "folder"))
            return (*parts, Part(" " * (size_width + time_width)))
        name = cut(text.safe_str(node.name, 512) + ("/" if row.is_folder else ""), room)
        parts.append(Part(name, "folder" if row.is_folder else "text" if node.type == "file" else "link"))
        room -= cell_len(name)
        note, style = _TYPE_SIGNS.get(node.type, ("", "faint"))
        if note and room > len(note) + 1:
            parts.append(Part(f" {note}", style))
            room -= len(note) + 1
        parts.append(Part(" " * room))
        if size_width:
            has_size = node.type in ("file", "directory")
            parts.append(
                Part(right(text.size(node.size) if has_size else "–", size_width), "muted" if has_size else "faint")
            )
        if time_width and self.now is not None:
            parts.append(Part(right(text.short_date(node.time, self.now), time_width), "muted"))
        return tuple(parts)

    def clicked(self, row: FileRow, x: int) -> bool:
        if super().clicked(row, x):
            return True
        sign = MARK_WIDTH + (row.depth + 1) * _INDENT
        if row.is_folder and sign <= x < sign + 2:
            self.post_message(self.Toggle(self, row.path, not row.is_open))
            return True
        return False

    def action_mark(self) -> None:
        if self.cursor_key == ROOT_PATH:  # the volume itself is no file
            self.action_move(1)
            return
        super().action_mark()

    def action_expand(self) -> None:
        row = self.cursor_row
        if row is None or not row.is_folder:
            return
        if row.is_open:
            self.action_move(1)
        else:
            self.post_message(self.Toggle(self, row.path, True))

    def action_collapse(self) -> None:
        row = self.cursor_row
        if row is None:
            return
        if row.is_folder and row.is_open:
            self.post_message(self.Toggle(self, row.path, False))
        elif row.node is not None:
            self.move_to_key(row.folder.prefix.rstrip("/"))


class FilesPane(Pane["Listing"]):
    """The volume (`Feed[Listing]`).

    For the app: `selection`, `cursor_path`, `cursor_folder`, `cursor_node`, `select(path)`, `clear_marks()`.
    Messages: `Opened` (enter on a file; a folder opens in the pane itself) and `SelectionChanged`.
    """

    number = 1
    heading = "Files"
    is_filterable = True

    @dataclass
    class Opened(Message):
        """The operator opened a file."""

        pane: FilesPane
        path: str
        node: FileNode

        @property
        def control(self) -> FilesPane:
            return self.pane

    @dataclass
    class SelectionChanged(Message):
        """Cursor or marks changed: `paths` is what a command would work on."""

        pane: FilesPane
        paths: tuple[str, ...]

        @property
        def control(self) -> FilesPane:
            return self.pane

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, FilesPane.SelectionChanged)

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 textual's name
        super().__init__(id=id, classes=classes)
        self.file_tree = FileTree()
        self.opened: set[str] = {ROOT_PATH}
        self._orders = Orders()
        self._matches: int | None = None

    def compose(self) -> ComposeResult:
        yield self.file_tree

    # --------------------------------------------------------------------------------------- the public face

    @property
    def canvas(self) -> FileTree:
        return self.file_tree

    @property
    def listing(self) -> Listing | None:
        return self.feed.value

    @property
    def selection(self) -> tuple[str, ...]:
        """What a command works on: the marked paths, without those in a marked folder; else the cursor's path.
        Empty where there is neither; the root itself is never in it."""
        if self.file_tree.marks:
            return without_nested(str(path) for path in self.file_tree.marks)
        path = self.cursor_path
        return (path,) if path else ()

    @property
    def cursor_row(self) -> FileRow | None:
        return self.file_tree.cursor_row

    @property
    def cursor_node(self) -> FileNode | None:
        row = self.file_tree.cursor_row
        return row.node if row is not None else None

    @property
    def cursor_path(self) -> str:
        """The path under the cursor; empty on the root."""
        row = self.file_tree.cursor_row
        return row.path if row is not None else ROOT_PATH

    @property
    def cursor_folder(self) -> str:
        """The folder that the cursor is in or on; empty for the root. Where an uplink goes."""
        row = self.file_tree.cursor_row
        if row is None:
            return ROOT_PATH
        return row.path if row.is_folder else row.folder.prefix.rstrip("/")

    def select(self, path: str) -> bool:
        """Open the folders above `path` and put the cursor on it. False where it is not in the listing."""
        listing = self.listing
        if listing is None or (path and listing.find(path) is None):
            return False
        parts = path.split("/")
        self.opened |= {ROOT_PATH, *("/".join(parts[:count]) for count in range(1, len(parts)))}
        if self.filter_text:
            self.call_later(self.action_clear_filter)
            self.filter_text = ""
        self._fill()
        return self.file_tree.move_to_key(path)

    def clear_marks(self) -> None:
        self.file_tree.set_marks(set())

    # ------------------------------------------------------------------------------------------- for the base

    def is_same(self, old: Listing, new: Listing) -> bool:
        return old is new or old.fingerprint == new.fingerprint

    def accept(self, value: Listing) -> None:
        marks: Set[str] = {str(path) for path in self.file_tree.marks}
        if marks:
            self.file_tree.set_marks(existing(marks, value))
        if self.filter_text:
            self._search()
        else:
            self._fill()

    def forget(self) -> None:
        self.file_tree.set_marks(set())
        self.file_tree.set_rows([])

    def facts(self, value: Listing) -> list[Line]:
        return [(Part(fact, "muted"),) for fact in (f"{value.file_count:,}", text.size(value.size_bytes))]

    def empty_text(self) -> tuple[str, str]:
        return "no files yet", key_map_of(self).hint("uplink", "uplinks some")

    def footnote(self) -> Line:
        if self.filter_text and self._matches is not None:
            return (Part(text.count(self._matches, "match", "matches"), "accent"),)
        return super().footnote()

    def filter_changed(self, needle: str) -> None:
        if needle:
            self._search()
        else:
            self.workers.cancel_group(self, "filter")
            self._matches = None
            path = self.cursor_path
            self._fill()
            if path:
                self.select(path)

    # -------------------------------------------------------------------------------------------------- rows

    def _fill(self) -> None:
        listing = self.listing
        self.file_tree.now = self.now
        if listing is None or not (listing.nodes or self.filter_text):
            self.file_tree.set_rows([])
            return
        self.file_tree.set_rows(tree_rows(listing, self.opened, self._orders))

    def _search(self) -> None:
        if self.listing is not None:
            self.run_worker(
                self._find(self.listing, self.filter_text.casefold()),
                name="filter files",
                group="filter",
                exclusive=True,
            )

    async def _find(self, listing: Listing, needle: str) -> None:
        rows, count = await asyncio.to_thread(matching_rows, listing, needle)
        self._matches = count
        self.file_tree.now = self.now
        self.file_tree.set_rows(rows if count else [])
        self.refresh_state()
        # The first match is what was looked for, not the folders above it.
        first = next((index for index, row in enumerate(rows) if row.node and needle in row.node.name.casefold()), None)
        if first is not None and isinstance(self.screen.focused, Input):
            self.file_tree.move_to(first)

    def _toggle(self, path: str, *, is_open: bool) -> None:
        if self.filter_text:
            # Under a filter a folder opens in the whole tree: what is in it may not match.
            self.select(path)
        if is_open:
            self.opened.add(path)
        else:
            self.opened.discard(path)
        self._fill()

    # ------------------------------------------------------------------------------------------------ events

    def on_file_tree_toggle(self, event: FileTree.Toggle) -> None:
        event.stop()
        self._toggle(event.path, is_open=event.is_open)

    def on_row_list_opened(self, event: RowList.Opened) -> None:
        event.stop()
        row: FileRow = event.row
        if row.is_folder:
            self._toggle(row.path, is_open=not row.is_open)
        elif row.node is not None:
            self.post_message(self.Opened(self, row.path, row.node))

    def on_row_list_highlighted(self, event: RowList.Highlighted) -> None:
        event.stop()
        self.post_message(self.SelectionChanged(self, self.selection))

    def on_row_list_marked(self, event: RowList.Marked) -> None:
        event.stop()
        self.post_message(self.SelectionChanged(self, self.selection))
