"""Picks files and folders of the operator's own disk.

One folder at a time, read off the event loop; only the lines on the screen are drawn, so that a folder of 100,000
files costs no more than its reading.
"""

import asyncio
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual import events, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widgets import Static

from emtui.keys.keymap import KEYS, Group
from emtui.text import count, safe_str, safe_text, size
from widgets.keys import bind, key_map_of

# A size costs a call to the disk for each file; beyond this the names are shown without.
_MOST_SIZES = 5_000

# While a path is typed its folder changes with every stroke; what is not looked at is not read.
_FOLLOW_DELAY_S = 0.08

_KEYS = tuple(key.id for key in KEYS.values() if key.group is Group.PICKER)
_IN_SHORT = {"left": "←", "right": "→", "up": "↑", "down": "↓", "delete": "del"}


def shown(path: Path) -> str:
    """`path` with `~` for the home; foreign text still."""
    try:
        return f"~/{path.relative_to(Path.home())}".removesuffix("/.")
    except (ValueError, RuntimeError):
        return str(path)


def with_tilde(text: str) -> str:
    """A message about paths with `~` for the home; foreign text still."""
    try:
        return text.replace(f"{Path.home()}/", "~/")
    except RuntimeError:
        return text


@dataclass(frozen=True, slots=True)
class Entry:
    """A name in a folder. `size_bytes` is None for what has none, or where it was not asked."""

    name: str
    is_folder: bool
    is_link: bool = False
    size_bytes: int | None = None


def read_folder(folder: Path, show_hidden: bool) -> tuple[Entry, ...]:
    """The entries of `folder`, folders first, by name. Blocks. Raises OSError."""
    entries = []
    with os.scandir(folder) as found:
        for number, item in enumerate(found):
            if not show_hidden and item.name.startswith("."):
                continue
            try:
                is_folder = item.is_dir()
                size_bytes = None if is_folder or number >= _MOST_SIZES else item.stat(follow_symlinks=False).st_size
            except OSError:  # gone meanwhile, or a link in a circle: it is still a name
                is_folder, size_bytes = False, None
            entries.append(Entry(item.name, is_folder, item.is_symlink(), size_bytes))
    entries.sort(key=lambda entry: (not entry.is_folder, entry.name.casefold(), entry.name))
    return tuple(entries)


