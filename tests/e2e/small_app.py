"""A small Textual program, for the tests of the harness itself."""

import signal
import sys
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.widgets import Footer, Header, Input, Label


class SmallApp(App[int]):
    """Shows its size, and says back what was typed, submitted or pasted."""

    BINDINGS: ClassVar = [Binding("ctrl+s", "say", "Say"), Binding("escape", "leave", "Leave")]

    def compose(self) -> ComposeResult:
        yield Header()
        yield Label("first light: größer 衛星", id="greeting")
        yield Label("", id="size")
        yield Input(id="entry")
        yield Label("", id="said")
        yield Footer()

    def on_mount(self) -> None:
        self.set_interval(0.05, self.show_size)

    def show_size(self) -> None:
        self.query_one("#size", Label).update(f"{self.size.width} by {self.size.height}")

    def action_say(self) -> None:
        self.query_one("#said", Label).update(f"said {self.query_one(Input).value}")

    def action_leave(self) -> None:
        self.exit(3)


if __name__ == "__main__":
    app = SmallApp()
    if "--deaf" not in sys.argv:
        signal.signal(signal.SIGTERM, lambda number, frame: app.call_later(app.exit, 4))
    sys.exit(app.run())
