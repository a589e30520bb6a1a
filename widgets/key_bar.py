"""The bottom line: the keys that can be pressed now."""

from collections.abc import Collection
from dataclasses import dataclass

from rich.cells import cell_len
from textual.events import Click
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from emtui.commands import REGISTRY
from emtui.keys.keymap import KeyMap
from widgets.canvas import make_strip
from widgets.keys import USUAL, key_map_of
from widgets.palette import Part, palette_of


@dataclass(frozen=True, slots=True)
class KeyHint:
    """A key and what it does. `name` is its id in the table of keys; `panes` stands for all that go to one."""

    name: str
    key: str
    title: str

    @property
    def width(self) -> int:
        return cell_len(self.key) + 1 + cell_len(self.title)


OF_PANES = {
    "activity.cancel": "Cancel",
    "activity.again": "Again",
    "hold_queue": "Hold back",
    "hold_poll": "Hold poll",
    "copy": "Copy",
    "pane.filter": "Filter",
}
"""What is there for some panes only."""

FIXED = ("panes", "help", "palette")
"""What is there besides, in every pane."""

ONE_PANE_COLUMNS = 100
"""Under so many columns the main screen shows one pane at a time."""

# Where there is no room for all: these go first, for the others there is the help, which stays to the last.
_LEAST_NEEDED = (
    "copy",
    "hold_poll",
    "hold_queue",
    "activity.again",
    "activity.cancel",
    "get_model",
    "serve_model",
    "load",
    "build",
    "delete",
    "run",
    "downlink",
    "uplink",
    "pane.filter",
    "palette",
    "panes",
)


def hints(keys: KeyMap = USUAL) -> tuple[KeyHint, ...]:
    """All keys of the bar: of the registry's commands, of panes, and the fixed ones. What has no key is not there."""
    commands = [KeyHint(name, keys.briefly(name), command.title) for name, command in REGISTRY.items()]
    of_panes = [KeyHint(name, keys.briefly(name), title) for name, title in OF_PANES.items()]
    others = [
        KeyHint("panes", keys.panes(), "Panes"),
        KeyHint("help", keys.briefly("help"), "Help"),
        KeyHint("palette", keys.briefly("palette"), "Palette"),
    ]
    return tuple(hint for hint in (*commands, *of_panes, *others) if hint.key)


class KeyBar(Widget):
    """` u Uplink  d Downlink  x Delete … / Filter  ? Help  ^p Palette`

    `show_context(relevant, off, own)` tells it which commands matter in the focused pane (they stay longest where it
    is narrow), which do not work now (they are dim: read-only, say), and which keys of `OF_PANES` that pane has. A
    click posts `Pressed`.
    """

    DEFAULT_CSS = """
    KeyBar { height: 1; background: $panel; }
    """

    ALLOW_SELECT = False

    @dataclass
    class Pressed(Message):
        """The operator clicked a key."""

        bar: "KeyBar"
        name: str

        @property
        def control(self) -> "KeyBar":
            return self.bar

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 textual's name
        super().__init__(id=id, classes=classes)
        self._relevant: frozenset[str] = frozenset()
        self._off: frozenset[str] = frozenset()
        self._own: frozenset[str] = frozenset()

    def show_context(
        self, relevant: Collection[str] = (), off: Collection[str] = (), own: Collection[str] = ()
    ) -> None:
        """What matters here, what does not work now, and what of `OF_PANES` is here."""
        context = (frozenset(relevant), frozenset(off), frozenset(own))
        if context != (self._relevant, self._off, self._own):
            self._relevant, self._off, self._own = context
            self.refresh()

    def shown(self, width: int) -> tuple[KeyHint, ...]:
        """The hints that fit into `width` cells."""
        absent = OF_PANES.keys() - self._own
        # Where one pane is on the screen at a time, it must be said that there are others.
        if width >= ONE_PANE_COLUMNS:
            absent |= {"panes"}
        kept = [hint for hint in hints(key_map_of(self)) if hint.name not in absent]
        order = sorted(_LEAST_NEEDED, key=lambda name: (name in self._relevant, name not in self._off))
        for name in order:
            if 1 + sum(hint.width + 2 for hint in kept) <= width + 1:
                break
            kept = [hint for hint in kept if hint.name != name]
        return tuple(kept)

    def render_line(self, y: int) -> Strip:
        del y
        width = self.size.width
        parts = [Part(" ")]
        for hint in self.shown(width):
            is_off = hint.name in self._off
            parts += [
                Part(hint.key, "faint" if is_off else "key"),
                Part(f" {hint.title}", "faint" if is_off else "text"),
                Part("  "),
            ]
        return make_strip(parts, width, palette_of(self.app), self.visual_style.rich_style)

    def on_click(self, event: Click) -> None:
        x = 1
        for hint in self.shown(self.size.width):
            if x <= event.x < x + hint.width:
                if hint.name not in self._off:
                    self.post_message(self.Pressed(self, hint.name))
                break
            x += hint.width + 2
