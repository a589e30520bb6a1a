"""The main screen: header, five panes, key bar. It lays out, moves the focus, and says what the operator wishes.

Wide (160 columns and more): three columns. Normal: two columns over Activity. Under 100 columns or 30 lines: one
pane at a time. Too small: it says so.
"""

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from emtui.commands import REGISTRY
from emtui.keys.keymap import KEYS, PANES
from emtui.plain import EndpointInfo
from emtui.text import safe_str
from widgets.activity_pane import ActivityPane
from widgets.files_pane import FilesPane
from widgets.grid_pane import GridPane
from widgets.header_bar import HeaderBar
from widgets.images_pane import ImagesPane
from widgets.key_bar import ONE_PANE_COLUMNS, KeyBar
from widgets.keys import bind
from widgets.pane import Pane
from widgets.pod_pane import PodPane

WIDE_COLUMNS = 160
COMPACT_COLUMNS = ONE_PANE_COLUMNS
COMPACT_LINES = 30
LEAST_COLUMNS = 40
LEAST_LINES = 10

# A toast is a line or two, not a log.
_TOAST_LIMIT = 300
_TOLD_AGAIN_S = 60.0

# What the key bar keeps where there is little room.
_RELEVANT = {
    "files": ("uplink", "downlink", "delete", "build", "load"),
    "images": ("build", "load", "run"),
    "pod": ("run", "downlink"),
    "grid": ("get_model", "serve_model"),
    "activity": ("activity.cancel", "activity.again", "hold_queue", "copy"),
}
# What it has besides the commands; holding back and copying work in every pane.
_OWN = {
    "files": ("copy", "pane.filter"),
    "images": ("copy", "pane.filter"),
    "pod": ("copy", "hold_poll"),
    "grid": ("copy", "pane.filter"),
    "activity": _RELEVANT["activity"],
}

# What a key of the table does here, by its id: the screen's own, and what it asks of the pane with the focus.
_ACTIONS = {
    **{f"pane.{name}": f"pane('{name}')" for name in PANES},
    "pane.next": "step_pane(1)",
    "pane.previous": "step_pane(-1)",
    **{
        name: f"ask('{name}')"
        for name in ("search", "refresh", "hold_poll", "hold_queue", "copy", "help", "sign_in", "quit")
    },
}
_OF_PANES = {
    "pane.filter": "filter",
    "pane.clear_filter": "clear_filter",
    "activity.cancel": "cancel",
    "activity.again": "again",
}


