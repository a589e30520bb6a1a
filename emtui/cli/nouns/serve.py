"""`emtui serve`: local mode as an EM and a Grid Node for others."""

import argparse
import asyncio
import os
import re
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from emtui.cli.exit_codes import Exit, exit_of
from emtui.cli.pod_options import POD_OPTIONS, add_pod_options
from emtui.cli.profile_options import path_option as _path
from emtui.cli.profile_options import timeout_option
from emtui.cli.verb import Verb
from emtui.errors import ConfigProblem, EmtuiError
from emtui.text import safe_str

if TYPE_CHECKING:
    from emtui.profile import Profile
    from emtui.server.run import Serving
    from emtui.server.settings import Settings

# What the extra `serve` brings, by the names that are imported.
_PACKAGES = ("starlette", "uvicorn", "python_multipart", "jwt", "argon2", "socketio")

_ENGINE = re.compile(r"docker|sandbox(?:\([a-z]+\))?|simulated")
_MAX_PORT = 65_535
_MAX_ACCESS_MIN = 24 * 60


def _run(options: argparse.Namespace) -> int:
    if not all(find_spec(name) is not None for name in _PACKAGES):
        _say("emtui serve needs the extra: pip install 'emtui[serve]'")
        return Exit.CONFIG
    from emtui.server.run import serve

    try:
        settings = _settings(options)
        if settings.is_insecure:
            _say("emtui serve: --insecure: passwords and files travel in the open; use it in a network of your own")
        asyncio.run(serve(settings, _started_as_json if options.json else _started))
    except EmtuiError as error:
        _say(f"emtui serve: {safe_str(error.message)}. {safe_str(error.remedy)}".rstrip())
        return exit_of(error)
    return Exit.OK


def _started(serving: "Serving") -> None:
    for user, password in serving.made_passwords.items():
        _say(f"emtui serve: the password of {user} is {password} (shown once; it is kept as a hash)")
    sys.stdout.write(f"serving on {serving.url}\n")
    sys.stdout.flush()


def _started_as_json(serving: "Serving") -> None:
    import json

    sys.stdout.write(f"{json.dumps({'url': serving.url, 'made_passwords': serving.made_passwords})}\n")
    sys.stdout.flush()


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _settings(options: argparse.Namespace) -> "Settings":
    """What the options mean. Raises ConfigProblem."""
    from emtui.server.settings import Settings
    from emtui.server.users.passwords import read_password_file

    usernames = tuple(dict.fromkeys(options.username or ()))
    passwords: dict[str, str] = {}
    password = os.environ.get("EMTUI_PASSWORD") or None
    if options.password_file is not None:
        passwords, for_all = read_password_file(options.password_file, usernames)
        password = for_all or password
    profile = _profile(options)
    return Settings(
        directory=profile.workspace,
        host=options.host,
        port=options.port,
        usernames=tuple(dict.fromkeys((*usernames, *passwords))),
        passwords=passwords,
        password=password,
        engine=options.engine or profile.engine,
        base_images=profile.base_images,
        pods=profile.pods,
        has_grid_auth=options.grid_auth,
        tls_cert=options.tls_cert,
        tls_key=options.tls_key,
        is_insecure=options.insecure,
        allowed_hosts=tuple(options.allow_host),
        allowed_origins=tuple(options.allow_origin),
        access_s=options.access_minutes * 60,
        wait_s=options.timeout or (None if options.timeout == 0 else 0.0),
    )


