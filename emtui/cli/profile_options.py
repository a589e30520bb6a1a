"""What to open, as options of `emtui` and `emtui doctor`: a workspace, a profile, addresses. Imports nothing that
costs time, since the console's start goes through it."""

from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from emtui.cli.pod_options import add_pod_options
from emtui.profile import APIS, ENGINES, Profile

if TYPE_CHECKING:
    from emtui.config.layers import Resolved

MOST_TIMEOUT_S = 31_536_000
"""A year: more than anybody waits."""


def add_profile_options(parser: ArgumentParser, *, with_engine: bool = True) -> None:
    """Let `parser` take them; its help tells those for the engine and its pods only `with_engine`."""
    group = parser.add_argument_group("options of every command")
    group.add_argument(
        "--local", metavar="DIR", type=path_option, help="open the workspace in DIR; its files are in DIR/volume"
    )
    group.add_argument(
        "--demo", action="store_true", help="open a workspace with files, an image and models to try things on"
    )
    group.add_argument("-p", "--profile", metavar="NAME", help="open the profile NAME of the configuration")
    group.add_argument(
        "--config", metavar="FILE", type=path_option, help="the configuration, in place of the usual one"
    )
    group.add_argument("--em-url", metavar="URL", help="the EM's address: https://HOST[:PORT][/PATH]")
    group.add_argument("--grid-url", metavar="URL", help="the Grid Node's address")
    group.add_argument("--username", metavar="NAME", help="who signs in; the password is asked for")
    group.add_argument("--api", choices=APIS, help="the EM API's dialect (default: auto)")
    group.add_argument(
        "--ca-file", metavar="FILE", type=path_option, help="the certificates to trust, in place of the system's"
    )
    group.add_argument("--insecure", action="store_true", help="allow plain http to another machine")
    group.add_argument("--read-only", action="store_true", help="change nothing on the EM and the Grid Node")
    group.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=timeout_option,
        help="how long to wait for a busy or absent other side, 0 without an end (default: 60; the console waits on)",
    )
    engine = parser.add_argument_group("images and pods of local mode")
    engine.add_argument("--engine", choices=ENGINES, help="what runs the images (default: the best that works here)")
    engine.add_argument(
        "--base-images", metavar="NAME,NAME…", help="the base images on board (default: alpine, busybox, debian, …)"
    )
    add_pod_options(engine)
    if not with_engine:
        for action in engine._group_actions:
            action.help = SUPPRESS


def path_option(text: str) -> Path:
    """An option's value as a path. An empty one is a variable of a script that is not set."""
    if not text:
        raise ArgumentTypeError("an empty name is no path")
    return Path(text)


def timeout_option(text: str) -> float:
    """An option's value as seconds, 0 or more; 0 is without an end."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= MOST_TIMEOUT_S:
        raise ArgumentTypeError(f"seconds are needed, from 0 (without an end) to {MOST_TIMEOUT_S}, not {text!r}")
    return seconds


def profile_from(options: Namespace) -> Profile:
    """What the options describe, over what the environment and the configuration say. Blocks where there is a file.

    Raises:
        ConfigProblem: an option, a variable or the configuration is wrong.
    """
    return resolved_from(options).profile


def resolved_from(options: Namespace) -> "Resolved":
    """All that is in force with these options: profile, console, timeout, and where each comes from. Blocks.

    Raises:
        ConfigProblem: as `profile_from`.
    """
    from emtui.config.layers import resolve

    return resolve(vars(options))
