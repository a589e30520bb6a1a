"""A small app around one pane, or around all of them as the console lays them out."""

from collections.abc import Callable, Sequence
from typing import Any

import ui_samples as samples
from textual.app import App, ComposeResult
from textual.containers import Horizontal, Vertical
from textual.filter import LineFilter
from textual.message import Message
from textual.widget import Widget
from ui_harness import MONOTONIC, NOW

from emtui.console.theming import line_filters, register_themes, variable_defaults
from widgets.activity_pane import ActivityPane
from widgets.files_pane import FilesPane
from widgets.grid_pane import GridPane
from widgets.header_bar import HeaderBar
from widgets.images_pane import ImagesPane
from widgets.key_bar import KeyBar
from widgets.pane import Pane
from widgets.pod_pane import PodPane


class ThemedApp(App[None]):
    """What the console's app does for its panes: themes, variables, filters."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self, theme: str = "dark") -> None:
        super().__init__()
        self.chosen = theme
        self.heard: list[Message] = []

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return variable_defaults()

    def get_line_filters(self) -> Sequence[LineFilter]:
        return line_filters(self, super().get_line_filters())

    def hear(self, kind: type[Message]) -> list[Any]:
        """The messages of one kind that came up, oldest first."""
        return [message for message in self.heard if isinstance(message, kind)]

    def on_mount(self) -> None:
        register_themes(self, self.chosen)


class PaneApp(ThemedApp):
    """One widget, and every message that it sends up."""

    def __init__(self, make: Callable[[], Widget], theme: str = "dark") -> None:
        super().__init__(theme)
        self.widget = make()

    def compose(self) -> ComposeResult:
        yield self.widget

    def on_mount(self) -> None:
        if isinstance(self.widget, Pane):
            self.widget.tick(NOW, MONOTONIC)
            self.widget.focus_body()

    async def on_event(self, event: Any) -> None:
        await super().on_event(event)

    def on_files_pane_opened(self, message: FilesPane.Opened) -> None:
        self.heard.append(message)

    def on_files_pane_selection_changed(self, message: FilesPane.SelectionChanged) -> None:
        self.heard.append(message)

    def on_images_pane_opened(self, message: ImagesPane.Opened) -> None:
        self.heard.append(message)

    def on_grid_pane_opened(self, message: GridPane.Opened) -> None:
        self.heard.append(message)

    def on_activity_pane_opened(self, message: ActivityPane.Opened) -> None:
        self.heard.append(message)

    def on_key_bar_pressed(self, message: KeyBar.Pressed) -> None:
        self.heard.append(message)


class ConsoleApp(ThemedApp):
    """All panes with data in them, under the header and over the keys."""

    CSS = """
    Horizontal { height: 2fr; }
    #activity { height: 1fr; }
    #files, #pod { height: 3fr; }
    #images, #grid { height: 2fr; }
    """

    def compose(self) -> ComposeResult:
        self.header = HeaderBar()
        self.files, self.images = FilesPane(id="files"), ImagesPane(id="images")
        self.pod, self.grid = PodPane(id="pod"), GridPane(id="grid")
        self.activity = ActivityPane(id="activity")
        yield self.header
        with Horizontal():
            yield Vertical(self.files, self.images)
            yield Vertical(self.pod, self.grid)
        yield self.activity
        yield KeyBar()

    def on_mount(self) -> None:
        for pane in (self.files, self.images, self.pod, self.grid, self.activity):
            pane.tick(NOW, MONOTONIC)
        self.header.show_endpoint(samples.ENDPOINT)
        for health in (samples.EM_HEALTH, samples.GRID_HEALTH):
            self.header.show_health(health)
        self.header.tick(NOW)
        self.files.opened |= {"echo-test", "fisheye"}
        self.files.show(samples.fresh(samples.volume()))
        self.images.show(samples.fresh(samples.IMAGES))
        self.pod.show(samples.fresh(samples.running()))
        self.grid.show(samples.fresh(samples.GRID))
        self.activity.show_commands(samples.COMMANDS)
        self.files.focus_body()
