"""Was it done? What is known about a command whose answer never came.

Nothing here changes anything: the volume, the images, the pod or the models are asked, and compared with what the
command wanted. Where the answer does not settle it, it says so; the operator decides.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import singledispatch
from pathlib import Path

from emtui import files
from emtui.backend import Backends
from emtui.commands import BuildImage, Command, Delete, Downlink, GetModel, LoadImage, RunPod, ServeModel, Uplink
from emtui.errors import BadRequest, LocalProblem, NotFound
from emtui.link.inquiry import Verdict
from emtui.link.perform import downlink_targets, uplink_missing
from emtui.models import Image
from emtui.text import timestamp

# By how much the clock of another machine may differ of which nothing is known, and of which its answers' Date has
# told the difference.
_CLOCK_SLACK = timedelta(minutes=2)
_TOLD_SLACK = timedelta(seconds=5)
# An address of this machine may still be a tunnel to another one, whose clock is as good as this one's only.
_TUNNEL_SLACK = timedelta(seconds=3)
_MINUTE = timedelta(minutes=1)

# What is fetched again to be compared at most: an answer that was lost is not worth more of the EM's time.
_MOST_COMPARED_BYTES = 16 << 20
_MOST_COMPARED_FILES = 20

Finding = tuple[Verdict, str]


@dataclass(frozen=True, slots=True)
class Clock:
    """What is known of the EM's clock.

    Attributes:
        ahead_s: by how many seconds it is ahead of this machine's, as its answers tell; None until they have. It is
            asked for once the EM has answered.
        is_here: its address is one of this machine.
    """

    ahead_s: Callable[[], float | None] = lambda: None
    is_here: bool = False

    def is_since(self, moment: datetime, sent_at: datetime) -> bool | None:
        """Whether something of `moment` over there came after `sent_at` here; None where that is not settled."""
        ahead_s = self.ahead_s()
        if self.is_here and ahead_s == 0.0:
            if moment >= _floor(sent_at):
                return True
            return False if moment < _floor(sent_at) - _TUNNEL_SLACK else None
        slack = _CLOCK_SLACK if ahead_s is None else _TOLD_SLACK
        moment -= timedelta(seconds=ahead_s or 0.0)
        if moment - slack > sent_at:
            return True
        # Some times are cut to the minute.
        cut = timedelta() if moment.second or moment.microsecond else _MINUTE
        return False if moment + cut + slack < sent_at else None


async def reconcile(backends: Backends, command: Command, sent_at: datetime, clock: Clock | None = None) -> Finding:
    """Whether a command that left at `sent_at` has been executed, and how that is known.

    Raises:
        EmtuiError: the other side cannot be asked either.
    """
    return await _find_out(command, backends, _Sent(sent_at, clock or Clock(), backends.have_one_clock))


@dataclass(frozen=True, slots=True)
class _Sent:
    """When the command left, and how times over there compare with that."""

    at: datetime
    clock: Clock
    has_one_clock: bool

    def is_before(self, moment: datetime) -> bool | None:
        """Whether something of `moment` over there came after it."""
        return moment >= _floor(self.at) if self.has_one_clock else self.clock.is_since(moment, self.at)


@singledispatch
async def _find_out(command: Command, _backends: Backends, _sent: _Sent) -> Finding:
    return "not done", f"{command.name} changes nothing over there"


@_find_out.register
async def _downlink(command: Downlink, backends: Backends, _sent: _Sent) -> Finding:
    listing = await backends.em.list_files()
    try:
        wanted = await asyncio.to_thread(downlink_targets, command, listing)
    except (NotFound, LocalProblem) as error:
        return "not done", error.message
    return await _swept([place for _, _, place in wanted])


@_find_out.register
async def _get_model(command: GetModel, _backends: Backends, _sent: _Sent) -> Finding:
    return await _swept([command.target.expanduser()])


async def _swept(places: Sequence[Path]) -> Finding:
    """A transfer that was broken off keeps nothing: what is left of it beside its targets is removed."""

    def sweep_all() -> None:
        for place in places:
            with contextlib.suppress(OSError):
                files.sweep(place)

    await asyncio.to_thread(sweep_all)
    return "not done", "nothing is kept of what was not complete"


@_find_out.register
async def _delete(command: Delete, backends: Backends, _sent: _Sent) -> Finding:
    listing = await backends.em.list_files()
    left = [path for path in command.paths if listing.find(path) is not None]
    return ("not done", f"{left[0]} is still there") if left else ("done", "it is gone from the volume")


@_find_out.register
async def _build(command: BuildImage, backends: Backends, sent: _Sent) -> Finding:
    return _image(await backends.em.list_images(), command.image_name, sent)


@_find_out.register
async def _load(command: LoadImage, backends: Backends, sent: _Sent) -> Finding:
    return _image(await backends.em.list_images(), command.image, sent)


@_find_out.register
async def _serve_model(command: ServeModel, backends: Backends, _sent: _Sent) -> Finding:
    if command.model_id in await backends.grid.models():
        return "done", "the Grid Node hosts it"
    return "not done", "the Grid Node does not host it"


@_find_out.register
async def _uplink(command: Uplink, backends: Backends, sent: _Sent) -> Finding:
    try:
        plan = await asyncio.to_thread(files.plan_uplink, command.sources, command.dest_path)
    except (BadRequest, LocalProblem) as error:
        return "cannot tell", f"the files here cannot be compared: {error.message}"
    listing = await backends.em.list_files()
    # Files that are not there with this size were not sent, whatever the clocks say.
    missing = await asyncio.to_thread(uplink_missing, plan, listing)
    if not missing and (older := await asyncio.to_thread(uplink_missing, plan, listing, _floor(sent.at))):
        if not backends.have_one_clock:
            return await _by_content(plan, backends, older[0])
        missing = older
    if not missing:
        return "done", "the volume lists each file with its size"
    if len(missing) == plan.file_count:
        return "not done", "the volume lists none of the files as they were sent"
    return "not done", f"{len(missing)} of {plan.file_count} files are missing, {missing[0]} first"


async def _by_content(plan: files.UplinkPlan, backends: Backends, ambiguous: str) -> Finding:
    """Where the clocks do not settle it, the bytes do, as long as they are few."""
    if plan.size_bytes > _MOST_COMPARED_BYTES or plan.file_count > _MOST_COMPARED_FILES:
        return "cannot tell", f"{ambiguous} has the right size, but may be an older one"
    for batch in plan.batches:
        folder = "/".join(part for part in batch.dest_path.split("/") if part not in ("", "."))
        for source in batch.sources:
            path = f"{folder}/{source.name}" if folder else source.name
            async with source.open() as chunks:
                wanted = await _sha256(chunks)
            async with backends.em.downlink(path) as download:
                if await _sha256(download.chunks) != wanted:
                    return "not done", f"the volume holds another {path} of the same size"
    return "done", "the volume holds the same bytes"


async def _sha256(chunks: AsyncIterator[bytes]) -> str:
    digest = hashlib.sha256()
    async for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def _floor(moment: datetime) -> datetime:
    """Times that are compared with it may be cut to the second."""
    return moment.replace(microsecond=0)


def _image(images: Sequence[Image], name: str, sent: _Sent) -> Finding:
    wanted, _, tag = name.partition(":")
    for image in images:
        is_it = image.repository == wanted or image.repository.endswith(f"-{wanted}")
        if not is_it or image.tag != (tag or "latest"):
            continue
        try:
            created = datetime.fromisoformat(image.created)
        except ValueError:
            return "cannot tell", f"{image.reference} is listed, without a readable time"
        if created.tzinfo is None:
            created = created.replace(tzinfo=UTC)
        return _by_age(sent.is_before(created), f"{image.reference} is listed, made {timestamp(created)}")
    return "not done", "no such image is listed"


@_find_out.register
async def _run(command: RunPod, backends: Backends, sent: _Sent) -> Finding:
    state = (await backends.em.pod_status()).state
    due = command.spec.scheduled_time
    if due is not None and due > datetime.now(UTC):
        # Until then the EM may show the pod of before, or none.
        return "cannot tell", f"it would start at {timestamp(due)}; what the pod is now does not tell"
    ended = state.terminated
    began = state.running.started_at if state.running else None
    if ended is not None:
        began = ended.started_at or ended.finished_at
    if began is not None:
        return _by_age(sent.is_before(began), f"the pod over there started {timestamp(began)}")
    if ended is not None:
        return "cannot tell", f"a pod has ended over there ({ended.reason}), without its times"
    if state.waiting is not None:
        return "cannot tell", f"a pod waits over there ({state.waiting.reason}), which may be this one"
    return "not done", "there is no pod"


def _by_age(is_since: bool | None, what: str) -> Finding:
    if is_since is None:
        return "cannot tell", f"{what}, about when it was asked for, by another clock"
    return ("done", what) if is_since else ("not done", f"{what}, before it was asked for")
