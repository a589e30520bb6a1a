"""Pane 3: the pod."""

from typing import TYPE_CHECKING

from emtui.views import PodView
from widgets.canvas import Lines
from widgets.cells import Line
from widgets.keys import key_map_of
from widgets.palette import Part
from widgets.pane import Pane
from widgets.pod_lines import pod_lines, pod_state

if TYPE_CHECKING:
    from textual.app import ComposeResult


class PodPane(Pane[PodView]):
    """The pod (`Feed[PodView]`). Its clock runs with `tick`; only lines that changed are drawn again."""

    DEFAULT_CSS = """
    PodPane Lines { padding: 0 1; }
    """

    number = 3
    heading = "Pod"
    shows_age = False  # the page tells when it was polled

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 textual's name
        super().__init__(id=id, classes=classes)
        self.page = Lines()

    def compose(self) -> "ComposeResult":
        yield self.page

    @property
    def canvas(self) -> Lines:
        return self.page

    def accept(self, value: PodView) -> None:
        """Nothing to keep: `refresh_state` draws the page from the feed."""

    def forget(self) -> None:
        """As for `accept`."""

    def refresh_state(self) -> None:
        if self.is_mounted:
            feed = self.feed
            width = self.page.inner_width
            at = feed.at
            self.page.lines = pod_lines(feed.value, at, self.now, width) if feed.value is not None and width > 8 else ()
        super().refresh_state()

    def facts(self, value: PodView) -> list[Line]:
        words, status = pod_state(value, self.now)
        return [(Part(f"{status.sign} {words}", status),)] if words else []

    def empty_text(self) -> tuple[str, str]:
        return "no pod yet", key_map_of(self).hint("run", "runs one")
