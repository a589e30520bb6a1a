"""Which engine a workspace gets: the first of an ordered list that a real probe finds to work, or the one named.

The reasons of those that would not are kept, for whoever asks why.
"""

import asyncio
import os
import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from emtui.errors import ConfigProblem
from emtui.local.engines.base import DEFAULT_BASE_IMAGES, Engine
from emtui.local.engines.bounds import Limits
from emtui.local.engines.choice import (
    Candidate,
    Finding,
    Findings,
    Probe,
    best,
    in_order,
    remember_engine,
    remembered_engine,
)
from emtui.local.engines.sandbox.engine import SandboxEngine
from emtui.local.engines.sandbox.farm import make_userland
from emtui.local.engines.sandbox.jail import Jail
from emtui.local.engines.sandbox.rootfs import Rootfs, RootfsProblem
from emtui.local.engines.sandbox.runstep import run_step
from emtui.local.engines.sandbox.tree import remove_tree
from emtui.local.engines.simulated import SimulatedEngine
from emtui.local.handles import DirHandle
from emtui.local.stopping import Stop, stoppable
from emtui.local.workspace import Workspace
from emtui.profile import PodPolicy
from emtui.threads import in_thread

# A namespace is made in some hundredths of a second; one that hangs is none.
_PROBE_S = 20.0


def _sandbox(isolation: str, remedy: str) -> Candidate:
    return Candidate(
        name=f"sandbox({isolation})",
        family="sandbox",
        probe=lambda workspace, stop, _base_images: Probe(probe_isolation(workspace, isolation, stop)),
        make=lambda workspace, _found, base_images, policy: SandboxEngine(workspace, isolation, base_images, policy),
        remedy=remedy,
    )


def _probe_docker(workspace: Workspace, stop: Stop, base_images: Sequence[str]) -> Probe:
    """Find a Docker Engine. Its library is loaded only where there is one to be tried."""
    from emtui.local.engines.docker.places import places, usual_sockets

    found = places()
    if not found:
        sockets = ", ".join(map(str, usual_sockets()))
        return Probe(f"no Docker Engine was found: DOCKER_HOST is not set, and there is no socket ({sockets})")
    from emtui.local.engines.docker.probe import probe_places

    return probe_places(found, workspace, base_images, stop)


def _make_docker(workspace: Workspace, found: Any, base_images: Sequence[str], policy: PodPolicy) -> Engine:
    from emtui.local.engines.docker.engine import DockerEngine

    return DockerEngine(workspace, found, base_images, policy)


CANDIDATES: tuple[Candidate, ...] = (
    Candidate(
        name="docker",
        family="docker",
        probe=_probe_docker,
        make=_make_docker,
        remedy="Install and start Docker, or Podman with its socket (systemctl --user start podman.socket).",
    ),
    _sandbox("bwrap", "Install bubblewrap, and allow unprivileged user namespaces."),
    _sandbox("unshare", "Install util-linux, and allow unprivileged user namespaces."),
    Candidate(
        name="simulated",
        family="simulated",
        probe=lambda _workspace, _stop, _base_images: Probe(reservation="nothing is executed"),
        make=lambda workspace, _found, base_images, _policy: SimulatedEngine(workspace, base_images),
        remedy="",
    ),
)
"""In the order in which they are tried."""


def probe_isolation(workspace: Workspace, isolation: str, stop: Stop) -> str:
    """Run `true` as a pod's command would be run; why it failed, empty where it did not. Blocks."""
    if os.name != "posix" or not hasattr(os, "memfd_create"):
        return "namespaces are Linux's own"
    name = f"probe-{secrets.token_hex(4)}"
    path = workspace.path / "staging" / name
    try:
        path.mkdir(mode=0o700)
        for folder in ("root", "shm"):
            (path / folder).mkdir(mode=0o755)
        with DirHandle.open_trusted(path / "root") as root:
            make_userland(root)
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


async def examine(
    workspace: Workspace,
    candidates: Sequence[Candidate] = CANDIDATES,
    base_images: Sequence[str] = DEFAULT_BASE_IMAGES,
) -> list[Finding]:
    """Probe every engine, also behind one that works: for `doctor`."""
    return [(await _try(candidate, workspace, base_images))[0] for candidate in candidates]


async def _try(candidate: Candidate, workspace: Workspace, base_images: Sequence[str]) -> tuple[Finding, Probe]:
    try:
        async with asyncio.timeout(_PROBE_S):
            probe = await stoppable(lambda stop: candidate.probe(workspace, stop, base_images))
    except TimeoutError:
        probe = Probe(f"it did not answer within {_PROBE_S:g} s")
    remedy = (probe.remedy or candidate.remedy) if probe.reason else probe.remedy
    finding = Finding(candidate.name, not probe.reason, probe.reason, remedy, probe.detail, probe.reservation)
    return finding, probe


async def choose_engine(
    workspace: Workspace,
    name: str | None = None,
    base_images: Sequence[str] = DEFAULT_BASE_IMAGES,
    policy: PodPolicy = PodPolicy(),
    *,
    needs: Sequence[str] = (),
    findings: Findings | None = None,
    candidates: Sequence[Candidate] = CANDIDATES,
) -> Engine:
    """The engine called `name` (`docker`, `sandbox`, `sandbox(unshare)`, `simulated`), or the best that works.

    An engine that has none of `needs` (of the base images, where there are none) on board comes last. What the probes
    found is added to `findings`.

    Raises:
        ConfigProblem: no engine is called so, or it does not work here, with the reason and the remedy.
    """
    remembered = await in_thread(_remembered, workspace)
    wanted = in_order(candidates, name, remembered)
    if not wanted:
        known = ", ".join(dict.fromkeys(candidate.family for candidate in candidates))
        raise ConfigProblem(f"--engine: no engine is called {name}", remedy=f"Choose one of {known}.")
    tried: dict[Finding, tuple[Candidate, Probe]] = {}
    for candidate in wanted:
        finding, probe = await _try(candidate, workspace, needs or base_images)
        if candidate.family == remembered:
            finding = replace(finding, reservation="")  # it has been taken in spite of it
        tried[finding] = (candidate, probe)
        if finding.is_available and not finding.reservation:
            break
    if findings is not None:
        findings.found.extend(tried)
    taken = best(list(tried))
    if taken is None:
        reasons = "; ".join(f"{finding.name}: {finding.reason}" for finding in tried)
        raise ConfigProblem(f"--engine {name} does not work here: {reasons}", remedy=next(iter(tried)).remedy)
    candidate, probe = tried[taken]
    engine = candidate.make(workspace, probe.found, base_images, policy)
    if not remembered and (not taken.reservation or (name is not None and candidate.family != "simulated")):
        await in_thread(remember_engine, workspace.path, candidate.family)
    missing = next((finding for finding in tried if tried[finding][0].family == remembered != candidate.family), None)
    if missing is not None:
        told = f"{remembered}, which this workspace had before, does not work now: {missing.reason}. "
        told += f"Its images are there again when it does. {missing.remedy}".rstrip()
        engine.warnings = (told, *engine.warnings)
    if taken.reservation and candidate.family != "simulated":
        engine.warnings = (*engine.warnings, f"{taken.reservation}. {taken.remedy}".strip())
    return engine


def _remembered(workspace: Workspace) -> str:
    """The engine that it had before. Older workspaces have written none down, and had the sandbox where it worked."""
    return remembered_engine(workspace.path) or (
        "sandbox" if workspace.store.read("SELECT 1 FROM images WHERE root IS NOT NULL LIMIT 1") else ""
    )
