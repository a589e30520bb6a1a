"""The EM API on the wire: which path is which call, and how each is worked on."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Literal

from emtui.errors import Forbidden
from emtui.local.em import LocalEM
from emtui.local.opening import LocalEnds
from emtui.server.em.files import delete, send_downlink, send_listing, uplink
from emtui.server.em.pod_spec import pod_spec
from emtui.server.em.turn import Turn
from emtui.server.http.answers import Answer, Header, ok, refused
from emtui.server.http.call import Call, note_of
from emtui.server.http.fields import Fields, read_fields
from emtui.server.users.tokens import Tokens

Method = Literal["GET", "POST"]


async def _build(fields: Fields, em: LocalEM) -> Answer:
    return ok(
        await em.build_image(fields.text("dockerfile"), fields.text("context"), fields.text("image_name", "image"))
    )


async def _load(fields: Fields, em: LocalEM) -> Answer:
    return ok(await em.load_image(fields.text("tarfile"), fields.text("image", "image_name")))


async def _run(fields: Fields, em: LocalEM) -> Answer:
    return ok(await em.run_pod(pod_spec(fields)))


async def _images(em: LocalEM) -> Answer:
    images = [image.model_dump(mode="json") for image in await em.list_images()]
    return ok("Successfully loaded list of docker images", data=images)


async def _status(em: LocalEM) -> Answer:
    return ok("Successfully fetched DPhi Pod status", data=(await em.pod_status()).to_wire())


# What changes something goes on to its end, also where its client has gone (as on the EM); what only reads stops.
_WRITES: dict[str, Callable[[Fields, LocalEM], Coroutine[object, object, Answer]]] = {
    "delete": delete,
    "build": _build,
    "load": _load,
    "run": _run,
}
_READS: dict[str, Callable[[LocalEM], Coroutine[object, object, Answer]]] = {"images": _images, "status": _status}

# The specification has no 403 but for a downlink; the body says FORBIDDEN all the same.
_WITHOUT_403 = frozenset({"uplink", *_WRITES})


@dataclass(frozen=True, slots=True)
class Route:
    """One call of the EM API: the specification's path first, then the others that are seen in the field."""

    name: str
    method: Method
    paths: tuple[str, ...]


ROUTES = (
    Route("uplink", "POST", ("/em/files/uplink",)),
    Route("list", "GET", ("/em/files/list",)),
    Route("downlink", "GET", ("/em/files/downlink",)),
    Route("delete", "POST", ("/em/files/delete",)),
    Route("build", "POST", ("/em/pod/image/build",)),
    Route("load", "POST", ("/em/image/load", "/em/pod/image/load")),
    Route("images", "GET", ("/em/image/list", "/em/pod/image/list")),
    Route("run", "POST", ("/em/pod/execution", "/em/pod/run")),
    Route("status", "GET", ("/em/pod/status",)),
)


class EMCalls:
    """Works on the calls of the EM API, one at a time for everybody."""

    def __init__(self, tokens: Tokens, turn: Turn, ends_of: Callable[[str], LocalEnds]) -> None:
        self._tokens = tokens
        self._turn = turn
        self._ends_of = ends_of

    async def work(self, name: str, call: Call) -> Answer | None:
        """One call, by the name of its route. None where the answer is out already.

        Raises:
            EmtuiError: that is the answer; nothing is out yet.
            ClientGone, Stalled: as `Call` has them; nothing is kept of the call.
            BrokenOff: the answer has begun and cannot be ended.
        """
        user = self._tokens.bearer(call.header(b"authorization"))
        note_of(call.scope).user = user
        ends = self._ends_of(user)
        try:
            return await self._work(name, call, ends)
        except Forbidden as error:
            if name not in _WITHOUT_403:
                raise
            return Answer(400, refused(error).body)

    async def _work(self, name: str, call: Call, ends: LocalEnds) -> Answer | None:
        if name == "uplink":
            with self._turn.take():
                return _marked(await uplink(call, ends.em), ends)
        fields = await read_fields(call) if name in _WRITES else None
        if fields is None:
            await call.body()
        if name == "list":
            with self._turn.take():
                listing = await call.unless_gone(ends.em.list_files())
            await send_listing(call, listing, _engine_header(ends))
            return None
        with self._turn.take():
            if name == "downlink":
                await send_downlink(call, ends.em, _engine_header(ends))
                return None
            if fields is not None:
                return _marked(await _WRITES[name](fields, ends.em), ends)
            return _marked(await call.unless_gone(_READS[name](ends.em)), ends)


def _engine_header(ends: LocalEnds) -> tuple[Header, ...]:
    """What runs the images, once that is known."""
    return ((b"x-emtui-engine", ends.engine_name.encode()),) if ends.engine_name else ()


def _marked(answer: Answer, ends: LocalEnds) -> Answer:
    return Answer(answer.status, answer.body, (*answer.headers, *_engine_header(ends)))
