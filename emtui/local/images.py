"""Building, loading, listing and finding images: what the EM checks before the engine is asked (EM API §5–7)."""

import hashlib
import os
from collections import deque
from collections.abc import Sequence

from emtui.backend import LogSink
from emtui.errors import BadRequest, BuildFailed, InvalidField, LoadFailed, LocalProblem, NotFound
from emtui.local.engines.base import BuildRequest, Engine, LoadRequest
from emtui.local.engines.loading import LOAD_ERROR, NOT_IN_IT
from emtui.local.handles import DirHandle
from emtui.local.names import ImageName, is_of, parse_image, with_prefix, without_prefix
from emtui.local.stopping import disk_errors
from emtui.local.store import Store
from emtui.models import Image
from emtui.paths import join_path, split_path
from emtui.threads import in_thread

LOG_TAIL_LINES = 100
"""How many lines of a failed build's log are answered (EM API §5)."""

# No Dockerfile is longer; a file that is would be held in memory.
_MAX_DOCKERFILE_BYTES = 1 << 20


class Images:
    """One user's images, made by an engine of the files of a volume."""

    def __init__(self, volume: DirHandle, store: Store, engine: Engine, user: str) -> None:
        self._volume = volume
        self._store = store
        self._engine = engine
        self._user = user

    async def build(self, dockerfile: str, context: str, image_name: str, on_log: LogSink | None) -> None:
        """Build `user-image_name` of the folder `context`.

        `dockerfile` is relative to the volume; where there is no such file, to the context.

        Raises:
            BuildFailed: with the last lines of the log.
            Forbidden: a path leaves the volume, or a link is in its way.
            InvalidField: `image_name` is not the name of an image.
        """
        name = parse_image(image_name, "image_name")
        if name.registry:
            raise InvalidField(
                "image_name", f"a registry cannot be named: {name.registry}", remedy="Leave the registry out."
            )
        context_parts = split_path(context, what="context")
        dockerfile_parts = split_path(dockerfile, what="dockerfile") or ("Dockerfile",)
        log = _Log(on_log)
        opened: list[DirHandle] = []
        try:
            with disk_errors("build"):
                # The handle is put where it is found also if this call is cancelled meanwhile.
                await in_thread(lambda: opened.append(self._open_context(context_parts, context, log)))
                text = await in_thread(self._read_dockerfile, opened[0], dockerfile_parts, log)
            request = BuildRequest(
                context=opened[0],
                dockerfile=text,
                dockerfile_name=dockerfile_parts[-1],
                reference=with_prefix(name, self._user).reference,
            )
            await self._engine.build(request, log)
        except BuildFailed as error:
            raise BuildFailed(log.close(error.log_tail), remedy=error.remedy) from error
        finally:
            for handle in opened:
                handle.close()

    def _open_context(self, parts: tuple[str, ...], context: str, log: "_Log") -> DirHandle:
        shown = self._shown(context)
        try:
            return self._volume.open_dir(parts)
        except NotFound:
            log.keep(f'unable to prepare context: path "{shown}" not found\n')
        except BadRequest:
            log.keep(f"unable to prepare context: context must be a directory: {shown}\n")
        raise BuildFailed

    def _read_dockerfile(self, context: DirHandle, parts: tuple[str, ...], log: "_Log") -> str:
        for folder in (self._volume, context):
            try:
                fd = folder.open_file(parts)
            except NotFound:
                continue
            except BadRequest:
                _log_preamble(log, parts[-1])
                log.keep(_unreadable("read", self._shown("/".join(parts)), "is a directory"))
                raise BuildFailed from None
            with open(fd, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
                data = file.read(_MAX_DOCKERFILE_BYTES + 1)
            if len(data) > _MAX_DOCKERFILE_BYTES:
                log.keep(_unreadable("read", self._shown("/".join(parts)), "file too large"))
                raise BuildFailed
            return data.decode("utf-8", "surrogateescape")
        _log_preamble(log, parts[-1])
        log.keep(_unreadable("open", self._shown("/".join(parts)), "no such file or directory"))
        raise BuildFailed

    async def load(self, tarfile: str, image: str, on_log: LogSink | None) -> None:
        """Load the image that a tar file holds under the name `image`, with or without the user's prefix.

        Raises:
            LoadFailed: with the log.
            Forbidden: the path leaves the volume, or a link is in its way.
            InvalidField: `image` is not the name of an image.
        """
        name = parse_image(image, "image")
        parts = split_path(tarfile, what="tarfile")
        log = _Log(on_log)
        opened: list[int] = []
        try:
            with disk_errors("load"):
                await in_thread(lambda: opened.append(self._open_tar(parts, tarfile, log)))
            reference = await self._load_first(opened[0], name, log)
        except LoadFailed as error:
            raise LoadFailed(log.close(error.log_tail), remedy=error.remedy) from error
        finally:
            for fd in opened:
                os.close(fd)
        if not is_of(reference, self._user):
            await in_thread(self._own, reference)

    async def _load_first(self, fd: int, name: ImageName, log: "_Log") -> str:
        """Load under the name as it was given; where the tar does not hold it, under its other form."""
        other = (
            without_prefix(name, self._user) if is_of(name.repository, self._user) else with_prefix(name, self._user)
        )
        as_given = _UntilItFails(log)
        try:
            return (await self._engine.load(LoadRequest(fd, name.reference), as_given)).reference
        except LoadFailed as error:
            first = error
        if name.registry:
            as_given.tell()
            raise first
        os.lseek(fd, 0, os.SEEK_SET)
        as_other = _UntilItFails(log)
        try:
            return (await self._engine.load(LoadRequest(fd, other.reference), as_other)).reference
        except LoadFailed as second:
            # That it does not hold a name that the operator did not give would only confuse.
            if as_other.is_not_in_it:
                as_given.tell()
                raise first from None
            as_other.tell()
            raise second from None
        except LocalProblem:
            as_given.tell()
            raise first from None

    def _open_tar(self, parts: tuple[str, ...], tarfile: str, log: "_Log") -> int:
        shown = self._shown(tarfile)
        try:
            return self._volume.open_file(parts)
        except NotFound:
            log.keep(f"sh: line 1: {shown}: No such file or directory\n")
        except BadRequest:
            log.keep(f"sh: line 1: {shown}: Is a directory\n")
        raise LoadFailed

    def _own(self, reference: str) -> None:
        with self._store.change() as db:
            db.execute("INSERT OR IGNORE INTO loaded_images VALUES (?, ?)", (self._user, reference))

    async def list(self) -> Sequence[Image]:
        """The user's images, built and loaded."""
        loaded = await in_thread(self._loaded)
        return [
            image
            for image in await self._engine.images()
            if is_of(image.repository, self._user) or image.reference in loaded
        ]

    def _loaded(self) -> frozenset[str]:
        rows = self._store.read("SELECT reference FROM loaded_images WHERE username = ?", (self._user,))
        return frozenset(row["reference"] for row in rows)

    async def find(self, name: ImageName) -> str | None:
        """The reference that a pod of this name is made of: the user's image first, then a public base image."""
        candidates = [name] if name.registry else [with_prefix(name, self._user), name]
        for candidate in candidates:
            if await self._engine.find(candidate.reference):
                return candidate.reference
        return None

    def _shown(self, path: str) -> str:
        """A path as the EM's logs have it."""
        return join_path(f"/clients/{self._user}-pvc", path.strip("/"))


class _Log:
    """Hands the lines on as they come, and keeps the last of them."""

    def __init__(self, sink: LogSink | None) -> None:
        self._sink = sink
        self._lines: deque[str] = deque(maxlen=LOG_TAIL_LINES)
        self._kept_back: list[str] = []

    def __call__(self, line: str) -> None:
        self._lines.append(line)
        if self._sink is not None:
            self._sink(line)

    def keep(self, line: str) -> None:
        """A line out of a thread, which must not call the sink: it waits for `close`."""
        self._kept_back.append(line)

    def close(self, otherwise: Sequence[str]) -> tuple[str, ...]:
        """The last lines, after those that were kept back; `otherwise` where there is none at all."""
        for line in self._kept_back:
            self(line)
        self._kept_back.clear()
        return tuple(self._lines or otherwise)


class _UntilItFails:
    """Hands a load's lines on as they come, but keeps its error back: another try may still go well."""

    def __init__(self, log: _Log) -> None:
        self._log = log
        self._kept_back: list[str] = []

    def __call__(self, line: str) -> None:
        if self._kept_back or line.startswith(LOAD_ERROR):
            self._kept_back.append(line)
        else:
            self._log(line)

    @property
    def is_not_in_it(self) -> bool:
        """It failed since the tar holds no image of that name."""
        return any(line.startswith(f"{LOAD_ERROR}{NOT_IN_IT}") for line in self._kept_back)

    def tell(self) -> None:
        """No other try comes."""
        for line in self._kept_back:
            self._log(line)
        self._kept_back.clear()


def _log_preamble(log: _Log, name: str) -> None:
    """What BuildKit says before it finds that there is no Dockerfile (EM API §5, second example)."""
    steps = ((f"load build definition from {name}", "dockerfile"), ("load .dockerignore", "context"))
    for number, (step, transferred) in enumerate(steps, 1):
        digest = hashlib.sha256(os.fsencode(step)).hexdigest()
        if number > 1:
            log.keep("\n")
        log.keep(f"#{number} [internal] {step}\n")
        log.keep(f"#{number} sha256:{digest}\n")
        log.keep(f"#{number} transferring {transferred}: 2B done\n")
        log.keep(f"#{number} DONE 0.0s\n")


def _unreadable(verb: str, shown: str, reason: str) -> str:
    return f"failed to solve with frontend dockerfile.v0: failed to read dockerfile: {verb} {shown}: {reason}\n"
