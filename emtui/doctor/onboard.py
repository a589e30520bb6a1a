"""What a Docker Engine that works has on board, and how much room it has left."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from emtui.doctor.case import Case
from emtui.doctor.checks import Check
from emtui.doctor.disks import disk_check

if TYPE_CHECKING:
    from emtui.local.engines.docker.daemon import Found

SECTION = "engine"

_ANSWER_S = 5.0


def look_on_board(case: Case) -> list[Check]:
    """The base images, and the disk of the engine where that is this machine's. Blocks.

    Nothing is said where the docker engine would not be used, or has gone meanwhile, which is told with the engines.
    """
    if case.engine != "docker" or case.docker is None:
        return []
    names = asyncio.run(_names(case.docker))
    if names is None:
        return []
    facts = case.docker.facts
    checks = [_base_images(case, facts.product, names)]
    if case.docker.is_on_this_kernel and os.path.isdir(facts.root_folder):  # noqa: PTH112 - Path.is_dir may raise
        free = f"Free some space: {facts.product.lower()} system df shows what takes it."
        # A build or a load may fail for that, but not emtui.
        disk = disk_check(SECTION, f"disk of {facts.product}", Path(facts.root_folder), free)
        checks.append(replace(disk, state="note") if disk.state == "fail" else disk)
    return checks


async def _names(found: "Found") -> list[str] | None:
    """The names of its images; None where it does not answer any more."""
    from emtui.local.engines.docker.daemon import Daemon
    from emtui.local.engines.docker.problems import DaemonProblem, daemon_problems

    daemon = Daemon(found.place)
    try:
        with daemon_problems():
            async with asyncio.timeout(_ANSWER_S):
                images = await daemon.docker.images.list()
    except DaemonProblem:
        return None
    finally:
        await daemon.aclose()
    return sorted({str(name) for image in images for name in image.get("RepoTags") or ()})


def _base_images(case: Case, product: str, names: list[str]) -> Check:
    from emtui.local.engines.base import DEFAULT_BASE_IMAGES
    from emtui.local.engines.references import on_board

    wanted = case.profile.base_images or DEFAULT_BASE_IMAGES
    found = [
        plain
        for name in names
        if on_board(plain := name.removeprefix("localhost/").removeprefix("docker.io/library/"), wanted) is not None
    ]
    if found:
        return Check(SECTION, "base images", "ok", ", ".join(found))
    program = "podman" if product == "Podman" else "docker"
    first = wanted[0] if case.profile.base_images else "busybox"
    return Check(
        SECTION,
        "base images",
        "note",
        f"none of {', '.join(wanted)} is on board, so that no build finds its FROM",
        f"{program} pull {first}; without a network: {program} load -i FILE.tar. Or name others by --base-images.",
    )
