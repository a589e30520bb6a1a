"""Signing in (`POST /auth/`) and keeping signed in (`POST /auth/refresh`), as the servers in the field do."""

import asyncio

from emtui.errors import EmtuiError, NotSignedIn
from emtui.server.http.answers import Answer
from emtui.server.http.call import Call, note_of
from emtui.server.http.fields import read_fields
from emtui.server.users.accounts import Accounts
from emtui.server.users.tokens import Tokens
from emtui.threads import in_thread

WRONG = "No active account found with the given credentials"

# Each check takes 19 MiB and a core for some tens of milliseconds.
_AT_ONCE = 2
_MOST_WAITING = 64


class TooMany(EmtuiError):
    """429: more sign-ins than can be checked. None of them was."""

    code = "TOO_MANY_REQUESTS"
    status = 429


class SignIn:
    """Checks passwords, a few at a time and off the event loop, and gives tokens for them."""

    def __init__(self, accounts: Accounts, tokens: Tokens) -> None:
        self._accounts = accounts
        self._tokens = tokens
        self._checking = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0

    async def sign_in(self, call: Call) -> Answer:
        """`username` and `password` for `access` and `refresh`.

        Raises:
            InvalidField: one of the two is not given.
            NotSignedIn: they are not right.
            TooMany: too many others are being checked.
        """
        fields = await read_fields(call)
        username, password = fields.needed("username"), fields.needed("password")
        if self._waiting >= _MOST_WAITING:
            raise TooMany("too many sign-ins at once", remedy="Try again in a few seconds.")
        self._waiting += 1
        try:
            async with self._checking:
                is_right = await in_thread(self._accounts.is_password, username, password)
        finally:
            self._waiting -= 1
        if not is_right:
            raise NotSignedIn(WRONG, remedy="Check the user and the password.")
        note_of(call.scope).user = username
        return Answer(
            200,
            {"access": self._tokens.issue(username, "access"), "refresh": self._tokens.issue(username, "refresh")},
        )

    async def refresh(self, call: Call) -> Answer:
        """`refresh` for a new `access`.

        Raises:
            InvalidField: it is not given.
            NotSignedIn: it is not good, or no longer.
        """
        username = self._tokens.user_of((await read_fields(call)).needed("refresh"), "refresh")
        note_of(call.scope).user = username
        return Answer(200, {"access": self._tokens.issue(username, "access")})
