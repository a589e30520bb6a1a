"""The EM over HTTP: an `EM` on a server of the EM API, in either dialect (EM API, wire contract)."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, FailFast, TypeAdapter, ValidationError

from emtui.backend import Download, LogSink, Source, no_files
from emtui.client.em.calling import ApiName, Caller, check_size
from emtui.client.em.dialects import CallName
from emtui.client.em.downlink import encoded_download, raw_download
from emtui.client.http.address import Address
from emtui.client.http.answers import body_of, json_of, parsed
from emtui.client.http.channel import Channel
from emtui.client.http.limits import Limits
from emtui.client.http.sign_in import Credentials
from emtui.client.http.transport import Answer
from emtui.client.http.vitals import ignore
from emtui.errors import ContractViolation, InvalidField, LoggedFailure
from emtui.models import NODES, Image, PodSpec, PodStatus, UplinkResult
from emtui.paths import encode_name
from emtui.plain import EndpointInfo, Listing, Vitals
from emtui.text import safe_str
from emtui.threads import in_thread
from emtui.wire.errors import shown
from emtui.wire.listing import ListingReader

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

_ENGINE_HEADER = "x-emtui-engine"
_DEFAULT_POD = "emtui"
# Beyond this a float is no longer exact, and its digits are only more of them.
_MOST_EXACT = 2.0**53
_images: TypeAdapter[list[Image]] = TypeAdapter(Annotated[list[Image], FailFast()])


class HttpEM:
    """An `EM` over HTTP. It does one call and nothing else: order and patience are the Link's.

    A call is repeated by itself only where it was not executed: once after a 401, and where a server answers that it
    speaks the call otherwise.
    """

    def __init__(
        self,
        address: Address,
        credentials: Credentials | None = None,
        *,
        dialect: ApiName = "auto",
        pvc_name: str = "",
        pod_name: str = "",
        ca_file: str | None = None,
        limits: Limits | None = None,
        on_vitals: Callable[[Vitals], None] = ignore,
    ) -> None:
        """Nothing is sent yet. `pvc_name` and `pod_name` are for 2026-03, whose calls name the volume and the pod.

        Raises:
            ConfigProblem: no such dialect.
        """
        self._channel = Channel(address, credentials, ca_file=ca_file, limits=limits, on_vitals=on_vitals)
        self._caller = Caller(self._channel, dialect, pvc_name=pvc_name, pod_name=pod_name or _DEFAULT_POD)
        self._listings = ListingReader()
        self._reading = asyncio.Lock()
        self._engine = ""

    def __repr__(self) -> str:
        return f"HttpEM({self._channel.address})"

    @property
    def vitals(self) -> Vitals:
        """What is known of the other side besides its answers."""
        return self._channel.vitals

    async def sign_in(self, username: str, password: str) -> None:
        """Sign in as the operator has just typed it, and keep the tokens.

        Raises:
            NotSignedIn: refused, with what the server says.
            Unreachable: no answer.
        """
        await self._channel.sign_in(username, password)

    async def uplink(self, files: Sequence[Source], dest_path: str = "") -> UplinkResult:
        if not files:
            raise no_files()
        encode_name(dest_path, "dest_path")
        check_size(files, self._caller.most_uplink_bytes)
        fields = await self._ask("uplink", {"dest_path": dest_path}, files)
        return _model(UplinkResult, fields.get("data"), "data")

    async def list_files(self) -> Listing:
        async with self._open("list") as (answer, _):
            body = await body_of(answer, self._channel.limits.listing_bytes)
        async with self._reading:
            with self._channel.secrets.out_of_errors():
                return await in_thread(self._read_listing, answer, body)

    def _read_listing(self, answer: Answer, body: bytes) -> Listing:
        listing = self._listings.unchanged(body)
        return listing or self._listings.read(body, _fields(parsed(answer, body)).get("data"))

    @asynccontextmanager
    async def downlink(self, path: str) -> AsyncIterator[Download]:
        encode_name(path, "filepath")
        async with (
            self._open("downlink", {"filepath": path}) as (answer, is_raw),
            raw_download(answer, path) if is_raw else encoded_download(answer, path) as download,
        ):
            yield download

    async def delete(self, path: str) -> str:
        encode_name(path, "filepath")
        return self._message(await self._ask("delete", {"filepath": path}), "File deleted successfully")

    async def build_image(self, dockerfile: str, context: str, image_name: str, on_log: LogSink | None = None) -> str:
        encode_name(dockerfile, "dockerfile")
        encode_name(context, "context")
        fields = {"dockerfile": dockerfile, "context": context, "image_name": image_name}
        return self._message(await self._logged("build", fields, on_log), "Docker Image built successfully")

    async def load_image(self, tarfile: str, image: str, on_log: LogSink | None = None) -> str:
        encode_name(tarfile, "tarfile")
        fields = {"tarfile": tarfile, "image": image}
        return self._message(await self._logged("load", fields, on_log), "Tar file loaded successfully")

    async def list_images(self) -> Sequence[Image]:
        fields = await self._ask("images")
        return await asyncio.to_thread(_validated, _images.validate_python, fields.get("data"), "data")

    async def run_pod(self, spec: PodSpec) -> str:
        return self._message(await self._ask("run", _spec_fields(spec)), "Docker run scheduled successfully")

    async def pod_status(self) -> PodStatus:
        return _model(PodStatus, (await self._ask("status")).get("data"), "data")

    async def info(self) -> EndpointInfo:
        dialect = self._caller.dialect
        return EndpointInfo(
            label=self._channel.address.label,
            user=self._channel.username,
            engine=self._engine,
            details={"dialect": dialect.name} if dialect else {},
        )

    async def aclose(self) -> None:
        await self._channel.aclose()

    # ------------------------------------------------------------------------------------------------- the calls

    @asynccontextmanager
    async def _open(
        self, name: CallName, values: Mapping[str, Any] | None = None, files: Sequence[Source] = ()
    ) -> AsyncIterator[tuple[Answer, bool]]:
        async with self._caller.open(name, values, files) as (answer, is_raw):
            self._engine = safe_str(answer.headers.get(_ENGINE_HEADER, self._engine), 40)
            yield answer, is_raw

    async def _ask(
        self, name: CallName, values: Mapping[str, Any] | None = None, files: Sequence[Source] = ()
    ) -> Mapping[str, Any]:
        """The object that a call answers."""
        async with self._open(name, values, files) as (answer, _):
            return _fields(await json_of(answer, self._channel.limits.answer_bytes))

    async def _logged(self, name: CallName, values: Mapping[str, Any], on_log: LogSink | None) -> Mapping[str, Any]:
        """A call whose failure brings a log: the lines come all at once, at its end."""
        try:
            return await self._ask(name, values)
        except LoggedFailure as error:
            for line in error.log_tail if on_log is not None else ():
                on_log(line)  # type: ignore[misc]
            raise

    def _message(self, fields: Mapping[str, Any], specified: str) -> str:
        """What the answer says. It has succeeded: one without words is not taken for a failure."""
        message = fields.get("message")
        return self._channel.secrets.clean(message) if isinstance(message, str) and message else specified


def _spec_fields(spec: PodSpec) -> dict[str, Any]:
    minutes = spec.max_duration
    if not math.isfinite(minutes):
        raise InvalidField(
            "max_duration",
            f"a number is needed, not {minutes:g}",
            remedy="Give the minutes after which the pod is stopped.",
        )
    node = spec.node.upper()
    return {
        "docker_image": spec.docker_image,
        "max_duration": int(minutes) if minutes.is_integer() and abs(minutes) < _MOST_EXACT else minutes,
        "node": node if node in NODES else spec.node,
        "scheduled_time": spec.scheduled_time.isoformat() if spec.scheduled_time is not None else None,
        "command": spec.command or None,
    }


def _fields(answer: object) -> Mapping[str, Any]:
    if not isinstance(answer, Mapping):
        raise ContractViolation(f"an object is promised, not {shown(repr(answer)[:400])}")
    return answer


def _model(model: type[M], value: object, where: str) -> M:
    return _validated(model.model_validate, value, where)


def _validated(validate: Callable[[Any], T], value: object, where: str) -> T:
    try:
        return validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in first["loc"])
        said = first["msg"].removeprefix("Value error, ")
        raise ContractViolation(f"{where}{safe_str(place, 120)}: {said}") from None
