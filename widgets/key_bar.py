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
    """A key and what it does. `name` is a command's name in the registry, or an action of the console."""

    name: str
    key: str
    title: str

    @property
    def width(self) -> int:
        return cell_len(self.key) + 1 + cell_len(self.title)


FIXED = ("panes", "filter", "help", "palette")
"""What is there besides the commands."""

ONE_PANE_COLUMNS = 100
"""Under so many columns the main screen shows one pane at a time."""

# Where there is no room for all: these go first, for the others there is the help, which stays to the last.
_LEAST_NEEDED = (
    "get_model",
    "serve_model",
    "load",
    "build",
    "delete",
    "run",
    "downlink",
    "uplink",
    "filter",
    "palette",
    "panes",
)


def hints(keys: KeyMap = USUAL) -> tuple[KeyHint, ...]:
    """All keys of the bar: the registry's commands and the fixed ones. What has no key is not there."""
    commands = [KeyHint(name, keys.briefly(name), command.title) for name, command in REGISTRY.items()]
    others = [
        KeyHint("panes", keys.panes(), "Panes"),
        KeyHint("filter", keys.briefly("pane.filter"), "Filter"),
        KeyHint("help", keys.briefly("help"), "Help"),
        KeyHint("palette", keys.briefly("palette"), "Palette"),
    ]
    return tuple(hint for hint in (*commands, *others) if hint.key)


class KeyBar(Widget):
    """` u Uplink  d Downlink  x Delete … / Filter  ? Help  ^p Palette`

    `show_context(relevant, off)` tells it which commands matter in the focused pane (they stay longest where it is
    narrow) and which do not work now (they are dim: read-only, say). A click posts `Pressed`.
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

    def show_context(self, relevant: Collection[str] = (), off: Collection[str] = ()) -> None:
        """Which commands matter here, and which do not work now; names of the registry or of `FIXED`."""
        context = (frozenset(relevant), frozenset(off))
        if context != (self._relevant, self._off):
            self._relevant, self._off = context
            self.refresh()

    def shown(self, width: int) -> tuple[KeyHint, ...]:
        """The hints that fit into `width` cells."""
        # Where one pane is on the screen at a time, it must be said that there are others.
        kept = [hint for hint in hints(key_map_of(self)) if hint.name != "panes" or width < ONE_PANE_COLUMNS]
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
