"""Sign in to a remote EM or Grid Node."""

from collections.abc import Awaitable, Callable

from textual import events, on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from emtui.console.screens.form import Form, Words
from emtui.errors import InvalidField
from emtui.text import safe_text
from widgets.fields import Field, TextField

USERNAME, PASSWORD = "username", "password"


class SignInDialog(Form[bool]):
    """A user's name and password. `sign_in` asks the other side; what it refuses is said here, and nothing is lost.
    `why` tells why somebody must, in the other side's words, or nothing.

    The password goes to that call and nowhere else.
    """

    dialog_title = "Sign in"
    verb = "Sign in"

    def __init__(
        self, sign_in: Callable[[str, str], Awaitable[None]], where: str, username: str, why: Callable[[], str] = str
    ) -> None:
        super().__init__()
        self._sign_in = sign_in
        self._where = where
        self._why = why
        self._username = TextField(USERNAME, "User", username, placeholder="your name there")
        self._password = TextField(PASSWORD, "Password", is_secret=True)

    def compose_fields(self) -> ComposeResult:
        yield self._username
        yield self._password

    def first_field(self) -> Field:
        return self._password if self._username.value else self._username

    def words(self) -> Words:
        where = safe_text(self._where, "bold", limit=200)
        lines = [Content.assemble("Signs in at ", where, ". What waits goes on then.")]
        why = self._why()
        if why:
            lines.insert(0, Content.assemble(("◆ ", "$em-serious"), safe_text(why, limit=300)))
        return lines

    @on(events.DescendantFocus)
    def _say_what_enter_does(self) -> None:
        is_last = self.focused is self._password.control_widget()
        self.query_one("#hint", Static).update(Content("enter signs in" if is_last else "enter next field"))

    def action_go_on(self) -> None:
        """From the password it is done, as everywhere else. Not by a line's end in a paste that came as keys,
        because an ESC was in it."""
        if self.focused is not self._password.control_widget():
            super().action_go_on()
        elif self._password.input.is_torn_paste:
            self._password.show_problem(
                InvalidField(PASSWORD, "several lines or an ESC were pasted", remedy="Clear it by ctrl+u and type it.")
            )
        else:
            self.action_submit()

    async def make(self) -> bool:
        username, password = self._username.value.strip(), self._password.value
        if not username:
            raise InvalidField(USERNAME, "is missing", remedy="Type your name.")
        if not password:
            raise InvalidField(PASSWORD, "is missing", remedy="Type it; it is not shown.")
        await self._sign_in(username, password)
        return True
