"""Bindings out of the table of keys, and the keys in force for those who show them."""

from typing import TYPE_CHECKING

from textual.binding import Binding

from emtui.keys.keymap import KEYS, KeyMap

if TYPE_CHECKING:
    from textual.widget import Widget

USUAL = KeyMap()
"""The keys as they are where nothing was changed."""


def bind(name: str, action: str, *, priority: bool = False) -> Binding:
    """A binding for the id `name` of the table. Textual gives it other keys by the id."""
    key = KEYS[name]
    return Binding(",".join(key.keys), action, key.meaning, show=False, priority=priority, id=key.id)


def key_map_of(widget: "Widget") -> KeyMap:
    """The keys of the app that `widget` is in; the usual ones outside of one, and in one that has no key map."""
    found = getattr(widget.app, "key_map", USUAL) if widget.is_attached else USUAL
    return found if isinstance(found, KeyMap) else USUAL
