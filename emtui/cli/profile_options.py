"""What to open, as options of `emtui` and `emtui doctor`: a workspace, a profile, addresses. Imports nothing that
costs time, since the console's start goes through it."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from dataclasses import replace
from pathlib import Path

from emtui.cli.pod_options import add_pod_options, given_pod_options, pod_policy
from emtui.errors import ConfigProblem
from emtui.profile import Profile, default_workspace

ENGINES = ("docker", "sandbox", "simulated")


def add_profile_options(parser: ArgumentParser) -> None:
    """Let `parser` take them."""
    parser.add_argument(
        "--local", metavar="DIR", type=path_option, help="open the workspace in DIR; its files are in DIR/volume"
    )
    parser.add_argument(
        "--demo", action="store_true", help="open a workspace with files, an image and models to try things on"
    )
    parser.add_argument("-p", "--profile", metavar="NAME", help="open the profile NAME of the configuration")
    parser.add_argument(
        "--config", metavar="FILE", type=path_option, help="the configuration, in place of the usual one"
    )
    parser.add_argument("--em-url", metavar="URL", help="the EM's address: https://HOST[:PORT][/PATH]")
    parser.add_argument("--grid-url", metavar="URL", help="the Grid Node's address")
    parser.add_argument("--username", metavar="NAME", help="who signs in; the password is asked for")
    parser.add_argument("--api", choices=("auto", "2025-11", "2026-03"), help="the EM API's dialect (default: auto)")
    parser.add_argument(
        "--ca-file", metavar="FILE", type=path_option, help="the certificates to trust, in place of the system's"
    )
    parser.add_argument("--insecure", action="store_true", help="allow plain http to another machine")
    parser.add_argument("--read-only", action="store_true", help="change nothing on the EM and the Grid Node")
    parser.add_argument("--engine", choices=ENGINES, help="what runs the images (default: the best that works here)")
    parser.add_argument(
        "--base-images", metavar="NAME,NAME…", help="the base images on board (default: alpine, busybox, debian, …)"
    )
    add_pod_options(parser)


def path_option(text: str) -> Path:
    """An option's value as a path. An empty one is a variable of a script that is not set."""
    if not text:
        raise ArgumentTypeError("an empty name is no path")
    return Path(text)


def profile_from(options: Namespace) -> Profile:
    """What the options describe, over what the configuration says. Blocks where there is one to be read.

    Raises:
        ConfigProblem: an option or the configuration is wrong.
    """
    base_images = tuple(name.strip() for name in (options.base_images or "").split(",") if name.strip())
    if not (options.profile or options.config or options.em_url or options.grid_url):
        _refuse_without_address(options)
        return Profile(
            options.local or default_workspace(demo=options.demo),
            options.demo,
            options.read_only,
            options.engine,
            base_images,
            pods=pod_policy(options),
        )
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
    for_pods = given_pod_options(options)
    profile = configured_profile(
        options.profile, options.config, {key: value for key, value in given.items() if value is not None} | for_pods
    )
    if for_pods and profile.em_kind != "local":
        raise ConfigProblem(
            f"--{next(iter(for_pods)).replace('_', '-')} is for pods of local mode, and this EM is not local",
            remedy="Leave it out; or give --local, and no address of an EM.",
        )
    return replace(profile, is_demo=options.demo)


def _refuse_without_address(options: Namespace) -> None:
    for name in ("username", "api", "ca_file"):
        if getattr(options, name) is not None:
            raise ConfigProblem(
                f"--{name.replace('_', '-')} is for a remote EM or Grid Node",
                remedy="Give --em-url or --grid-url too, or a profile with -p.",
            )
