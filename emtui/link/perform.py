"""How each command is done: what it asks of the EM or the Grid Node, in which order, and what it says at its end.

One function a command. Each sends its requests through the courier, which is patient where the other side is busy,
and gives the note that stands in Activity.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial, singledispatch
from pathlib import Path
from typing import ParamSpec, TypeVar

from emtui import files, text
from emtui.backend import Backends, Download, Source
from emtui.commands import (
    BuildImage,
    Command,
    Delete,
    Downlink,
    GetModel,
    LoadImage,
    RunPod,
    ServeModel,
    Uplink,
)
from emtui.errors import Conflict, EmtuiError, LocalProblem, NotFound, VerificationFailed
from emtui.link.courier import Courier
from emtui.plain import Listing

_EVER = datetime.min.replace(tzinfo=UTC)

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Counted:
    """A source that tells how far it has been read."""

    inner: Source
    moved: Callable[[int], None]

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def size_bytes(self) -> int:
        return self.inner.size_bytes

    @asynccontextmanager
    async def open(self) -> AsyncIterator[AsyncIterator[bytes]]:
        async with self.inner.open() as chunks:
            yield self._count(chunks)

    async def _count(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            yield chunk
            self.moved(len(chunk))


async def perform(backends: Backends, command: Command, courier: Courier) -> str:
    """Carry a command out. Returns its note; may hold foreign text.

    Raises:
        EmtuiError: it failed, as the backend or the local disk has it.
        OutcomeUnknown: a request that changes something may have been executed.
    """
    return await _perform(command, backends, courier)


@singledispatch
def _perform(command: Command, _backends: Backends, _courier: Courier) -> Awaitable[str]:
    raise TypeError(f"no way to do {type(command).__name__}")


@_perform.register
async def _uplink(command: Uplink, backends: Backends, courier: Courier) -> str:
    plan = await asyncio.to_thread(files.plan_uplink, command.sources, command.dest_path)
    courier.expect(plan.size_bytes)
    for batch in plan.batches:
        sources = [_Counted(source, courier.moved) for source in batch.sources]
        await courier.request(_bind(backends.em.uplink, sources, batch.dest_path), changes=True)
    listing = await courier.request(backends.em.list_files, changes=False)
    if missing := await asyncio.to_thread(uplink_missing, plan, listing):
        raise VerificationFailed(
            f"after the uplink the volume does not list {missing[0]} with the size that was sent",
            remedy="Look at what is there: the other side may have given it another name, or a pod has changed it.",
        )
    skipped = f", {text.count(len(plan.skipped), 'entry', 'entries')} left out" if plan.skipped else ""
    return f"{text.count(plan.file_count, 'file')}, {text.size(plan.size_bytes)}, listed{skipped}"


def uplink_missing(plan: files.UplinkPlan, listing: Listing, since: datetime = _EVER) -> list[str]:
    """The paths of an uplink that the volume does not list as files of the right size, written at `since` or later."""
    listed = {path: node.size for path, node in listing.walk() if node.type == "file" and node.time >= since}
    return [path for path, source in plan.remote() if listed.get(path) != source.size_bytes]


@_perform.register
async def _downlink(command: Downlink, backends: Backends, courier: Courier) -> str:
    listing = await courier.request(backends.em.list_files, changes=False)
    wanted = await asyncio.to_thread(downlink_targets, command, listing)
    await asyncio.to_thread(_check_downlink, command, [target for _, _, target in wanted])
    size_bytes = sum(size for _, size, _ in wanted)
    courier.expect(size_bytes)
    fetched: list[_Fetched] = []
    folders: dict[Path, list[Path]] = {}
    for _, _, target in wanted:
        folders.setdefault(target.parent, []).append(target)
    made = tuple(folders)
    for path, size, target in wanted:
        if there := folders.pop(target.parent, None):
            await asyncio.to_thread(_make_folder, target.parent, there)
        fetch = _bind(_fetch, partial(backends.em.downlink, path), target, command.overwrite, courier, size)
        fetched.append(await courier.request(fetch, changes=False))
        courier.note_sha256(path, fetched[-1].sha256)
    await asyncio.to_thread(_make_last, made)
    done = f"{text.count(len(wanted), 'file')}, {text.size(size_bytes)}"
    if not all(one.is_promised for one in fetched):
        return f"{done}, of the listed size; no hash was promised"
    return f"{done}, sha256 OK {fetched[0].sha256[:12]}" if len(fetched) == 1 else f"{done}, sha256 OK"


def downlink_targets(command: Downlink, listing: Listing) -> list[tuple[str, int, Path]]:
    """Each file of a downlink, its bytes, and its place on the operator's disk; a folder brings its tree along.

    Raises:
        NotFound: the volume lists no such entry.
        LocalProblem: a name cannot be one on this disk, or several files are to have one name.
    """
    wanted: list[tuple[str, int, Path]] = []
    # A search for each of thousands would go through the same folder as often.
    listed = dict(listing.walk()) if len(command.paths) > 1 else {}
    for path in command.paths:
        node = listed.get(path.strip("/")) if listed else listing.find(path)
        if node is None:
            raise NotFound(f"the volume does not list {path}")
        name = files.local_name(node.name)
        if node.is_directory:
            inner = Listing(node.contents or (), "", 0, 0)
            for below, child in inner.walk():
                if child.type == "file":
                    parts = [files.local_name(part) for part in below.split("/")]
                    wanted.append((f"{path.rstrip('/')}/{below}", child.size, Path(name, *parts)))
        else:
            wanted.append((path, node.size, Path(name)))
    if not wanted:
        raise LocalProblem("there is no file in it", remedy="Choose a folder that holds files.")
    taken: dict[Path, str] = {}
    for path, _, place in wanted:
        if place in taken:
            raise _one_here(taken[place], path)
        taken[place] = path
    target = command.target.expanduser()
    is_folder = command.is_folder or len(command.paths) > 1 or target.is_dir()
    if not is_folder and not directory_among(command.paths, listing):
        return [(path, size, target) for path, size, _ in wanted]
    return [(path, size, target / relative) for path, size, relative in wanted]


def directory_among(paths: Sequence[str], listing: Listing) -> bool:
    """Whether one of the paths is a folder of the volume."""
    return any((node := listing.find(path)) is not None and node.is_directory for path in paths)


def _one_here(one: str, other: str) -> LocalProblem:
    return LocalProblem(
        f"{one} and {other} would be one file here", remedy="Downlink them one after the other, to other folders."
    )


def _check_downlink(command: Downlink, targets: Sequence[Path]) -> None:
    above = command.target.expanduser().parent
    if not command.is_folder and not above.is_dir():
        raise LocalProblem(
            f"{above}: no such folder", remedy="Make it, or let the name end in /: then it is a folder, and is made."
        )
    _check_targets(targets, command.overwrite)
    for one, other in files.collisions(str(target) for target in targets):
        try:
            are_one = files.are_one_file(Path(one), Path(other))
        except OSError as error:
            raise files.disk_problem(error, above) from error
        if are_one:
            raise _one_here(*files.told_apart(one, other))


def _check_targets(targets: Sequence[Path], overwrite: bool) -> None:
    for target in targets:
        if target.is_dir():
            raise LocalProblem(f"{target} is a folder here", remedy="Choose another target.")
        if not overwrite and target.exists():
            raise LocalProblem(f"{target} exists", remedy="Choose another target, or allow overwriting.")


def _make_folder(folder: Path, targets: Sequence[Path]) -> None:
    """Make a folder for targets. One look for what is left of earlier tries is enough, be they thousands."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files.sweep(*targets)
    except OSError as error:
        raise LocalProblem(f"{folder}: {error.strerror}", remedy="Choose another target.") from error


