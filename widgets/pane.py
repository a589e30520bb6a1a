"""The box that every pane is: its edges, its age, its filter, and what it says when there is nothing to show."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from rich.cells import cell_len
from rich.style import Style
from textual.binding import BindingType
from textual.containers import Vertical
from textual.events import DescendantBlur, DescendantFocus, Resize
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from emtui import text
from emtui.views import Feed
from widgets.canvas import Canvas, make_strip
from widgets.cells import Line, without_host, wrap
from widgets.frame import EDGE_CELLS, HEAVY, ROUND, edge, joined
from widgets.keys import bind, key_map_of
from widgets.palette import Part, palette_of
from widgets.row_list import RowList
from widgets.status import Status

if TYPE_CHECKING:
    from widgets.filter_bar import FilterBar

T = TypeVar("T")

# Wider lines of prose are hard to read, however wide the pane is.
_PROSE_WIDTH = 64
_MOST_ERROR_LINES = 6
# `■ next try in 30 s · `
_COUNTDOWN_CELLS = 21


class Pane(Vertical, Generic[T]):
    """Base of the panes.

    `show(feed)` gives it what it shows; the same value again draws nothing again. `tick(now_utc, now_monotonic)`,
    once a second, brings the ages and countdowns up to date and draws an edge again only if its text changed.
    `focus_body()` puts the focus into it. `filter_text` is the filter that is on.

    States: loading (no value, no error), failed (no value), empty, stale (a value and an error: the value stays,
    the edges tell its age, what is wrong and when the next try is), held, and normal.
    """

    DEFAULT_CSS = """
    Pane {
        border: round $em-border;
        background: $background;
        &:focus-within { border: round $em-border-focus; }
        &:nocolor:focus-within { border: heavy $em-border-focus; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        bind("pane.filter", "filter"),
        bind("pane.clear_filter", "clear_filter"),
    ]

    @dataclass
    class Clipped(Message):
        """What is wrong is longer than the edge that tells it. Foreign text."""

        pane: "AnyPane"
        error: str
        remedy: str

        @property
        def control(self) -> "AnyPane":
            return self.pane

    number: ClassVar[int] = 0
    heading: ClassVar[str] = ""
    is_filterable: ClassVar[bool] = False
    shows_age: ClassVar[bool] = True
    """Whether the top edge tells the age of what is shown, even when it is fresh."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 textual's name
        super().__init__(id=id, classes=classes)
        self._feed: Feed[T] = Feed()
        self._now: datetime | None = None
        self._monotonic: float | None = None
        self._edges: tuple[object, ...] = ()
        self.filter_text = ""

    # ---------------------------------------------------------------------------------------- for subclasses

    @property
    def canvas(self) -> Canvas:
        """What is drawn in the box, and takes the focus."""
        raise NotImplementedError

    def accept(self, value: T) -> None:
        """A value that differs from the one before is to be shown."""
        raise NotImplementedError

    def forget(self) -> None:
        """There is no value any more."""
        raise NotImplementedError

    def is_same(self, old: T, new: T) -> bool:
        """Whether two values look the same."""
        return old is new or old == new

    def facts(self, value: T) -> list[Line]:
        """What the top edge tells, the least important first."""
        del value
        return []

    def empty_text(self) -> tuple[str, str]:
        """What it says when there is nothing: a headline, and what fills it, with the key first."""
        raise NotImplementedError

    def footnote(self) -> Line:
        """What the bottom edge tells at its right."""
        canvas = self.canvas
        if not isinstance(canvas, RowList) or not canvas.rows:
            return ()
        marked: Line = (Part(f"● {len(canvas.marks):,} marked", "mark"),) if canvas.marks else ()
        place: Line = ()
        if self.has_pseudo_class("focus-within"):
            place = (Part(f"{canvas.cursor + 1:,} of {len(canvas.rows):,}", "faint"),)
        return joined([line for line in (marked, place) if line])

    def filter_changed(self, needle: str) -> None:
        """Show only what holds `needle` (in lower case), everything for an empty one."""

    # --------------------------------------------------------------------------------------- the public face

    @property
    def feed(self) -> Feed[T]:
        return self._feed

    def show(self, feed: Feed[T]) -> None:
        """Show `feed`. A value that is the same as before is not drawn again."""
        error_before = self._feed.error
        old, self._feed = self._feed.value, feed
        if feed.value is None:
            if old is not None:
                self.forget()
        elif old is None or not self.is_same(old, feed.value):
            self.accept(feed.value)
        is_news = self.is_mounted and feed.value is not None and feed.error not in ("", error_before)
        if is_news and not self._has_room_for(without_host(text.safe_str(feed.error))):
            self.post_message(self.Clipped(self, feed.error, feed.remedy))
        self.refresh_state()

    def tick(self, now_utc: datetime, now_monotonic: float) -> None:
        """A second has passed."""
        self._now, self._monotonic = now_utc, now_monotonic
        self.refresh_state()

    def focus_body(self) -> None:
        """Put the focus into the pane."""
        self.canvas.focus()

    @property
    def now(self) -> datetime:
        return self._now or datetime.now(UTC)

    @property
    def monotonic(self) -> float:
        return time.monotonic() if self._monotonic is None else self._monotonic

    # ------------------------------------------------------------------------------------------------ states

    def refresh_state(self) -> None:
        """Bring placeholder and edges up to date; draw what changed."""
        if not self.is_mounted:
            return
        self.canvas.placeholder = self._placeholder()
        edges = (self._top(), self._bottom())
        if edges != self._edges:
            self._edges = edges
            box = self.outer_size
            self.refresh(Region(-1, -1, box.width, 1), Region(-1, box.height - 2, box.width, 1))

    def _placeholder(self) -> tuple[Line, ...]:
        feed = self._feed
        width = max(10, min(_PROSE_WIDTH, self.canvas.inner_width - 4))
        if feed.value is None and feed.error:
            lines = wrap(text.safe_str(feed.error), width - 2, _MOST_ERROR_LINES)
            sign = Part("• ", Status.OFF) if feed.is_absent else Part("▼ ", Status.CRITICAL)
            first: Line = (sign, Part(lines[0] if lines else "", "strong"))
            rest = [(Part(line, "strong"),) for line in lines[1:]]
            remedy = [(Part(line, "text"),) for line in wrap(text.safe_str(feed.remedy), width, 4)]
            retry = self._retry_text()
            # A blank part keeps an empty line between what is wrong and what to do.
            return (first, *rest, (Part(" "),), *remedy, *(((Part(retry, "muted"),),) if retry else ()))
        if feed.value is None:
            held = feed.is_held
            return ((Part("◎ held", "standby"),),) if held else ((Part("◎ ", "standby"), Part("loading…", "muted")),)
        if self.filter_text:
            return (
                (Part(f"nothing matches {text.safe_str(self.filter_text, 40)!s}", "muted"),),
                _hint("esc", "clears"),
            )
        headline, hint = self.empty_text()
        key, _, words = hint.partition(" ")
        return ((Part(headline, "muted"),), *((_hint(key, words),) if hint else ()))

    def _retry_text(self) -> str:
        retry_at = self._feed.retry_at
        if retry_at is None:
            return ""
        left = max(0.0, retry_at - self.monotonic)
        return f"next try in {text.age(left + 0.999)}" if left > 0 else "trying again…"

    def _top(self) -> tuple[Line, ...]:
        feed = self._feed
        pieces = list(self.facts(feed.value)) if feed.value is not None else []
        if feed.at is not None and feed.value is not None and (self.shows_age or feed.error):
            seconds = text.age((self.now - feed.at).total_seconds())
            pieces.append((Part(f"■ {seconds}", "caution"),) if feed.error else (Part(seconds, "muted"),))
        if feed.is_held:
            pieces.append((Part("◎ held", "standby"),))
        if feed.value is None and feed.error:
            pieces.append((Part("• none", "off"),) if feed.is_absent else (Part("▼ failed", "critical"),))
        return tuple(pieces)

    def _bottom(self) -> tuple[Line, Line]:
        feed = self._feed
        stale: Line = ()
        if feed.value is not None and feed.error:
            retry = self._retry_text()
            words = text.safe_str(feed.error, 200)
            stale = (
                Part("■ ", "caution"),
                *((Part(f"{retry} · ", "caution"),) if retry else ()),
                Part(words if self._has_room_for(words) else without_host(words), "caution"),
            )
        return stale, self.footnote()

    def _has_room_for(self, words: str) -> bool:
        """Whether the bottom edge has, beside the countdown."""
        return cell_len(words) + _COUNTDOWN_CELLS <= self.outer_size.width - EDGE_CELLS

    # ----------------------------------------------------------------------------------------------- drawing

    def render_lines(self, crop: Region) -> list[Strip]:
        """The box as Textual draws it, with words in its top and bottom edge."""
        strips = super().render_lines(crop)
        width, height = self.outer_size
        for y, at_top in ((0, True), (height - 1, False)):
            if crop.y <= y < crop.bottom:
                strips[y - crop.y] = self._edge(width, at_top=at_top).crop(crop.x, crop.right)
        return strips

    def _edge(self, width: int, *, at_top: bool) -> Strip:
        is_focused = self.has_pseudo_class("focus-within")
        if at_top:
            style = "title-focus" if is_focused else "title"
            key = key_map_of(self).briefly(f"pane.{self.heading.lower()}")
            left: Line = (Part(f"{key} " if key else "", "key" if is_focused else "muted"), Part(self.heading, style))
            right: tuple[Line, ...] = self._top()
        else:
            left, note = self._bottom()
            right = (note,) if note else ()
        line = edge(
            left,
            right,
            width,
            box=HEAVY if is_focused and self.app.no_color else ROUND,
            style="border-focus" if is_focused else "border",
            at_top=at_top,
        )
        base = Style.from_color(bgcolor=self.background_colors[1].rich_color)
        strip = make_strip(line, width, palette_of(self.app), base)
        for line_filter in self.get_line_filters():
            strip = strip.apply_filter(line_filter, self.background_colors[1])
        return strip

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._edges = ()

    def on_resize(self, event: Resize) -> None:
        del event
        self.refresh_state()

    def on_mount(self) -> None:
        self.refresh_state()

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        del event
        self.refresh()

    def on_descendant_blur(self, event: DescendantBlur) -> None:
        del event
        self.refresh()

    def on_row_list_highlighted(self, event: RowList.Highlighted) -> None:
        event.stop()
        self.refresh_state()

    def on_row_list_marked(self, event: RowList.Marked) -> None:
        event.stop()
        self.refresh_state()

    # ------------------------------------------------------------------------------------------------ filter

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        del parameters
        if action == "filter":
            return self.is_filterable
        if action == "clear_filter":
            return bool(self.filter_text) or bool(self.query("FilterBar"))
        return True

    async def action_filter(self) -> None:
        """Open the filter's line, or go back to it."""
        from widgets.filter_bar import FilterBar  # after the first frame

        bars = self.query(FilterBar)
        bar = bars.first() if bars else FilterBar()
        if not bars:
            await self.mount(bar)
        bar.input.focus()

    async def action_clear_filter(self) -> None:
        """No filter, and the focus on the list."""
        await self.query("FilterBar").remove()
        self.canvas.focus()
        self._set_filter("")

    def _set_filter(self, needle: str) -> None:
        if needle != self.filter_text:
            self.filter_text = needle
            self.filter_changed(needle.casefold())
            self.refresh_state()

    def on_filter_bar_changed(self, event: "FilterBar.Changed") -> None:
        event.stop()
        if event.control.is_mounted:
            self._set_filter(event.text)

    async def on_filter_bar_kept(self, event: "FilterBar.Kept") -> None:
        event.stop()
        if not self.filter_text and not event.control.input.value:
            await self.action_clear_filter()
        self.canvas.focus()

    async def on_filter_bar_dropped(self, event: "FilterBar.Dropped") -> None:
        event.stop()
        await self.action_clear_filter()


def _hint(key: str, words: str) -> Line:
    return (Part(key, "key"), Part(f" {words}", "muted"))


AnyPane = Pane[Any]
