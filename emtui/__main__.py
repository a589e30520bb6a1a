# PYTHON_ARGCOMPLETE_OK
"""The entry point: the words of the command line, checked before anything that costs time is imported."""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import Namespace


def main(arguments: Sequence[str] | None = None) -> int:
    """Run emtui. Returns its exit code."""
    if arguments is None and "_ARGCOMPLETE" in os.environ and "COMP_LINE" in os.environ:
        from emtui.cli.nouns.completing import complete

        complete()
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words == ["--version"]:
        from emtui import __version__

        sys.stdout.write(f"emtui {__version__}\n")
        return 0
    from emtui.cli.words import parse

    verb, options = parse(words)
    return _console(options) if verb is None else verb.run(options)


def _console(options: "Namespace") -> int:
    from emtui.cli.exit_codes import Exit
    from emtui.cli.output import Output

    out = Output()
    # The console is drawn on stderr and reads stdin; a stdout that is not a terminal means that a script runs this.
    for name, stream in (("stdin", sys.stdin), ("stdout", sys.stdout), ("stderr", sys.stderr)):
        if not stream.isatty():
            out.say(f"emtui: the console needs a terminal, and {name} is not one. For scripts: emtui --help.")
            return Exit.USAGE
    from emtui.cli.profile_options import resolved_from
    from emtui.errors import EmtuiError

    try:
        resolved = resolved_from(options)
    except EmtuiError as error:
        out.fail(error)
        return Exit.CONFIG
    from emtui.console.running import run_console

    return run_console(resolved.profile, resolved.console)


if __name__ == "__main__":
    sys.exit(main())
