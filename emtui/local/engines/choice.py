"""What choosing an engine is about: who may be chosen, what trying it gave, and what was found."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emtui.local.engines.base import Engine
from emtui.local.stopping import Stop
from emtui.local.workspace import Workspace
from emtui.profile import PodPolicy


@dataclass(frozen=True, slots=True)
class Probe:
    """What trying an engine gave.

    Attributes:
        reason: why it does not work, empty where it does.
        detail: what was found: a version, an address.
        remedy: what makes it work, where that is another one than the candidate's usual one.
        reservation: why another one is taken where nobody has named one; empty for nothing against it.
        found: for the engine that is made of it.
    """

    reason: str = ""
    detail: str = ""
    remedy: str = ""
    reservation: str = ""
    found: Any = None


Make = Callable[[Workspace, Any, Sequence[str], PodPolicy], Engine]
"""Makes an engine of what its probe found. Does not block."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An engine that may work here.

    Attributes:
        name: what `--engine` takes.
        family: the engine's own name, which `--engine` takes too, for the first of it that works.
        probe: tries it in a thread, for a workspace with these base images.
        make: see `Make`.
        remedy: what makes it work.
    """

    name: str
    family: str
    probe: Callable[[Workspace, Stop, Sequence[str]], Probe]
    make: Make
    remedy: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What a probe found. `reason` is empty where the engine works; the rest as `Probe` has it."""

    name: str
    is_available: bool
    reason: str = ""
    remedy: str = ""
    detail: str = ""
    reservation: str = ""


@dataclass(slots=True)
class Findings:
    """What the probes of one choice found, in their order."""

    found: list[Finding] = field(default_factory=list)


def in_order(candidates: Sequence[Candidate], wanted: str | None, remembered: str) -> list[Candidate]:
    """Those that may be taken, in the order in which they are tried.

    `wanted` is the name or the family that somebody has named; without it, the family that this workspace had before
    is tried first, so that its images do not vanish when another engine turns up.
    """
    if wanted is not None:
        return [candidate for candidate in candidates if wanted in (candidate.name, candidate.family)]
    return sorted(candidates, key=lambda candidate: candidate.family != remembered)


def best(findings: Sequence[Finding]) -> Finding | None:
    """The one to take of what was found, in order: the first that works, one without a reservation before others."""
    works = [finding for finding in findings if finding.is_available]
    return next((finding for finding in works if not finding.reservation), works[0] if works else None)


def remembered_engine(workspace: Path) -> str:
    """The family of the engine that the workspace in this folder had before; empty for none. Blocks."""
    try:
        return (workspace / "blobs" / "engine").read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def remember_engine(workspace: Path, family: str) -> None:
    """Write it down for the next time. Blocks."""
    with contextlib.suppress(OSError):  # it is chosen anew then
        (workspace / "blobs" / "engine").write_text(f"{family}\n", encoding="ascii")
