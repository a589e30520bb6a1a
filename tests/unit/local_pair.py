"""A local EM and Grid Node on a fresh directory with the engine in memory, for tests of what stands above them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from emtui.backend import Backends
from emtui.journal.journal import Journal
from emtui.local.em import LocalEM
from emtui.local.grid import LocalGrid
from emtui.local.workspace import Workspace
from emtui.opening import Ends, Hooks
from emtui.profile import Profile
from emtui.session import Session
from tests.unit.local.fake_engine import FakeEngine


@dataclass
class Pair:
    """What a test needs of both ends."""

    session: Session
    em: LocalEM
    grid: LocalGrid
    engine: FakeEngine
    volume: Path


@asynccontextmanager
async def local_pair(root: Path, *, is_read_only: bool = False) -> AsyncIterator[Pair]:
    workspace = Workspace(root)
    engine = FakeEngine()
    em, grid = LocalEM(workspace, engine), LocalGrid(workspace)
    journal = Journal(root / "journal.db")
    ends = Ends(Backends(em, grid, have_one_clock=True), root, Hooks())
    session = Session(Profile(root, is_read_only=is_read_only), ends, journal)
    for link in (session.em, session.grid):
        link.start()
    try:
        yield Pair(session, em, grid, engine, root / "volume")
    finally:
        for link in (session.em, session.grid):
            await link.aclose()
        await em.aclose()
        await grid.aclose()
        journal.close()
        workspace.close()
