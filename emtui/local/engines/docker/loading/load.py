"""A load: the one image that is asked for goes out of a tar of the volume into a Docker Engine.

An engine that has got a whole tar goes on with it though its caller has left, and names the image at the end. So the
image gets a name of the load's own there, and its real one from here: what a load that was cancelled or killed leaves
behind bears a name that nobody looks for, and the next load removes it.
"""

import asyncio
import contextlib
import re
import secrets
from collections.abc import AsyncIterator, Generator, Sequence
from typing import Any

from emtui.backend import LogSink
from emtui.errors import LoadFailed
from emtui.local.engines.base import LoadRequest
from emtui.local.engines.docker.building.progress import FULL_REMEDY, is_full
from emtui.local.engines.docker.daemon import Daemon
from emtui.local.engines.docker.loading.archive import docker_archive
from emtui.local.engines.docker.names import Names
from emtui.local.engines.docker.problems import DaemonProblem, daemon_problems
from emtui.local.engines.loading import LOAD_ERROR, architecture_note, read_image
from emtui.local.engines.problems import LoadProblem
from emtui.local.engines.references import on_board
from emtui.local.stopping import Stop, stoppable, to_end

# A load that was cancelled returns at once, also where the engine hangs; what stays goes with the next load.
_FORGET_S = 1.0
_PREFIX = re.compile(r"\s*Error processing tar file(?:\s*\([^)]*\))?:\s*")


async def load_image(
    daemon: Daemon, names: Names, request: LoadRequest, log: LogSink, *, base_images: Sequence[str] = ()
) -> str:
    """Load the image of a tar under the name `names.there(request.reference)`. Returns its id in the engine.

    One with the name of one of `base_images` hides that in this workspace; the log then says so. An older image of
    that name loses it to the new one when all of that is there, not before.

    Raises:
        LoadFailed: why is in the log. The engine has nothing of it under any name that is looked for.
    """
    try:
        image = await _load(daemon, names, request, log)
    except LoadProblem as problem:
        log(f"{LOAD_ERROR}{problem}\n")
        raise LoadFailed(remedy=_remedy(str(problem))) from problem
    except DaemonProblem as problem:
        log(f"{LOAD_ERROR}{_reason(problem.message)}\n")
        gone = problem.for_operator("load").remedy if problem.is_gone else None
        raise LoadFailed(remedy=gone or _remedy(problem.message)) from problem
    except OSError as error:
        log(f"{LOAD_ERROR}{error.strerror or error}\n")
        raise LoadFailed from error
    if on_board(request.reference, base_images) is not None:
        log(f"note: in this workspace {request.reference} now means this image, and no longer the base image\n")
    log(f"Loaded image: {request.reference}\n")
    return image


async def remove_unfinished(daemon: Daemon, names: Names) -> None:
    """Remove what loads of this workspace have left behind that were cancelled or killed. None may be under way.

    Raises:
        DaemonProblem: it cannot be done.
    """
    with daemon_problems():
        documents = await daemon.docker.images.list()
    for tag in (tag for document in documents for tag in document.get("RepoTags") or ()):
        # Podman writes the registry that it means in front.
        if tag.removeprefix("localhost/").removeprefix("docker.io/").startswith(_folder(names)):
            await _forget(daemon, tag)


async def _load(daemon: Daemon, names: Names, request: LoadRequest, log: LogSink) -> str:
    there = names.there(request.reference)
    if there is None:
        raise LoadProblem(f"{request.reference} is too long a name for a Docker Engine")
    machine = (await daemon.facts()).architecture
    image = await stoppable(lambda stop: read_image(request, machine, stop.check))
    note = architecture_note(image, machine)
    if note:
        log(note)
    await remove_unfinished(daemon, names)
    temporary = f"{_folder(names)}{secrets.token_hex(6)}"
    stop = Stop()
    body = _Body(docker_archive(request.tar_fd, image, f"{temporary}:latest", stop.check), stop)
    try:
        await _send(daemon, body)
        return await _name(daemon, temporary, there)
    finally:
        await to_end(_forget(daemon, temporary))


def _folder(names: Names) -> str:
    """What the names of a workspace's loads begin with."""
    return f"emtui-{names.workspace_id}-loading/"


async def _send(daemon: Daemon, body: "_Body") -> None:
    error = ""
    try:
        async for line in daemon.stream("images/load", params={"quiet": "1"}, body=body.pieces()):
            error = error or _error(line)
    except DaemonProblem as problem:
        if body.problem is None:
            raise
        raise body.problem from problem
    finally:
        await body.aclose()
    if error:
        raise LoadProblem(error)


async def _name(daemon: Daemon, temporary: str, there: str) -> str:
    """Give the image its name, at once and in the place of an older one's. Returns its id."""
    repository, _, tag = there.rpartition(":")
    with daemon_problems():
        image = str((await daemon.docker.images.inspect(temporary))["Id"])
        await daemon.docker.images.tag(temporary, repository, tag=tag)
    return image


async def _forget(daemon: Daemon, name: str) -> None:
    """Take a name away, and the image where it has no other."""
    with contextlib.suppress(DaemonProblem), daemon_problems():
        async with asyncio.timeout(_FORGET_S):
            await daemon.docker.images.delete(name)


class _Body:
    """A tar that is sent as it is made: in threads, piece after piece, as fast as the engine takes them.

    `problem` tells why it ended early.
    """

    def __init__(self, made: Generator[bytes, None, None], stop: Stop) -> None:
        self._made = made
        self._stop = stop
        self._at_work = asyncio.Lock()
        self.problem: LoadProblem | OSError | None = None

    async def pieces(self) -> AsyncIterator[bytes]:
        while piece := await self._next():
            yield piece

    async def _next(self) -> bytes:
        async with self._at_work:
            try:
                return await to_end(asyncio.to_thread(next, self._made, b""), self._stop.set)
            except (LoadProblem, OSError) as problem:
                self.problem = problem
                raise

    async def aclose(self) -> None:
        """Stop the making. Returns when nothing reads the file any more."""
        self._stop.set()
        await to_end(self._close())

    async def _close(self) -> None:
        async with self._at_work:
            await asyncio.to_thread(self._made.close)


def _remedy(text: str) -> str | None:
    return FULL_REMEDY if is_full(text) else None


def _error(line: dict[str, Any]) -> str:
    """What went wrong, as a line of the engine's answer says it; empty where it says nothing of the kind."""
    detail = line.get("errorDetail")
    text = line.get("error") or (detail.get("message") if isinstance(detail, dict) else None)
    return _reason(str(text)) if text else ""


def _reason(text: str) -> str:
    """Without what stands in front of it in the log, on one line."""
    return " ".join(_PREFIX.sub("", text, count=1).split()) or "an error without a text"
