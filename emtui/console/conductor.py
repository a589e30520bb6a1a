"""Connects an open session with the main screen: data goes down into the panes, wishes come up as commands.

It starts the pollers, feeds the panes, keeps Activity and the header true, and refreshes a pane as soon as a command
has changed what it shows.
"""

import asyncio
import contextlib
import importlib
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from emtui.commands import REGISTRY, Command, Endpoint, RunPod
from emtui.errors import EmtuiError, NotFound
from emtui.journal.journal import Entry
from emtui.link.feeds import LARGEST_SHARE, REMOTE_SHARE, GridWatch, PodWatch, Poller
from emtui.opening import SignInAt, absent
from emtui.plain import EndpointInfo, Listing
from emtui.session import Session, adopt_left_behind
from emtui.settings import ConsoleSettings
from emtui.views import CommandState, Feed, LinkHealth, PodView, SearchAnswer, Stage

if TYPE_CHECKING:
    from emtui.console.screens.main import MainScreen
    from widgets.pane import AnyPane

# Which panes a finished command has changed.
_CHANGES = {
    "uplink": ("files",),
    "delete": ("files",),
    "build": ("images",),
    "load": ("images",),
    "run": ("pod",),
    "serve_model": ("grid",),
}

# So long the Grid Node waits for the EM's first answer where each has a sign-in of its own.
_EM_FIRST_S = 2.0

# How many of the journal's last commands Activity shows at the start.
_RECALLED = 200


