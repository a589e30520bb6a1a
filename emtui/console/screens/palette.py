"""What the palette offers: the registry's commands, what the keys of the console do, the themes."""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from textual.app import SystemCommand

from emtui.commands import REGISTRY
from emtui.keys.keymap import KEYS, KeyMap


@dataclass(frozen=True, slots=True)
class Doing:
    """What the entries do: wish for a command, do what another key does (where `can` says that it does something),
    and put on a theme."""

    wish: Callable[[str], Awaitable[None]]
    can: Callable[[str], bool]
    do: Callable[[str], Awaitable[None]]
    put_on: Callable[[str], None]


def palette_commands(keys: KeyMap, themes: Iterable[str], doing: Doing) -> Iterator[SystemCommand]:
    """Every entry, with its key where it has one, by the names of the help."""

    def told(text: str, name: str) -> str:
        # Textual reads it as markup, in which a key in brackets would be a tag. (Its `escape` leaves capitals alone.)
        key = keys.shown(name)
        return "  ".join(part for part in (text, f"[{key}]" if key else "") if part).replace("[", r"\[")

    for name, command in REGISTRY.items():
        yield SystemCommand(command.title, told(command.help, name), partial(doing.wish, name))
    for key in KEYS.values():
        if doing.can(key.id):
            yield SystemCommand(key.title, told(key.explanation, key.id), partial(doing.do, key.id))
    for theme in themes:
        yield SystemCommand(f"Theme: {theme}", "Change the colours", partial(doing.put_on, theme))
