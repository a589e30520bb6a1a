"""Where the users' passwords come from: a file that only its owner can read, or made here."""

import os
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path

from emtui.errors import ConfigProblem
from emtui.local.em import check_user

# No l, 1, o, 0, i: it is read from a screen and typed.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS = 4
_GROUP_CHARS = 5

_MAX_FILE_BYTES = 1 << 16


def made_password() -> str:
    """A new password: about 99 bits in four groups."""
    groups = ("".join(secrets.choice(_LETTERS) for _ in range(_GROUP_CHARS)) for _ in range(_GROUPS))
    return "-".join(groups)


def read_password_file(path: Path, usernames: Sequence[str]) -> tuple[dict[str, str], str | None]:
    """The passwords by user, and the one for everybody else. Blocks.

    A file of one line holds the password of all `usernames`, unless it begins with one of them and a colon; where
    no user is named otherwise, with any user's name and a colon. A file of several lines holds `name:password` in
    each; whoever it names is a user. Empty lines are left out.

    Raises:
        ConfigProblem: it cannot be read, is a link, is not ours, others can read it, or a line is not as it should
            be. Nothing of its content is in the message.
    """
    lines = [line for line in _read(path).splitlines() if line.strip()]
    if not lines:
        raise ConfigProblem(f"--password-file: {path} is empty", remedy="Write the password into its first line.")
    if len(lines) == 1:
        name, colon, password = lines[0].partition(":")
        is_named = name in usernames if usernames else _is_user(name)
        return ({name: password}, None) if colon and is_named and password else ({}, lines[0])
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        name, colon, password = line.partition(":")
        if not colon or not password:
            raise ConfigProblem(
                f"--password-file: line {number} of {path} is not name:password",
                remedy="Write one user in each line, or nothing but one password.",
            )
        try:
            check_user(name)
        except ConfigProblem as error:
            # The name is not repeated: in a file that is wrong it may be a password.
            raise ConfigProblem(
                f"--password-file: line {number} of {path} does not begin with a user's name", remedy=error.remedy
            ) from None
        found[name] = password
    return found, None


def _is_user(name: str) -> bool:
    try:
        check_user(name)
    except ConfigProblem:
        return False
    return True


def _read(path: Path) -> str:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        is_link = path.is_symlink()
        reason = "a link is not followed" if is_link else os.strerror(error.errno or 0)
        raise ConfigProblem(f"--password-file: {path}: {reason}", remedy="Name the file itself.") from None
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise ConfigProblem(f"--password-file: {path}: not a file", remedy="Name a file.")
        if status.st_uid != os.geteuid():
            raise ConfigProblem(f"--password-file: {path}: another user's", remedy="Use a file of your own.")
        if status.st_mode & 0o077:
            raise ConfigProblem(f"--password-file: {path}: others can read it", remedy=f"chmod 600 {path}")
        data = os.read(fd, _MAX_FILE_BYTES + 1)
    finally:
        os.close(fd)
    if len(data) > _MAX_FILE_BYTES:
        raise ConfigProblem(f"--password-file: {path}: over {_MAX_FILE_BYTES:,} bytes", remedy="Name another file.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigProblem(f"--password-file: {path}: not UTF-8", remedy="Save it as UTF-8.") from None
