"""A scrolling surface that draws only the lines that are seen. No widget per line."""

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.events import Resize
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from widgets.cells import Line, width_of
from widgets.palette import Palette, Part, palette_of, printable

# A screen has some sixty lines; more strips than this are of places scrolled past.
_MOST_STRIPS = 1024


def make_strip(parts: "Line | list[Part]", width: int, palette: Palette, base: Style, row: str = "") -> Strip:
    """`parts` as exactly `width` cells on the style `base`, or on that of a `cursor` or `alert` row."""
    segments = [Segment(printable(part.text), base + palette.style(part.style, row)) for part in parts if part.text]
    return Strip(segments).adjust_cell_length(width, base + palette.row(row) if row else base)


class Canvas(ScrollView):
    """Base of everything in a pane that is made of lines.

    A subclass answers `line_count()` and `draw_line(index, width)`. It calls `lines_changed()` when lines came or
    went, and `line_changed(index)` when one of them looks different. Where there are no lines, the placeholder is
    shown in the middle.
    """

    DEFAULT_CSS = """
    Canvas {
        height: 1fr;
        background: transparent;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size-vertical: 1;
    }
    """

    ALLOW_SELECT: ClassVar[bool] = False

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 textual's name
        super().__init__(id=id, classes=classes)
        self._placeholder: tuple[Line, ...] = ()
        self._strips: dict[int, Strip] = {}
        self._palette: Palette | None = None
        self._base = Style()
        self._drawn_width = -1

    # ---------------------------------------------------------------------------------------- for subclasses

    def line_count(self) -> int:
        """How many lines there are."""
        raise NotImplementedError

    def draw_line(self, index: int, width: int) -> tuple[Line, str]:
        """The parts of line `index` in `width` cells, and the name of its row style, empty for none."""
        raise NotImplementedError

    def lines_changed(self) -> None:
        """Lines came, went, or all look different: draw again what is seen."""
        self._strips.clear()
        size = Size(1, self.line_count())
        if size != self.virtual_size:
            self.virtual_size = size
        self.refresh()

    def line_changed(self, index: int) -> None:
        """One line looks different: only it is drawn again, and only if it is seen."""
        self._strips.pop(index, None)
        top = self.scroll_offset.y
        if top <= index < top + self.size.height:
            self.refresh_line(index)

    # ------------------------------------------------------------------------------------------ the public face

    @property
    def placeholder(self) -> tuple[Line, ...]:
        """The lines shown in the middle where there is nothing else to show."""
        return self._placeholder

    @placeholder.setter
    def placeholder(self, lines: tuple[Line, ...]) -> None:
        if lines != self._placeholder:
            self._placeholder = lines
            if not self.line_count():
                self.refresh()

    @property
    def inner_width(self) -> int:
        """Cells between the left edge and the scroll bar."""
        return self.scrollable_content_region.width

    @property
    def inner_height(self) -> int:
        """Lines that are seen at once."""
        return self.scrollable_content_region.height

    # ------------------------------------------------------------------------------------------------- drawing

    def render_line(self, y: int) -> Strip:
        width = self.inner_width
        if width != self._drawn_width:
            self._strips.clear()
            self._drawn_width = width
        palette = self._palette
        if palette is None:
            palette = self._palette = palette_of(self.app)
            self._base = self.visual_style.rich_style
        count = self.line_count()
        if not count:
            return self._placeholder_line(y, width, palette)
        index = self.scroll_offset.y + y
        if index >= count:
            return Strip.blank(width, self._base)
        strip = self._strips.get(index)
        if strip is None:
            parts, row = self.draw_line(index, width)
            if len(self._strips) > _MOST_STRIPS:
                self._strips.clear()
            strip = self._strips[index] = make_strip(parts, width, palette, self._base, row)
        return strip

    def _placeholder_line(self, y: int, width: int, palette: Palette) -> Strip:
        lines = self._placeholder
        top = max(0, (self.inner_height - len(lines)) // 2)
        if not top <= y < top + len(lines):
            return Strip.blank(width, self._base)
        line = lines[y - top]
        indent = " " * max(0, (width - width_of(line)) // 2)
        return make_strip((Part(indent), *line), width, palette, self._base)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._palette = None
        self._strips.clear()

    def on_resize(self, event: Resize) -> None:
        del event
        self._strips.clear()


class Lines(Canvas, can_focus=True):
    """Lines of text that the caller has made to fit: a small page, scrolled with the arrows."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 textual's name
        super().__init__(id=id, classes=classes)
        self._lines: tuple[Line, ...] = ()

    @property
    def lines(self) -> tuple[Line, ...]:
        return self._lines

    @lines.setter
    def lines(self, lines: tuple[Line, ...]) -> None:
        """Show `lines`; only those that differ from before are drawn again."""
        old, self._lines = self._lines, lines
        if len(old) != len(lines):
            self.lines_changed()
            return
        for index, (before, after) in enumerate(zip(old, lines, strict=True)):
            if before != after:
                self.line_changed(index)

    def line_count(self) -> int:
        return len(self._lines)

    def draw_line(self, index: int, width: int) -> tuple[Line, str]:
        del width
        return self._lines[index], ""
