"""Signing in: from a user and a password to a token, and from an old token to a new one (wire contract).

Tokens and passwords stay in here: they go into the `Authorization` header and the bodies of the two sign-in calls,
and nowhere else.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from emtui.client.http.answers import is_success, json_of, problem_of
from emtui.client.http.bodies import Body, form_body, json_body
from emtui.client.http.failures import before_the_call
from emtui.client.http.token_store import Tokens, TokenStore
from emtui.client.http.transport import Request, Transport
from emtui.client.http.vitals import VitalsBook
from emtui.errors import (
    ConfigProblem,
    ContractViolation,
    EmtuiError,
    NotSignedIn,
    RemoteFailed,
    Unreachable,
    Untrusted,
)

SIGN_IN_PATH = "/auth/"
REFRESH_PATHS = ("/auth/refresh", "/auth/refresh/")

# A token that ends within this many seconds could end on its way.
_MARGIN_S = 10.0
_MOST_BYTES = 1 << 16
# After signing in was of no use, or nobody could, it is left to the operator for so long.
_REST_S = 300.0
# A token that was got within this many seconds and is refused all the same is not worth another one.
_FRESH_S = 60.0
_KINDS: Mapping[str, Callable[[Mapping[str, Any]], Body]] = {"json": json_body, "form": form_body}
# What servers that read forms only say to JSON: that fields are missing, that the password is wrong, or they fail.
_PERHAPS_ANOTHER_KIND = (400, 401, 415, 422, 500)
_WRONG = (400, 401, 403, 422)
_SIGN_IN = "Sign in in the console (S), or set EMTUI_PASSWORD or EMTUI_TOKEN."
_NO_USER = "There is a password, and nobody whose it is: give --username, or set EMTUI_USERNAME."
_CHECK_TYPED = "Check the user and the password."
_CHECK_KEPT = "Check the user, and the password in EMTUI_PASSWORD or in the keyring."
_SIGN_IN_OTHERWISE = "Sign in again, or as somebody else; if it stays, tell whoever keeps the system."


async def no_password() -> str | None:
    """There is no password to be had."""
    return None


@dataclass(frozen=True, slots=True)
class Credentials:
    """What to sign in with.

    Attributes:
        username: who; empty where a token is given, or nobody signs in.
        token: a token that is used as it is (`EMTUI_TOKEN`).
        password: gives the password when it is needed, None where there is none.
        store: where tokens are kept, None for nowhere.
    """

    username: str = ""
    token: str | None = field(default=None, repr=False)
    password: Callable[[], Awaitable[str | None]] = field(default=no_password, repr=False)
    store: TokenStore | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Raises `ConfigProblem` for a token that no header can hold."""
        if self.token is not None and not _is_token(self.token):
            raise ConfigProblem(
                "the given token is none: it is empty, or holds spaces or other signs that none has",
                remedy="Look at EMTUI_TOKEN.",
            )


