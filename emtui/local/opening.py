"""Opening local mode: a workspace with its EM and its Grid Node. The console and the server both start here."""

import asyncio
import contextlib
import importlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from emtui.errors import WorkspaceInUse
from emtui.local.em import LocalEM
from emtui.local.grid import LocalGrid
from emtui.local.workspace import GRID_REGISTRY, Workspace
from emtui.profile import PodPolicy
from emtui.threads import in_thread

if TYPE_CHECKING:
    from emtui.local.engines.base import Engine

# A pod of the last time is looked for only then: what is wanted at once, the listing or a whole short command, comes
# first.
_PODS_AFTER_S = 1.0

# A verb is often over in less than the first; a console may be open all day.
_FIRST_WAIT_S = 0.1
_LONGEST_WAIT_S = 1.0

OnWait = Callable[[WorkspaceInUse], None]
"""Told who has the workspace that is waited for."""


def say_nothing(_error: WorkspaceInUse) -> None:
    """Nobody is told."""


class LocalEnds:
    """An open workspace with its two ends.

    Attributes:
        workspace: the directory, locked for as long as it is open.
        em, grid: on that workspace.
        engine_name: what runs its images (`docker`, `sandbox`, `simulated`); empty until something has needed it.
        needs: images (`name:tag`) without which a Docker Engine is taken last; none for any base image.
    """

    def __init__(
        self, workspace: Workspace, user: str, engine: str | None, base_images: Sequence[str], pods: PodPolicy
    ) -> None:
        self.workspace = workspace
        self.engine_name = ""
        self.needs: tuple[str, ...] = ()
        self._wanted = engine
        self._base_images = base_images
        self._policy = pods
        self.em = LocalEM(workspace, self._choose, user, base_images)
        self.grid = LocalGrid(workspace)

    async def _choose(self) -> "Engine":
        """The engine, looked for when something first needs it: a probe of it takes longer than all else here."""
        choose = await asyncio.to_thread(importlib.import_module, "emtui.local.engines.choose")
        engine: Engine = await choose.choose_engine(
            self.workspace,
            self._wanted,
            base_images=self._base_images or choose.DEFAULT_BASE_IMAGES,
            policy=self._policy,
            needs=self.needs,
        )
        self.engine_name = engine.name
        return engine


@contextlib.asynccontextmanager
async def open_local(
    path: Path,
    user: str,
    *,
    engine: str | None = None,
    base_images: Sequence[str] = (),
    pods: PodPolicy = PodPolicy(),
    holder: str = "",
    wait_s: float | None = 0.0,
    on_wait: OnWait = say_nothing,
) -> AsyncIterator[LocalEnds]:
    """Open the workspace in `path` for `user`, and close it again. Pods go on.

    `engine` is the engine's name, None for the best that works here. `base_images` are the base images on board,
    none for the usual ones, `pods` what pods may do and use. `grid.toml` is read, and what it says is registered.
    `holder`, `wait_s` and `on_wait` are as `open_workspace` has them.

    Raises:
        WorkspaceInUse: another emtui has the directory, and has not let go of it in time.
        WorkspaceProblem: the directory cannot be used.
        ConfigProblem: `grid.toml` or `user` is wrong. An engine that is not available is told by the EM's `info`.
    """
    async with (
        open_workspace(path, holder, wait_s, on_wait) as workspace,
        open_ends(workspace, user, engine, base_images, pods) as ends,
    ):
        yield ends


@contextlib.asynccontextmanager
async def open_workspace(
    path: Path, holder: str = "", wait_s: float | None = 0.0, on_wait: OnWait = say_nothing
) -> AsyncIterator[Workspace]:
    """The workspace alone, for whoever has to read in it who its user is.

    `holder` says to others what this process is, as `emtui.storage.folder_lock.note_holder` has it. While another
    emtui has the workspace, it is asked for again until `wait_s` seconds are over, None for without an end; `on_wait`
    is called when the waiting begins, and again when somebody else has it.
    """
    taken: list[Workspace] = []
    try:
        await _take(taken, path, holder, wait_s, on_wait)
        yield taken[0]
    finally:
        # Whoever is cancelled in the moment in which it is taken must not keep it.
        for workspace in taken:
            workspace.close()


async def _take(taken: list[Workspace], path: Path, holder: str, wait_s: float | None, on_wait: OnWait) -> None:
    """Take the workspace and put it into `taken`, as soon as it is free. Raises as `open_workspace` does."""
    until = None if wait_s is None else time.monotonic() + wait_s
    pause_s = _FIRST_WAIT_S
    told: tuple[int | None, str] | None = None
    while True:
        try:
            await in_thread(lambda: taken.append(Workspace(path, holder)))
        except WorkspaceInUse as error:
            left_s = pause_s if until is None else until - time.monotonic()
            if left_s <= 0:
                raise
            if told != (error.process, error.holder):
                told = (error.process, error.holder)
                on_wait(error)
            await asyncio.sleep(min(pause_s, left_s))
            pause_s = min(2 * pause_s, _LONGEST_WAIT_S)
        else:
            return


@contextlib.asynccontextmanager
async def open_ends(
    workspace: Workspace,
    user: str,
    engine: str | None = None,
    base_images: Sequence[str] = (),
    pods: PodPolicy = PodPolicy(),
) -> AsyncIterator[LocalEnds]:
    """The ends of an open workspace, as `open_local` has them. The workspace stays the caller's.

    A pod of the last time that has not ended is found again soon, in the background, without any request.
    """
    async with contextlib.AsyncExitStack() as stack:
        ends = LocalEnds(workspace, user, engine, base_images, pods)
        stack.push_async_callback(ends.em.aclose)
        stack.push_async_callback(ends.grid.aclose)
        registry = workspace.path / GRID_REGISTRY
        if await asyncio.to_thread(registry.exists):
            from emtui.local.grid_registry import read_registry, register

            await register(ends.grid, await in_thread(read_registry, registry))
        stack.push_async_callback(_broken_off, asyncio.create_task(_find_pod_again(ends.em)))
        yield ends


async def _find_pod_again(em: LocalEM) -> None:
    await asyncio.sleep(_PODS_AFTER_S)
    await em.prepare()


async def _broken_off(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait((task,))