class Conductor:
    """One session on one screen. Of `settings` it keeps the intervals of the polls."""

    def __init__(self, session: Session, screen: "MainScreen", settings: ConsoleSettings | None = None) -> None:
        self._settings = settings or ConsoleSettings()
        self.session = session
        self._screen = screen
        self._commands: dict[int, Command] = {}
        self._awaited: set[int] = set()
        self._recalled: dict[int, CommandState] = {}
        self._was_active = False
        self._pod_watch: PodWatch | None = None
        self._grid_watch: GridWatch | None = None
        self._info: EndpointInfo | None = None
        self._needed_sign_ins: tuple[SignInAt, ...] = ()
        self._tasks: set[asyncio.Task[None]] = set()
        em_share = REMOTE_SHARE if session.profile.em_kind == "remote" else LARGEST_SHARE
        self.files: Poller[Listing] = Poller(
            "files",
            session.em,
            session.backends.em.list_files,
            self._show_files,
            interval_s=self._settings.poll_s,
            share=em_share,
        )
        self.pollers: dict[str, Poller[Any]] = {}
        for link in (session.em, session.grid):
            link.ledger.on_state = self._show_state
            link.gauge.on_change = self._show_health
            link.can_sign_in = any(link.endpoint in at.endpoints for at in session.ends.sign_ins)
            self._show_health(link.health)
        session.ends.hooks.grid_connected = self._pull_grid

    async def start(self) -> None:
        """Show the volume, and then all else: what costs time to import or to find out waits until then.

        Raises:
            ConfigProblem: the engine that was named is not available.
        """
        if self.session.profile.em_kind != "absent":
            self.pollers["files"] = self.files
            self.files.start()
        if self.session.profile.em_kind == "local":
            await self.files.answered.wait()
        elif len(self.session.ends.sign_ins) > 1:
            # Whoever has to sign in at both is asked for the EM's password first.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.files.answered.wait(), _EM_FIRST_S)
        await asyncio.to_thread(_import_what_takes_time)
        recalled = await asyncio.to_thread(self.session.journal.recent, _RECALLED)
        self._recalled = {entry.id: recall(entry) for entry in recalled if entry.stage.is_final}
        self._screen.activity.show_commands(tuple(self._recalled.values()))
        self._commands |= {entry.id: entry.command for entry in recalled if entry.command is not None}
        last_run = next((entry for entry in recalled if entry.name == "run" and entry.stage is Stage.COMPLETE), None)
        self._watch(last_run)
        await adopt_left_behind(self.session)
        self._look_again()
        await self._show_info()

    def _look_again(self) -> None:
        """What an earlier start left unknown is looked into once more: the other side may be there again."""
        for number, state in list(self._recalled.items()):
            command = self._commands.get(number)
            if state.stage is Stage.UNKNOWN and not state.acknowledged and command is not None:
                link = self.session.link(command)
                link.remember(self._recalled.pop(number))
                link.keep_looking(number, command)

    @property
    def info(self) -> "EndpointInfo | None":
        """Who answers, None until that is known."""
        return self._info

    async def _show_info(self) -> None:
        """Who answers: told anew when more of it is known."""
        has_em = self.session.profile.em_kind != "absent"
        info = await (self.session.backends.em if has_em else self.session.backends.grid).info()
        if info != self._info:
            self._info = info
            self._screen.show_endpoint(info, self.session.ends.banners)
            for warning in info.warnings:
                self._screen.say(warning, is_failure=True)

    def _watch(self, last_run: Entry | None) -> None:
        """Begin to poll the rest."""
        em = self.session.backends.em
        asked = last_run.command if last_run is not None else None
        self._pod_watch = PodWatch(
            em,
            asked.spec if isinstance(asked, RunPod) else None,
            last_run.asked_at if last_run is not None else None,
        )
        self._grid_watch = GridWatch(self.session.backends.grid)
        screen = self._screen
        profile = self.session.profile
        em_share = REMOTE_SHARE if profile.em_kind == "remote" else LARGEST_SHARE
        grid_share = REMOTE_SHARE if profile.grid_kind == "remote" else LARGEST_SHARE
        on_em: dict[str, Any] = {"interval_s": self._settings.poll_s, "share": em_share}
        on_grid: dict[str, Any] = {"interval_s": self._settings.poll_s, "share": grid_share}
        em_pollers: dict[str, Poller[Any]] = {
            "images": Poller("images", self.session.em, em.list_images, screen.images.show, **on_em),
            "pod": Poller("pod", self.session.em, self._pod_watch, self._show_pod, **on_em),
        }
        grid_pollers: dict[str, Poller[Any]] = {
            "grid": Poller("grid", self.session.grid, self._grid_watch, screen.grid.show, **on_grid)
        }
        if profile.grid_kind == "absent":
            self._show_absent("grid", screen.grid)
        else:
            self._start(grid_pollers)
        if profile.em_kind == "absent":
            self._show_absent("em", screen.files, screen.images, screen.pod)
        else:
            self._start(em_pollers)

    def _start(self, pollers: dict[str, Poller[Any]]) -> None:
        self.pollers |= pollers
        for poller in pollers.values():
            poller.start()

    def _show_absent(self, endpoint: Endpoint, *panes: "AnyPane") -> None:
        why = absent(endpoint)
        for pane in panes:
            pane.show(Feed(error=why.message, remedy=why.remedy, is_absent=True))

    def _pull_grid(self) -> None:
        """The connection to the Grid Node is new: what happened meanwhile was not heard."""
        if self._grid_watch is not None and "grid" in self.pollers:
            self._grid_watch.forget()
            self.pollers["grid"].refresh()

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        for poller in self.pollers.values():
            await poller.aclose()

    # ------------------------------------------------------------------------------------------------- wishes

    async def submit(self, command: Command) -> None:
        """Do what the operator wants. A refusal is a toast."""
        try:
            number = await self.session.submit(command)
        except EmtuiError as error:
            self._screen.say(error.message, remedy=error.remedy, is_failure=True)
            return
        self._commands[number] = command
        self._awaited.add(number)

    async def look_into(self, number: int) -> CommandState | None:
        """Find out anew how an unknown command has ended, one of an earlier start too. None if it is not known."""
        command = self._commands.get(number)
        if command is None:
            return None
        link = self.session.link(command)
        if number not in link.states and number in self._recalled:
            link.remember(self._recalled[number])
        if number in link.states and link.states[number].stage is Stage.UNKNOWN:
            await link.look_into(number, command)
        return link.states.get(number)

    def command(self, number: int) -> Command | None:
        """A command of Activity, to be done again. None where that cannot be: the journal cannot restore it, or it was
        for a script's pipe."""
        command = self._commands.get(number)
        return command if command is not None and command.can_be_repeated else None

    async def search(self, query: str) -> SearchAnswer:
        """What the Grid Node knows of a tag or an encrypted model's id. Raises EmtuiError."""
        grid = self.session.backends.grid

        async def ask() -> SearchAnswer:
            has_tag = await grid.search(query)
            try:
                return SearchAnswer(query, has_tag, await grid.search_encrypted_models(query))
            except NotFound:
                return SearchAnswer(query, has_tag)

        return await self.session.grid.poll(f"search {query}", ask)

    @property
    def user(self) -> str:
        """Whose volume it is, for the names of images."""
        return (self._info and self._info.user) or self.session.ends.user

    @property
    def at_work(self) -> list[CommandState]:
        """The commands that have not ended."""
        links = (self.session.em, self.session.grid)
        return [state for link in links for state in link.states.values() if not state.stage.is_final]

    def cancel(self, number: int) -> bool:
        """Stop a command that is queued or at work."""
        return self.session.em.cancel(number) or self.session.grid.cancel(number)

    def acknowledge(self, number: int) -> None:
        """The operator has seen how a command ended."""
        for link in (self.session.em, self.session.grid):
            if number in self._recalled and self._recalled[number].endpoint == link.endpoint:
                link.remember(self._recalled.pop(number))
            link.acknowledge(number)

    def toggle_hold(self) -> bool:
        """Hold back all commands that have not left, or let them go. Returns whether they are held now."""
        links = (self.session.em, self.session.grid)
        is_held = not links[0].health.is_held
        for link in links:
            link.hold() if is_held else link.release()
        return is_held

    async def sign_in(self, at: SignInAt, username: str, password: str) -> None:
        """Sign in at a remote end, and ask it for everything. Raises EmtuiError."""
        await self.session.sign_in(at, username, password)
        self.refresh()

    def why_sign_in(self, at: SignInAt) -> str:
        """What that end has said of it; empty where it has said nothing. Foreign."""
        feeds = (self._screen.files.feed, self._screen.pod.feed) if "em" in at.endpoints else (self._screen.grid.feed,)
        return next((feed.error for feed in feeds if feed.error), "")

    def refresh(self) -> None:
        """Ask for everything at once."""
        if self._grid_watch is not None:
            self._grid_watch.forget()
        for poller in self.pollers.values():
            poller.refresh()

    # ---------------------------------------------------------------------------------------------- data down

    def _show_files(self, feed: Feed[Listing]) -> None:
        self._screen.files.show(feed)
        if self._info is not None and self.session.profile.em_kind == "remote":
            self._background(self._show_info())

    def _show_pod(self, feed: Feed[PodView]) -> None:
        is_active = feed.value is not None and feed.value.status.state.is_active
        settings = self._settings
        self.pollers["pod"].interval_s = settings.active_pod_poll_s if is_active else settings.poll_s
        if not is_active and self._was_active:
            self.files.refresh()  # a pod that has ended may have written its result
        self._was_active = is_active
        self._screen.pod.show(feed)

    def _show_state(self, state: CommandState) -> None:
        self._screen.activity.update_command(state)
        if not state.stage.is_final or state.acknowledged:
            return
        command = self._commands.get(state.id)
        is_awaited = state.id in self._awaited
        self._awaited.discard(state.id)
        if state.stage is Stage.COMPLETE and isinstance(command, RunPod) and self._pod_watch is not None:
            self._pod_watch.asked(command, state.asked_at)
        for pane in _CHANGES.get(state.name, ()):
            if pane in self.pollers:
                self.pollers[pane].refresh()
        if is_awaited or state.stage is not Stage.COMPLETE:
            self._announce(state)

    def _announce(self, state: CommandState) -> None:
        title = REGISTRY[state.name].title if state.name in REGISTRY else state.name
        if state.stage in (Stage.COMPLETE, Stage.CANCELLED) and self._screen.activity.display:
            return  # its line can be seen
        if state.stage is Stage.COMPLETE:
            self._screen.say(f"{title}: {state.note}")
        elif state.stage is Stage.CANCELLED:
            self._screen.say(f"{title}: {state.note or 'cancelled'}")
        else:
            word = "failed" if state.stage is Stage.FAILED else "UNKNOWN"
            self._screen.say(f"{title} {word}: {state.error}", remedy=state.remedy, is_failure=True)

    def _show_health(self, health: LinkHealth) -> None:
        self._screen.header.show_health(health)
        needed = self.session.needed_sign_ins
        if not set(needed) <= set(self._needed_sign_ins):
            self._screen.action_ask("sign_in")
        self._needed_sign_ins = needed


def recall(entry: Entry) -> CommandState:
    """A line of Activity out of the journal."""
    return CommandState(
        entry.id,
        entry.name,
        entry.title,
        entry.stage,
        entry.asked_at,
        entry.changed_at,
        entry.endpoint,
        note=entry.note,
        error=entry.error,
        remedy=entry.remedy,
        log_tail=entry.log_tail,
        acknowledged=entry.acknowledged,
    )


def _import_what_takes_time() -> None:
    """What the next polls and the first dialog would otherwise keep the loop waiting for."""
    for name in ("emtui.models", "emtui.link.perform", "emtui.link.reconcile"):
        importlib.import_module(name)
    for name in ("uplink", "downlink", "delete", "build", "load", "run", "serve_model", "get_model"):
        importlib.import_module(f"emtui.console.screens.{name}")
