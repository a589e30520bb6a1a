"""What a Docker Engine is sent for a build: the Dockerfile and the context as one tar, made while it is sent.

The context's files lie below a folder of their own, and the Dockerfile beside it, so that no COPY of the context can
take it: a builder that is given a tar does not look at a `.dockerignore`. That one was followed here; what it hides is
not sent. Hard links, devices and links that lead out of the context are not sent either.
"""

import os
import tarfile
import threading
from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from dataclasses import dataclass

from emtui.errors import BadRequest, EmtuiError, Forbidden, NotFound
from emtui.local.engines.building import read_link
from emtui.local.engines.context import BuildContext, ContextEntry, check_copyable, check_link
from emtui.local.engines.problems import BuildProblem
from emtui.local.handles import DirHandle
from emtui.threads import in_thread

BLOCK_BYTES = 1 << 20
"""How much is held at a time."""

_MAX_NAMED = 5


@dataclass(frozen=True, slots=True)
class Sendable:
    """What of a context can be sent, in order of the paths.

    Attributes:
        entries: files, folders and links.
        targets: where each link leads.
        left_out: why each other entry cannot be, by its path.
    """

    entries: Sequence[ContextEntry]
    targets: dict[str, str]
    left_out: dict[str, str]

    def note(self) -> str:
        """The left out entries in one line, empty for none."""
        if not self.left_out:
            return ""
        named = "; ".join(list(self.left_out.values())[:_MAX_NAMED])
        more = len(self.left_out) - _MAX_NAMED
        return f"left out of the build context: {named}{f'; and {more} more' if more > 0 else ''}"


def sendable(context: BuildContext) -> Sendable:
    """Look at every entry of a context. Blocks. Raises OSError."""
    entries = []
    targets = {}
    left_out = {}
    for entry in context.entries.values():
        try:
            check_copyable(entry)
            if entry.type == "link":
                targets[entry.path] = read_link(context, entry.path)
                check_link(entry.path, targets[entry.path])
        except BuildProblem as problem:
            left_out[entry.path] = problem.message
        else:
            entries.append(entry)
    return Sendable(entries, targets, left_out)


def tar_blocks(
    dockerfile: str, dockerfile_name: str, context: BuildContext | None, found: Sendable | None, folder: str
) -> Generator[bytes, None, None]:
    """The tar in blocks of about `BLOCK_BYTES`. Each step blocks.

    `folder` is where the context's entries go, empty for the tar's root. Files belong to root and keep mode and time.

    Raises:
        BuildProblem: a file was changed while it was read.
        EmtuiError, OSError: one cannot be read.
    """
    pending = bytearray()
    for piece in _pieces(dockerfile, dockerfile_name, context, found, folder):
        pending += piece
        if len(pending) >= BLOCK_BYTES:
            yield bytes(pending)
            pending.clear()
    pending += bytes(2 * tarfile.BLOCKSIZE)
    yield bytes(pending)


def _pieces(
    dockerfile: str, dockerfile_name: str, context: BuildContext | None, found: Sendable | None, folder: str
) -> Iterator[bytes]:
    content = dockerfile.encode("utf-8")
    yield _header(dockerfile_name, tarfile.REGTYPE, 0o644, 0, size=len(content))
    yield content
    yield _padding(len(content))
    if context is None or found is None:
        return
    prefix = f"{folder}/" if folder else ""
    if folder:
        yield _header(folder, tarfile.DIRTYPE, 0o755, 0)
    parent = _Parent(context.folder)
    try:
        for entry in found.entries:
            # Where both lie at the root, nothing of the context may take the place of the Dockerfile that was checked.
            if not f"{prefix}{entry.path}/".startswith(f"{dockerfile_name}/"):
                yield from _entry(parent, entry, prefix, found.targets)
    finally:
        parent.close()


class _Parent:
    """The folder of the entry before, kept open: most have the same."""

    def __init__(self, root: DirHandle) -> None:
        self._root = root
        self._parts: tuple[str, ...] | None = None
        self._handle: DirHandle | None = None

    def of(self, path: str) -> tuple[DirHandle, str]:
        """The open folder of an entry, and the entry's name in it."""
        *folders, name = path.split("/")
        parts = tuple(folders)
        if self._handle is None or parts != self._parts:
            self.close()
            self._handle = self._root.open_dir(parts)
            self._parts = parts
        return self._handle, name

    def close(self) -> None:
        if self._handle is not None:
            self._handle.close()
            self._handle = None


def _entry(parent: _Parent, entry: ContextEntry, prefix: str, targets: dict[str, str]) -> Iterator[bytes]:
    try:
        folder, name = parent.of(entry.path)
        if entry.type == "file":
            fd = folder.open_file((name,))
        else:
            modified = int(folder.lstat(name).st_mtime)
    except (NotFound, Forbidden, BadRequest, FileNotFoundError) as error:
        raise _changed(entry.path) from error
    except EmtuiError as error:
        raise BuildProblem(f"{entry.path}: {error.message}") from error
    path = f"{prefix}{entry.path}"
    if entry.type == "directory":
        yield _header(path, tarfile.DIRTYPE, entry.mode, modified)
    elif entry.type == "link":
        yield _header(path, tarfile.SYMTYPE, 0o777, modified, target=targets[entry.path])
    else:
        with open(fd, "rb", buffering=0) as file:  # noqa: PTH123 - a descriptor, not a path
            status = os.fstat(file.fileno())
            yield _header(path, tarfile.REGTYPE, status.st_mode & 0o7777, int(status.st_mtime), size=status.st_size)
            left = status.st_size
            # A file that grows meanwhile is cut: the header has said how long it is.
            while left:
                chunk = file.read(min(left, BLOCK_BYTES))
                if not chunk:
                    raise _changed(entry.path)
                left -= len(chunk)
                yield chunk
            yield _padding(status.st_size)


def _changed(path: str) -> BuildProblem:
    return BuildProblem(f"{path}: changed while it was read; build again when nothing writes to the context")


def _header(path: str, kind: bytes, mode: int, modified: int, *, size: int = 0, target: str = "") -> bytes:
    info = tarfile.TarInfo(path)
    info.type = kind
    info.mode = mode
    info.mtime = max(0, modified)
    info.size = size
    info.linkname = target
    # GNU's format takes names and sizes of any length, and names that are no text.
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)


class Body:
    """A request's body out of blocks that are made in a thread, one when the one before has gone out.

    Attributes:
        problem: what ended it early; the request then fails with a text that says nothing.
        is_whole: everything has gone out.
        sent_bytes: how much has.
    """

    def __init__(self, blocks: Generator[bytes, None, None]) -> None:
        self._blocks = blocks
        self._at_work = threading.Lock()
        self.problem: BuildProblem | EmtuiError | OSError | None = None
        self.is_whole = False
        self.sent_bytes = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (block := await in_thread(self._next)) is not None:
            yield block
            self.sent_bytes += len(block)
        self.is_whole = True

    def _next(self) -> bytes | None:
        with self._at_work:
            try:
                return next(self._blocks, None)
            except (BuildProblem, EmtuiError, OSError) as problem:
                self.problem = problem
                raise

    def close(self) -> None:
        """Let go of the files that are open. Blocks until the block at work is made."""
        with self._at_work:
            self._blocks.close()
