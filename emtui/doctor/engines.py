"""Which engine would be used, and why the others would not: each is really tried, in a workspace of its own."""

import asyncio
import contextlib
import errno
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from emtui.doctor.case import Case
from emtui.doctor.checks import Check
from emtui.errors import EmtuiError
from emtui.threads import in_thread

if TYPE_CHECKING:
    from emtui.local.engines.choice import Candidate, Finding, Probe
    from emtui.local.stopping import Stop
    from emtui.local.workspace import Workspace

SECTION = "engine"


def look_at_engines(case: Case) -> list[Check]:
    """A line for each engine; the one that would be used is set in the case. Blocks.

    The workspace itself is not opened: that would tidy it up, and another emtui may be at work in it.
    """
    if not case.needs_engine:
        return [Check(SECTION, "engine", "ok", "none is needed: the EM is not local")]
    from emtui.local.engines.choose import CANDIDATES

    probed: dict[str, Probe] = {}
    try:
        findings = asyncio.run(_examine(case, [_kept(candidate, probed) for candidate in CANDIDATES]))
    except (OSError, EmtuiError) as error:
        return [_untried(case, error)]
    if "docker" in probed:
        case.docker = probed["docker"].found
    return told(case, CANDIDATES, findings, _had_before(case.workspace))


def _kept(candidate: "Candidate", probed: "dict[str, Probe]") -> "Candidate":
    """The candidate, whose probe's answer is kept in `probed`: it says more than the finding that is made of it."""

    def probe(workspace: "Workspace", stop: "Stop", base_images: Sequence[str]) -> "Probe":
        probed[candidate.name] = candidate.probe(workspace, stop, base_images)
        return probed[candidate.name]

    return replace(candidate, probe=probe)


async def _examine(case: Case, candidates: "Sequence[Candidate]") -> "list[Finding]":
    from emtui.local.engines.base import DEFAULT_BASE_IMAGES
    from emtui.local.engines.choose import examine
    from emtui.local.workspace import Workspace

    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def stop() -> None:
        if task is not None:
            loop.call_soon_threadsafe(task.cancel)

    with case.scratch.used(stop) as folder:
        workspace = await in_thread(Workspace, folder / "workspace")
        try:
            return await examine(workspace, candidates, case.profile.base_images or DEFAULT_BASE_IMAGES)
        finally:
            await in_thread(workspace.close)


def _untried(case: Case, error: OSError | EmtuiError) -> Check:
    """That there is no place to try engines in: emtui may work all the same where that is not the workspace's disk."""
    parent, is_beside = case.scratch.parent()
    cause = error if isinstance(error, OSError) else error.__cause__
    number = cause.errno if isinstance(cause, OSError) else None
    another = "choose another directory with --local" if is_beside else "set TMPDIR to a folder on another disk"
    if number in (errno.ENOSPC, errno.EDQUOT):
        todo = f"Free some space on the disk of {parent}, or {another}."
    elif number in (errno.EACCES, errno.EPERM):
        todo = f"Give yourself the rights to {parent}, or {another}."
    else:
        todo = f"{another[0].upper()}{another[1:]}."
    said = (os.strerror(number) if number else "") or str(error)
    return Check(SECTION, "engine", "fail" if is_beside else "note", f"none can be tried in {parent}: {said}", todo)


def told(case: Case, candidates: "Sequence[Candidate]", findings: "Sequence[Finding]", before: str) -> list[Check]:
    """What the probes of all `candidates` mean for a workspace that had the engine `before`; empty for none."""
    from emtui.local.engines.choice import best, in_order

    wanted = case.profile.engine
    families = {candidate.name: candidate.family for candidate in candidates}
    by_name = {finding.name: finding for finding in findings}
    may_be = [by_name[candidate.name] for candidate in in_order(candidates, wanted, before)]
    # One that was taken before is taken again in spite of it.
    used = best([replace(one, reservation="") if families[one.name] == before else one for one in may_be])
    case.engine = families[used.name] if used is not None else ""
    instead = _instead(wanted, before, best([one for one in findings if families[one.name] != "simulated"]))
    checks = [
        _told(
            finding,
            is_used=used is not None and finding.name == used.name,
            was_used=families[finding.name] == before,
            instead=instead,
        )
        for finding in findings
    ]
    if used is None:
        todo = next((finding.remedy for finding in may_be if finding.remedy), "Leave it out.")
        checks.append(Check(SECTION, f"--engine {wanted}", "fail", "it does not work here", todo))
    return checks


def _instead(wanted: str | None, before: str, works: "Finding | None") -> str:
    """How to have an engine that executes something, where the simulated one would be used; `works` does."""
    if works is None:
        return "Make one of those above work, so that pods are executed."
    if wanted == "simulated":
        return f"Leave out --engine simulated (engine, in a profile), so that pods are executed: {works.name} works."
    if before == "simulated":
        family = works.name.partition("(")[0]
        return f"This workspace had it before; --engine {family} takes one that works here, without its images."
    return works.remedy or "Make one of those above work, so that pods are executed."


def _told(finding: "Finding", *, is_used: bool, was_used: bool, instead: str) -> Check:
    name, detail = finding.name, f": {finding.detail}" if finding.detail else ""
    if not finding.is_available:
        lost = "; this workspace had it before, and its images are there" if was_used else ""
        return Check(SECTION, name, "note", f"{finding.reason}{lost}", finding.remedy)
    if not is_used:
        if finding.reservation and finding.remedy:
            found = f"it works{detail}; but not taken by itself: {finding.reservation}"
            return Check(SECTION, name, "note", found, finding.remedy)
        return Check(SECTION, name, "ok", f"it works{detail}")
    if name == "simulated":
        found = "this one is used: pods go through their states, nothing is executed"
        return Check(SECTION, name, "note", found, instead)
    return Check(SECTION, name, "ok", f"this one is used{', as before' if was_used else ''}{detail}")


def _had_before(workspace: Path) -> str:
    """The engine that the workspace had before, empty for none. Blocks. Nothing is opened that could be changed by it.

    Workspaces of older emtui have written none down, and had the sandbox where it worked.
    """
    from emtui.local.engines.choice import remembered_engine

    if "\0" in str(workspace):
        return ""  # which is told with the folder
    found = remembered_engine(workspace)
    database = workspace / "emtui.db"
    if found or not os.path.isfile(database):  # noqa: PTH113 - Path.is_file raises where it is denied
        return found
    with contextlib.suppress(sqlite3.Error):
        connection = sqlite3.connect(f"{database.as_uri()}?immutable=1", uri=True)
        with contextlib.closing(connection):
            row = connection.execute("SELECT 1 FROM images WHERE root IS NOT NULL LIMIT 1").fetchone()
            return "sandbox" if row else ""
    return ""
