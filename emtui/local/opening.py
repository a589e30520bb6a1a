"""Opening local mode: a workspace with its EM and its Grid Node. The console and the server both start here."""

import asyncio
import contextlib
import importlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

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
) -> AsyncIterator[LocalEnds]:
    """Open the workspace in `path` for `user`, and close it again. Pods go on.

    `engine` is the engine's name, None for the best that works here. `base_images` are the base images on board,
    none for the usual ones, `pods` what pods may do and use. `grid.toml` is read, and what it says is registered.

    Raises:
        WorkspaceProblem: the directory cannot be used.
        ConfigProblem: `grid.toml` or `user` is wrong. An engine that is not available is told by the EM's `info`.
    """
    async with open_workspace(path) as workspace, open_ends(workspace, user, engine, base_images, pods) as ends:
        yield ends


@contextlib.asynccontextmanager
async def open_workspace(path: Path) -> AsyncIterator[Workspace]:
    """The workspace alone, for whoever has to read in it who its user is.

    Raises:
        WorkspaceProblem: the directory cannot be used.
    """
    workspace = await in_thread(Workspace, path)
    try:
        yield workspace
    finally:
        workspace.close()


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
