"""The main screen: header, five panes, key bar. It lays out, moves the focus, and says what the operator wishes.

Wide (160 columns and more): three columns. Normal: two columns over Activity. Under 100 columns or 30 lines: one
pane at a time. Too small: it says so.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, Vertical
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from emtui.commands import REGISTRY
from emtui.text import safe_str
from emtui.views import LinkHealth
from widgets.activity_pane import ActivityPane
from widgets.files_pane import FilesPane
from widgets.grid_pane import GridPane
from widgets.header_bar import HeaderBar
from widgets.images_pane import ImagesPane
from widgets.key_bar import KeyBar
from widgets.pod_pane import PodPane

WIDE_COLUMNS = 160
COMPACT_COLUMNS = 100
COMPACT_LINES = 30
LEAST_COLUMNS = 40
LEAST_LINES = 10

PANES = ("files", "images", "pod", "grid", "activity")


class MainScreen(Screen[None]):
    """The console."""

    CSS = """
    MainScreen { layout: vertical; }
    #body { height: 1fr; }
    #left { width: 1fr; height: 1fr; }
    #right { width: 1fr; height: 1fr; }
    #files { height: 2fr; }
    #images { height: 1fr; min-height: 5; }
    #pod { height: 1fr; }
    #grid { height: 1fr; }
    #activity { height: 30%; min-height: 5; }
    #too-small { display: none; height: 1fr; content-align: center middle; }

    MainScreen.-wide #body { layout: horizontal; }
    MainScreen.-compact #left, MainScreen.-compact #right { display: none; }
    MainScreen.-compact #activity { display: none; }
    MainScreen.-tiny #body, MainScreen.-tiny HeaderBar, MainScreen.-tiny KeyBar { display: none; }
    MainScreen.-tiny #too-small { display: block; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(number), f"pane('{name}')", name.title(), id=f"pane.{name}", show=False)
          for number, name in enumerate(PANES, 1)),
        *(Binding(command.key, f"wish('{name}')", command.title, id=f"command.{name}", show=False)
          for name, command in REGISTRY.items()),
        Binding("R", "refresh", "Refresh", id="refresh", show=False),
        Binding("p", "hold_poll", "Hold the poll", id="hold_poll", show=False),
        Binding("H", "hold_queue", "Hold the queue", id="hold_queue", show=False),
        Binding("y", "copy", "Copy", id="copy", show=False),
        Binding("question_mark", "help", "Help", id="help", show=False),
        Binding("q", "quit", "Quit", id="quit", show=False),
    ]  # fmt: skip

    @dataclass
    class Wished(Message):
        """The operator wants a command: its name in the registry."""

        name: str

    @dataclass
    class Asked(Message):
        """The operator wants something of the console itself: `refresh`, `hold_poll`, `hold_queue`, `copy`, `help`."""

        what: str
        pane: str

    def __init__(self, *, is_read_only: bool) -> None:
        super().__init__()
        self.header = HeaderBar(is_read_only=is_read_only, id="header")
        self.files = FilesPane(id="files")
        self.images = ImagesPane(id="images")
        self.pod = PodPane(id="pod")
        self.grid = GridPane(id="grid")
        self.activity = ActivityPane(id="activity")
        self._key_bar = KeyBar(is_read_only=is_read_only, id="keys")
        self._current = "files"

    def compose(self) -> ComposeResult:
        yield self.header
        with Container(id="body"):
            with Vertical(id="left"):
                yield self.files
                yield self.images
            with Vertical(id="right"):
                yield self.pod
                yield self.grid
        yield self.activity
        yield Static(id="too-small", markup=False)
        yield self._key_bar
