"""Theme files: those on board in `themes/`, and the operator's own in the configuration's folder. Without Textual.

A theme file has a name, whether it is dark, and three tables: `[colors]` (Textual's own names), `[status]` (the six
of Astro UXDS) and `[console]` (what only the panes need). Each value is a colour, `#rrggbb`.
"""

import difflib
import os
import re
import stat
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from emtui.errors import ConfigProblem
from emtui.settings import DEFAULT_THEME

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
TABLES = {"colors": COLOR_KEYS, "status": STATUS_KEYS, "console": CONSOLE_KEYS}

_SUFFIX = ".toml"
_HEX_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
# It stands in the palette, in options and in the configuration.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
# The themes on board have 1 kB.
_MOST_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class ThemeFile:
    """A theme as its file has it. `path` is None for one on board."""

    name: str
    is_dark: bool
    colors: Mapping[str, str]
    status: Mapping[str, str]
    console: Mapping[str, str]
    path: Path | None = None


def themes_folder() -> Path:
    """Where the operator's own themes are. It need not exist."""
    from platformdirs import user_config_path

    return user_config_path("emtui") / "themes"


def _on_board() -> dict[str, Any]:
    found = {
        entry.name.removesuffix(_SUFFIX): entry for entry in files("themes").iterdir() if entry.name.endswith(_SUFFIX)
    }
    # The default comes first in every list of themes, the others by name.
    return dict(sorted(found.items(), key=lambda item: (item[0] != DEFAULT_THEME, item[0])))


def _own() -> dict[str, Path]:
    folder = themes_folder()
    try:
        found = [path for path in folder.iterdir() if path.name.endswith(_SUFFIX) and not path.name.startswith(".")]
    except OSError:
        return {}  # none are there; one that is named is missed by its name
    return {path.name.removesuffix(_SUFFIX): path for path in sorted(found)}


def bundled_names() -> tuple[str, ...]:
    """The names of the themes on board, the default first. Reads no file."""
    return tuple(_on_board())


def theme_names() -> tuple[str, ...]:
    """The names of all themes: those on board, the default first, then the operator's own. Reads no file."""
    on_board = _on_board()
    return (*on_board, *(name for name in _own() if name not in on_board and _NAME.fullmatch(name)))


def read_theme(name: str) -> ThemeFile:
    """The theme `name`.

    Raises:
        ConfigProblem: there is none, with a suggestion; or its file cannot be read, with file and key.
    """
    on_board = _on_board()
    if name in on_board:
        return parse(on_board[name].read_text("utf-8"), f"{name}{_SUFFIX}")
    own = _own()
    if name in own and _NAME.fullmatch(name):
        return _read_own(own[name])
    raise ConfigProblem(f"There is no theme {name!r}.", remedy=_one_of(name, theme_names()))


def theme_text(name: str) -> str:
    """The file of the theme `name`, as it is: the pattern for another one. Blocks. Raises as `read_theme`."""
    theme = read_theme(name)
    return _on_board()[name].read_text("utf-8") if theme.path is None else _text_of(theme.path)


def read_own_themes() -> tuple[tuple[ThemeFile, ...], tuple[ConfigProblem, ...]]:
    """The operator's own themes, and what is wrong with those that are left out. Blocks."""
    themes: list[ThemeFile] = []
    problems: list[ConfigProblem] = []
    for name, path in _own().items():
        try:
            if name in _on_board():
                raise ConfigProblem(f"{path}: a theme on board is called {name!r}.", remedy="Give it another name.")
            themes.append(_read_own(path))
        except ConfigProblem as error:
            problems.append(error)
    return tuple(themes), tuple(problems)


def _read_own(path: Path) -> ThemeFile:
    name = path.name.removesuffix(_SUFFIX)
    if not _NAME.fullmatch(name):
        raise ConfigProblem(
            f"{path}: {name!r} cannot be a theme's name.", remedy="Use letters, digits, - and _, at most 40."
        )
    theme = parse(_text_of(path), str(path), path)
    if theme.name != name:
        raise ConfigProblem(
            f"{path}: name: is {theme.name!r}, and the file is called {name!r}.", remedy=f'Write name = "{name}".'
        )
    return theme


def _text_of(path: Path) -> str:
    try:
        # A pipe could keep whoever opens it waiting without end.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb") as file:  # noqa: PTH123 - a handle
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise ConfigProblem(f"{path}: not a regular file.", remedy="Remove it, or put a theme's file there.")
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ConfigProblem(f"{path}: {error.strerror or error}.", remedy="Make it readable, or remove it.") from error
    if len(content) > _MOST_BYTES:
        raise ConfigProblem(f"{path}: over {_MOST_BYTES // 1024} KiB.", remedy="A theme is a page of colours.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigProblem(f"{path}: not UTF-8 at byte {error.start}.", remedy="Save it as UTF-8.") from error


def parse(text: str, source: str, path: Path | None = None) -> ThemeFile:
    """A theme out of TOML `text`; `source` names it in errors.

    Raises ConfigProblem, with the file, the key and a suggestion, for broken TOML, an unknown or missing key and
    a value that is not `#rrggbb`.
    """
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigProblem(f"{source}: {error}", remedy="Mend it there.") from error
    _check_keys(document, ("name", "dark", *TABLES), source)
    for key, kind in (("name", str), ("dark", bool)):
        if not isinstance(document[key], kind):
            raise ConfigProblem(f"{source}: {key}: is not a {'truth value' if kind is bool else 'text'}.")
    for table, keys in TABLES.items():
        if not isinstance(document[table], dict):
            raise ConfigProblem(f"{source}: {table}: is not a table.")
        _check_keys(document[table], keys, f"{source}: [{table}]")
        for key, value in document[table].items():
            if not isinstance(value, str) or not _HEX_COLOR.fullmatch(value):
                raise ConfigProblem(f"{source}: [{table}] {key}: {value!r} is not a colour.", remedy="Write #rrggbb.")
    return ThemeFile(
        document["name"], document["dark"], document["colors"], document["status"], document["console"], path
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
