"""Opening a profile: the backends, each with its Link, and the journal. The console and every script start here.

What costs time (the database, the engine's probe) happens in `open`, off the event loop, after the first frame.
"""

import asyncio
import contextlib
import getpass
import importlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from emtui.backend import Backends
from emtui.commands import LOCAL_USER, Command, Endpoint
from emtui.courier import Courier
from emtui.errors import Forbidden
from emtui.journal import Journal
from emtui.link import Link, Verdict
from emtui.threads import in_thread

if TYPE_CHECKING:
    from emtui.local.engines.base import Engine
    from emtui.local.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Profile:
    """What to open: a local workspace, seeded with the demo or not, and whether it may be changed.

    `engine` is the engine's name, None for the best that works here. `base_images` are the base images on board,
    none for the usual ones.
    """

    workspace: Path
    is_demo: bool = False
    is_read_only: bool = False
    engine: str | None = None
    base_images: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"local:{self.workspace}"


def default_workspace(*, demo: bool = False) -> Path:
    """The workspace in the user's data directory."""
    from platformdirs import user_data_path

    return user_data_path("emtui") / ("demo" if demo else "local")


class Session:
    """An open profile.

    Attributes:
        backends: the EM and the Grid Node.
        em, grid: their Links.
        notices: what went otherwise than meant while it was opened.
    """

    def __init__(self, profile: Profile, backends: Backends, journal: Journal, notices: tuple[str, ...] = ()) -> None:
        self.profile = profile
        self.backends = backends
        self.journal = journal
        self.notices = notices
        who = operator()

        # What they need is imported with the first command: nothing that is only looked at waits for it.
        async def carry_out(command: Command, courier: Courier) -> str:
            from emtui.perform import perform

            return await perform(backends, command, courier)

        async def find_out(command: Command, sent_at: datetime) -> tuple[Verdict, str]:
            from emtui.reconcile import reconcile

            return await reconcile(backends, command, sent_at)

        def link(endpoint: Endpoint) -> Link:
            return Link(endpoint, journal, carry_out, find_out, who=who, profile=profile.name)

        self.em = link("em")
        self.grid = link("grid")

    def link(self, command: Command) -> Link:
        """The Link that carries a command."""
        return self.em if command.endpoint == "em" else self.grid

    async def submit(self, command: Command) -> int:
        """Give a command to its Link.

        Raises:
            Forbidden: the profile is read-only and the command changes the other side.
        """
        if self.profile.is_read_only and command.changes_remote:
            raise Forbidden(f"read-only: {command.describe()} is not done", remedy="Start without --read-only.")
        return await self.link(command).submit(command)


def operator() -> str:
    """Who sits here, for the journal."""
    with contextlib.suppress(KeyError, OSError):
        return getpass.getuser()
    return f"uid {os.getuid()}"


@contextlib.asynccontextmanager
async def open_session(profile: Profile) -> AsyncIterator[Session]:
    """Open a profile's workspace and close it again. Pods go on.

    Raises:
        WorkspaceProblem: the directory cannot be used.
        ConfigProblem: `grid.toml` is wrong. An engine that is not available is told by the EM's `info`.
    """
    from emtui.local.em import LocalEM
    from emtui.local.grid import LocalGrid
    from emtui.local.workspace import GRID_REGISTRY, Workspace

    async with contextlib.AsyncExitStack() as stack:
        workspace = await in_thread(Workspace, profile.workspace)
        stack.callback(workspace.close)
        journal = await in_thread(Journal, workspace.path / "journal.db")
        stack.callback(journal.close)
        em = LocalEM(workspace, lambda: _choose(workspace, profile), LOCAL_USER)
        stack.push_async_callback(em.aclose)
        grid = LocalGrid(workspace)
        stack.push_async_callback(grid.aclose)
        registry = workspace.path / GRID_REGISTRY
        if await asyncio.to_thread(registry.exists):
            from emtui.local.grid_registry import read_registry, register

            await register(grid, await in_thread(read_registry, registry))
        notices: tuple[str, ...] = ()
        if profile.is_demo and not profile.is_read_only:
            from emtui.local.demo import seed

            notices = tuple(await seed(em, grid))
        session = Session(profile, Backends(em, grid, have_one_clock=True), journal, notices)
        for link in (session.em, session.grid):
            link.start()
            stack.push_async_callback(link.aclose)
        yield session


async def _choose(workspace: "Workspace", profile: Profile) -> "Engine":
    """The engine, looked for when something first needs it: a probe of it takes longer than all else here."""
    choose = await asyncio.to_thread(importlib.import_module, "emtui.local.engines.choose")
    engine: Engine = await choose.choose_engine(
        workspace, profile.engine, base_images=profile.base_images or choose.DEFAULT_BASE_IMAGES
    )
    return engine


async def adopt_left_behind(session: Session) -> None:
    """Take over what a killed emtui has left unfinished, once the screen listens."""
    for entry in await asyncio.to_thread(session.journal.open_entries):
        (session.em if entry.endpoint == "em" else session.grid).adopt(entry)
