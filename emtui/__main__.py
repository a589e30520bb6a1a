"""The entry point: options of the console, checked before anything that costs time is imported."""

import sys
from collections.abc import Sequence

from emtui import __version__

USAGE_EXIT = 2
CONFIG_EXIT = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run emtui. Returns its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["serve"]:
        from emtui.cli.serve import main as serve

        return serve(words[1:])
    if words[:1] == ["doctor"]:
        from emtui.cli.doctor import main as doctor

        return doctor(words[1:])
    import argparse

    from emtui.cli.profile_options import add_profile_options, profile_from

    parser = argparse.ArgumentParser(
        prog="emtui",
        description="The operator's console for DPhi Space's EM and for Grid Nodes. Without options it opens the "
        "local workspace: a whole EM and Grid Node in your data directory.",
        epilog="emtui serve puts the local workspace on the wire for others, emtui doctor tells what works here and "
        "what to do where it does not: see emtui serve --help and emtui doctor --help.",
        allow_abbrev=False,
    )
    add_profile_options(parser)
    parser.add_argument("--version", action="version", version=f"emtui {__version__}")
    options = parser.parse_args(words)
    # The console is drawn on stderr and reads stdin; a stdout that is not a terminal means that a script runs this.
    for name, stream in (("stdin", sys.stdin), ("stdout", sys.stdout), ("stderr", sys.stderr)):
        if not stream.isatty():
            print(f"emtui: the console needs a terminal, and {name} is not one", file=sys.stderr)  # noqa: T201 - its one line
            return USAGE_EXIT
    from emtui.app import run_console
    from emtui.errors import EmtuiError
    from emtui.text import safe_str

    try:
        profile = profile_from(options)
    except EmtuiError as error:
        print(f"emtui: {safe_str(error.message)}. {safe_str(error.remedy)}".rstrip(), file=sys.stderr)  # noqa: T201 - its one line
        return CONFIG_EXIT
    return run_console(profile)


if __name__ == "__main__":
    sys.exit(main())