def _make_last(folders: Iterable[Path]) -> None:
    """The names in them outlive a loss of power from now on."""
    for folder in folders:
        try:
            files.sync_folder(folder)
        except OSError as error:
            raise files.disk_problem(error, folder) from error


@dataclass(frozen=True, slots=True)
class _Fetched:
    """What came: its SHA-256, and whether the other side had promised it."""

    sha256: str
    is_promised: bool


async def _fetch(
    open_stream: Callable[[], AbstractAsyncContextManager[Download]],
    target: Path,
    overwrite: bool,
    courier: Courier,
    listed_bytes: int | None,
) -> _Fetched:
    """Write what `open_stream` gives into a folder that `_make_folder` has made.

    Where no hash is promised, it must have the `listed_bytes`, if they are known.
    """
    written = 0

    def moved(total: int) -> None:
        nonlocal written
        courier.moved(total - written)
        written = total

    async with open_stream() as download:
        is_promised = bool(download.sha256) or download.is_hashed
        size_bytes = download.size_bytes if is_promised or listed_bytes is None else listed_bytes
        sha256 = await files.write_verified(
            target,
            replace(download, size_bytes=size_bytes),
            overwrite=overwrite,
            on_progress=moved,
            is_one_of_many=True,
        )
    return _Fetched(sha256, is_promised)


