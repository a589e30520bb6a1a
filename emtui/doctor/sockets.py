"""Where a Docker Engine is looked for: what the environment says, and each socket with its rights."""

import grp
import os
import pwd
import re
import socket
import stat
from pathlib import Path

from emtui.doctor.case import Case
from emtui.doctor.checks import Check

SECTION = "engine"

_NAME = "socket"
_START = "Start Docker (sudo systemctl start docker), or Podman's socket (systemctl --user start podman.socket)."
_CONNECT_S = 2.0
_SECRET = re.compile(r"//([^/@:]*):[^/@]*@")


def look_at_sockets(case: Case) -> list[Check]:
    """A line for what names a Docker Engine, and for each of its usual sockets that is there. Blocks."""
    if not case.needs_engine:
        return []
    from emtui.local.engines.docker.places import places, usual_sockets

    named = [place for place in places(case.environment) if place.origin == "DOCKER_HOST" or place.context]
    checks = [_named(place.origin, place.url) for place in named]
    named_sockets = [place.socket for place in named if place.socket is not None]
    if named and not named_sockets:
        return checks
    there = [path for path in named_sockets or usual_sockets(case.environment) if _is_there(path)]
    if not there:
        where = ", ".join(map(str, named_sockets or usual_sockets(case.environment)))
        return [*checks, _note(f"none of Docker or Podman is there ({where})", _START)]
    return checks + [look_at_socket(path) for path in there]


def _named(origin: str, url: str) -> Check:
    name = "DOCKER_HOST" if origin == "DOCKER_HOST" else "context"
    shown = _SECRET.sub(r"//\1:…@", url) if name == "DOCKER_HOST" else origin
    return Check(SECTION, name, "ok", f"{shown}; it is the only place that is looked at")


def _is_there(path: Path) -> bool:
    try:
        path.lstat()
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def look_at_socket(path: Path) -> Check:
    """Who owns a socket, whether this user may use it, and whether anything listens. Blocks."""
    try:
        status = path.stat()
    except PermissionError:
        return _note(f"{path}: behind a folder that you may not look into", _rights(path.parent))
    except OSError as error:
        return _note(f"{path}: {os.strerror(error.errno or 0)}", _START)
    if not stat.S_ISSOCK(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a file"
        return _note(f"{path}: {kind}, not a socket", "Remove it, and start Docker anew.")
    shown = f"{path}: {_owner(status.st_uid)}:{_group(status.st_gid)} {stat.S_IMODE(status.st_mode):04o}"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as tried:
            tried.settimeout(_CONNECT_S)
            tried.connect(str(path))
    except PermissionError:
        return _note(f"{shown}; you may not use it", _join(status))
    except OSError as error:
        return _note(f"{shown}; nothing answers behind it ({error.strerror or error})", _START)
    return Check(SECTION, _NAME, "ok", f"{shown}; you may use it")


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


def _rights(folder: Path) -> str:
    return f"Give yourself the rights to {folder}, or unset what names it (XDG_RUNTIME_DIR, HOME)."


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
