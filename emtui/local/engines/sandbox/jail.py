"""What is to be run in isolation. Shared by both isolations."""

import contextlib
import json
import os
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path

from emtui.local.engines.bounds import Limits
from emtui.local.engines.sandbox.rootfs import HOST, host_places

VOLUME = "/data"
SHM = "/dev/shm"  # noqa: S108 - a path inside the sandbox

# Places of /proc by which root could change or read the machine, also a root without capabilities: the kernel asks
# only who owns them. The same that container engines cover.
PROC_READ_ONLY = ("acpi", "bus", "firmware", "fs", "irq", "mtrr", "scsi", "sys", "sysrq-trigger")
PROC_MASKED = ("kcore", "keys", "kmsg", "latency_stats", "sched_debug", "timer_list", "timer_stats")


@dataclass(frozen=True, slots=True)
class Jail:
    """A command and all that it may see.

    Attributes:
        root: the folder that becomes `/`, absolute.
        argv: the command; `argv[0]` is a path inside.
        env: its whole environment.
        cwd: absolute, inside.
        hostname: letters, digits and `-`.
        uid, gid: what its one user is called inside. On this machine it is the operator.
        volume: the folder that is mounted read-write at `/data`, empty for none.
        shm: the folder that is mounted at `/dev/shm`.
        limits: see `Limits`.
    """

    root: str
    argv: list[str]
    env: dict[str, str]
    cwd: str
    hostname: str
    shm: str
    uid: int = 0
    gid: int = 0
    volume: str = ""
    limits: Limits = field(default_factory=Limits)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Jail":
        values = json.loads(text)
        return cls(**{**values, "limits": Limits(**values["limits"])})

    def read_only_binds(self) -> list[tuple[str, str]]:
        """What of this machine is mounted read-only, and where."""
        return [(place, f"/{HOST}{place}") for place in host_places()]


def present_in_proc(names: tuple[str, ...]) -> list[str]:
    """Those of the places of /proc that this kernel has, as paths."""
    return [f"/proc/{name}" for name in names if os.path.lexists(f"/proc/{name}")]


def heeds(pid: int, number: int) -> bool:
    """Whether a process has a handler for a signal.

    In a container the command is process 1, which the kernel spares every signal that it does not handle. Here it is
    not, and what would be spared there must not be ended here: a rehearsal shows what happens on CG2.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text(errors="replace")
    except OSError:
        return False
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return bool(int(fields.get("SigCgt", "0"), 16) >> (number - 1) & 1)


def exit_code(process: "subprocess.Popen[bytes]") -> int:
    """The code as Kubernetes tells it: 128 + signal for one that a signal has ended."""
    code = process.returncode
    return 128 - code if code < 0 else code


def close_quietly(*descriptors: int) -> None:
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)
