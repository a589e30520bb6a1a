"""The way to one endpoint with a name on it: a transport whose requests are signed, and signed anew after a 401."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from emtui.client.http.address import Address
from emtui.client.http.answers import is_success, problem_of
from emtui.client.http.limits import Limits
from emtui.client.http.secrets import Secrets
from emtui.client.http.sign_in import Credentials, SignIn
from emtui.client.http.transport import Answer, Request, Transport
from emtui.client.http.vitals import VitalsBook, ignore
from emtui.errors import EmtuiError
from emtui.plain import Vitals


class Channel:
    """Signed requests to one address. `on_vitals` gets each change of what is known by the way."""

    def __init__(
        self,
        address: Address,
        credentials: Credentials | None = None,
        *,
        ca_file: str | None = None,
        limits: Limits | None = None,
        on_vitals: Callable[[Vitals], None] = ignore,
    ) -> None:
        self.address = address
        self.limits = limits or Limits()
        self._transport = Transport(address, ca_file=ca_file, limits=self.limits)
        self._vitals = VitalsBook(on_vitals)
        self._sign_in = SignIn(self._transport, credentials, self._vitals)

    @property
    def username(self) -> str:
        """Who is signed in, or would be; empty for nobody."""
        return self._sign_in.username

    @property
    def vitals(self) -> Vitals:
        return self._vitals.now

    @property
    def secrets(self) -> Secrets:
        """What nothing that comes from there may say again."""
        return self._transport.secrets

    async def sign_in(self, username: str, password: str) -> None:
        """Sign in as the operator has just typed it, and keep the tokens.

        Raises:
            NotSignedIn: refused, with what the server says.
            Unreachable: no answer.
        """
        with self.secrets.out_of_errors():
            await self._sign_in.sign_in(username, password)

    async def token(self) -> str | None:
        """The token in use, for a transport that is not HTTP; None where there is none. Renewed if it is about to end.

        Raises:
            NotSignedIn: the password is refused.
        """
        with self.secrets.out_of_errors():
            return await self._sign_in.token()

    async def renew(self, refused: str | None, error: EmtuiError) -> None:
        """Get a token in the place of `refused`, which a transport that is not HTTP has met `error` with.

        Raises:
            NotSignedIn: there is no way to one without the operator.
        """
        with self.secrets.out_of_errors():
            await self._sign_in.renew(refused, error)

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncIterator[Answer]:
        """Send a request; its answer, whatever its status, is read within the context.

        After a 401, which was not executed, it is signed anew and sent once more.

        Raises:
            NotSignedIn: there is no token to be had without the operator, or a new one is refused too.
            Unreachable, Untrusted: as `Transport.open`. A sign-in that failed is an `Unreachable` of a call that was
                not executed.
        """
        async with AsyncExitStack() as stack:
            stack.enter_context(self.secrets.out_of_errors())
            token = await self._sign_in.token()
            answer = await self._send(stack, request, token)
            if answer.status == 401:
                error = await problem_of(answer, self.limits.answer_bytes)
                await answer.aclose()
                await self._sign_in.renew(token, error)
                token = await self._sign_in.token()
                answer = await self._send(stack, request, token)
                if answer.status == 401:
                    raise self._sign_in.in_vain(token, await problem_of(answer, self.limits.answer_bytes))
            if is_success(answer):
                self._sign_in.accepted(token)
            yield answer

    async def _send(self, stack: AsyncExitStack, request: Request, token: str | None) -> Answer:
        answer = await stack.enter_async_context(self._transport.open(_signed(request, token)))
        self._learn(answer)
        return answer

    def _learn(self, answer: Answer) -> None:
        self._vitals.learn_date(answer.headers.get("date"), answer.received_at, answer.round_trip_s)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()


def _signed(request: Request, token: str | None) -> Request:
    if token is None:
        return request
    return replace(request, headers={**request.headers, "Authorization": f"Bearer {token}"})
