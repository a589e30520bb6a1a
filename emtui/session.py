"""An open profile: both ends, each with its Link, and the journal. The console and every script start here.

What costs time (the database, the engine's probe) happens in `open_session`, off the event loop, after the first
frame.
"""

import asyncio
import contextlib
import getpass
import itertools
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from emtui.commands import Command, Endpoint
from emtui.errors import Cancelled, EmtuiError, Forbidden, OutcomeNotKnown, Unreachable, WorkspaceInUse
from emtui.journal.journal import Journal
from emtui.link.courier import Courier, Report
from emtui.link.inquiry import Verdict
from emtui.link.link import Link
from emtui.link.patience import Patience
from emtui.opening import Ends, SignInAt, absent, open_ends
from emtui.profile import WITHOUT_READ_ONLY, Profile
from emtui.threads import opened_in_thread
from emtui.views import CommandState, Stage

if TYPE_CHECKING:
    from emtui.pod.trace import Rivals

T = TypeVar("T")

SETTLE_S = 2.0
"""How long a session that ends looks into what others have left behind; the next one looks again."""


class Session:
    """An open profile.

    Attributes:
        backends: the EM and the Grid Node.
        em, grid: their Links.
        ends: how they were opened: what must be said about them, and what else they can do.
    """

    def __init__(self, profile: Profile, ends: Ends, journal: Journal, patience: Patience | None = None) -> None:
        self.profile = profile
        self.patience = patience or Patience()
        self.ends = ends
        self.backends = backends = ends.backends
        self.journal = journal
        who = operator()

        # What they need is imported with the first command: nothing that is only looked at waits for it.
        async def carry_out(command: Command, courier: Courier) -> str:
            from emtui.link.perform import perform

            return await perform(backends, command, courier)

        async def find_out(command: Command, sent_at: datetime) -> tuple[Verdict, str]:
            from emtui.link.reconcile import Clock, reconcile

            clock = Clock(lambda: self.em.health.vitals.skew_s, is_here=_is_here(profile))
            return await reconcile(backends, command, sent_at, clock)

        def link(endpoint: Endpoint) -> Link:
            return Link(endpoint, journal, carry_out, find_out, who=who, profile=profile.name, patience=self.patience)

        self._asked = itertools.count()
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
            self.link_to(endpoint).gauge.note_signed_in()

    @property
    def needed_sign_ins(self) -> tuple[SignInAt, ...]:
        """Where somebody must sign in before things go on, the EM first."""
        needy = {link.endpoint for link in (self.em, self.grid) if link.health.vitals.needs_sign_in}
        return tuple(at for at in self.ends.sign_ins if needy.intersection(at.endpoints))

    def link(self, command: Command) -> Link:
        """The Link that carries a command."""
        return self.link_to(command.endpoint)

    def link_to(self, endpoint: Endpoint) -> Link:
        """The Link of an end."""
        return self.em if endpoint == "em" else self.grid

    async def submit(self, command: Command) -> int:
        """Give a command to its Link.

        Raises:
            Forbidden: the profile is read-only and the command changes the other side.
            ConfigProblem: the profile has no such end.
        """
        if self.link(command).health.is_absent:
            raise absent(command.endpoint)
        if self.profile.is_read_only and command.changes_remote:
            raise Forbidden(f"read-only: {command.describe()} is not done", remedy=WITHOUT_READ_ONLY)
        return await self.link(command).submit(command)

    async def do(self, command: Command, begun: Callable[[int], None] = lambda _number: None) -> CommandState:
        """Carry a command out and wait for its end. `begun` gets its number as soon as it stands in the journal.

        A cancelled call cancels the command and waits until that is undone; then `CancelledError` goes on, and its
        `__cause__` says how the command ended, unless it was complete.

        Returns: how it ended: complete, with its note.

        Raises:
            EmtuiError: it failed, as `submit` and the backend have it.
            OutcomeNotKnown: it may have been done.
        """
        link = self.link(command)

        async def begin() -> int:
            number = await self.submit(command)
            begun(number)
            return number

        # Once it is in the journal it has to come to an end, so the way there is not broken off.
        beginning = asyncio.ensure_future(begin())
        try:
            state = await link.finished(await asyncio.shield(beginning))
        except asyncio.CancelledError as cancelled:
            number = await beginning
            link.cancel(number)
            state = await link.finished(number)
            raise cancelled from (failure_of(state) if state.stage is not Stage.COMPLETE else None)
        if state.stage is Stage.COMPLETE:
            return state
        raise failure_of(state)

    async def ask(
        self,
        endpoint: Endpoint,
        call: Callable[[], Awaitable[T]],
        report: Callable[[Report], None] = lambda _report: None,
    ) -> T:
        """Ask something that changes nothing, behind all commands; a busy or absent other side is waited out.

        Raises:
            ConfigProblem: the profile has no such end.
            EmtuiError: as the backend has it.
        """
        link = self.link_to(endpoint)
        if link.health.is_absent:
            raise absent(endpoint)

        async def leaves() -> None:
            """No journal: nothing is changed."""

        courier = Courier(report, leaves, self.patience)
        return await link.poll(f"ask-{next(self._asked)}", lambda: courier.request(call, changes=False))

    async def rivals(self, number: int, since: datetime) -> "Rivals":
        """Other runs of this profile than `number` that were under way at `since`, or came later."""
        from emtui.pod.trace import Rivals

        runs = await asyncio.to_thread(self.journal.rivals, number, since)
        if not runs:
            return Rivals.NONE
        return Rivals.ACCEPTED if any(run.stage.is_final for run in runs) else Rivals.UNDER_WAY


