"""`emtui themes`: the console's themes, those on board and the operator's own."""

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from emtui.cli.output import Output
from emtui.cli.profile_options import resolved_from
from emtui.cli.running import offline
from emtui.cli.verb import Verb

if TYPE_CHECKING:
    from emtui.theme_files import ThemeFile

_ON_BOARD = "on board"


def _list(options: Namespace, out: Output) -> None:
    from emtui.theme_files import bundled_names, read_own_themes, read_theme

    in_force = resolved_from(options).console.theme
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
    for problem in problems:
        out.say(f"emtui: {problem.message} {problem.remedy}".rstrip())


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


VERBS = (
    Verb(
        "themes",
        "",
        "List the themes of the console",
        offline(_list),
        description='The configuration names one: [console] theme = "light". Your own are files in the folder themes\n'
        "beside the usual configuration; take one of emtui's as a pattern.",
        examples=("emtui themes", "emtui themes --json"),
        json_help="write one list, an object for each theme, with its colours",
    ),
)
