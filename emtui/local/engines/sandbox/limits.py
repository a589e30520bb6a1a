"""Limits that a pod cannot lift: rlimits for each process, and a cgroup of processes where rlimits do not bind.

`RLIMIT_NPROC` counts the processes of the pod's own user namespace (since Linux 5.14), so it bounds a fork bomb
without counting the operator's own processes. It does not bind the machine's root: for root the bound is a cgroup.
Limits are only ever lowered, so no capability is needed for them.
"""

import contextlib
import os
import platform
import re
import resource
import secrets
import time
from pathlib import Path

from emtui.local.engines.bounds import Limits

_CGROUPS = Path("/sys/fs/cgroup")
_PREFIX = "emtui-"
_REMOVE_TRIES = 50


def rlimits(limits: Limits) -> dict[int, int]:
    """The resource limits of each process."""
    values = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: limits.file_bytes,
        resource.RLIMIT_NPROC: limits.processes + _others_that_count(),
    }
    if limits.memory_bytes:
        values[resource.RLIMIT_DATA] = limits.memory_bytes
    return values


def lower(pid: int, limits: Limits) -> None:
    """Set them on a process (0 for this one). Raises OSError."""
    for kind, wanted in rlimits(limits).items():
        _, hard = resource.prlimit(pid, kind)
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.prlimit(pid, kind, (value, value))


def _others_that_count() -> int:
    """Before Linux 5.14 all processes of the user are counted together."""
    matched = re.match(r"(\d+)\.(\d+)", platform.release())
    if matched is None or (int(matched[1]), int(matched[2])) >= (5, 14):
        return 0
    count = 0
    for entry in os.scandir("/proc"):
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and entry.stat().st_uid == os.getuid():
                count += len(os.listdir(f"/proc/{entry.name}/task"))  # noqa: PTH208 - a count is wanted
    return count


class Cgroup:
    """A cgroup of one pod's processes, for root. `path` is None where none can be had."""

    def __init__(self, limits: Limits) -> None:
        self.path: Path | None = None
        parent = _parent()
        if parent is None:
            return
        path = parent / f"{_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
        try:
            path.mkdir()
        except OSError:
            return
        try:
            (path / "pids.max").write_text(str(limits.processes))
            if limits.memory_bytes and (path / "memory.max").exists():
                (path / "memory.max").write_text(str(limits.memory_bytes))
        except OSError:
            path.rmdir()
            return
        self.path = path

    def join(self) -> None:
        """Put this process into it. For a child that is about to execute."""
        if self.path is not None:
            fd = os.open(self.path / "cgroup.procs", os.O_WRONLY)
            os.write(fd, b"0")
            os.close(fd)

    def was_out_of_memory(self) -> bool:
        """Whether the kernel has killed something in it for want of memory."""
        if self.path is None:
            return False
        try:
            events = (self.path / "memory.events").read_text()
        except OSError:
            return False
        return re.search(r"^oom_kill [1-9]", events, re.MULTILINE) is not None

    def remove(self) -> None:
        """Remove it once its processes are gone; what stays is removed by `sweep`."""
        if self.path is None:
            return
        for _ in range(_REMOVE_TRIES):
            try:
                self.path.rmdir()
            except FileNotFoundError:
                return
            except OSError:
                time.sleep(0.01)
                continue
            return


def _parent() -> Path | None:
    """Where a cgroup of ours can be made: this process's own in version 1, the top in version 2; only for root."""
    if os.geteuid() != 0:
        return None
    if (_CGROUPS / "pids").is_dir():
        with contextlib.suppress(OSError):
            for line in Path("/proc/self/cgroup").read_text().splitlines():
                _, controllers, path = line.split(":", 2)
                if "pids" in controllers.split(","):
                    return _CGROUPS / "pids" / path.lstrip("/")
        return None
    with contextlib.suppress(OSError):
        if "pids" in (_CGROUPS / "cgroup.subtree_control").read_text().split():
            return _CGROUPS
    return None


def sweep() -> None:
    """Remove the cgroups of makers that are gone. One that still has processes cannot be removed, and stays."""
    parent = _parent()
    if parent is None:
        return
    for path in parent.glob(f"{_PREFIX}*"):
        maker = path.name.removeprefix(_PREFIX).partition("-")[0]
        if maker.isdigit() and not Path(f"/proc/{maker}").exists():
            with contextlib.suppress(OSError):
                path.rmdir()


def binds_processes() -> bool:
    """Whether the number of processes is bounded here: always but for a root without cgroups."""
    if os.geteuid() != 0:
        return True
    probe = Cgroup(Limits())
    probe.remove()
    return probe.path is not None


def bounds_memory_together() -> bool:
    """Whether the memory of a whole pod is bounded, not only that of each process."""
    parent = _parent()
    if parent is None or parent != _CGROUPS:
        return False
    try:
        return "memory" in (parent / "cgroup.subtree_control").read_text().split()
    except OSError:
        return False
