"""Asking for a password in the console: once where it is needed, and never over another dialog."""

from functools import partial
from typing import TYPE_CHECKING

from emtui.console.screens.main import MainScreen

if TYPE_CHECKING:
    from textual.app import App

    from emtui.console.conductor import Conductor
    from emtui.opening import SignInAt


class SigningIn:
    """The sign-in dialogs over the main screen, one at a time."""

    def __init__(self, app: "App[None]", main: MainScreen) -> None:
        self.waits = False
        """Asked for while another dialog was open; its turn comes when that is closed."""
        self._app = app
        self._main = main
        self._is_asking = False

    def takes_its_turn(self, conductor: "Conductor") -> bool:
        """Whether a dialog that had to wait is to be opened now, since the main screen is free again."""
        if not self.waits or self._app.screen is not self._main:
            return False
        self.waits = False
        return bool(conductor.session.needed_sign_ins)

    async def ask(self, conductor: "Conductor") -> None:
        """Ask for a password wherever one is needed, one after the other; once another dialog is closed, if one is
        open. Has to run in a worker."""
        session = conductor.session
        if not session.ends.sign_ins:
            self._main.say("Nobody has to sign in here.")
            return
        if self._is_asking:
            return
        if self._app.screen is not self._main:
            self.waits = True
            return
        self._is_asking = True
        try:
            asked: list[SignInAt] = []
            following: SignInAt | None = next(iter(session.needed_sign_ins or session.ends.sign_ins))
            while following is not None:
                asked.append(following)
                await self._ask_at(conductor, following)
                following = next((at for at in session.needed_sign_ins if at not in asked), None)
        finally:
            self._is_asking = False

    async def _ask_at(self, conductor: "Conductor", at: "SignInAt") -> None:
        from emtui.console.screens.sign_in import SignInDialog

        dialog = SignInDialog(
            partial(conductor.sign_in, at), at.url, conductor.user, partial(conductor.why_sign_in, at)
        )
        await self._app.push_screen_wait(dialog)
