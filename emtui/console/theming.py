"""The themes as Textual has them, and a screen without any colour for `NO_COLOR`.

`emtui.theme_files` reads them. Their tables `[status]` and `[console]` become the CSS variables `$em-…`.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from rich.segment import Segment
from rich.style import Style
from textual.filter import LineFilter
from textual.theme import Theme

from emtui.settings import DEFAULT_THEME
from emtui.theme_files import ThemeFile, bundled_names, read_theme

if TYPE_CHECKING:
    from textual.app import App
    from textual.color import Color

VARIABLE_PREFIX = "em-"


def load_theme(name: str) -> Theme:
    """The theme `name`. Raises ConfigProblem for one that does not exist, with a suggestion."""
    return theme_of(read_theme(name))


def theme_of(file: ThemeFile) -> Theme:
    """A theme's file as Textual takes it."""
    colors: dict[str, Any] = dict(file.colors)
    return Theme(name=file.name, dark=file.is_dark, variables=_variables(file), **colors)


def _variables(file: ThemeFile) -> dict[str, str]:
    colors, console = file.colors, file.console
    variables = {f"{VARIABLE_PREFIX}{key}": value for key, value in {**file.status, **console}.items()}
    # Textual's own widgets (inputs, option lists, the palette) follow the panes.
    variables |= {
        "scrollbar": console["border"],
        "scrollbar-hover": console["muted"],
        "scrollbar-active": console["border-focus"],
        "scrollbar-background": colors["background"],
        "scrollbar-background-hover": colors["background"],
        "scrollbar-background-active": colors["background"],
        "scrollbar-corner-color": colors["background"],
        "border": console["border-focus"],
        "border-blurred": console["border"],
        "block-cursor-background": console["cursor"],
        "block-cursor-foreground": colors["foreground"],
        "block-cursor-text-style": "bold",
        "block-cursor-blurred-background": console["cursor-blurred"],
        "block-cursor-blurred-foreground": colors["foreground"],
        "input-selection-background": console["cursor"],
        "input-cursor-background": colors["foreground"],
        "input-cursor-foreground": colors["background"],
    }
    return variables


def variable_defaults() -> dict[str, str]:
    """The `$em-…` variables for a theme that has none, one of Textual's own say.

    An app returns them from `get_theme_variable_defaults`, so that the panes' CSS is valid under every theme.
    """
    variables = load_theme(DEFAULT_THEME).variables
    return {key: value for key, value in variables.items() if key.startswith(VARIABLE_PREFIX)}


def register_themes(app: "App[Any]", chosen: str = DEFAULT_THEME) -> None:
    """Give `app` every theme on board and put on the chosen one, which may be the operator's own.

    Raises ConfigProblem where there is no such theme.
    """
    theme = load_theme(chosen)
    for name in bundled_names():
        app.register_theme(theme if name == chosen else load_theme(name))
    app.register_theme(theme)
    app.theme = chosen


def registered_themes(app: "App[Any]") -> list[str]:
    """The names of the themes that `app` was given, in that order; none of Textual's own."""
    return [name for name, theme in app.available_themes.items() if f"{VARIABLE_PREFIX}muted" in theme.variables]


# ------------------------------------------------------------------------------------------------- NO_COLOR


@lru_cache(1024)
def _without_color(style: Style) -> Style:
    return style.without_color


class Colourless(LineFilter):
    """Takes every colour off, foreground and background. Bold, reverse and underline stay."""

    def apply(self, segments: list[Segment], background: "Color") -> list[Segment]:
        del background
        return [
            Segment(text, None if style is None else _without_color(style), control)
            for text, style, control in segments
        ]


_COLOURLESS = (Colourless(),)


def line_filters(app: "App[Any]", filters: Sequence[LineFilter]) -> Sequence[LineFilter]:
    """What an app returns from `get_line_filters`: its own `filters`, or under `NO_COLOR` the one that takes all
    colour off. (Textual's own answer to `NO_COLOR` is shades of grey, which are colours to a terminal.)
    """
    return _COLOURLESS if app.no_color else filters
