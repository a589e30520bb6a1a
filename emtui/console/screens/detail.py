"""One command in full: what failed, why, what to do, and its log."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from emtui.text import count, rate, safe_str, safe_text, size, timestamp
from emtui.views import CommandState, Stage
from widgets.keys import bind, key_map_of

_ROWS = ("what", "why", "to-do", "note", "moved", "asked")
_FRAME_ROWS = 2

# Shape and colour by stage (Astro UXDS): never the colour alone.
_SHAPES: dict[Stage, tuple[str, str]] = {
    Stage.COMPLETE: ("●", "$em-normal"),
    Stage.FAILED: ("▼", "$em-critical"),
    Stage.UNKNOWN: ("?", "$em-caution"),
    Stage.CANCELLED: ("•", "$em-muted"),
    Stage.HELD: ("■", "$em-caution"),
}
_AT_WORK = ("◎", "$em-folder")


def plain_report(state: CommandState) -> str:
    """All of it as text for the clipboard: harmless to a terminal it may be pasted into, a log line a line."""
    lines = [
        safe_str(state.title),
        f"{state.stage.value}  asked {timestamp(state.asked_at)}  changed {timestamp(state.changed_at)}",
    ]
    for label, told in (("note", state.note), ("error", state.error), ("remedy", state.remedy)):
        if told:
            lines.append(f"{label}: {safe_str(told)}")
    lines += [safe_str(line.rstrip("\r\n")) for line in state.log_tail]
    return "\n".join(lines) + "\n"


class DetailScreen(ModalScreen[None]):
    """Shows a `CommandState`; `update` shows a later one of the same command. `y` copies, `esc` closes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Close", priority=True),
        Binding("space", "page(1)", show=False),
        bind("quit", "leave"),
        bind("copy", "copy"),
        bind("list.up", "scroll(-1)"),
        bind("list.down", "scroll(1)"),
        bind("list.page_up", "page(-1)"),
        bind("list.page_down", "page(1)"),
        bind("list.first", "end(False)"),
        bind("list.last", "end(True)"),
    ]
    AUTO_FOCUS = ""
    DEFAULT_CSS = """
    DetailScreen {
        align: center middle; background: $background 70%;
        #detail {
            width: 100%; max-width: 140; height: auto; max-height: 100%; margin: 0 1; padding: 0 2;
            border: round $em-border-focus; border-title-color: $foreground; border-title-style: bold;
            border-subtitle-color: $em-muted; background: $panel;
        }
        &.-failed #detail { border: round $em-critical; border-title-color: $em-critical; }
        #about { height: auto; scrollbar-size-vertical: 1; }
        #log { height: auto; background: $surface; padding: 0 1; scrollbar-size-vertical: 1; }
        #about Horizontal { height: auto; width: 1fr; }
        .label { width: 8; color: $em-muted; }
        .told, #lines { width: 1fr; height: auto; }
        #log-title { width: 1fr; height: 1; margin-top: 1; color: $em-muted; }
    }
    """

    def __init__(self, state: CommandState) -> None:
        super().__init__()
        self._state = state
        self._is_over = False

    @property
    def command_id(self) -> int:
        """The journal's number of the command that is shown."""
        return self._state.id

    def compose(self) -> ComposeResult:
        with Vertical(id="detail") as box:
            keys = key_map_of(self)
            copies = keys.hint("copy", "copies")
            closes = f"esc or {keys.shown('quit')} closes"
            box.border_subtitle = Content(f" {copies}   {closes} " if copies else f" {closes} ")
            with VerticalScroll(id="about"):
                for label in _ROWS:
                    with Horizontal(id=f"row-{label}"):
                        yield Static(Content(label.replace("-", " ")), classes="label")
                        yield Static(classes="told")
            yield Static(id="log-title")
            with VerticalScroll(id="log"):
                yield Static(id="lines")

    def on_mount(self) -> None:
        self._show()
        self._fit()
        # The end of a log says why. It stays in sight while the log finds its height, until somebody scrolls.
        self.query_one("#log", VerticalScroll).anchor()

    def on_resize(self) -> None:
        self._fit()

    def _fit(self) -> None:
        """A long error and a long log share the screen; each scrolls in its part."""
        rows = self.size.height - _FRAME_ROWS
        has_log = bool(self._state.log_tail)
        about = self.query_one("#about")
        about.styles.max_height = max(3, rows // 2 if has_log else rows)
        self.call_after_refresh(self._fit_log)

    def _fit_log(self) -> None:
        used = self.query_one("#about").outer_size.height + _FRAME_ROWS + 2
        self.query_one("#log").styles.max_height = max(3, self.size.height - used)

    def update(self, state: CommandState) -> None:
        """Show how the command is by now."""
        self._state = state
        if self.is_mounted and not self._is_over:
            self._show()
            self._fit()

    def _show(self) -> None:
        state = self._state
        shape, style = _SHAPES.get(state.stage, _AT_WORK)
        self.set_class(state.stage is Stage.FAILED, "-failed")
        self.query_one("#detail").border_title = Content.assemble(
            f" {state.name.replace('_', ' ').capitalize()} ", (f"{shape} {state.stage.value} ", style)
        )
        moved = Content()
        if state.total_bytes is not None or state.done_bytes:
            speed = f" at {rate(state.rate_bytes_s)}" if state.rate_bytes_s and not state.stage.is_final else ""
            moved = Content(f"{size(state.done_bytes)} of {size(state.total_bytes)}{speed}")
        changed = f", changed {timestamp(state.changed_at)}" if state.changed_at != state.asked_at else ""
        asked = Content(f"{timestamp(state.asked_at)}{changed}")
        told = (
            safe_text(state.title, "bold"),
            safe_text(state.error, "$em-critical"),
            safe_text(state.remedy),
            safe_text(state.note),
            moved,
            asked,
        )
        for label, content in zip(_ROWS, told, strict=True):
            row = self.query_one(f"#row-{label}")
            row.display = bool(content.plain)
            row.query_one(".told", Static).update(content)
        title = self.query_one("#log-title", Static)
        title.display = bool(state.log_tail)
        self.query_one("#log").display = bool(state.log_tail)
        title.update(Content(f"last {count(len(state.log_tail), 'line')} of the log"))
        lines = [safe_text(line.rstrip("\r\n")) for line in state.log_tail]
        self.query_one("#lines", Static).update(Content("\n").join(lines))

    # --------------------------------------------------------------------------------------------------- keys

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(plain_report(self._state))
        self.query_one("#detail").border_subtitle = Content(" copied   esc close ")

    def _scroller(self) -> VerticalScroll:
        return self.query_one("#log" if self._state.log_tail else "#about", VerticalScroll)

    def action_scroll(self, rows: int) -> None:
        self._scroller().scroll_relative(y=rows, animate=False)

    def action_page(self, pages: int) -> None:
        scroller = self._scroller()
        scroller.scroll_relative(y=pages * max(1, scroller.size.height - 1), animate=False)

    def action_end(self, to_end: bool) -> None:
        if to_end:
            self._scroller().scroll_end(animate=False)
        else:
            self._scroller().scroll_home(animate=False)

    def action_leave(self) -> None:
        if not self._is_over:
            self._is_over = True
            self.dismiss(None)