class MainScreen(Screen[None]):
    """The console."""

    DEFAULT_CSS = """
    MainScreen #body {
        height: 1fr;
        layout: grid;
        grid-size: 2 8;
        grid-rows: 1fr;
        grid-columns: 1fr 1fr;
    }
    MainScreen #files { row-span: 4; }
    MainScreen #pod { row-span: 3; }
    MainScreen #grid { row-span: 3; }
    MainScreen #images { row-span: 2; }
    MainScreen #activity { row-span: 2; column-span: 2; }

    MainScreen.-wide #body { grid-size: 3 6; grid-columns: 1fr 1fr 1fr; }
    MainScreen.-wide #files { row-span: 4; }
    MainScreen.-wide #pod { row-span: 2; }
    MainScreen.-wide #grid { row-span: 4; }
    MainScreen.-wide #images { row-span: 2; }
    MainScreen.-wide #activity { row-span: 2; column-span: 3; }

    MainScreen.-compact #body { layout: vertical; }
    MainScreen.-compact #body > Pane { display: none; height: 1fr; }
    MainScreen.-compact #body > Pane.-current { display: block; }

    MainScreen #too-small { display: none; height: 1fr; content-align: center middle; text-align: center; }
    MainScreen.-tiny #body, MainScreen.-tiny #header, MainScreen.-tiny #keys { display: none; }
    MainScreen.-tiny #too-small { display: block; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        *(bind(name, action) for name, action in _ACTIONS.items()),
        # With priority, so that what is typed right after the key waits for the dialog and goes into its first field.
        *(bind(name, f"app.wish('{name}')", priority=True) for name in REGISTRY),
    ]

    @dataclass
    class Asked(Message):
        """The operator wants something of the console itself: `refresh`, `hold_poll`, `hold_queue`, `copy`, `help`,
        `search`, `sign_in`, `quit`; `pane` is the pane that has the focus."""

        what: str
        pane: str

    @dataclass
    class Uncovered(Message):
        """What stood over the main screen is gone."""

    def __init__(self, *, is_read_only: bool) -> None:
        super().__init__()
        self._is_read_only = is_read_only
        self.header = HeaderBar(id="header")
        self.files = FilesPane(id="files")
        self.images = ImagesPane(id="images")
        self.pod = PodPane(id="pod")
        self.grid = GridPane(id="grid")
        self.activity = ActivityPane(id="activity")
        self._too_small = Static(id="too-small", markup=False)
        self._key_bar = KeyBar(id="keys")
        self._off = frozenset(name for name, command in REGISTRY.items() if is_read_only and command.changes_remote)
        self._current = "files"
        self._told_at: dict[str, float] = {}

    def compose(self) -> ComposeResult:
        yield self.header
        with Container(id="body"):
            # In this order the grid's automatic placement gives the layouts above.
            yield self.files
            yield self.pod
            yield self.grid
            yield self.images
            yield self.activity
        yield self._too_small
        yield self._key_bar

    def on_mount(self) -> None:
        self._mark_current()
        self.panes[self._current].focus_body()

    def on_screen_resume(self) -> None:
        self.post_message(self.Uncovered())

    # ------------------------------------------------------------------------------------------------- layout

    @property
    def panes(self) -> dict[str, Pane[Any]]:
        return dict(zip(PANES, (self.files, self.images, self.pod, self.grid, self.activity), strict=True))

    @property
    def current(self) -> str:
        """The pane that has, or last had, the focus."""
        return self._current

    def on_resize(self, event: events.Resize) -> None:
        columns, lines = event.size
        is_tiny = columns < LEAST_COLUMNS or lines < LEAST_LINES
        is_compact = columns < COMPACT_COLUMNS or lines < COMPACT_LINES
        self.set_class(is_tiny, "-tiny")
        self.set_class(is_compact, "-compact")
        self.set_class(columns >= WIDE_COLUMNS and not is_compact, "-wide")
        if is_tiny:
            self._too_small.update(
                Content(f"{columns} × {lines} is too small.\n{LEAST_COLUMNS} × {LEAST_LINES} are needed.")
            )

    @on(events.DescendantFocus)
    def _remember_pane(self) -> None:
        focused = self.focused
        for name, pane in self.panes.items():
            if focused is not None and pane in focused.ancestors_with_self and name != self._current:
                self._current = name
                self._mark_current()

    def _mark_current(self) -> None:
        self._key_bar.show_context(_RELEVANT[self._current], self._off, _OWN[self._current])
        for name, pane in self.panes.items():
            pane.set_class(name == self._current, "-current")

    def action_pane(self, name: str) -> None:
        self._current = name
        self._mark_current()
        self.panes[name].focus_body()

    def action_step_pane(self, step: int) -> None:
        """The next pane in the order of the numbers."""
        self.action_pane(PANES[(PANES.index(self._current) + step) % len(PANES)])

    # ------------------------------------------------------------------------------------------------- wishes

    def action_ask(self, what: str) -> None:
        self.post_message(self.Asked(what, self._current))

    def can(self, name: str) -> bool:
        """Whether the key `name` of the table does something in the pane that has the focus, other than in its list."""
        if self._current not in KEYS[name].places:
            return False
        action = _OF_PANES.get(name)
        return name in _ACTIONS if action is None else bool(self.panes[self._current].check_action(action, ()))

    async def do(self, name: str) -> None:
        """Do what that key does."""
        if name in _OF_PANES:
            await self.panes[self._current].run_action(_OF_PANES[name])
        else:
            await self.run_action(_ACTIONS[name])

    # ---------------------------------------------------------------------------------------------- data down

    def show_endpoint(self, info: EndpointInfo, banners_of_it: tuple[str, ...] = ()) -> None:
        """Who answers, and what must not be overlooked about it."""
        self.header.show_endpoint(info)
        banners = list(banners_of_it)
        if self._is_read_only:
            banners.append("READ-ONLY: nothing is changed over there")
        if info.engine == "simulated":
            banners.append("SIMULATED: nothing is executed")
        self.header.show_banners(tuple(banners))

    def tick(self) -> None:
        """A second has passed: clocks, ages, countdowns."""
        now_utc, now_monotonic = datetime.now(UTC), time.monotonic()
        self.header.tick(now_utc, now_monotonic)
        self.pod.tick(now_utc, now_monotonic)
        self.activity.tick(now_utc, now_monotonic)
        # Ages may be a second late; an idle console is mostly the drawing of them.
        if now_utc.second % 2 == 0:
            for pane in (self.files, self.images, self.grid):
                pane.tick(now_utc, now_monotonic)

    def copy_text(self) -> str:
        """What `y` copies from the pane that has the focus, harmless wherever it is pasted; empty for nothing."""
        match self._current:
            case "files":
                chosen: tuple[str, ...] = self.files.selection
            case "images":
                chosen = (self.images.selected.reference,) if self.images.selected else ()
            case "grid":
                chosen = (self.grid.selected.model_id,) if self.grid.selected else ()
            case "activity":
                state = self.activity.selected
                chosen = (state.title, state.note, state.error, *state.log_tail) if state else ()
            case _:
                view = self.pod.feed.value
                chosen = (json.dumps(view.status.to_wire()),) if view else ()
        return "\n".join(safe_str(line.rstrip("\n")) for line in chosen if line)

    @on(Pane.Clipped)
    def _tell_clipped(self, event: Pane.Clipped) -> None:
        """What a pane's edge is too short for is a toast: once, since the panes of one end have the same to say."""
        now = time.monotonic()
        if now - self._told_at.get(event.error, float("-inf")) > _TOLD_AGAIN_S:
            self._told_at = {event.error: now}
            self.say(event.error, remedy=event.remedy, is_failure=True)

    def say(self, message: str, *, remedy: str = "", is_failure: bool = False) -> None:
        """A toast. `message` and `remedy` may hold foreign text."""
        text = safe_str(message, _TOAST_LIMIT) + (f"\n{safe_str(remedy, _TOAST_LIMIT)}" if remedy else "")
        self.notify(
            text, severity="error" if is_failure else "information", timeout=10 if is_failure else 4, markup=False
        )
