"""Where a Docker Engine is looked for: what the environment says, and each socket with its rights."""

import grp
import os
import pwd
import re
import shlex
import socket
import stat
from collections.abc import Mapping
from pathlib import Path

from emtui.doctor.case import Case
from emtui.doctor.checks import Check
from emtui.doctor.folders import denied_folder

SECTION = "engine"

_NAME = "socket"
_START = "Start Docker (sudo systemctl start docker), or Podman's socket (systemctl --user start podman.socket)."
_CONNECT_S = 2.0
_MOST_SOCKET_BYTES = 107

_SCHEMES = ("unix", "tcp", "http", "https", "ssh", "npipe")
_SET_IT = "Set DOCKER_HOST to where the engine listens (unix:///var/run/docker.sock, tcp://HOST:PORT), or unset it."
_USER = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)?.*@", re.DOTALL)


def without_user(url: str) -> str:
    """An engine's address without the user and the password in it. A socket's path has neither."""
    return url if url.startswith("unix:///") else _USER.sub(lambda found: f"{found[1] or ''}…@", url)


def look_at_sockets(case: Case) -> list[Check]:
    """A line for what names a Docker Engine, and for each of its usual sockets that is there. Blocks."""
    if not case.needs_engine:
        return []
    from emtui.local.engines.docker.places import places, usual_sockets

    named = next((place for place in places(case.environment) if place.origin == "DOCKER_HOST" or place.context), None)
    if named is None:
        usual = usual_sockets(case.environment)
        there = [path for path in usual if _is_there(path)]
        if not there:
            return [_note(f"none of Docker or Podman is there ({', '.join(map(str, usual))})", _START)]
        return [look_at_socket(path, case.environment) for path in there]
    check = named_check(named.url) if named.origin == "DOCKER_HOST" else _only("context", named.origin)
    if check.state != "ok" or named.socket is None:
        return [check]
    return [check, look_at_socket(named.socket, case.environment, is_named=True)]


def _only(name: str, shown: str) -> Check:
    return Check(SECTION, name, "ok", f"{shown}; it is the only place that is looked at")


def named_check(url: str) -> Check:
    """What `DOCKER_HOST` says, as far as it can be told by reading."""
    scheme, separator, rest = url.partition("://")
    shown = without_user(url)
    if not separator or scheme not in _SCHEMES:
        found = f"{shown}: not an address of a Docker Engine"
    elif not rest:
        found = f"{shown}: an address without a {'path' if scheme in ('unix', 'npipe') else 'host'}"
    elif scheme == "unix" and not rest.startswith("/"):
        found = f"{shown}: not an absolute path"
    else:
        return _only("DOCKER_HOST", shown)
    return Check(SECTION, "DOCKER_HOST", "note", found, _SET_IT)


def _is_there(path: Path) -> bool:
    try:
        path.lstat()
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def look_at_socket(path: Path, environment: Mapping[str, str] = os.environ, *, is_named: bool = False) -> Check:
    """Who owns a socket, whether this user may use it, and whether anything listens. Blocks.

    `is_named` says that `DOCKER_HOST` names it: whatever else is there is then somebody's own, and is left alone.
    """
    start = f"{_START} {_SET_IT}" if is_named else _START
    try:
        status = path.stat()
    except OSError as error:
        return _unreachable(path, error, start, _SET_IT if is_named else _rights(path, environment))
    if not stat.S_ISSOCK(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a file"
        todo = _SET_IT if is_named else "An engine's socket belongs there: move that away, and start Docker anew."
        return _note(f"{path}: {kind}, not a socket", todo)
    shown = f"{path}: {_owner(status.st_uid)}:{_group(status.st_gid)} {stat.S_IMODE(status.st_mode):04o}"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as tried:
            tried.settimeout(_CONNECT_S)
            tried.connect(str(path))
    except PermissionError:
        return _note(f"{shown}; you may not use it", _join(status))
    except OSError as error:
        if len(os.fsencode(path)) > _MOST_SOCKET_BYTES:
            start = f"Its path has over {_MOST_SOCKET_BYTES} bytes: name it by a shorter one, through a link."
        return _note(f"{shown}; nothing answers behind it ({error.strerror or error})", start)
    return Check(SECTION, _NAME, "ok", f"{shown}; you may use it")


def _unreachable(path: Path, error: OSError, start: str, rights: str) -> Check:
    if isinstance(error, PermissionError):
        return _note(f"{path}: behind {denied_folder(path)}, which you may not look into", rights)
    if isinstance(error, FileNotFoundError):
        said = "a link that leads nowhere" if path.is_symlink() else "no such socket"
        return _note(f"{path}: {said}", start)
    return _note(f"{path}: {os.strerror(error.errno or 0)}", start)


def _note(found: str, todo: str) -> Check:
    return Check(SECTION, _NAME, "note", found, todo)


def _join(status: os.stat_result) -> str:
    """How one gets the right to use a socket: by its group where that may use it."""
    group = _group(status.st_gid)
    if not status.st_mode & stat.S_IWGRP or status.st_gid == 0:
        return "Run emtui as its owner, or use rootless Docker or Podman."
    user = _owner(os.geteuid())
    try:
        is_member = user in grp.getgrgid(status.st_gid).gr_mem
    except KeyError:
        is_member = False
    if is_member:
        return f"You are in the group {group}, but this session began before that: sign in anew."
    return f"Join its group (sudo usermod -aG {group} {user}) and sign in anew; or use rootless Docker."


def _rights(path: Path, environment: Mapping[str, str]) -> str:
    """What to do where one of the usual sockets is behind a folder that may not be looked into."""
    denied = denied_folder(path)
    runtime = environment.get("XDG_RUNTIME_DIR", "")
    if runtime and path.is_relative_to(runtime):
        return f"Set XDG_RUNTIME_DIR to your own folder (/run/user/{os.geteuid()}), or unset it: {denied} is another's."
    home = environment.get("HOME", "")
    if home and path.is_relative_to(home):
        if denied != Path(home) and denied.is_relative_to(home):
            return f"Take it back, if it is yours: sudo chown -R {_owner(os.geteuid())} {shlex.quote(str(denied))}."
        return "Set HOME to your own folder."
    if path.name == "podman.sock":
        return "It is root's Podman. Start your own (systemctl --user start podman.socket), or run emtui as root."
    return f"Give yourself the rights to {denied}."


def _owner(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
