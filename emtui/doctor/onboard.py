"""What a Docker Engine that works has on board, and how much room it has left."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from emtui.doctor.case import Case
from emtui.doctor.checks import Check
from emtui.doctor.disks import disk_check

if TYPE_CHECKING:
    from emtui.local.engines.docker.daemon import Facts

SECTION = "engine"

_ANSWER_S = 5.0


def look_on_board(case: Case) -> list[Check]:
    """The base images, and the disk of the engine where that is this machine's. Blocks.

    Nothing is said where the docker engine would not be used.
    """
    if case.engine != "docker":
        return []
    asked = asyncio.run(_ask(case))
    if asked is None:
        return []
    facts, names, is_here = asked
    checks = [_base_images(case, facts.product, names)]
    root = Path(facts.root_folder)
    if is_here and facts.root_folder and root.exists():
        free = f"Free some space: {facts.product.lower()} system df shows what takes it."
        checks.append(disk_check(SECTION, f"disk of {facts.product}", root, free))
    return checks


async def _ask(case: Case) -> "tuple[Facts, list[str], bool] | None":
    """What the first engine that answers is, the names of its images, and whether it is behind a socket."""
    from emtui.local.engines.docker.daemon import Daemon
    from emtui.local.engines.docker.places import places
    from emtui.local.engines.docker.problems import DaemonProblem, daemon_problems

    for place in places(case.environment):
        daemon = Daemon(place)
        try:
            facts = await daemon.facts()
            with daemon_problems():
                async with asyncio.timeout(_ANSWER_S):
                    images = await daemon.docker.images.list()
        except DaemonProblem:
            continue  # which is told with the engines
        finally:
            await daemon.aclose()
        names = sorted({str(name) for image in images for name in image.get("RepoTags") or ()})
        return facts, names, place.socket is not None
    return None


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