class EntryList(ScrollView, can_focus=True):
    """The lines of one folder."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "entries--cursor",
        "entries--blurred",
        "entries--folder",
        "entries--muted",
        "entries--marked",
    }
    DEFAULT_CSS = """
    EntryList {
        height: 1fr; width: 1fr; background: $surface; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0;
        & > .entries--cursor { background: $em-cursor; }
        & > .entries--blurred { background: $em-cursor-blurred; }
        & > .entries--folder { color: $em-folder; text-style: bold; }
        & > .entries--muted { color: $em-muted; }
        & > .entries--marked { color: $em-normal; text-style: bold; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home", "move(-1000000000)", show=False),
        Binding("end", "move(1000000000)", show=False),
    ]

    def __init__(self, is_marked: Callable[[Entry], bool]) -> None:
        super().__init__()
        self.entries: tuple[Entry, ...] = ()
        self.cursor = 0
        self.notice = ""
        self._is_marked = is_marked

    @property
    def current(self) -> Entry | None:
        return self.entries[self.cursor] if self.cursor < len(self.entries) else None

    def show(self, entries: tuple[Entry, ...], cursor: int, notice: str) -> None:
        """Show another folder's entries; `notice` stands in their place where there are none."""
        self.entries = entries
        self.notice = notice
        self.virtual_size = Size(self.size.width, max(1, len(entries)))
        self.go(cursor)

    def go(self, cursor: int) -> None:
        self.cursor = max(0, min(cursor, len(self.entries) - 1))
        self.scroll_to_region(Region(0, self.cursor, 1, 1), animate=False, force=True)
        self.refresh()

    def action_move(self, step: int) -> None:
        if step == -1 and self.cursor == 0:
            self.screen.focus_previous()
        else:
            self.go(self.cursor + step)

    def action_page(self, step: int) -> None:
        self.go(self.cursor + step * max(1, self.size.height - 1))

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        self.go(event.y + self.scroll_offset.y)

    def on_key(self, event: events.Key) -> None:
        """A letter goes to the next name that begins with it, unless it is the key of something."""
        letter = event.character or ""
        if not letter.isalnum() or any(event.key in key_map_of(self).keys(name) for name in _KEYS):
            return
        event.stop()
        after = [*range(self.cursor + 1, len(self.entries)), *range(self.cursor + 1)]
        for index in after:
            if index < len(self.entries) and self.entries[index].name.casefold().startswith(letter.casefold()):
                self.go(index)
                return

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        index = y + self.scroll_offset.y
        base = self.rich_style
        if not self.entries and y == 0:
            muted = base + self.get_component_rich_style("entries--muted", partial=True)
            return Strip([Segment(set_cell_size(f"  {self.notice}", width), muted)], width)
        if index >= len(self.entries):
            return Strip.blank(width, base)
        if index == self.cursor:
            kind = "entries--cursor" if self.has_focus else "entries--blurred"
            base += self.get_component_rich_style(kind, partial=True)
        entry = self.entries[index]
        is_marked = self._is_marked(entry)
        muted = base + self.get_component_rich_style("entries--muted", partial=True)
        name_style = base
        if is_marked:
            name_style = base + self.get_component_rich_style("entries--marked", partial=True)
        elif entry.is_folder:
            name_style = base + self.get_component_rich_style("entries--folder", partial=True)
        at_right = "link " if entry.is_link else f"{size(entry.size_bytes)} " if entry.size_bytes is not None else ""
        shape = "▸ " if entry.is_folder else "  "
        mark = " ● " if is_marked else "   "
        room = max(1, width - 5 - max(10, len(at_right)) - 1)
        name = safe_str(entry.name, limit=512) + ("/" if entry.is_folder else "")
        if cell_len(name) > room:
            name = set_cell_size(name, room - 1) + "…"
        return Strip(
            [
                Segment(mark, name_style),
                Segment(shape, muted),
                Segment(set_cell_size(name, room + 1), name_style),
                Segment(at_right.rjust(max(0, width - 5 - room - 1)), muted),
            ],
        ).adjust_cell_length(width, base)


class PathPicker(Vertical):
    """A folder of the disk, its keys those of `picker.…` in the table.

    Marks stay while the folder changes. With `takes_many` off nothing is marked, and `enter` on a file chooses it.
    """

    DEFAULT_CSS = """
    PathPicker {
        height: 8; width: 1fr; margin-bottom: 1;
        #where { height: 1; width: 1fr; background: $surface; color: $em-muted; padding: 0 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("picker.mark", "mark"),
        bind("picker.open", "open"),
        bind("picker.into", "descend"),
        bind("picker.up", "ascend"),
        bind("picker.hidden", "toggle_hidden"),
        bind("picker.clear", "clear"),
    ]

    @dataclass
    class Marked(Message):
        """Other paths are marked."""

        picker: "PathPicker"

        @property
        def control(self) -> "PathPicker":
            return self.picker

    @dataclass
    class Chosen(Message):
        """Enter on a file."""

        picker: "PathPicker"
        path: Path

        @property
        def control(self) -> "PathPicker":
            return self.picker

    def __init__(self, start: Path, *, takes_many: bool = True) -> None:
        super().__init__()
        self.folder = start
        self._takes_many = takes_many
        self._marks: dict[Path, None] = {}
        self._show_hidden = False
        # Held, not looked up: a folder may still be read while the dialog around it goes.
        self._where = Static(id="where")
        self._list = EntryList(lambda entry: self.folder / entry.name in self._marks)

    @property
    def marked(self) -> tuple[Path, ...]:
        """In the order in which they were marked."""
        return tuple(self._marks)

    def compose(self) -> ComposeResult:
        yield self._where
        yield self._list

    def on_mount(self) -> None:
        self._show_where()
        self.go(self.folder)

    # ------------------------------------------------------------------------------------------------ folders

    def go(self, folder: Path, name: str = "", delay_s: float = 0.0) -> None:
        """Show `folder`, the cursor on the first name that begins with `name`. A later call supersedes this one."""
        self._read(folder, name, delay_s)

    def follow(self, folder: Path, name: str) -> None:
        """Go where a path is being typed to; stays where that is no folder."""
        self.go(folder, name, _FOLLOW_DELAY_S)

    @work(group="read", exclusive=True)
    async def _read(self, folder: Path, name: str, delay_s: float) -> None:
        if delay_s:
            await asyncio.sleep(delay_s)
            if folder == self.folder and self._list.entries:
                self._go_to(name)
                return
            if not await asyncio.to_thread(os.path.isdir, folder):
                return
        show_hidden = self._show_hidden or name.startswith(".")
        notice = "empty"
        entries: tuple[Entry, ...] = ()
        try:
            entries = await asyncio.to_thread(read_folder, folder, show_hidden)
        except OSError as error:
            notice = f"▼ cannot be read: {os.strerror(error.errno or 0)}"
            up = self._hint("picker.up", "goes up")
            notice += f" – {up}" if up else ""
        self.folder = folder
        self._list.show(entries, 0, notice)
        if name:
            self._go_to(name)
        self._show_where()

    def _go_to(self, name: str) -> None:
        entries = self._list.entries
        exact = (index for index, entry in enumerate(entries) if entry.name == name)
        begins = (index for index, entry in enumerate(entries) if entry.name.startswith(name))
        self._list.go(next(exact, next(begins, self._list.cursor)))

    def _show_where(self) -> None:
        marks = ""
        if self._marks:
            clears = self._hint("picker.clear", "clears")
            marks = f"  ● {count(len(self._marks), 'mark')}" + (f", {clears}" if clears else "")
        told = (("open", "opens"), ("up", "up"), ("hidden", "hidden"))
        hints = [
            self._hint(f"picker.{name}", words) for name, words in ((("mark", "marks"),) * self._takes_many + told)
        ]
        keys = "  ".join(hint for hint in hints if hint)
        width = self.size.width - 2
        name = safe_str(shown(self.folder))
        room = width - cell_len(marks) - cell_len(keys) - 2
        if cell_len(name) > room:  # the keys give way to the path, then the path's beginning to its end
            keys = ""
            room = max(10, width - cell_len(marks))
        while cell_len(name) > room:
            name = "…" + name[2:]
        where = Content.assemble(safe_text(name, "bold"), (marks, "$em-normal"))
        gap = " " * max(0, width - where.cell_length - cell_len(keys))
        self._where.update(Content.assemble(where, gap, (keys, "$em-muted")))

    def _hint(self, name: str, words: str) -> str:
        """`space marks`, by the key in force; empty where it is switched off."""
        key = key_map_of(self).shown(name)
        return f"{_IN_SHORT.get(key, key)} {words}" if key else ""

    def on_resize(self) -> None:
        self._show_where()

    # --------------------------------------------------------------------------------------------------- keys

    def mark(self, paths: Iterable[Path]) -> None:
        """Mark more paths."""
        self._marks.update(dict.fromkeys(paths))
        self._changed()

    def _changed(self) -> None:
        self._list.refresh()
        self._show_where()
        self.post_message(self.Marked(self))

    def action_mark(self) -> None:
        entry = self._list.current
        if entry is None or not self._takes_many:
            return
        path = self.folder / entry.name
        if path in self._marks:
            del self._marks[path]
        else:
            self._marks[path] = None
        self._list.go(self._list.cursor + 1)
        self._changed()

    def action_clear(self) -> None:
        self._marks.clear()
        self._changed()

    def action_open(self) -> None:
        entry = self._list.current
        if entry is None:
            return
        if entry.is_folder:
            self.go(self.folder / entry.name)
        else:
            self.post_message(self.Chosen(self, self.folder / entry.name))

    def action_descend(self) -> None:
        entry = self._list.current
        if entry is not None and entry.is_folder:
            self.go(self.folder / entry.name)

    def action_ascend(self) -> None:
        if self.folder.parent != self.folder:
            self.go(self.folder.parent, self.folder.name)

    def action_toggle_hidden(self) -> None:
        self._show_hidden = not self._show_hidden
        current = self._list.current
        self.go(self.folder, current.name if current else "")
