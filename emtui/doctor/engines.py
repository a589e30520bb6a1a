"""Which engine would be used, and why the others would not: each is really tried, in a workspace of its own."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from emtui.doctor.case import Case
from emtui.doctor.checks import Check
from emtui.errors import EmtuiError

if TYPE_CHECKING:
    from emtui.local.engines.choice import Candidate, Finding

SECTION = "engine"

_INSTALL = "Make one of those above work, so that pods are executed."


def look_at_engines(case: Case) -> list[Check]:
    """A line for each engine; the one that would be used is set in the case. Blocks.

    The workspace itself is not opened: that would tidy it up, and another emtui may be at work in it.
    """
    if not case.needs_engine:
        return [Check(SECTION, "engine", "ok", "none is needed: the EM is not local")]
    from emtui.local.engines.choose import CANDIDATES

    try:
        findings = asyncio.run(_examine(case, CANDIDATES))
    except (OSError, EmtuiError) as error:
        return [Check(SECTION, "engine", "fail", f"none can be tried: {error}", "Free some space, or set TMPDIR.")]
    return told(case, CANDIDATES, findings, _had_before(case.workspace))


async def _examine(case: Case, candidates: "Sequence[Candidate]") -> "list[Finding]":
    from emtui.local.engines.base import DEFAULT_BASE_IMAGES
    from emtui.local.engines.choose import examine
    from emtui.local.workspace import Workspace

    workspace = await asyncio.to_thread(Workspace, case.scratch.folder() / "workspace")
    try:
        return await examine(workspace, candidates, case.profile.base_images or DEFAULT_BASE_IMAGES)
    finally:
        await asyncio.to_thread(workspace.close)


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
    checks = [
        _told(
            finding,
            is_used=used is not None and finding.name == used.name,
            was_used=families[finding.name] == before,
        )
        for finding in findings
    ]
    if used is None:
        todo = next((finding.remedy for finding in may_be if finding.remedy), "Leave it out.")
        checks.append(Check(SECTION, f"--engine {wanted}", "fail", "it does not work here", todo))
    return checks


def _told(finding: "Finding", *, is_used: bool, was_used: bool) -> Check:
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
        return Check(SECTION, name, "note", found, _INSTALL)
    return Check(SECTION, name, "ok", f"this one is used{', as before' if was_used else ''}{detail}")


def _had_before(workspace: Path) -> str:
    """The engine that the workspace had before, empty for none. Blocks. Nothing is opened that could be changed by it.

    Workspaces of older emtui have written none down, and had the sandbox where it worked.
    """
    from emtui.local.engines.choice import remembered_engine

    found = remembered_engine(workspace)
    database = workspace / "emtui.db"
    if found or not database.is_file():
        return found
    with contextlib.suppress(sqlite3.Error):
        connection = sqlite3.connect(f"{database.as_uri()}?immutable=1", uri=True)
        with contextlib.closing(connection):
            row = connection.execute("SELECT 1 FROM images WHERE root IS NOT NULL LIMIT 1").fetchone()
            return "sandbox" if row else ""
    return ""
