"""One emtui at a time in a folder: a lock that ends with its process, however it ends.

The lock's file says who has it: on its first line the process number, on its second what that process is, as
`console`, `files list` or `serve http://127.0.0.1:8000`. Who is kept out can then be told what to do.
"""

import contextlib
import fcntl
import os
import re
from dataclasses import dataclass
from pathlib import Path

from emtui.errors import WorkspaceInUse
from emtui.text import safe_str

LOCK = "lock"
"""The file's name."""

CONSOLE = "console"
"""What the console says of itself."""

SERVE = "serve"
"""What a server says of itself, and behind a blank its address."""

# Whoever can write into the folder can write anything here.
_MOST_BYTES = 1024
_MOST_CHARS = 200
# It becomes part of a command that may be copied into a shell.
_URL = re.compile(r"https?://[A-Za-z0-9.:\[\]%_-]+")


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a folder, as its lock says.

    Attributes:
        process: its number, None where the lock does not say.
        what: what it is, harmless to a terminal, at most 200 characters of it; empty where the lock does not say.
    """

    process: int | None = None
    what: str = ""

    @property
    def url(self) -> str:
        """Where a server answers; empty where it is none, or says none that could be one."""
        kind, _, url = self.what.partition(" ")
        return url if kind == SERVE and _URL.fullmatch(url) else ""

    def __str__(self) -> str:
        """`another emtui (process 4711: files list)`."""
        number = f"process {self.process}" if self.process is not None else ""
        told = ": ".join(part for part in (number, self.what) if part)
        return f"another emtui ({told})" if told else "another emtui"

    def remedy(self, folder: Path, otherwise: str) -> str:
        """What can be done about it; `otherwise` where nothing is known of who has the folder."""
        import shlex

        kind = self.what.partition(" ")[0]
        if self.url:
            url = shlex.quote(self.url)  # the brackets of an IPv6 address are a pattern to some shells
            return f"emtui serve has it: use --em-url {url} --grid-url {url}, or open another directory with --local."
        if kind == SERVE:
            return "emtui serve has it: use its address with --em-url, or open another directory with --local."
        if self.what == CONSOLE:
            shared = f"emtui serve --local {shlex.quote(str(folder))}"
            return f"Close that console, or share the workspace: {shared}"
        if self.what:
            return "Wait until it has ended, or open another directory with --local."
        return otherwise


def lock_folder(folder: Path, *, remedy: str, holder: str = "") -> tuple[int, bool]:
    """Take a folder for this process. Returns the lock's descriptor, and whether its file was made now. Blocks.

    `holder` says to others what this process is, see `note_holder`; `remedy` is what they are told to do where a lock
    says nothing.

    Raises:
        WorkspaceInUse: another process has it; its number is named, and what it is.
        OSError: as the disk has it.
    """
    path = folder / LOCK
    while True:
        is_new = not path.exists()
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = read_holder(fd)
            os.close(fd)
            raise WorkspaceInUse(
                f"{folder}: in use by {other}",
                remedy=other.remedy(folder, remedy),
                process=other.process,
                holder=other.what,
            ) from None
        except BaseException:
            os.close(fd)
            raise
        # One that failed to open a new workspace removes its lock again; a removed file locks nothing.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(fd), path.stat()):
                break
        os.close(fd)
    try:
        os.ftruncate(fd, 0)  # whoever had it before must not be named even for a moment
        note_holder(fd, holder)
    except OSError:
        if is_new:
            path.unlink()
        os.close(fd)
        raise
    return fd, is_new


def note_holder(fd: int, what: str) -> None:
    """Write into a lock that this process holds what it is. Blocks.

    `what` is one line: `console`, `files list`, or `serve` with its address. Raises OSError as the disk has it.
    """
    line = " ".join(what.split())[:_MOST_CHARS]
    text = f"{os.getpid()}\n{line}\n".encode("utf-8", "replace")
    # The file is cut last: who reads meanwhile reads whole lines and, behind them, the rest of longer ones.
    os.pwrite(fd, text, 0)
    os.ftruncate(fd, len(text))


def read_holder(fd: int) -> Holder:
    """Who has written into a lock. Blocks."""
    try:
        text = os.pread(fd, _MOST_BYTES, 0).decode("utf-8", "replace")
    except OSError:  # a pipe, say: it says nothing
        return Holder()
    number, _, rest = text.partition("\n")
    number = number.strip()
    is_number = number.isascii() and number.isdigit() and len(number) <= len(str(2**31))
    return Holder(int(number) if is_number else None, safe_str(rest.partition("\n")[0].strip(), _MOST_CHARS))
