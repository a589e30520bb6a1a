"""The themes: `themes/*.toml` as Textual themes, and a screen without any colour for `NO_COLOR`.

A theme file has a name, whether it is dark, and three tables: `[colors]` (Textual's own names), `[status]`
(the six of Astro UXDS) and `[console]` (what only the panes need). The last two become the CSS variables `$em-…`.
"""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Any

from rich.segment import Segment
from rich.style import Style
from textual.filter import LineFilter
from textual.theme import Theme

from emtui.errors import ConfigProblem

if TYPE_CHECKING:
    from textual.app import App
    from textual.color import Color

DEFAULT_THEME = "dark"

COLOR_KEYS = (
    "primary",
    "secondary",
    "accent",
    "foreground",
    "background",
    "surface",
    "panel",
    "warning",
    "error",
    "success",
)
STATUS_KEYS = ("critical", "serious", "caution", "normal", "standby", "off")
CONSOLE_KEYS = (
    "muted",
    "faint",
    "folder",
    "link",
    "border",
    "border-focus",
    "cursor",
    "cursor-blurred",
    "alert",
    "bar",
)
_TABLES = {"colors": COLOR_KEYS, "status": STATUS_KEYS, "console": CONSOLE_KEYS}
_HEX_COLOR = re.compile(r"#[0-9a-fA-F]{6}")

VARIABLE_PREFIX = "em-"


def _bundled() -> Sequence[Traversable]:
    found = [entry for entry in files("themes").iterdir() if entry.name.endswith(".toml")]
    # The default comes first in every list of themes, the others by name.
    return sorted(found, key=lambda entry: (entry.name != f"{DEFAULT_THEME}.toml", entry.name))


def theme_names() -> tuple[str, ...]:
    """The names of the bundled themes, the default first. Reads no file."""
    return tuple(entry.name.removesuffix(".toml") for entry in _bundled())


def load_theme(name: str) -> Theme:
    """The bundled theme `name`. Raises ConfigProblem for one that does not exist, with a suggestion."""
    for entry in _bundled():
        if entry.name == f"{name}.toml":
            return parse_theme(entry.read_text("utf-8"), entry.name)
    raise ConfigProblem(f"There is no theme {name!r}.", remedy=_one_of(name, theme_names()))


def parse_theme(text: str, source: str) -> Theme:
    """A theme out of TOML `text`; `source` names it in errors.

    Raises ConfigProblem, with the file, the key and a suggestion, for broken TOML, an unknown or missing key and
    a value that is not `#rrggbb`.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigProblem(f"{source}: {error}") from error
    _check_keys(document, ("name", "dark", *_TABLES), source)
    for key, kind in (("name", str), ("dark", bool)):
        if not isinstance(document[key], kind):
            raise ConfigProblem(f"{source}: {key}: is not a {'truth value' if kind is bool else 'text'}.")
    for table, keys in _TABLES.items():
        if not isinstance(document[table], dict):
            raise ConfigProblem(f"{source}: {table}: is not a table.")
        _check_keys(document[table], keys, f"{source}: [{table}]")
        for key, value in document[table].items():
            if not isinstance(value, str) or not _HEX_COLOR.fullmatch(value):
                raise ConfigProblem(f"{source}: [{table}] {key}: {value!r} is not a colour.", remedy="Write #rrggbb.")
    return Theme(
        name=document["name"],
        dark=document["dark"],
        variables=_variables(document),
        **document["colors"],
    )


def _check_keys(table: Mapping[str, Any], expected: Iterable[str], where: str) -> None:
    known = tuple(expected)
    for key in table:
        if key not in known:
            raise ConfigProblem(f"{where}: {key}: unknown key.", remedy=_one_of(key, known))
    for key in known:
        if key not in table:
            raise ConfigProblem(f"{where}: {key}: is missing.")


def _one_of(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"It is one of {', '.join(known)}."


def _variables(document: Mapping[str, Any]) -> dict[str, str]:
    colors, console = document["colors"], document["console"]
    variables = {f"{VARIABLE_PREFIX}{key}": value for key, value in {**document["status"], **console}.items()}
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
    """Give `app` every bundled theme and put on the chosen one. Raises ConfigProblem where there is no such theme."""
    theme = load_theme(chosen)
    for name in theme_names():
        app.register_theme(theme if name == chosen else load_theme(name))
    app.theme = chosen


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
