"""The build context: what of a folder of the volume a Dockerfile can see, behind its `.dockerignore`.

The folder is read through handles only. Links are seen as links; what is copied is checked when it is copied.
"""

import fnmatch
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from emtui.local.engines.problems import BuildProblem
from emtui.local.handles import DirHandle, EntryType

_MAX_ENTRIES = 500_000
_MAX_IGNORE_BYTES = 1 << 20
IGNORE_FILE = ".dockerignore"


@dataclass(frozen=True, slots=True)
class ContextEntry:
    """One entry. `path` is relative to the context, `links` the number of its names."""

    path: str
    type: EntryType
    mode: int
    size: int
    links: int


def read_small(folder: DirHandle, name: str) -> str | None:
    """The text of a small file of the context, None where there is none.

    Raises:
        BuildProblem: it is too large.
        EmtuiError: it is a link, a directory or unreadable.
    """
    try:
        folder.lstat(name)
    except FileNotFoundError:
        return None
    fd = folder.open_file((name,))
    with os.fdopen(fd, "rb") as file:
        raw = file.read(_MAX_IGNORE_BYTES + 1)
    if len(raw) > _MAX_IGNORE_BYTES:
        raise BuildProblem(f"{name} is larger than {_MAX_IGNORE_BYTES} bytes")
    return raw.decode("utf-8", "surrogateescape")


class Ignore:
    """A `.dockerignore`: patterns from the context's root, `!` takes back in, the last one that matches decides."""

    def __init__(self, text: str) -> None:
        from pathspec import PathSpec

        lines = []
        for line in text.removeprefix("\ufeff").splitlines():
            pattern = line.strip()
            if not pattern or line.startswith("#"):
                continue
            negated = pattern.startswith("!")
            pattern = os.path.normpath(pattern.removeprefix("!").strip()).lstrip("/")
            if pattern in ("", "."):
                continue
            # The patterns of git, but each one anchored to the root, as Docker has it.
            lines.append(f"{'!' if negated else ''}/{pattern}")
        try:
            self._spec = PathSpec.from_lines("gitignore", lines)
        except ValueError as error:
            raise BuildProblem(f"error checking context: {IGNORE_FILE}: {error}") from error
        self.has_exceptions = any(line.startswith("!") for line in lines)
        self.is_empty = not lines

    def hides(self, path: str) -> bool:
        return not self.is_empty and self._spec.match_file(path)


class BuildContext:
    """The visible entries of a context, in order of their paths.

    Raises:
        BuildProblem: too many entries.
        EmtuiError: the `.dockerignore` cannot be read.
    """

    def __init__(self, folder: DirHandle) -> None:
        self.folder = folder
        text = read_small(folder, IGNORE_FILE)
        self.ignore_bytes = len(os.fsencode(text)) if text is not None else 2
        self.ignore = Ignore(text or "")
        self.entries: dict[str, ContextEntry] = {}
        self.size_bytes = 0
        for entry in sorted(self._walk(), key=lambda entry: entry.path.split("/")):
            self.entries[entry.path] = entry
            self.size_bytes += entry.size if entry.type == "file" else 0

    def _walk(self) -> Iterator[ContextEntry]:
        seen = 0
        waiting: list[tuple[str, ...]] = [()]
        while waiting:
            parts = waiting.pop()
            with self.folder.open_dir(parts) as current:
                for found in current.scan():
                    seen += 1
                    if seen > _MAX_ENTRIES:
                        raise BuildProblem(f"the build context has more than {_MAX_ENTRIES} entries")
                    path = "/".join((*parts, found.name))
                    is_hidden = self.ignore.hides(path)
                    if found.type == "directory" and (not is_hidden or self.ignore.has_exceptions):
                        waiting.append((*parts, found.name))
                    if not is_hidden:
                        yield ContextEntry(path, found.type, stat.S_IMODE(found.stat.st_mode), found.stat.st_size,
                                           found.stat.st_nlink)  # fmt: skip

    def matches(self, source: str) -> list[str]:
        """The paths that a source of COPY names, `""` for the context itself.

        Raises:
            BuildProblem: there is none.
        """
        path = os.path.normpath("/" + source).lstrip("/")
        if any(mark in path for mark in "*?["):
            found = [entry for entry in self.entries if wildcard_matches(entry, path)]
        else:
            found = [path] if path == "" or path in self.entries or self._has_below(path) else []
        if not found:
            raise BuildProblem(
                f'failed to compute cache key: failed to calculate checksum of ref: "/{path}": not found'
            )
        return found

    def _has_below(self, path: str) -> bool:
        """A hidden folder whose contents were taken back in."""
        return self.ignore.has_exceptions and any(entry.startswith(f"{path}/") for entry in self.entries)

    def type_of(self, path: str) -> EntryType:
        entry = self.entries.get(path)
        return entry.type if entry is not None else "directory"

    def below(self, path: str) -> Iterator[ContextEntry]:
        """The entries below a folder of the context."""
        prefix = f"{path}/" if path else ""
        return (entry for entry in self.entries.values() if entry.path.startswith(prefix))


def wildcard_matches(path: str, pattern: str) -> bool:
    """Go's `filepath.Match`: `*` and `?` stay within one name."""
    names, patterns = path.split("/"), pattern.split("/")
    return len(names) == len(patterns) and all(
        fnmatch.fnmatchcase(name, wanted.replace("[^", "[!")) for name, wanted in zip(names, patterns, strict=True)
    )


def check_copyable(entry: ContextEntry) -> None:
    """Refuse what is not a plain file of the volume.

    Raises:
        BuildProblem: a device, FIFO or socket, or a hard link, whose other name may lie outside the volume.
    """
    if entry.type == "other":
        raise BuildProblem(f"{entry.path}: a device, FIFO or socket cannot be copied")
    if entry.type == "file" and entry.links > 1:
        raise BuildProblem(f"{entry.path}: a hard link, whose other name may lie outside the volume, cannot be copied")


def check_link(path: str, target: str) -> None:
    """Refuse a link of the context that leads out of it.

    Raises:
        BuildProblem: it is absolute, or goes up past the context's root.
    """
    folder = os.path.dirname(path)  # noqa: PTH120 - the path is text of the context, not of this file system
    reached = os.path.normpath(os.path.join(folder, target))  # noqa: PTH118 - the same
    if target.startswith("/") or reached == ".." or reached.startswith("../"):
        raise BuildProblem(f"{path}: a link to the outside of the build context cannot be copied ({target})")
