"""What the palette offers: the registry's commands, the console's own actions, the themes."""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from textual.app import SystemCommand

from emtui.commands import REGISTRY
from emtui.keys.keymap import KeyMap


@dataclass(frozen=True, slots=True)
class Doing:
    """What the entries do: wish for a command, ask the console for something by name, show the help, leave, and put
    on a theme."""

    wish: Callable[[str], Awaitable[None]]
    ask: Callable[[str], None]
    show_help: Callable[[], None]
    leave: Callable[[], None]
    put_on: Callable[[str], None]


def palette_commands(keys: KeyMap, themes: Iterable[str], doing: Doing) -> Iterator[SystemCommand]:
    """Every entry, with its key where it has one."""

    def told(text: str, name: str) -> str:
        # Textual reads it as markup, in which a key in brackets would be a tag. (Its `escape` leaves capitals alone.)
        key = keys.shown(name)
        return f"{text}  [{key}]".replace("[", r"\[") if key else text

    for name, command in REGISTRY.items():
        yield SystemCommand(command.title, told(command.help, name), partial(doing.wish, name))
    for title, text, name in (
        ("Refresh", "Ask for everything at once", "refresh"),
        ("Hold the queue", "Hold commands back, or let them go", "hold_queue"),
        ("Search", "Ask the Grid Node for a tag or an encrypted model", "search"),
    ):
        yield SystemCommand(title, told(text, name), partial(doing.ask, name))
    yield SystemCommand("Help", told("The keys that work here", "help"), doing.show_help)
    for theme in themes:
        yield SystemCommand(f"Theme: {theme}", "Change the colours", partial(doing.put_on, theme))
    yield SystemCommand("Quit", told("Close the console; pods go on", "quit"), doing.leave)
