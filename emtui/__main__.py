"""The entry point: options of the console, checked before anything that costs time is imported."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from emtui import __version__

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path

    from emtui.profile import Profile

USAGE_EXIT = 2
CONFIG_EXIT = 3


def _path(text: str) -> "Path":
    """An option's value as a path. An empty one is a variable of a script that is not set."""
    from argparse import ArgumentTypeError
    from pathlib import Path

    if not text:
        raise ArgumentTypeError("an empty name is no path")
    return Path(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run emtui. Returns its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["serve"]:
        from emtui.cli.serve import main as serve

        return serve(words[1:])
    import argparse

    parser = argparse.ArgumentParser(
        prog="emtui",
        description="The operator's console for DPhi Space's EM and for Grid Nodes. Without options it opens the "
        "local workspace: a whole EM and Grid Node in your data directory.",
        epilog="emtui serve puts the local workspace on the wire for others: see emtui serve --help.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--local", metavar="DIR", type=_path, help="open the workspace in DIR; its files are in DIR/volume"
    )
    parser.add_argument(
        "--demo", action="store_true", help="open a workspace with files, an image and models to try things on"
    )
    parser.add_argument("-p", "--profile", metavar="NAME", help="open the profile NAME of the configuration")
    parser.add_argument("--config", metavar="FILE", type=_path, help="the configuration, in place of the usual one")
    parser.add_argument("--em-url", metavar="URL", help="the EM's address: https://HOST[:PORT][/PATH]")
    parser.add_argument("--grid-url", metavar="URL", help="the Grid Node's address")
    parser.add_argument("--username", metavar="NAME", help="who signs in; the password is asked for")
    parser.add_argument("--api", choices=("auto", "2025-11", "2026-03"), help="the EM API's dialect (default: auto)")
    parser.add_argument(
        "--ca-file", metavar="FILE", type=_path, help="the certificates to trust, in place of the system's"
    )
    parser.add_argument("--insecure", action="store_true", help="allow plain http to another machine")
    parser.add_argument("--read-only", action="store_true", help="change nothing on the EM and the Grid Node")
    parser.add_argument(
        "--engine", choices=("sandbox", "simulated"), help="what runs the images (default: the best that works here)"
    )
    parser.add_argument(
        "--base-images", metavar="NAME,NAME…", help="the base images on board (default: alpine, busybox, debian, …)"
    )
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
        profile = _profile(options)
    except EmtuiError as error:
        print(f"emtui: {safe_str(error.message)}. {safe_str(error.remedy)}".rstrip(), file=sys.stderr)  # noqa: T201 - its one line
        return CONFIG_EXIT
    return run_console(profile)


def _profile(options: "Namespace") -> "Profile":
    """What the options describe, over what the configuration says. Raises ConfigProblem."""
    from dataclasses import replace

    from emtui.profile import Profile, default_workspace

    base_images = tuple(name.strip() for name in (options.base_images or "").split(",") if name.strip())
    if not (options.profile or options.config or options.em_url or options.grid_url):
        _refuse_without_address(options)
        workspace = options.local or default_workspace(demo=options.demo)
        return Profile(workspace, options.demo, options.read_only, options.engine, base_images)
    # With it comes pydantic, which a local start does without.
    from emtui.config import configured_profile

    given = {
        "em_url": options.em_url,
        "grid_url": options.grid_url,
        "username": options.username,
        "api": options.api,
        "ca_file": options.ca_file and str(options.ca_file),
        "insecure": options.insecure or None,
        "read_only": options.read_only or None,
        "local": str(options.local or default_workspace(demo=True)) if options.local or options.demo else None,
        "engine": options.engine,
        "base_images": base_images or None,
    }
    profile = configured_profile(
        options.profile, options.config, {key: value for key, value in given.items() if value is not None}
    )
    return replace(profile, is_demo=options.demo)


def _refuse_without_address(options: "Namespace") -> None:
    from emtui.errors import ConfigProblem

    for name in ("username", "api", "ca_file"):
        if getattr(options, name) is not None:
            raise ConfigProblem(
                f"--{name.replace('_', '-')} is for a remote EM or Grid Node",
                remedy="Give --em-url or --grid-url too, or a profile with -p.",
            )


if __name__ == "__main__":
    sys.exit(main())