class SignIn:
    """The tokens of one address. Whatever is refused is tried anew once, by whoever meets it first."""

    def __init__(self, transport: Transport, credentials: Credentials | None, vitals: VitalsBook) -> None:
        self._transport = transport
        self._credentials = credentials or Credentials()
        self._vitals = vitals
        self._username = self._credentials.username
        self._tokens = Tokens(access=self._credentials.token or "")
        self._is_loaded = self._credentials.token is not None
        self._may_ask = True  # whether signing in before a call is still worth a try
        self._kind = ""  # of body, which the sign-in was seen to read
        self._refused_password: str | None = None
        self._rests_until = 0.0
        self._fresh: tuple[str, float] = ("", 0.0)  # a token that came in the place of another, and when
        self._turn = asyncio.Lock()
        self._learn_token()

    @property
    def username(self) -> str:
        """Who is signed in, or would be; empty for nobody."""
        return self._username

    def __repr__(self) -> str:
        return f"SignIn({self._username!r} at {self._transport.address})"

    async def token(self) -> str | None:
        """The token for the next call, None where there is none. One that is about to end is renewed first.

        Raises:
            NotSignedIn: the password is refused.
            Unreachable: the sign-in failed; the call has not left.
            LocalProblem: the file of tokens is not safe.
        """
        if self._credentials.token is not None:
            return self._tokens.access
        async with self._turn:
            await self._load()
            if self._is_resting:
                return self._tokens.access or None
            with self._before_the_call():
                if self._tokens.access and self._vitals.is_expiring(self._tokens.access, _MARGIN_S):
                    # Where that fails, the server decides what the token is still worth.
                    with suppress(ContractViolation, RemoteFailed):
                        await self._refresh()
                elif not self._tokens.access and self._may_ask and self._username:
                    await self._first_sign_in()
            return self._tokens.access or None

    async def _first_sign_in(self) -> None:
        try:
            await self._sign_in_if_possible()
        except NotSignedIn:
            self._may_ask = False
            raise
        self._may_ask = False

    async def renew(self, refused: str | None, error: EmtuiError) -> None:
        """Get a token in the place of `refused`, which met `error`, a 401. Those who wait meanwhile get the same one.

        Where that was of no use, or nobody could, it is not tried again before a few minutes have passed.

        Raises:
            NotSignedIn: there is no way to one without the operator.
            Unreachable: the sign-in failed; the call was not executed.
        """
        if self._credentials.token is not None:
            raise self._needs_operator("the given token is refused", error, "Give another token in EMTUI_TOKEN.")
        async with self._turn:
            if self._tokens.access and self._tokens.access != refused:
                return
            token, since = self._fresh
            if refused and refused == token and time.monotonic() - since < _FRESH_S:
                raise self.in_vain(refused, error)
            if not self._is_resting:
                with self._before_the_call():
                    if await self._refresh_or_sign_in():
                        self._fresh = self._tokens.access, time.monotonic()
                        return
        is_nobodys = not self._username and await self._credentials.password()
        raise self._needs_operator("nobody is signed in", error, _NO_USER if is_nobodys else _SIGN_IN)

    def in_vain(self, refused: str | None, error: EmtuiError) -> NotSignedIn:
        """The error for a call that met `error`, a 401, again, with a token that had just been issued."""
        if self._credentials.token is not None:
            return self._needs_operator("the given token is refused", error, "Give another token in EMTUI_TOKEN.")
        is_of_old = self._tokens.access not in ("", refused)
        return self._needs_operator(
            "signed in, and refused all the same", error, _SIGN_IN_OTHERWISE, rests=not is_of_old
        )

    def accepted(self, token: str | None) -> None:
        """A call was done with this token."""
        if token and token == self._tokens.access and not self._is_resting:
            self._fresh = ("", 0.0)
            if self._vitals.now.needs_sign_in:
                self._learn_token()

    async def sign_in(self, username: str, password: str) -> None:
        """Sign in as the operator has just typed it.

        Raises:
            NotSignedIn: refused, with what the server says.
            Unreachable: no answer.
        """
        async with self._turn:
            await self._sign_in(username, password)
            # From now on the tokens are ours to renew; the one that was given has had its time.
            self._credentials = replace(self._credentials, token=None)
            self._rests_until, self._fresh = 0.0, ("", 0.0)

    @property
    def _is_resting(self) -> bool:
        return time.monotonic() < self._rests_until

    def _learn_token(self) -> None:
        for token in (self._tokens.access, self._tokens.refresh):
            self._transport.secrets.add(token)
        self._vitals.learn_token(self._tokens.access or None)

    @contextmanager
    def _before_the_call(self) -> Iterator[None]:
        """What fails within is not the call's fault, which has not left."""
        try:
            yield
        except (ContractViolation, RemoteFailed, Unreachable) as error:
            raise before_the_call("the sign-in", error) from error

    def _needs_operator(self, what: str, error: EmtuiError, remedy: str, *, rests: bool = True) -> NotSignedIn:
        if rests and not self._is_resting:
            self._rests_until = time.monotonic() + _REST_S
        self._vitals.needs_sign_in()
        why = error.message.rstrip(".")
        return NotSignedIn(f"{self._transport.address.label}: {what} ({why})", remedy=remedy)

    # ------------------------------------------------------------------------------------------------- the calls

    async def _refresh_or_sign_in(self) -> bool:
        failed: EmtuiError | None = None
        try:
            if await self._refresh():
                return True
        except (ContractViolation, RemoteFailed) as error:
            failed = error
        if await self._sign_in_if_possible():
            return True
        if failed is not None:
            raise failed
        return False

    async def _sign_in_if_possible(self) -> bool:
        password = await self._credentials.password()
        # One that was refused is refused again, and some servers lock the account after a few tries.
        if not password or not self._username or password == self._refused_password:
            return False
        try:
            await self._sign_in(self._username, password)
        except NotSignedIn as error:
            self._refused_password = password
            self._vitals.needs_sign_in()
            error.remedy = _CHECK_KEPT
            raise
        except _NoSignIn:
            return False
        return True

    async def _sign_in(self, username: str, password: str) -> None:
        self._transport.secrets.add(password)
        fields = {"username": username, "password": password}
        refusals: list[tuple[int, EmtuiError]] = []
        for kind in (self._kind,) if self._kind else _KINDS:
            status, answer = await self._post(SIGN_IN_PATH, _KINDS[kind](fields))
            if not isinstance(answer, EmtuiError):
                access = _token_in(answer, "access")
                refresh = answer.get("refresh")
                self._username, self._kind = username, kind
                await self._keep(Tokens(access, refresh if isinstance(refresh, str) and _is_token(refresh) else ""))
                return
            refusals.append((status, answer))
            if status not in _PERHAPS_ANOTHER_KIND:
                break
        raise self._refusal(refusals)

    def _refusal(self, refusals: list[tuple[int, EmtuiError]]) -> EmtuiError:
        """What the answers to both kinds of body come to: the one that speaks of the password, if there is one."""
        status, error = min(refusals, key=lambda refusal: _telling(refusal[0]))
        label = self._transport.address.label
        if status in (404, 405):
            return _NoSignIn(
                f"{label}: there is no sign-in at {SIGN_IN_PATH}",
                remedy="Leave the user out, or check the address.",
            )
        return NotSignedIn(f"{label}: {error.message}", remedy=_CHECK_TYPED) if status in _WRONG else error

    async def _refresh(self) -> bool:
        """Get a new access token for the refresh token. False where there is none or it is refused."""
        if not self._tokens.refresh:
            return False
        for path in REFRESH_PATHS:
            try:
                status, answer = await self._post(path, json_body({"refresh": self._tokens.refresh}))
            except Untrusted:
                continue  # some servers send those who forget the slash to the address that has it
            if status not in (404, 405):
                break
        else:
            return False
        if isinstance(answer, EmtuiError):
            if 400 <= status < 500 and status not in (423, 429):
                self._tokens = Tokens(access=self._tokens.access)
                return False
            raise answer
        rotated = answer.get("refresh")
        kept = rotated if isinstance(rotated, str) and _is_token(rotated) else self._tokens.refresh
        await self._keep(Tokens(_token_in(answer, "access"), kept))
        return True

    async def _post(self, path: str, body: Any) -> tuple[int, Mapping[str, Any] | EmtuiError]:
        """The status of a sign-in call, and the object or the error that it answered."""
        request = Request("POST", path, self._transport.limits.read, changes=True, body=body)
        async with self._transport.open(request) as answer:
            self._vitals.learn_date(answer.headers.get("date"), answer.received_at, answer.round_trip_s)
            if not is_success(answer):
                return answer.status, await problem_of(answer, _MOST_BYTES)
            fields = await json_of(answer, _MOST_BYTES)
            if not isinstance(fields, Mapping):
                raise ContractViolation("access: an object with a token is promised by the sign-in")
            return answer.status, fields

    # ------------------------------------------------------------------------------------------------- the store

    @property
    def _key(self) -> str:
        return f"{self._username}@{self._transport.address}"

    async def _load(self) -> None:
        if self._is_loaded:
            return
        if self._credentials.store is not None and self._username:
            kept = await self._credentials.store.load(self._key)
            # Another hand may have written there.
            access, refresh = (text if _is_token(text) else "" for text in (kept.access, kept.refresh))
            self._tokens = Tokens(access, refresh)
            self._learn_token()
        self._is_loaded = True

    async def _keep(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._is_loaded = True
        self._refused_password = None
        self._learn_token()
        if self._credentials.store is not None:
            await self._credentials.store.save(self._key, tokens)


class _NoSignIn(ConfigProblem):
    """The endpoint has no sign-in."""


def _telling(status: int) -> int:
    if status in (401, 403):
        return 0
    return 2 if status in (404, 405, 415) else 1


def _is_token(text: str) -> bool:
    """Whether a header can hold it as a bearer token: printable ASCII without spaces."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


def _token_in(fields: Mapping[str, Any], name: str) -> str:
    token = fields.get(name)
    if not isinstance(token, str) or not _is_token(token):
        raise ContractViolation(f"{name}: a token is promised by the sign-in")
    return token
