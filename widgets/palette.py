"""The named styles that panes draw with, made once for each theme.

A pane draws `Part`s: a text and the name of its style. The names are few (`STYLES`); a theme gives the colours as
`$em-…` variables, and without colour the same names become bold, dim and reverse.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.style import Style

from emtui.text import safe_str

if TYPE_CHECKING:
    from textual.app import App

# How a style of the palette is made: the theme's variable for its colour, and its attributes.
_FOREGROUNDS = {
    "text": ("foreground", ""),
    "strong": ("foreground", "bold"),
    "muted": ("em-muted", ""),
    "faint": ("em-faint", ""),
    "accent": ("primary", ""),
    "title": ("foreground", ""),
    "title-focus": ("primary", "bold"),
    "border": ("em-border", ""),
    "border-focus": ("em-border-focus", ""),
    "folder": ("em-folder", "bold"),
    "link": ("em-link", "italic"),
    "mark": ("primary", "bold"),
    "key": ("primary", "bold"),
    "critical": ("em-critical", ""),
    "serious": ("em-serious", ""),
    "caution": ("em-caution", ""),
    "normal": ("em-normal", ""),
    "standby": ("em-standby", ""),
    "off": ("em-off", ""),
    "unknown": ("em-caution", "bold"),
    "alert": ("em-critical", "bold"),
    "bar-done": ("primary", ""),
    "bar-left": ("em-border", ""),
    "banner-caution": ("background", "bold"),
    "banner-serious": ("background", "bold"),
}
# What is behind it, where that is not the widget's own background.
_BACKGROUNDS = {"banner-caution": "em-caution", "banner-serious": "em-serious"}
# Without colour, what is beside the point is dim and a banner is reversed.
_PLAIN = {
    "faint": "dim",
    "border": "dim",
    "border-focus": "bold",
    "bar-left": "dim",
    "banner-caution": "reverse bold",
    "banner-serious": "reverse bold",
}
_ROWS = {"cursor": "em-cursor", "cursor-blurred": "em-cursor-blurred", "alert": "em-alert"}
_PLAIN_ROWS = {"cursor": "reverse", "cursor-blurred": "underline", "alert": "bold"}

STYLES = frozenset(_FOREGROUNDS)
"""Every name that a `Part` may have."""


class Part(NamedTuple):
    """A piece of a line: its text, already safe, and the name of its style."""

    text: str
    style: str = "text"


class Palette:
    """The styles of one theme. `style()` answers from a table."""

    def __init__(self, variables: tuple[tuple[str, str], ...], is_plain: bool) -> None:
        known = dict(variables)
        self._is_plain = is_plain
        self._styles: dict[tuple[str, str], Style] = {}
        self._text: dict[str, Style] = {}
        for name, (variable, attributes) in _FOREGROUNDS.items():
            background = _BACKGROUNDS.get(name)
            if is_plain:
                self._text[name] = Style.parse(_PLAIN.get(name, attributes) or "none")
                continue
            definition = f"{attributes} {known[variable]}"
            self._text[name] = Style.parse(f"{definition} on {known[background]}" if background else definition)
        self._rows = {
            name: Style.parse(_PLAIN_ROWS[name] if is_plain else f"on {known[variable]}")
            for name, variable in _ROWS.items()
        }

    def style(self, name: str, row: str = "") -> Style:
        """The style `name`, on the background of a row that is `cursor`, `cursor-blurred` or `alert`."""
        key = (name, row)
        found = self._styles.get(key)
        if found is None:
            found = self._text[name]
            if row:
                # Without colour a bar of reversed text is clearest when nothing in it is dim.
                found = (self._rows[row] + found) if not self._is_plain else (found + self._rows[row] + _NOT_DIM)
            self._styles[key] = found
        return found

    def row(self, row: str) -> Style:
        """The background alone."""
        return self._rows[row]


_NOT_DIM = Style(dim=False)


@lru_cache(8)
def _palette(variables: tuple[tuple[str, str], ...], is_plain: bool) -> Palette:
    return Palette(variables, is_plain)


_NEEDED = tuple(
    dict.fromkeys([variable for variable, _ in _FOREGROUNDS.values()] + [*_BACKGROUNDS.values(), *_ROWS.values()])
)


def palette_of(app: "App[Any]") -> Palette:
    """The palette of the app's present theme."""
    variables = app.theme_variables
    return _palette(tuple((name, variables[name]) for name in _NEEDED), app.no_color)


def printable(text: str) -> str:
    """The last door before the screen: what is not printable is escaped, even if a caller forgot to."""
    return text if text.isprintable() else safe_str(text)
