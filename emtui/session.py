"""An open profile: both ends, each with its Link, and the journal. The console and every script start here.

What costs time (the database, the engine's probe) happens in `open_session`, off the event loop, after the first
frame.
"""

import asyncio
import contextlib
import getpass
import os
from collections.abc import AsyncIterator
from datetime import datetime

from emtui.commands import Command, Endpoint
from emtui.courier import Courier
from emtui.errors import Forbidden
from emtui.inquiry import Verdict
from emtui.journal import Journal
from emtui.link import Link
from emtui.opening import Ends, SignInAt, absent, open_ends
from emtui.profile import Profile
from emtui.threads import in_thread


class Session:
    """An open profile.

    Attributes:
        backends: the EM and the Grid Node.
        em, grid: their Links.
        ends: how they were opened: what must be said about them, and what else they can do.
    """

    def __init__(self, profile: Profile, ends: Ends, journal: Journal) -> None:
        self.profile = profile
        self.ends = ends
        self.backends = backends = ends.backends
        self.journal = journal
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
        ends.hooks.em_vitals = self.em.gauge.note_vitals
        ends.hooks.grid_vitals = self.grid.gauge.note_vitals
        for kind, one in ((profile.em_kind, self.em), (profile.grid_kind, self.grid)):
            if kind == "absent":
                one.gauge.mark_absent()

    async def sign_in(self, at: SignInAt, username: str, password: str) -> None:
        """Sign in at one of `ends.sign_ins`; what waits for it goes on.

        Raises:
            NotSignedIn: refused, with what the other side says.
            Unreachable: no answer.
        """
        await at.sign_in(username, password)
        for endpoint in at.endpoints:
            (self.em if endpoint == "em" else self.grid).gauge.note_signed_in()

    @property
    def needed_sign_ins(self) -> tuple[SignInAt, ...]:
        """Where somebody must sign in before things go on, the EM first."""
        needy = {link.endpoint for link in (self.em, self.grid) if link.health.vitals.needs_sign_in}
        return tuple(at for at in self.ends.sign_ins if needy.intersection(at.endpoints))

    def link(self, command: Command) -> Link:
        """The Link that carries a command."""
        return self.em if command.endpoint == "em" else self.grid

    async def submit(self, command: Command) -> int:
        """Give a command to its Link.

        Raises:
            Forbidden: the profile is read-only and the command changes the other side.
            ConfigProblem: the profile has no such end.
        """
        if self.link(command).health.is_absent:
            raise absent(command.endpoint)
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
    """Open a profile's two ends and its journal, and close them again. Pods go on.

    Raises:
        WorkspaceProblem: the directory cannot be used.
        ConfigProblem: `grid.toml` or an address is wrong. An engine that is not available is told by the EM's `info`.
        Untrusted: plain http to another machine.
    """
    async with contextlib.AsyncExitStack() as stack:
        ends = await stack.enter_async_context(open_ends(profile))
        journal = await in_thread(Journal, ends.folder / "journal.db")
        stack.callback(journal.close)
        session = Session(profile, ends, journal)
        for link in (session.em, session.grid):
            link.start()
            stack.push_async_callback(link.aclose)
        yield session


async def adopt_left_behind(session: Session) -> None:
    """Take over what a killed emtui has left unfinished, once the screen listens."""
    for entry in await asyncio.to_thread(session.journal.open_entries):
        (session.em if entry.endpoint == "em" else session.grid).adopt(entry)
