"""What this machine allows: who runs emtui, namespaces, limits of pods, and images for what flies."""

import os
import platform
import pwd
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from emtui.doctor.case import Case
from emtui.doctor.checks import Check
from emtui.text import count, size

if TYPE_CHECKING:
    from emtui.local.engines.docker.daemon import Facts

SECTION = "limits"

PROC = Path("/proc")
_FLIES = "arm64"
_ARM64 = ("aarch64", "arm64")


def look_at_machine(case: Case) -> list[Check]:
    """All of it. Blocks."""
    if not case.needs_engine:
        return []
    checks = [user_check(os.geteuid()), namespaces_check(os.geteuid())]
    if sys.platform.startswith("linux"):
        checks.append(_cgroups(case))
    return [*checks, pods_check(case), architecture_check(platform.machine())]


def user_check(uid: int) -> Check:
    """Who runs emtui."""
    if uid == 0:
        found = "root: what pods write to the volume belongs to root"
        return Check(SECTION, "user", "note", found, "Run emtui as an ordinary user, if there is one.")
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = "without a name"
    return Check(SECTION, "user", "ok", f"{name} (uid {uid})")


def namespaces_check(uid: int, proc: Path = PROC) -> Check:
    """Whether this user may make user namespaces, which the sandbox is made of. Blocks."""
    name = "user namespaces"
    if not (proc / "self/ns/user").exists():
        return Check(SECTION, name, "note", "this system has none, so that the sandbox cannot work", "Use Docker.")
    if _number(proc / "sys/user/max_user_namespaces") == 0:
        todo = "sudo sysctl -w user.max_user_namespaces=15000"
        return Check(SECTION, name, "note", "none may be made (user.max_user_namespaces is 0)", todo)
    if uid != 0 and _number(proc / "sys/kernel/unprivileged_userns_clone") == 0:
        todo = "sudo sysctl -w kernel.unprivileged_userns_clone=1"
        return Check(SECTION, name, "note", "for root only (kernel.unprivileged_userns_clone is 0)", todo)
    if uid != 0 and _number(proc / "sys/kernel/apparmor_restrict_unprivileged_userns") == 1:
        return Check(
            SECTION,
            name,
            "note",
            "AppArmor restricts them to programs with a profile of their own",
            "Give bwrap a profile that has userns, or sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        )
    return Check(SECTION, name, "ok", "they may be made")


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _cgroups(case: Case) -> Check:
    from emtui.local.engines.sandbox.limits import binds_processes, bounds_memory_together

    return cgroups_check(case.engine, bounds_memory=bounds_memory_together(), binds_processes=binds_processes())


def cgroups_check(engine: str, *, bounds_memory: bool, binds_processes: bool) -> Check:
    """What bounds a whole pod where `engine` runs it."""
    name = "cgroups"
    if engine != "sandbox":
        return Check(
            SECTION, name, "ok", "the engine that is used sets its own" if engine == "docker" else "not needed"
        )
    todo = "Use the docker engine, which limits a pod as a whole."
    if not binds_processes:
        return Check(SECTION, name, "note", "the sandbox cannot limit how many processes a pod of root has", todo)
    if not bounds_memory:
        return Check(SECTION, name, "note", "the sandbox limits the memory of each process, not of a whole pod", todo)
    return Check(SECTION, name, "ok", "the memory and the processes of a whole pod are limited")


def pods_check(case: Case) -> Check:
    """What a pod may do and use, by the options, the configuration, and the engine that runs it."""
    from emtui.local.engines.bounds import Limits

    policy = case.profile.pods
    limits = Limits.of_this_machine(policy.memory_bytes or 0, policy.processes or 0)
    docker = case.docker if case.engine == "docker" else None
    # An engine in a virtual machine has less memory than this machine, and does not say how much.
    is_here = docker is None or docker.is_on_this_kernel
    has = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if is_here else 0
    processors = (docker.facts.cpus if docker is not None else 0) or os.cpu_count() or 1
    cpus = min(policy.cpus or processors, processors)
    bounds = {
        "memory": f"{size(limits.memory_bytes)}{f' of {size(has)}' if has else ''} memory",
        "processors": f"{cpus:g} of {count(processors, 'processor')}",
        "processes": f"{limits.processes:,} processes",
    }
    unlimited = _unlimited(docker.facts) if docker is not None else []
    said = "; ".join(
        part
        for part in (
            ", ".join(text for name, text in bounds.items() if name not in unlimited),
            f"no limit on {', '.join(unlimited)}, which this engine does not have" if unlimited else "",
            f"{'the' if policy.with_network else 'no'} network",
            "a read-only root" if policy.has_read_only_root else "",
        )
        if part
    )
    if unlimited:
        todo = "Give it cgroups that can: for a rootless one, Delegate=cpu memory pids in systemd's user@.service."
        return Check(SECTION, "pods", "note", said, todo)
    if case.engine == "sandbox" and (policy.with_network or policy.has_read_only_root or policy.cpus is not None):
        todo = (
            "Use the docker engine: the sandbox has neither a network, nor a limit on processors, nor a read-only root."
        )
        return Check(SECTION, "pods", "note", said, todo)
    if has and limits.memory_bytes > has:
        return Check(SECTION, "pods", "note", said, "Give less than the machine has by --pod-memory.")
    return Check(SECTION, "pods", "ok", said)


def _unlimited(facts: "Facts") -> list[str]:
    can = (("memory", facts.limits_memory), ("processors", facts.limits_cpus), ("processes", facts.limits_processes))
    return [name for name, is_limited in can if not is_limited]


def architecture_check(machine: str, proc: Path = PROC) -> Check:
    """Whether images for what flies run here. Blocks."""
    name = f"{_FLIES} images"
    if machine.lower() in _ARM64:
        return Check(SECTION, name, "ok", "they are this machine's own")
    try:
        is_enabled = (proc / "sys/fs/binfmt_misc/qemu-aarch64").read_text(encoding="utf-8").startswith("enabled")
    except (OSError, UnicodeDecodeError):
        is_enabled = False
    if is_enabled:
        return Check(SECTION, name, "ok", f"they run on this {machine} by qemu-aarch64")
    found = f"this machine is {machine}, and nothing here runs them; {_FLIES} is what flies"
    return Check(SECTION, name, "note", found, "Install qemu-user-static (with binfmt-support), if they are wanted.")
