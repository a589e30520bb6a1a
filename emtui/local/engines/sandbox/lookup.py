"""What a command means inside an image: which file it is, as which user it runs. As runc looks and as it complains."""

import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from emtui.local.engines.sandbox.rootfs import Rootfs

_ELF = b"\x7fELF"
_ELF_HEADER_BYTES = 52
# A 64-bit x86 machine also executes 32-bit programs: (class, machine).
_X86_64, _I386 = (2, 62), (1, 3)
_BINFMT = Path("/proc/sys/fs/binfmt_misc")
_MAX_ID = 2**31 - 1


class StartProblem(Exception):
    """The command cannot be started; `args[0]` is what runc would say behind `exec: `."""


@dataclass(frozen=True, slots=True)
class User:
    uid: int = 0
    gid: int = 0
    home: str = "/root"


def find_command(root: Rootfs, name: str, path: str, workdir: str) -> str:
    """The path of a command inside the image.

    Raises:
        StartProblem: there is no such file, or it is not executable.
    """
    if "/" in name:
        place = name if name.startswith("/") else f"{workdir.rstrip('/')}/{name}"
        found = root.find(place)
        if found is None:
            raise StartProblem(f'exec: "{name}": stat {name}: no such file or directory')
        if found.is_folder:
            raise StartProblem(f'exec: "{name}": is a directory')
        if not found.stat.st_mode & 0o111:
            raise StartProblem(f'exec: "{name}": permission denied')
        return place
    for folder in path.split(":"):
        place = f"{folder or workdir}/{name}"
        found = root.find(place)
        if name and found is not None and stat.S_ISREG(found.stat.st_mode) and found.stat.st_mode & 0o111:
            return place
    raise StartProblem(f'exec: "{name}": executable file not found in $PATH')


def has_known_format(root: Rootfs, place: str) -> bool:
    """Whether the kernel can execute a file: a script with `#!`, or a program for this machine.

    bwrap would give any other file to a shell (`execvp`), which no container does.
    """
    found = root.find(place)
    head = root.read_head(found) if found is not None else b""
    if head.startswith(b"#!"):
        return True
    if not head.startswith(_ELF) or len(head) < _ELF_HEADER_BYTES:
        return False
    with Path(sys.executable).open("rb") as file:
        own = _machine(file.read(_ELF_HEADER_BYTES))
    kind = _machine(head)
    return kind == own or (own, kind) == (_X86_64, _I386) or _has_emulators()


def _machine(head: bytes) -> tuple[int, int]:
    return head[4], int.from_bytes(head[18:20], "little" if head[5] == 1 else "big")


def _has_emulators() -> bool:
    """Whether the kernel was told how to execute programs for other machines."""
    try:
        return any(name not in ("register", "status") for name in os.listdir(_BINFMT))  # noqa: PTH208 - names are wanted
    except OSError:
        return False


def find_user(root: Rootfs, text: str) -> User:
    """`user[:group]` of an image, by name or number, looked up in the image's own `/etc/passwd` and `/etc/group`.

    Raises:
        StartProblem: no such user or group.
    """
    name, _, group = text.partition(":")
    people = [line.split(":") for line in root.read_text("/etc/passwd").splitlines()]
    user = User()
    if name not in ("", "root", "0"):
        entry = next((line for line in people if len(line) >= 6 and name in (line[0], line[2])), None)
        if entry is not None and entry[2].isdigit() and entry[3].isdigit():
            user = User(int(entry[2]), int(entry[3]), entry[5] or "/")
        elif name.isdigit():
            user = User(int(name), 0, "/")
        else:
            raise StartProblem(f"unable to find user {name}: no matching entries in passwd file")
    if group:
        groups = [line.split(":") for line in root.read_text("/etc/group").splitlines()]
        found = next((line for line in groups if len(line) >= 3 and group in (line[0], line[2])), None)
        number = found[2] if found is not None else group
        if not number.isdigit():
            raise StartProblem(f"unable to find group {group}: no matching entries in group file")
        user = User(user.uid, int(number), user.home)
    if max(user.uid, user.gid) > _MAX_ID:
        raise StartProblem(f"unable to find user {text}: uids and gids must be in range 0-{_MAX_ID}")
    return user
