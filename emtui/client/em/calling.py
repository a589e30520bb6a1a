"""Sends the calls of the EM API as the server at hand speaks them, and remembers how that is."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Literal

from emtui.backend import Source, too_large
from emtui.client.em.dialects import DIALECTS, Call, CallName, Dialect
from emtui.client.em.multipart import Multipart
from emtui.client.em.variants import Variant, following, is_not_served, misses, says_nothing
from emtui.client.http.answers import is_success, json_of, problem_body
from emtui.client.http.bodies import Body, encoded, form_body, json_body
from emtui.client.http.channel import Channel
from emtui.client.http.failures import before_the_call, retry_after_s
from emtui.client.http.transport import Answer, Request
from emtui.errors import ConfigProblem, ContractViolation, EmtuiError, RemoteFailed, Unreachable
from emtui.wire.errors import error_from_wire, shown

ApiName = Literal["auto", "2025-11", "2026-03"]

_VOLUME = "pvc_name"
_NOT_SERVED_REMEDY = "Check the address, and the version of the API (--api)."
_NAME_VOLUME = "Name the volume in the profile (pvc_name)."


class Caller:
    """The calls of one EM. With `auto` the dialect is the one whose paths answer."""

    def __init__(self, channel: Channel, api: ApiName, *, pvc_name: str, pod_name: str) -> None:
        """
        Raises:
            ConfigProblem: no such version of the API.
        """
        named = tuple(dialect for dialect in DIALECTS if api in ("auto", dialect.name))
        if not named:
            raise ConfigProblem(
                f"api: no such version: {api}",
                remedy=f"Choose one of auto, {', '.join(dialect.name for dialect in DIALECTS)}.",
            )
        self._channel = channel
        self._candidates = named
        self._own = {_VOLUME: pvc_name, "pod_name": pod_name}
        self._variants: dict[tuple[str, CallName], Variant] = {}

    @property
    def dialect(self) -> Dialect | None:
        """What is spoken, None as long as `auto` does not know."""
        return self._candidates[0] if len(self._candidates) == 1 else None

    @property
    def most_uplink_bytes(self) -> int:
        """What one uplink may carry. As long as the dialect is not known, the least."""
        return min(dialect.most_uplink_bytes for dialect in self._candidates)

    @asynccontextmanager
    async def open(
        self, name: CallName, values: Mapping[str, Any] | None = None, files: Sequence[Source] = ()
    ) -> AsyncIterator[tuple[Answer, bool]]:
        """Send a call. Its answer, which succeeded, is read within the context; True with it if it is a raw file.

        `values` are by the specification's names; None is "not given".

        Raises:
            ConfigProblem: there is no such call at this address, in any dialect that was asked for.
            EmtuiError: what the answer says.
        """
        first_error: EmtuiError | None = None
        for dialect in self._candidates:
            is_last = dialect is self._candidates[-1]
            async with AsyncExitStack() as stack:
                answer, error = await self._in_dialect(stack, dialect, name, values or {}, files, is_last=is_last)
                if answer is not None:
                    yield answer, self._is_raw(dialect, name, answer)
                    return
            first_error = first_error or error
        raise first_error or ContractViolation("no version of the API has this call")

    async def _in_dialect(
        self,
        stack: AsyncExitStack,
        dialect: Dialect,
        name: CallName,
        values: Mapping[str, Any],
        files: Sequence[Source],
        *,
        is_last: bool,
    ) -> tuple[Answer | None, EmtuiError | None]:
        """The answer in one dialect; or, where the other side speaks another one, what it said to this."""
        if name not in dialect.calls:
            return None, None
        try:
            own = await self._own_values(dialect, name)
        except _NoVolumes as no_volumes:
            # Not this dialect either: what the one before said says more.
            return None, no_volumes
        variant = self._variants.get((dialect.name, name)) or Variant(dialect.calls[name])
        first: tuple[int, object, EmtuiError] | None = None
        while True:
            sending = AsyncExitStack()
            async with sending:
                answer = await sending.enter_async_context(
                    self._channel.open(self._request(variant, {**values, **own}, files))
                )
                if is_success(answer):
                    self._variants[dialect.name, name] = variant
                    self._decide(dialect, name, variant)
                    stack.push_async_exit(sending.pop_all())
                    return answer, None
                problem = await self._problem(answer, variant)
            first = first or problem
            status, body, error = problem
            next_variant = following(variant, status, body)
            if next_variant is None:
                break
            variant = next_variant
        if not is_last and (is_not_served(variant, status, body) or misses(status, body, *self._own)):
            return None, first[2]
        raise first[2] if says_nothing(variant, status, body) else error

    async def _problem(self, answer: Answer, variant: Variant) -> tuple[int, object, EmtuiError]:
        body = await problem_body(answer, self._channel.limits.answer_bytes)
        error = error_from_wire(answer.status, body, retry_after_s=retry_after_s(answer.headers.get("retry-after")))
        if is_not_served(variant, answer.status, body):
            where = f"{self._channel.address.label}: {variant.route.method} {variant.route.path}"
            # No file is missing: it is the address, or the version of the API, that is wrong.
            error = ConfigProblem(f"{where} is not served there ({answer.status})", remedy=_NOT_SERVED_REMEDY)
        return answer.status, body, error

    def _request(self, variant: Variant, values: Mapping[str, Any], files: Sequence[Source]) -> Request:
        call, limits = variant.call, self._channel.limits
        in_query = _named(variant, call.in_query, values)
        path = f"{variant.route.path}?{encoded(in_query)}" if in_query else variant.route.path
        return Request(
            variant.route.method,
            path,
            getattr(limits, call.wait),
            changes=call.changes,
            body=_body(variant, _named(variant, call.in_body, values), files),
            headers={"Accept": "*/*"} if call.wait == "downlink" else {},
        )

    # --------------------------------------------------------------------------------------------- which dialect

    def _decide(self, dialect: Dialect, name: CallName, variant: Variant) -> None:
        """Remember the dialect, if what answered is in this one only."""
        others = [other for other in self._candidates if other is not dialect]
        is_own = all(
            (variant.route.method, variant.route.path) not in _places(other.calls.get(name)) for other in others
        )
        # A dialect that is not the first was come to because the one before it did not answer.
        if is_own or dialect is not self._candidates[0]:
            self._candidates = (dialect,)

    def _is_raw(self, dialect: Dialect, name: CallName, answer: Answer) -> bool:
        if self.dialect is not None:
            return dialect.calls[name].is_raw
        # A path that both dialects have, and no dialect yet: the answer says what it is.
        return name == "downlink" and "content-disposition" in answer.headers

    async def _own_values(self, dialect: Dialect, name: CallName) -> dict[str, str]:
        call = dialect.calls[name]
        wanted = {*call.in_body, *call.in_query}
        if dialect.needs_volume and _VOLUME in wanted and not self._own[_VOLUME]:
            self._own[_VOLUME] = await self._only_volume(dialect)
        return {key: value for key, value in self._own.items() if key in wanted}

    async def _only_volume(self, dialect: Dialect) -> str:
        """The user's volume, where there is just one.

        Raises:
            ConfigProblem: there is none, or there are several; they are named.
            Unreachable: they could not be asked for; the call itself has not left.
        """
        try:
            names = await self._volumes(Variant(dialect.calls["volumes"]))
        except (RemoteFailed, Unreachable) as error:
            raise before_the_call("asking for the volumes", error) from error
        except ContractViolation as error:
            raise ConfigProblem(f"pvc_name: {error.message}", remedy=_NAME_VOLUME) from error
        if len(names) == 1:
            return names[0]
        if not names:
            raise ConfigProblem("pvc_name: the EM lists no volume of yours", remedy=_NAME_VOLUME)
        listed = ", ".join(shown(name) for name in names[:8])
        raise ConfigProblem(f"pvc_name: there are {len(names)} volumes: {listed}", remedy=_NAME_VOLUME)

    async def _volumes(self, variant: Variant) -> list[str]:
        async with self._channel.open(self._request(variant, {}, ())) as answer:
            if is_success(answer):
                return _volume_names(await json_of(answer, self._channel.limits.answer_bytes))
            status, body, error = await self._problem(answer, variant)
            if is_not_served(variant, status, body):
                raise _NoVolumes(error.message, remedy=error.remedy)
            raise error


class _NoVolumes(ConfigProblem):
    """The EM does not list volumes."""


def _places(call: Call | None) -> list[tuple[str, str]]:
    return [(route.method, route.path) for route in call.routes] if call else []


def _named(variant: Variant, wanted: Sequence[str], values: Mapping[str, Any]) -> dict[str, Any]:
    """What is given of the wanted values, by their names on the wire."""
    return {variant.name(value): values[value] for value in wanted if values.get(value) is not None}


def _body(variant: Variant, fields: Mapping[str, Any], files: Sequence[Source]) -> Body | None:
    if variant.encoding == "multipart":
        return Multipart(fields, files)
    if variant.encoding == "form":
        return form_body(fields)
    return json_body(fields) if variant.encoding == "json" else None


def _volume_names(answer: Any) -> list[str]:
    data = answer.get("data") if isinstance(answer, Mapping) else answer
    if not isinstance(data, list):
        raise ContractViolation(f"data: an array of volumes is promised, not {shown(repr(data))}")
    names: list[str] = []
    for item in data:
        name = (
            next((item[key] for key in ("pvc_name", "name") if key in item), None)
            if isinstance(item, Mapping)
            else item
        )
        if not isinstance(name, str) or not name:
            raise ContractViolation(f"data[{len(names)}]: a volume's name is promised, not {shown(repr(item))}")
        names.append(name)
    return names


def check_size(files: Sequence[Source], most_bytes: int) -> None:
    """Refuse an uplink that is too large before anything of it is sent.

    Raises:
        BadRequest: `MAX_UPLINK_SIZE_EXCEEDED`.
    """
    if sum(source.size_bytes for source in files) > most_bytes:
        raise too_large()
