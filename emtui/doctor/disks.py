"""How much of a disk is left."""

import errno
import os
from pathlib import Path

from emtui.doctor.checks import Check, State
from emtui.text import size

LITTLE_BYTES = 1 << 30
LEAST_BYTES = 16 << 20
"""Below this, emtui itself soon has no room: its database, its journal, a file in transfer."""


def disk_check(section: str, name: str, folder: Path, todo: str) -> Check:
    """The room on the disk of `folder`; `todo` is what to do where it is little. Blocks."""
    try:
        status = os.statvfs(folder)
    except OSError as error:
        remedy = "Give yourself the rights to it." if error.errno == errno.EACCES else "See whether it is mounted."
        return Check(section, name, "note", f"{folder}: {os.strerror(error.errno or 0)}", remedy)
    return room_check(section, name, folder, status.f_bavail * status.f_frsize, todo)


def room_check(section: str, name: str, folder: Path, free_bytes: int, todo: str) -> Check:
    """What `free_bytes` mean for a disk."""
    state: State = "ok"
    if free_bytes < LITTLE_BYTES:
        state = "note" if free_bytes >= LEAST_BYTES else "fail"
    found = f"{size(free_bytes)} free ({folder})"
    return Check(section, name, state, found, todo if state != "ok" else "")
