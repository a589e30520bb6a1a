"""The entry point: options of the console, checked before anything that costs time is imported."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from emtui import __version__

if TYPE_CHECKING:
    from pathlib import Path

USAGE_EXIT = 2


def _directory(text: str) -> "Path":
    """An option's value as a path. An empty one is a variable of a script that is not set."""
    from argparse import ArgumentTypeError
    from pathlib import Path

    if not text:
        raise ArgumentTypeError("an empty name is no directory")
    return Path(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run emtui. Returns its exit code."""
    import argparse

    parser = argparse.ArgumentParser(
        prog="emtui",
        description="The operator's console for DPhi Space's EM and for Grid Nodes. Without options it opens the "
        "local workspace: a whole EM and Grid Node in your data directory.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--local", metavar="DIR", type=_directory, help="open the workspace in DIR; its files are in DIR/volume"
    )
    parser.add_argument(
        "--demo", action="store_true", help="open a workspace with files, an image and models to try things on"
    )
    parser.add_argument("--read-only", action="store_true", help="change nothing on the EM and the Grid Node")
    parser.add_argument(
        "--engine", choices=("sandbox", "simulated"), help="what runs the images (default: the best that works here)"
    )
    parser.add_argument(
        "--base-images", metavar="NAME,NAME…", help="the base images on board (default: alpine, busybox, debian, …)"
    )
    parser.add_argument("--version", action="version", version=f"emtui {__version__}")
    options = parser.parse_args(arguments)
    # The console is drawn on stderr and reads stdin; a stdout that is not a terminal means that a script runs this.
    for name, stream in (("stdin", sys.stdin), ("stdout", sys.stdout), ("stderr", sys.stderr)):
        if not stream.isatty():
            print(f"emtui: the console needs a terminal, and {name} is not one", file=sys.stderr)  # noqa: T201 - its one line
            return USAGE_EXIT
    from emtui.app import run_console
    from emtui.session import Profile, default_workspace

    workspace = options.local or default_workspace(demo=options.demo)
    base_images = tuple(name.strip() for name in (options.base_images or "").split(",") if name.strip())
    return run_console(Profile(workspace, options.demo, options.read_only, options.engine, base_images))


if __name__ == "__main__":
    sys.exit(main())
