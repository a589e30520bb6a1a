"""Connects an open session with the main screen: data goes down into the panes, wishes come up as commands.

It starts the pollers, feeds the panes, keeps Activity and the header true, and refreshes a pane as soon as a command
has changed what it shows.
"""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from emtui.commands import REGISTRY, Command, RunPod
from emtui.errors import EmtuiError, NotFound
from emtui.feeds import ACTIVE_POD_POLL_S, POLL_S, GridWatch, PodWatch, Poller
from emtui.journal import Entry
from emtui.models import Image, Listing
from emtui.session import Session, adopt_left_behind
from emtui.views import CommandState, Feed, GridView, LinkHealth, PodView, SearchAnswer, Stage

if TYPE_CHECKING:
    from emtui.screens.main import MainScreen

# Which panes a finished command has changed.
_CHANGES = {
    "uplink": ("files",),
    "delete": ("files",),
    "build": ("images",),
    "load": ("images",),
    "run": ("pod",),
    "serve_model": ("grid",),
}

# How many of the journal's last commands Activity shows at the start.
_RECALLED = 200


class Conductor:
    """One session on one screen."""

    def __init__(self, session: Session, screen: "MainScreen") -> None:
        self.session = session
        self._screen = screen
        self._commands: dict[int, Command] = {}
        self._awaited: set[int] = set()
        last_run = session.journal.last("run")
        asked = last_run.command if last_run is not None else None
        self._pod_watch = PodWatch(
            session.backends.em,
            asked.spec if isinstance(asked, RunPod) else None,
            last_run.asked_at if last_run is not None else None,
        )
        self._grid_watch = GridWatch(session.backends.grid)
        em = session.backends.em
        self._was_active = False
        self.files: Poller[Listing] = Poller("files", session.em, em.list_files, self._show_files)
        self.images: Poller[Sequence[Image]] = Poller("images", session.em, em.list_images, self._show_images)
        self.pod: Poller[PodView] = Poller("pod", session.em, self._pod_watch, self._show_pod)
        self.grid: Poller[GridView] = Poller("grid", session.grid, self._grid_watch, self._show_grid)
        self.pollers: dict[str, Poller[Any]] = {
            "files": self.files,
            "images": self.images,
            "pod": self.pod,
            "grid": self.grid,
        }
        for link in (session.em, session.grid):
            link.on_state = self._show_state
            link.on_health = self._show_health

    async def start(self) -> None:
        """Show what the journal remembers, take over what was left behind, and begin to poll."""
        recalled = await asyncio.to_thread(self.session.journal.recent, _RECALLED)
        self._screen.activity.show_commands([recall(entry) for entry in recalled if entry.stage.is_final])
        self._commands |= {entry.id: entry.command for entry in recalled if entry.command is not None}
        await adopt_left_behind(self.session)
        for poller in self.pollers.values():
            poller.start()

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
        """Find out anew how an unknown command has ended. None if it cannot be told what it was."""
        command = self._commands.get(number)
        if command is None:
            return None
        link = self.session.link(command)
        if number in link.states and link.states[number].stage is Stage.UNKNOWN:
            await link.look_into(number, command)
        return link.states.get(number)

    def command(self, number: int) -> Command | None:
        """A command of Activity, to be done again. None where the journal cannot restore it."""
        return self._commands.get(number)

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
            link.acknowledge(number)

    def toggle_hold(self) -> bool:
        """Hold back all commands that have not left, or let them go. Returns whether they are held now."""
        links = (self.session.em, self.session.grid)
        is_held = not links[0].health.is_held
        for link in links:
            link.hold() if is_held else link.release()
        return is_held

    def refresh(self) -> None:
        """Ask for everything at once."""
        self._grid_watch.forget()
        for poller in self.pollers.values():
            poller.refresh()

    # ---------------------------------------------------------------------------------------------- data down

    def _show_files(self, feed: Feed[Listing]) -> None:
        self._screen.files.show(feed)

    def _show_images(self, feed: Feed[Sequence[Image]]) -> None:
        self._screen.images.show(feed)

    def _show_pod(self, feed: Feed[PodView]) -> None:
        is_active = feed.value is not None and feed.value.status.state.is_active
        self.pod.interval_s = ACTIVE_POD_POLL_S if is_active else POLL_S
        if not is_active and self._was_active:
            self.files.refresh()  # a pod that has ended may have written its result
        self._was_active = is_active
        self._screen.pod.show(feed)

    def _show_grid(self, feed: Feed[GridView]) -> None:
        self._screen.grid.show(feed)

    def _show_state(self, state: CommandState) -> None:
        self._screen.activity.update_command(state)
        if not state.stage.is_final or state.acknowledged:
            return
        command = self._commands.get(state.id)
        is_awaited = state.id in self._awaited
        self._awaited.discard(state.id)
        if state.stage is Stage.COMPLETE and isinstance(command, RunPod):
            self._pod_watch.asked(command, state.asked_at)
        for pane in _CHANGES.get(state.name, ()):
            self.pollers[pane].refresh()
        if is_awaited or state.stage is not Stage.COMPLETE:
            self._announce(state)

    def _announce(self, state: CommandState) -> None:
        title = REGISTRY[state.name].title if state.name in REGISTRY else state.name
        if state.stage is Stage.COMPLETE:
            self._screen.say(f"{title}: {state.note}")
        elif state.stage is Stage.CANCELLED:
            self._screen.say(f"{title}: {state.note or 'cancelled'}")
        else:
            word = "failed" if state.stage is Stage.FAILED else "UNKNOWN"
            self._screen.say(f"{title} {word}: {state.error}", remedy=state.remedy, is_failure=True)

    def _show_health(self, health: LinkHealth) -> None:
        self._screen.header.show_health(health)


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
        acknowledged=True,
    )
