"""The console: opens the session after the first frame, and leaves the terminal as it found it."""

import asyncio
import importlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on, work
from textual.app import SystemCommand
from textual.binding import BindingType
from textual.screen import Screen
from textual.widgets import Input
from textual.worker import Worker

from emtui.commands import LOCAL_USER, REGISTRY, Command, Endpoint
from emtui.console.dressed import DressedApp
from emtui.console.screens.asking import NothingChosen, dialog_for
from emtui.console.screens.main import MainScreen
from emtui.console.signing_in import SigningIn
from emtui.console.theming import registered_themes
from emtui.errors import EmtuiError
from emtui.profile import WITHOUT_READ_ONLY, Profile
from emtui.settings import ConsoleSettings
from emtui.text import count
from emtui.views import Stage
from widgets.activity_pane import ActivityPane
from widgets.files_pane import FilesPane
from widgets.grid_pane import GridPane
from widgets.images_pane import ImagesPane
from widgets.key_bar import KeyBar
from widgets.keys import bind

if TYPE_CHECKING:
    from types import ModuleType

    from emtui.console.conductor import Conductor

CANNOT_OPEN_EXIT = 3
"""The exit code when the workspace or the engine cannot be used."""


class EmtuiApp(DressedApp[None]):
    """The console on one profile. Raises ConfigProblem for keys that cannot be."""

    TITLE = "emtui"
    ENABLE_COMMAND_PALETTE = True
    CSS = """
    /* Not over Activity, where the same stands as a line, and not over the clock. */
    ToastRack { dock: top; align: right top; margin-top: 1; margin-bottom: 0; }
    /* The palette's magnifier is an emoji, which many a terminal has not. */
    SearchIcon { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("leave", "leave", priority=True),
        bind("palette", "command_palette", priority=True),
    ]

    def __init__(self, profile: "Profile", settings: ConsoleSettings | None = None) -> None:
        super().__init__(settings or ConsoleSettings())
        self.profile = profile
        self.conductor: Conductor | None = None
        self.failure: EmtuiError | None = None
        self.exit_code = 0
        self._main = MainScreen(is_read_only=profile.is_read_only)
        self.signing_in = SigningIn(self, self._main)
        self._painted = asyncio.Event()
        self._opened = asyncio.Event()
        self._leaving = asyncio.Event()
        self._session_worker: Worker[None] | None = None

    def get_default_screen(self) -> Screen[Any]:
        return self._main

    @property
    def user(self) -> str:
        """Whose volume it is, for the names of images."""
        return self.conductor.user if self.conductor is not None else LOCAL_USER

    @property
    def main(self) -> MainScreen:
        return self._main

    # ---------------------------------------------------------------------------------------------- lifecycle

    def on_mount(self) -> None:
        self.dress()
        self.main.tick()
        self.set_interval(1.0, self.main.tick)
        # The first frame is painted before anything connects; what connecting needs is imported meanwhile.
        self._session_worker = self.run_worker(self._live, name="session", group="session", exit_on_error=False)
        self.run_worker(self._offer_own_themes(), name="themes", group="themes")
        self.call_after_refresh(self._painted.set)

    async def _offer_own_themes(self) -> None:
        await self._painted.wait()
        problems = await self.add_own_themes()
        if problems:
            self.main.say(f"{count(len(problems), 'theme file')} left out", remedy="emtui themes tells why.")

    async def _live(self) -> None:
        """Hold the session open until the operator leaves."""
        try:
            conducting, opening = await asyncio.to_thread(_import_what_takes_time)
            await self._painted.wait()
            async with opening.open_session(self.profile, holder="console") as session:
                for notice in session.ends.notices:
                    self.main.say(notice, is_failure=True)
                conductor = self.conductor = conducting.Conductor(session, self.main, self.settings)
                starting = asyncio.ensure_future(conductor.start())
                leaving = asyncio.ensure_future(self._leaving.wait())
                try:
                    # Nobody who leaves waits for an engine that is still being looked for.
                    await asyncio.wait([starting, leaving], return_when=asyncio.FIRST_COMPLETED)
                    if starting.done():
                        starting.result()
                        self._opened.set()
                        await leaving
                finally:
                    starting.cancel()
                    leaving.cancel()
                    self.conductor = None
                    await conductor.aclose()
        except EmtuiError as error:
            self.failure = error
            self.exit_code = CANNOT_OPEN_EXIT
        except Exception as error:  # noqa: BLE001 - it must not close without a word
            text = f"{type(error).__name__}: {error}"
            self.failure = EmtuiError(text, remedy="A fault of emtui itself; please report this text.")
            self.exit_code = CANNOT_OPEN_EXIT
        finally:
            self.exit(return_code=self.exit_code)

    def on_resize(self) -> None:
        # A terminal that shrinks and grows back quickly tells only the last size, which changes nothing for Textual;
        # but what stood in the part that was gone is gone.
        self.screen.refresh()

    def leave(self, exit_code: int = 0) -> None:
        """Close the session, then the console. Pods go on."""
        if self._leaving.is_set():
            return
        self.exit_code = exit_code
        self._leaving.set()
        if self.conductor is None:
            # Still opening: that is broken off, and undone by its own contexts.
            if self._session_worker is not None:
                self._session_worker.cancel()
            self.exit(return_code=exit_code)

    def action_leave(self) -> None:
        """Leave, after a question where commands have not ended."""
        self._leave_after_asking()

    async def action_quit(self) -> None:
        self.action_leave()

    @work(group="dialog", exclusive=True)
    async def _leave_after_asking(self) -> None:
        unfinished = self.conductor.at_work if self.conductor is not None else []
        if unfinished:
            from emtui.console.screens.confirm import ConfirmDialog, Question

            question = Question(
                f"Quit with {count(len(unfinished), 'command')} unfinished?",
                "Quit",
                tuple(state.title for state in unfinished),
                "What is at work is broken off, what waits is never sent. Pods go on.",
            )
            if not await self.push_screen_wait(ConfirmDialog(question)):
                return
        self.leave()

    # ------------------------------------------------------------------------------------------------- wishes

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A command's key in a field is a letter."""
        if action == "wish":
            return self.screen is self.main and not isinstance(self.focused, Input)
        return super().check_action(action, parameters)

    async def action_wish(self, name: str) -> None:
        """Open a command's dialog. Keys that follow wait until it is there."""
        if self.profile.is_read_only and REGISTRY[name].changes_remote:
            self.main.say(f"{REGISTRY[name].title} is off: read-only.", remedy=WITHOUT_READ_ONLY)
            return
        if self._is_absent(REGISTRY[name].endpoint):
            return
        try:
            dialog = dialog_for(name, self.main, self.user)
        except NothingChosen as missing:
            self.main.say(str(missing))
            return
        self.clear_notifications()
        await self.push_screen(dialog, self._submit)

    def _is_absent(self, endpoint: Endpoint) -> bool:
        """Whether the profile has no such end; it is said then."""
        kind = self.profile.em_kind if endpoint == "em" else self.profile.grid_kind
        if kind != "absent":
            return False
        from emtui.opening import absent

        missing = absent(endpoint)
        self.main.say(missing.message, remedy=missing.remedy)
        return True

    async def _submit(self, command: Command | None) -> None:
        if command is not None:
            self.main.files.clear_marks()
            # A dialog may be quicker than the workspace is opened.
            self._submit_once_open(command)

    @work(group="submit")
    async def _submit_once_open(self, command: Command) -> None:
        await self._opened.wait()
        if self.conductor is not None:
            await self.conductor.submit(command)

    @on(MainScreen.Uncovered)
    def _sign_in_now(self) -> None:
        if self.conductor is not None and self.signing_in.takes_its_turn(self.conductor):
            self._show_sign_in(self.conductor)

    @on(MainScreen.Asked)
    async def _answer(self, event: MainScreen.Asked) -> None:
        conductor = self.conductor
        match event.what:
            case "quit":
                self.action_leave()
            case "help":
                self._show_help()
            case "copy":
                self._copy()
            case "sign_in" if conductor is not None:
                self._show_sign_in(conductor)
            case "search" if conductor is not None:
                await self._show_search(conductor)
            case "refresh" if conductor is not None:
                conductor.refresh()
            case "hold_queue" if conductor is not None:
                held = conductor.toggle_hold()
                lets_go = self.key_map.hint("hold_queue", "lets them go")
                held_back = f"Commands are held back: {lets_go}." if lets_go else "Commands are held back."
                self.main.say(held_back if held else "Commands leave again.")
            case "hold_poll" if conductor is not None and event.pane in conductor.pollers:
                conductor.pollers[event.pane].toggle_hold()

    @on(ActivityPane.CancelWished)
    def _cancel(self, event: ActivityPane.CancelWished) -> None:
        if self.conductor is not None:
            self.conductor.cancel(event.command_id)

    @on(ActivityPane.AgainWished)
    def _again(self, event: ActivityPane.AgainWished) -> None:
        self._do_again(event.command_id)

    @work(group="dialog", exclusive=True)
    async def _do_again(self, number: int) -> None:
        """Look first whether an unknown command was done; then ask; then do it as a new command."""
        from emtui.console.screens.confirm import ConfirmDialog, Question

        if self.conductor is None:
            return
        state = await self.conductor.look_into(number)
        command = self.conductor.command(number)
        if command is None:
            self.main.say("It cannot be done again: the journal does not know enough of it, or it was for a script.")
            return
        is_unknown = state is not None and state.stage is Stage.UNKNOWN
        consequence = (
            "It may have been done already: it would then be done twice." if is_unknown else "It is a new command."
        )
        question = Question("Do it again?", "Do it again", (command.describe(),), consequence)
        if await self.push_screen_wait(ConfirmDialog(question)) and self.conductor is not None:
            await self.conductor.submit(command)

    def _show_help(self) -> None:
        from emtui.console.screens.help import HelpScreen
        from emtui.console.screens.keys import help_rows

        info = self.conductor.info if self.conductor is not None else None
        told = ((f"The engine {info.engine}", "", note) for note in (*info.warnings, *info.notes)) if info else ()
        here = self.main.current
        self.push_screen(HelpScreen((*help_rows(self.key_map, here), *told), here.title()))

    async def _show_search(self, conductor: "Conductor") -> None:
        if self._is_absent("grid"):
            return
        from emtui.console.screens.search import SearchDialog

        grid = self.main.grid.feed.value
        await self.push_screen(SearchDialog(conductor.search, grid.tags if grid is not None else ()))

    @work(group="sign-in")
    async def _show_sign_in(self, conductor: "Conductor") -> None:
        await self.signing_in.ask(conductor)

    def _copy(self) -> None:
        copied = self.main.copy_text()
        if copied:
            self.copy_to_clipboard(copied)
            self.main.say(f"Copied: {copied.splitlines()[0]}")

    @on(ActivityPane.Opened)
    def _show_detail(self, event: ActivityPane.Opened) -> None:
        from emtui.console.screens.detail import DetailScreen

        state = self.main.activity.selected
        if state is None or state.id != event.command_id:
            return
        self.clear_notifications()
        self.push_screen(DetailScreen(state))
        if self.conductor is not None and state.stage.is_final:
            self.conductor.acknowledge(state.id)

    @on(ImagesPane.Opened)
    async def _run_image(self) -> None:
        await self.action_wish("run")

    @on(GridPane.Opened)
    async def _get_model(self) -> None:
        await self.action_wish("get_model")

    @on(FilesPane.Opened)
    async def _downlink_file(self) -> None:
        await self.action_wish("downlink")

    @on(KeyBar.Pressed)
    async def _press(self, event: KeyBar.Pressed) -> None:
        if event.name in REGISTRY:
            await self.action_wish(event.name)
        elif event.name == "palette":
            self.action_command_palette()
        elif event.name != "panes":
            await self.main.do(event.name)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:  # noqa: ARG002 - of Textual's signature
        """The palette: the registry, what keys do in this pane, the themes."""
        from emtui.console.screens.palette import Doing, palette_commands

        doing = Doing(self.action_wish, self.main.can, self.main.do, self.put_on)
        return palette_commands(self.key_map, registered_themes(self), doing)


def _import_what_takes_time() -> "tuple[ModuleType, ModuleType]":
    for name in ("local.workspace", "local.em", "local.grid"):
        importlib.import_module(f"emtui.{name}")
    return importlib.import_module("emtui.console.conductor"), importlib.import_module("emtui.session")