@_perform.register
async def _delete(command: Delete, backends: Backends, courier: Courier) -> str:
    # What lies in a folder that goes as well is gone with it.
    named = frozenset(command.paths)
    paths = [path for path in command.paths if not _is_inside(path, named)]
    for done, path in enumerate(paths):
        try:
            await courier.request(_bind(backends.em.delete, path), changes=True)
        except EmtuiError as error:
            if done:
                error.message += f" ({done} of {len(paths)} were deleted before it)"
            raise
    return text.count(len(paths), "entry", "entries")


def _is_inside(path: str, folders: Collection[str]) -> bool:
    """Whether one of the folders is above `path`."""
    while path := path.rpartition("/")[0]:
        if path in folders:
            return True
    return False


@_perform.register
async def _build(command: BuildImage, backends: Backends, courier: Courier) -> str:
    return await courier.request(
        _bind(backends.em.build_image, command.dockerfile, command.context, command.image_name, courier.log),
        changes=True,
    )


@_perform.register
async def _load(command: LoadImage, backends: Backends, courier: Courier) -> str:
    return await courier.request(
        _bind(backends.em.load_image, command.tarfile, command.image, courier.log), changes=True
    )


@_perform.register
async def _run(command: RunPod, backends: Backends, courier: Courier) -> str:
    return await courier.request(_bind(backends.em.run_pod, command.spec), changes=True)


@_perform.register
async def _serve_model(command: ServeModel, backends: Backends, courier: Courier) -> str:
    source = await asyncio.to_thread(files.FileSource, command.source)
    # Asked first, so that a large model is not sent in vain, and a model of this id that is hosted after an answer
    # was lost is known to be this one.
    if command.model_id in await courier.request(backends.grid.models, changes=False):
        raise Conflict("Model id already exists.")
    courier.expect(source.size_bytes)

    async def serve() -> str:
        return await backends.grid.serve_model(
            _Counted(source, courier.moved),
            command.model_id,
            allow_download=command.allow_download,
            encoding=command.encoding,
        )

    return await courier.request(serve, changes=True)


@_perform.register
async def _get_model(command: GetModel, backends: Backends, courier: Courier) -> str:
    target = command.target.expanduser()
    if await asyncio.to_thread(target.is_dir):
        target = target / files.local_name(command.model_id)
    await asyncio.to_thread(_check_targets, [target], command.overwrite)
    await asyncio.to_thread(_make_folder, target.parent, [target])
    sizes = await courier.request(backends.grid.model_sizes, changes=False)
    size_told = sizes.get(command.model_id)
    courier.expect(size_told)
    fetched = await courier.request(
        _bind(
            _fetch, partial(backends.grid.get_model, command.model_id), target, command.overwrite, courier, size_told
        ),
        changes=False,
    )
    courier.note_sha256(command.model_id, fetched.sha256)
    await asyncio.to_thread(_make_last, [target.parent])
    size_bytes = (await asyncio.to_thread(target.stat)).st_size
    return f"{text.size(size_bytes)} in {target}"


def _bind(call: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> Callable[[], Awaitable[T]]:
    return lambda: call(*args, **kwargs)
