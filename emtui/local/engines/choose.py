"""Which engine a workspace gets: the first of an ordered list that a real probe finds to work, or the one named.

The reasons of those that would not are kept, for whoever asks why.
"""

import asyncio
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from emtui.errors import ConfigProblem
from emtui.local.engines.base import DEFAULT_BASE_IMAGES, Engine
from emtui.local.engines.sandbox.engine import SandboxEngine
from emtui.local.engines.sandbox.farm import make_farm
from emtui.local.engines.sandbox.jail import Jail, Limits
from emtui.local.engines.sandbox.rootfs import Rootfs, RootfsProblem
from emtui.local.engines.sandbox.runstep import run_step
from emtui.local.engines.sandbox.tree import remove_tree
from emtui.local.engines.simulated import SimulatedEngine
from emtui.local.handles import DirHandle
from emtui.local.stopping import Stop, stoppable
from emtui.local.workspace import Workspace

# A namespace is made in some hundredths of a second; one that hangs is none.
_PROBE_S = 20.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """An engine that may work here.

    Attributes:
        name: what `--engine` takes.
        family: the engine's own name, which `--engine` takes too, for the first of it that works.
        probe: tries it in a thread; the reason why it does not work, empty where it does.
        make: makes the engine. Does not block.
        remedy: what makes it work.
    """

    name: str
    family: str
    probe: Callable[[Workspace, Stop], str]
    make: Callable[[Workspace, Sequence[str]], Engine]
    remedy: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What a probe found. `reason` is empty where the engine works or was not tried."""

    name: str
    is_available: bool
    reason: str = ""
    remedy: str = ""


@dataclass(slots=True)
class Findings:
    """What the probes of one choice found, in their order."""

    found: list[Finding] = field(default_factory=list)


def _sandbox(isolation: str, remedy: str) -> Candidate:
    return Candidate(
        name=f"sandbox({isolation})",
        family="sandbox",
        probe=lambda workspace, stop: probe_isolation(workspace, isolation, stop),
        make=lambda workspace, base_images: SandboxEngine(workspace, isolation, base_images),
        remedy=remedy,
    )


CANDIDATES: tuple[Candidate, ...] = (
    _sandbox("bwrap", "Install bubblewrap, and allow unprivileged user namespaces."),
    _sandbox("unshare", "Install util-linux, and allow unprivileged user namespaces."),
    Candidate(
        name="simulated",
        family="simulated",
        probe=lambda _workspace, _stop: "",
        make=SimulatedEngine,
        remedy="",
    ),
)
"""In the order in which they are tried."""


def probe_isolation(workspace: Workspace, isolation: str, stop: Stop) -> str:
    """Run `true` exactly as a pod's command would be run; why it failed, empty where it did not. Blocks."""
    if os.name != "posix" or not hasattr(os, "memfd_create"):
        return "namespaces are Linux's own"
    name = f"probe-{secrets.token_hex(4)}"
    path = workspace.path / "staging" / name
    try:
        path.mkdir(mode=0o700)
        for folder in ("root", "shm"):
            (path / folder).mkdir(mode=0o755)
        with DirHandle.open_trusted(path / "root") as root:
            make_farm(root, "alpine")
            Rootfs(root).ensure_mountpoints(("/proc", "/dev", "/data"))
        jail = Jail(root=str(path / "root"), argv=["/bin/sh", "-c", "true"], env={}, cwd="/", hostname="probe",
                    shm=str(path / "shm"), volume=str(workspace.path / "volume"),
                    limits=Limits.of_this_machine())  # fmt: skip
        ended = run_step(isolation, jail, None, stop.check)
    except (OSError, RootfsProblem) as error:
        return str(error)
    finally:
        remove_tree(workspace.staging, name)
    return ended.error or (f"`true` ended with {ended.exit_code} in it" if ended.exit_code else "")


async def examine(workspace: Workspace, candidates: Sequence[Candidate] = CANDIDATES) -> list[Finding]:
    """Probe every engine, also behind one that works: for `doctor`."""
    return [await _try(candidate, workspace) for candidate in candidates]


async def _try(candidate: Candidate, workspace: Workspace) -> Finding:
    try:
        async with asyncio.timeout(_PROBE_S):
            reason = await stoppable(lambda stop: candidate.probe(workspace, stop))
    except TimeoutError:
        reason = f"it did not answer within {_PROBE_S:g} s"
    return Finding(candidate.name, not reason, reason, candidate.remedy if reason else "")


async def choose_engine(
    workspace: Workspace,
    name: str | None = None,
    base_images: Sequence[str] = DEFAULT_BASE_IMAGES,
    *,
    findings: Findings | None = None,
    candidates: Sequence[Candidate] = CANDIDATES,
) -> Engine:
    """The first engine that works, or the one called `name` (`sandbox`, `sandbox(unshare)`, `simulated`).

    What the probes found is added to `findings`.

    Raises:
        ConfigProblem: no engine is called so, or it does not work here, with the reason and the remedy.
    """
    wanted = [candidate for candidate in candidates if name in (None, candidate.name, candidate.family)]
    if not wanted:
        known = ", ".join(dict.fromkeys(candidate.family for candidate in candidates))
        raise ConfigProblem(f"--engine: no engine is called {name}", remedy=f"Choose one of {known}.")
    tried: list[Finding] = []
    for candidate in wanted:
        finding = await _try(candidate, workspace)
        tried.append(finding)
        if findings is not None:
            findings.found.append(finding)
        if finding.is_available:
            return candidate.make(workspace, base_images)
    reasons = "; ".join(f"{finding.name}: {finding.reason}" for finding in tried)
    raise ConfigProblem(f"--engine {name} does not work here: {reasons}", remedy=tried[0].remedy)
