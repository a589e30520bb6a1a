"""`emtui themes`: the console's themes, those on board and the operator's own."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from emtui.cli.output import Output
from emtui.cli.profile_options import resolved_from
from emtui.cli.running import offline
from emtui.cli.verb import Verb
from emtui.text import safe_str

if TYPE_CHECKING:
    from emtui.theme_files import ThemeFile

_ON_BOARD = "on board"


def _list(options: Namespace, out: Output) -> None:
    from emtui.theme_files import bundled_names, read_own_themes, read_theme

    resolved = resolved_from(options)
    in_force = resolved.console.theme
    own, problems = read_own_themes()
    themes = [*map(read_theme, bundled_names()), *own]
    if out.is_json:
        out.document([_as_document(theme, in_force) for theme in themes])
    else:
        out.table(
            ("name", "kind", "from", "in force"),
            (
                (
                    theme.name,
                    "dark" if theme.is_dark else "light",
                    theme.path or _ON_BOARD,
                    "in force" if theme.name == in_force else "",
                )
                for theme in themes
            ),
        )
    for problem in (*problems, *resolved.console_problems):
        stop = "" if problem.message.endswith(".") else "."
        out.say(f"emtui: {problem.message}{stop} {problem.remedy}".rstrip())


def _as_document(theme: "ThemeFile", in_force: str) -> dict[str, Any]:
    return {
        "name": theme.name,
        "is_dark": theme.is_dark,
        "is_in_force": theme.name == in_force,
        "path": str(theme.path) if theme.path is not None else None,
        "colors": dict(theme.colors),
        "status": dict(theme.status),
        "console": dict(theme.console),
    }


def _configure_show(parser: ArgumentParser) -> None:
    parser.add_argument("theme", metavar="THEME", help="a theme's name")


def _show(options: Namespace, out: Output) -> None:
    from emtui.theme_files import read_theme, theme_text

    if out.is_json:
        theme = read_theme(options.theme)
        out.document(_as_document(theme, resolved_from(options).console.theme))
        return
    text = theme_text(options.theme)
    if not out.is_terminal:
        out.stdout.write(text)
        return
    for line in text.splitlines():
        out.line(safe_str(line))


VERBS = (
    Verb(
        "themes",
        "",
        "List the themes of the console",
        offline(_list),
        description='The configuration names one: [console] theme = "light". Your own are files in the folder themes\n'
        "beside the usual configuration; emtui themes show gives a pattern.",
        examples=("emtui themes", "emtui themes --json"),
        json_help="write one list, an object for each theme, with its colours",
    ),
    Verb(
        "themes",
        "show",
        "Write the file of a theme",
        offline(_show),
        _configure_show,
        description="As it is, in TOML: a pattern for your own, themes/NAME.toml beside the usual configuration.\n"
        'In that one stands name = "NAME".',
        examples=("emtui themes show light",),
        json_help="write it as one object, as `emtui themes --json` has it",
    ),
)
