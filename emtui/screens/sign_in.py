"""Sign in to a remote EM or Grid Node."""

from collections.abc import Awaitable, Callable

from textual.app import ComposeResult
from textual.content import Content

from emtui.errors import InvalidField
from emtui.screens.form import Form, Words
from emtui.text import safe_text
from widgets.fields import Field, TextField

USERNAME, PASSWORD = "username", "password"


class SignInDialog(Form[bool]):
    """A user's name and password. `sign_in` asks the other side; what it refuses is said here, and nothing is lost.

    The password goes to that call and nowhere else.
    """

    dialog_title = "Sign in"
    verb = "Sign in"

    def __init__(self, sign_in: Callable[[str, str], Awaitable[None]], where: str, username: str) -> None:
        super().__init__()
        self._sign_in = sign_in
        self._where = where
        self._username = TextField(USERNAME, "User", username, placeholder="your name there")
        self._password = TextField(PASSWORD, "Password", is_secret=True)

    def compose_fields(self) -> ComposeResult:
        yield self._username
        yield self._password

    def first_field(self) -> Field:
        return self._password if self._username.value else self._username

    def words(self) -> Words:
        where = safe_text(self._where, "bold", limit=200)
        return [Content.assemble("Signs in at ", where, ". What waits goes on then.")]

    def action_go_on(self) -> None:
        """From the password it is done, as everywhere else."""
        if self.focused is self._password.control_widget():
            self.action_submit()
        else:
            super().action_go_on()

    async def make(self) -> bool:
        username, password = self._username.value.strip(), self._password.value
        if not username:
            raise InvalidField(USERNAME, "is missing", remedy="Type your name.")
        if not password:
            raise InvalidField(PASSWORD, "is missing", remedy="Type it; it is not shown.")
        await self._sign_in(username, password)
        return True
