"""Who writes an entry of a journal, and whether that emtui is still there."""

import os
import secrets
from pathlib import Path

ENDED_BEFORE = "emtui ended before it left"
ENDED_MEANWHILE = "emtui ended while it ran"
"""What is said of a command whose emtui is gone."""

LOOKED_INTO = "It is looked into again when emtui next reaches the other side."
"""What becomes of one that may have been executed."""

# The journals that are open in this process.
_OPEN: set[str] = set()


def begin_writing() -> str:
    """A name for an open journal: `pid:when the process started:chance`. It tells later whether it is still open."""
    writer = f"{os.getpid()}:{started_at(os.getpid())}:{secrets.token_hex(8)}"
    _OPEN.add(writer)
    return writer


def end_writing(writer: str) -> None:
    """The journal has been closed."""
    _OPEN.discard(writer)


def is_writing(writer: str) -> bool:
    """Whether the journal that a `writer` names is still open in some process."""
    pid, started, _ = writer.split(":")
    if int(pid) == os.getpid() and started == started_at(os.getpid()):
        return writer in _OPEN
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # of another user, but alive
    return started == started_at(int(pid))


def started_at(pid: int) -> str:
    """When a process started, as a word that another process of the same number, or after a restart, does not have.

    Empty where the system does not tell (not Linux): the number alone must do there.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        # The name, second, may hold anything, `)` and spaces too. After it: the state, and 20th the start, in ticks.
        words = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return f"{boot}-{words[19]}" if words[0] not in "ZX" else "dead, but not yet taken note of"