def failure_of(state: CommandState) -> EmtuiError:
    """The error that a command which has not been completed ended with."""
    if state.failure is not None:
        return state.failure
    if state.stage is Stage.UNKNOWN:
        return OutcomeNotKnown(state.error, remedy=state.remedy)
    if state.stage is Stage.CANCELLED:
        return Cancelled(state.note or "cancelled")
    # No answer came, and looking has shown that it was not done.
    return Unreachable(state.error, may_have_run=False, remedy=state.remedy)


def _is_here(profile: Profile) -> bool:
    """Whether the EM's address is one of this machine."""
    if profile.em is None:
        return False
    from emtui.client.http.address import Address

    return Address.parse(profile.em.url, insecure=profile.em.is_insecure).is_loopback


def operator() -> str:
    """Who sits here, for the journal."""
    with contextlib.suppress(KeyError, OSError):
        return getpass.getuser()
    return f"uid {os.getuid()}"


@contextlib.asynccontextmanager
async def open_session(
    profile: Profile,
    *,
    give_up_s: float | None = None,
    holder: str = "",
    on_wait: Callable[[WorkspaceInUse], None] | None = None,
) -> AsyncIterator[Session]:
    """Open a profile's two ends and its journal, and close them again. Pods go on.

    `give_up_s` is how long a busy or absent other side is waited for; None is without an end. `holder` says to others
    who has the local workspace.
    `on_wait` is a script's: a workspace that is in use is waited for as long, and `on_wait` told who has it; and at the
    end it is looked into what earlier ones have left without a known end. The console has its own ways for both.

    Raises:
        WorkspaceProblem: the directory cannot be used.
        ConfigProblem: `grid.toml` or an address is wrong. An engine that is not available is told by the EM's `info`.
        Untrusted: plain http to another machine.
    """
    async with contextlib.AsyncExitStack() as stack:
        wait_s = give_up_s if on_wait is not None else 0.0
        ends = await stack.enter_async_context(
            open_ends(profile, holder=holder, wait_s=wait_s, on_wait=on_wait or _unheard, give_up_s=give_up_s)
        )
        journal = await stack.enter_async_context(opened_in_thread(lambda: Journal(ends.folder / "journal.db")))
        session = Session(profile, ends, journal, Patience(give_up_s=give_up_s))
        for link in (session.em, session.grid):
            link.start()
            stack.push_async_callback(link.aclose)
        yield session
        if on_wait is not None:
            await _settle(session)


def _unheard(_error: WorkspaceInUse) -> None:
    """Nobody is told."""


async def adopt_left_behind(session: Session) -> None:
    """Take over what a killed emtui has left unfinished, once the screen listens.

    Of two that do it at once, each command is taken over by one.
    """
    for entry in await asyncio.to_thread(session.journal.take_over):
        session.link_to(entry.endpoint).adopt(entry)


async def _settle(session: Session) -> None:
    """For a session that ends: find out what an earlier one could not, where the other side has just answered.

    What is not settled in time, or cannot be written down, is left to the next one: this one has done its work.
    """
    with contextlib.suppress(TimeoutError, EmtuiError):
        async with asyncio.timeout(SETTLE_S):
            await asyncio.gather(*await _looks(session))


async def _looks(session: Session) -> list[Awaitable[object]]:
    journal = session.journal
    connected = [link.endpoint for link in (session.em, session.grid) if link.health.is_connected]
    hindered = [entry for entry in await asyncio.to_thread(journal.hindered) if entry.endpoint in connected]
    left = await asyncio.to_thread(journal.open_entries)
    if not any(entry.endpoint in connected for entry in (*hindered, *left)):
        return []
    asked: list[Awaitable[object]] = []
    for entry in await asyncio.to_thread(journal.take_over, connected):
        link = session.link_to(entry.endpoint)
        link.adopt(entry)
        asked.append(link.finished(entry.id))
    asked.extend(session.link_to(entry.endpoint).settle(entry) for entry in hindered)
    return asked
