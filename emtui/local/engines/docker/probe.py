"""Whether a Docker Engine works for this workspace: it answers, is new enough, and sees the same files as emtui."""

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any

from emtui.local.engines.choice import Probe
from emtui.local.engines.docker.daemon import OLDEST_API, SAME_MACHINE, Daemon, Facts, Found
from emtui.local.engines.docker.names import LABEL_PROBE
from emtui.local.engines.docker.places import Place
from emtui.local.engines.docker.pods.container import VOLUME
from emtui.local.engines.docker.pods.containers import Containers, remove_nameless
from emtui.local.engines.docker.problems import RESTART, DaemonProblem, daemon_problems
from emtui.local.engines.references import on_board
from emtui.local.stopping import Stop
from emtui.local.workspace import Workspace

# Two blocks of zeros are the end of a tar, and so an empty one.
_EMPTY_TAR = bytes(1024)
_PROBE_S = 12.0
_LOOK_S = 0.1
_TIDY_S = 2.0
# A probe takes tenths of a second; one of this age was killed.
_OLD_S = 300.0


def probe_places(found: Sequence[Place], workspace: Workspace, base_images: Sequence[str], stop: Stop) -> Probe:
    """The first of these places that works, or why none does. Blocks: for a thread.

    `base_images` may have tags: then these very ones are looked for.

    Raises:
        StopRequested: nobody waits for it any more.
    """
    failed: list[tuple[str, str]] = []
    for place in found:
        probe = asyncio.run(_bounded(_probe(place, workspace, base_images), place, stop))
        if not probe.reason:
            return probe
        failed.append((probe.reason, probe.remedy))
    return Probe("; ".join(reason for reason, _ in failed), remedy=next((remedy for _, remedy in failed if remedy), ""))


async def _bounded(work: Coroutine[Any, Any, Probe], place: Place, stop: Stop) -> Probe:
    """A probe that ends in time, whatever the engine does."""
    task = asyncio.ensure_future(work)
    until = time.monotonic() + _PROBE_S
    try:
        while not task.done():
            stop.check()
            if time.monotonic() > until:
                return Probe(f"{place.origin}: it answers, but does nothing in time", remedy=RESTART)
            await asyncio.wait((task,), timeout=_LOOK_S)
        return task.result()
    finally:
        task.cancel()
        await asyncio.wait((task,))


async def _probe(place: Place, workspace: Workspace, base_images: Sequence[str]) -> Probe:
    daemon = Daemon(place)
    try:
        facts = await daemon.facts()
        refused = _refused(facts)
        if refused is not None:
            return Probe(f"{place.origin}: {refused[0]}", remedy=refused[1])
        await _check_files(daemon, workspace)
        bare = await _nothing_on_board(daemon, base_images)
    except DaemonProblem as problem:
        return Probe(f"{place.origin}: {problem.message}", remedy=problem.remedy)
    finally:
        await daemon.aclose()
    return Probe(
        detail=f"{facts.product} {facts.version}, API {facts.api_version}, {place.origin}",
        reservation=bare,
        remedy=_put_on_board(facts, next(iter(base_images), "busybox")) if bare else "",
        found=Found(place, facts),
    )


def _put_on_board(facts: Facts, image: str) -> str:
    program = facts.product.lower()
    return f"Put one on board: {program} pull {image}; without a network: {program} load -i FILE.tar."


async def _nothing_on_board(daemon: Daemon, base_images: Sequence[str]) -> str:
    """That no base image is on board, so that hardly any build could succeed; empty where there is one."""
    with daemon_problems():
        images = await daemon.docker.images.list()
    tags = {str(tag).removeprefix("localhost/") for image in images for tag in image.get("RepoTags") or ()}
    if any(base in tags if ":" in base else any(on_board(tag, (base,)) for tag in tags) for base in base_images):
        return ""
    return f"none of the base images is on board ({', '.join(base_images)})"


def _refused(facts: Facts) -> tuple[str, str] | None:
    """Why this engine cannot be used, and the remedy."""
    if facts.operating_system != "linux":
        return f"it runs {facts.operating_system} containers", "Switch it to Linux containers."
    if facts.is_too_old:
        oldest = ".".join(map(str, OLDEST_API))
        return (
            f"{facts.product} {facts.version} is too old (API {facts.api_version}; {oldest} is needed)",
            "Update it: Docker 20.10 or Podman 3 is the oldest that works.",
        )
    return None


async def _check_files(daemon: Daemon, workspace: Workspace) -> None:
    """Make a container that would see a folder of ours, and remove it; it is never started.

    An engine on another machine, or outside of the container that emtui runs in, has other files behind the same path,
    and a pod would work in an empty folder of somebody else's.

    Raises:
        DaemonProblem: it does not see it.
    """
    mark = f"emtui-probe-{secrets.token_hex(4)}"
    folder = workspace.path / "staging" / mark
    image = ""
    await _remove_old(daemon)
    try:
        folder.mkdir(mode=0o700)
        image = await _empty_image(daemon)
        body: dict[str, Any] = {
            "Image": image,
            "Cmd": ["none"],
            "Labels": {LABEL_PROBE: mark},
            "HostConfig": {"Mounts": [{"Type": "bind", "Source": str(folder), "Target": VOLUME}]},
        }
        with daemon_problems():
            await daemon.docker.containers.create(body, name=mark)
    except DaemonProblem as problem:
        if "bind source path does not exist" in problem.message or "statfs" in problem.message:
            raise DaemonProblem(
                f"it does not see this machine's files ({workspace.path}): it runs on another machine or outside of "
                "this container",
                problem.status,
                remedy=SAME_MACHINE,
            ) from problem
        raise
    finally:
        with contextlib.suppress(OSError):
            folder.rmdir()
        # Also where nobody waits for it any more; what an engine that hangs keeps goes with a later probe.
        with contextlib.suppress(DaemonProblem), daemon_problems():
            async with asyncio.timeout(_TIDY_S):
                await Containers(daemon, mark).remove(image)


async def _remove_old(daemon: Daemon) -> None:
    """Remove the containers of probes that were killed, with their images."""
    marked = {"label": [LABEL_PROBE]}
    with daemon_problems():
        listed = await daemon.docker.containers.list(all=True, filters=json.dumps(marked))
        images = await daemon.docker.images.list(filters=marked)
    for container in listed:
        if container["Created"] < time.time() - _OLD_S:
            await Containers(daemon, container.id).remove()
    for image in images:
        if image["Created"] < time.time() - _OLD_S:
            await remove_nameless(daemon, image["Id"])


async def _empty_image(daemon: Daemon) -> str:
    async def body() -> AsyncIterator[bytes]:
        yield _EMPTY_TAR

    image = ""
    async for line in daemon.stream(
        "images/create", params={"fromSrc": "-", "changes": f"LABEL {LABEL_PROBE}=1"}, body=body()
    ):
        image = _imported(line) or image
    if not image:
        raise DaemonProblem("it does not take an image", 500)
    return image


def _imported(line: dict[str, Any]) -> str:
    if "error" in line:
        raise DaemonProblem(str(line["error"]), 500)
    status = str(line.get("status", ""))
    return status if status.startswith("sha256:") else ""
