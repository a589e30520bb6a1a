# PYTHON_ARGCOMPLETE_OK
"""The entry point: the words of the command line, checked before anything that costs time is imported."""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import Namespace


def main(arguments: Sequence[str] | None = None) -> int:
    """Run emtui, with `arguments` inside of another program. Returns its exit code."""
    if arguments is not None:
        return _run(arguments)
    if "_ARGCOMPLETE" in os.environ and "COMP_LINE" in os.environ:
        from emtui.cli.nouns.completing import complete

        complete()
    from emtui.cli.streams import lost, prepare

    prepare()
    try:
        code = _run(sys.argv[1:])
    except SystemExit as end:  # the parser's
        code = end.code if isinstance(end.code, int) else 0
    except KeyboardInterrupt:
        sys.stderr.write("emtui: interrupted\n")
        code = 130
    problem = lost()
    if problem is None:
        return code
    sys.stderr.write(f"emtui: stdout: {problem.strerror}. What it had to say is lost, and not what it has done.\n")
    return code or 1


def _run(words: Sequence[str]) -> int:
    if list(words) == ["--version"]:
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
        resolved.check_console()
    except EmtuiError as error:
        out.fail(error)
        return Exit.CONFIG
    from emtui.console.running import run_console

    return run_console(resolved.profile, resolved.console)


if __name__ == "__main__":
    sys.exit(main())