def _profile(options: argparse.Namespace) -> "Profile":
    """The local mode that is served: what the options name, else a local profile, else the usual workspace.

    Raises:
        ConfigProblem: a profile is named that has a remote end, or as `resolve`.
    """
    from emtui.config.environment import SECRETS
    from emtui.config.layers import resolve

    # The password is that of its users, and belongs to no address.
    environment = {name: value for name, value in os.environ.items() if name not in SECRETS}
    names = ("config", "profile", "local", "em_url", "grid_url", "read_only", "base_images", *POD_OPTIONS)
    openers = ("profile", "local", "em_url", "grid_url")
    resolved = resolve(
        {name: getattr(options, name) for name in names}, environment, openers=openers, uses_default=False
    )
    for warning in resolved.warnings:
        _say(f"emtui serve: {safe_str(warning)}")
    profile = resolved.profile
    remote = next(
        (end for end, kind in (("EM", profile.em_kind), ("Grid Node", profile.grid_kind)) if kind != "local"), ""
    )
    if remote:
        raise ConfigProblem(
            f"{f'profile {profile.label}' if profile.label else 'these options'}: the {remote} is not local, and only "
            "local mode can be served",
            remedy="Give --local DIR, or -p with a profile that names local and no address.",
        )
    if profile.is_read_only:
        raise ConfigProblem(
            "read-only: whoever signs in could change what is served",
            remedy="Leave it out here, and give --read-only to those who open it.",
        )
    return profile


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--local", metavar="DIR", type=_path, help="the workspace to serve (default: the one in your data directory)"
    )
    parser.add_argument("-p", "--profile", metavar="NAME", help="serve the local profile NAME of the configuration")
    parser.add_argument(
        "--config",
        metavar="FILE",
        type=_path,
        help="the configuration, in place of the usual one; its [local] counts too",
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=timeout_option,
        help="how long to wait for a workspace that another emtui has open, 0 without an end (default: not at all)",
    )
    # What all commands take; here it is refused with the reason.
    for address in ("--em-url", "--grid-url"):
        parser.add_argument(address, help=argparse.SUPPRESS)
    parser.add_argument("--read-only", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=_port, default=8000, help="the port to listen on, 0 for a free one (default: %(default)s)"
    )
    parser.add_argument(
        "--engine",
        type=_engine,
        help="what runs the images: docker, sandbox or simulated (default: the best that works)",
    )
    parser.add_argument("--base-images", metavar="NAME,NAME…", type=_base_images, help="the base images on board")
    parser.add_argument(
        "--username",
        metavar="NAME",
        action="append",
        help="a user; may be given again (default: client1, where there is none). Users of earlier starts stay. The "
        "first one ever has DIR itself, each other one DIR/users/NAME",
    )
    parser.add_argument(
        "--password-file",
        metavar="FILE",
        type=_path,
        help="a file of mode 0600: one password for all users, or a line name:password for each (otherwise "
        "EMTUI_PASSWORD, or the one of an earlier start, or one is made and shown once)",
    )
    parser.add_argument("--grid-auth", action="store_true", help="ask for a token on the Grid Node too")
    parser.add_argument("--tls-cert", metavar="FILE", type=_path, help="the certificate, PEM")
    parser.add_argument("--tls-key", metavar="FILE", type=_path, help="its key, PEM, without a passphrase")
    parser.add_argument("--insecure", action="store_true", help="allow plain http on an address that others reach")
    parser.add_argument(
        "--allow-host", metavar="NAME", action="append", default=[], help="a name that this server is reached by"
    )
    parser.add_argument(
        "--allow-origin",
        metavar="ORIGIN",
        type=_origin,
        action="append",
        default=[],
        help="an origin whose pages may use this server: https://host[:port]",
    )
    parser.add_argument(
        "--access-minutes",
        metavar="N",
        type=_minutes,
        default=15.0,
        help="how long an access token is good (default: %(default)g)",
    )
    add_pod_options(parser.add_argument_group("pods"))


def _engine(text: str) -> str:
    if not _ENGINE.fullmatch(text):
        raise argparse.ArgumentTypeError(f"no engine is called {text!r}: choose docker, sandbox or simulated")
    return text


def _base_images(text: str) -> tuple[str, ...]:
    from emtui.local.engines.references import on_board

    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if on_board(name, (name,)) is None:
            raise argparse.ArgumentTypeError(f"not the name of a base image: {name!r}; write it without a tag")
    return names


def _origin(text: str) -> str:
    from emtui.server.http.origins import checked_origin

    try:
        checked_origin(text)
    except ConfigProblem:
        raise argparse.ArgumentTypeError(f"not an origin: {text!r}; write scheme://host[:port], no path") from None
    return text


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= _MAX_PORT):
        raise argparse.ArgumentTypeError(f"a number from 0 to {_MAX_PORT} is needed, not {text!r}")
    return int(text)


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    if not 0 < minutes <= _MAX_ACCESS_MIN:
        raise argparse.ArgumentTypeError(f"minutes, more than 0 and at most {_MAX_ACCESS_MIN}, are needed")
    return minutes


VERBS = (
    Verb(
        "serve",
        "",
        "Serve local mode to others",
        _run,
        _configure,
        "The EM over HTTP, the Grid Node over Socket.IO and HTTP, on one port. The API is described at /schema/ and\n"
        "/swagger/. SIGTERM or Ctrl+C ends it; pods go on.",
        json_help='write {"url", "made_passwords"} on one line, once requests are answered, in place of the words',
        has_common=False,
    ),
)
