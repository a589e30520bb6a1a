"""Bearer tokens: JWTs of a short and a longer life, signed with HS256."""

import time
from collections.abc import Callable
from typing import Literal

import jwt

from emtui.errors import NotSignedIn

TokenType = Literal["access", "refresh"]

NO_TOKEN = "Authentication credentials were not provided."  # noqa: S105 - a message
BAD_TOKEN = "Given token not valid for any token type"  # noqa: S105 - a message
BAD_REFRESH = "Token is invalid or expired"

_ALGORITHM = "HS256"
_CLAIMS = ["sub", "exp", "iat", "type", "mark"]
_MOST_CHARS = 4096


class Tokens:
    """Issues and checks the tokens of one served directory.

    `mark_of` gives what changes with a user's password, None for a user who does not exist: a token from before the
    change is no longer good.
    """

    def __init__(self, key: bytes, mark_of: Callable[[str], str | None], *, access_s: float, refresh_s: float) -> None:
        self._key = key
        self._mark_of = mark_of
        self._life_s: dict[TokenType, float] = {"access": access_s, "refresh": refresh_s}

    def issue(self, username: str, kind: TokenType) -> str:
        """A new token of a user who exists."""
        now = time.time()
        claims = {
            "sub": username,
            "iat": int(now),
            "exp": now + self._life_s[kind],
            "type": kind,
            "mark": self._mark_of(username),
        }
        return jwt.encode(claims, self._key, _ALGORITHM)

    def user_of(self, token: str, kind: TokenType) -> str:
        """Whose token it is.

        Raises:
            NotSignedIn: it is not one of ours, of another type, expired, not yet good, of a user who does not exist,
                or from before the password was changed. The message does not say which.
        """
        refused = NotSignedIn(BAD_TOKEN if kind == "access" else BAD_REFRESH)
        if len(token) > _MOST_CHARS:
            raise refused
        try:
            claims = jwt.decode(token, self._key, [_ALGORITHM], options={"require": _CLAIMS})
        except (jwt.InvalidTokenError, ValueError, RecursionError):
            raise refused from None
        username = claims["sub"]
        mark = self._mark_of(username)
        if claims["type"] != kind or mark is None or claims["mark"] != mark:
            raise refused
        return str(username)

    def bearer(self, authorization: str | None) -> str:
        """Whose token an `Authorization` header holds.

        Raises:
            NotSignedIn: there is none, or it is not good.
        """
        if not authorization:
            raise NotSignedIn(NO_TOKEN)
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise NotSignedIn(NO_TOKEN)
        return self.user_of(token.strip(), "access")
