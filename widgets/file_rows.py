"""The volume's tree as rows: only what is opened becomes rows, and a row is made when it is looked at.

A volume may hold 100,000 entries, in one folder too. `TreeRows` therefore keeps runs of entries, not entries, and the
search for a name allocates nothing for what does not match. Nothing here knows a widget.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple, overload

if TYPE_CHECKING:
    from emtui.plain import FileNode, Listing


ROOT_PATH = ""

_by_name = attrgetter("name")


@dataclass(frozen=True, slots=True)
class Folder:
    """Where rows are: shared by all entries of one folder."""

    prefix: str
    """The path with a `/` at its end, empty for the root."""
    depth: int

    def below(self, name: str) -> Folder:
        return Folder(f"{self.prefix}{name}/", self.depth + 1)


class FileRow(NamedTuple):
    """One line of the tree. `node` is None for the root."""

    node: FileNode | None
    folder: Folder
    is_open: bool = False

    @property
    def path(self) -> str:
        return ROOT_PATH if self.node is None else self.folder.prefix + self.node.name

    @property
    def depth(self) -> int:
        return self.folder.depth

    @property
    def is_folder(self) -> bool:
        return self.node is None or self.node.type == "directory"


_TOP = Folder("", 0)
_ABOVE_ROOT = Folder("", -1)


class Orders:
    """Remembers the order of each folder's entries, for as long as a listing gives the same entries again."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Sequence[FileNode], list[FileNode]]] = {}

    def of(self, prefix: str, nodes: Sequence[FileNode]) -> list[FileNode]:
        """The entries of the folder at `prefix`: folders first, each by name."""
        known = self._known.get(prefix)
        if known is None or known[0] is not nodes:
            known = self._known[prefix] = (nodes, in_order(nodes))
        return known[1]

    def keep(self, prefixes: Set[str]) -> None:
        """Forget all other folders."""
        self._known = {prefix: known for prefix, known in self._known.items() if prefix in prefixes}


def in_order(nodes: Sequence[FileNode]) -> list[FileNode]:
    """Folders first, each by name."""
    by_name = sorted(nodes, key=_by_name)  # a listing mostly comes sorted, which makes this one pass
    folders = [node for node in by_name if node.type == "directory"]
    return folders + [node for node in by_name if node.type != "directory"] if folders else by_name


class _Run(NamedTuple):
    """Entries that follow each other in one folder. Only a run of one can be an open folder, or the root."""

    nodes: Sequence[FileNode]
    start: int
    stop: int
    folder: Folder
    is_open: bool


class TreeRows(Sequence[FileRow]):
    """The rows of a tree, made as they are asked for."""

    def __init__(self) -> None:
        self._runs: list[_Run] = []
        self._first: list[int] = []  # the index of each run's first row
        self._count = 0

    def add(self, nodes: Sequence[FileNode], start: int, stop: int, folder: Folder, *, is_open: bool = False) -> None:
        """Append `nodes[start:stop]` of `folder`."""
        if stop > start:
            self._runs.append(_Run(nodes, start, stop, folder, is_open))
            self._first.append(self._count)
            self._count += stop - start

    def add_root(self, *, is_open: bool) -> None:
        self._runs.append(_Run((), 0, 1, _ABOVE_ROOT, is_open))
        self._first.append(self._count)
        self._count += 1

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> FileRow: ...
    @overload
    def __getitem__(self, index: slice) -> list[FileRow]: ...
    def __getitem__(self, index: int | slice) -> FileRow | list[FileRow]:
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(self._count))]
        if index < 0:
            index += self._count
        if not 0 <= index < self._count:
            raise IndexError(index)
        number = bisect_right(self._first, index) - 1
        run = self._runs[number]
        if run.folder is _ABOVE_ROOT:
            return FileRow(None, _ABOVE_ROOT, run.is_open)
        return FileRow(run.nodes[run.start + index - self._first[number]], run.folder, run.is_open)

    def __iter__(self) -> Iterator[FileRow]:
        for run in self._runs:
            if run.folder is _ABOVE_ROOT:
                yield FileRow(None, _ABOVE_ROOT, run.is_open)
            else:
                for index in range(run.start, run.stop):
                    yield FileRow(run.nodes[index], run.folder, run.is_open)

    def index_of(self, path: str) -> int | None:
        """Where the row of `path` is, None where it is not shown. Looks at the names of one folder only."""
        parent, slash, name = path.rpartition("/")
        prefix = parent + slash
        for run, first in zip(self._runs, self._first, strict=True):
            if run.folder is _ABOVE_ROOT:
                if path == ROOT_PATH:
                    return first
            elif run.folder.prefix == prefix:
                for index in range(run.start, run.stop):
                    if run.nodes[index].name == name:
                        return first + index - run.start
        return None


def tree_rows(listing: Listing, opened: Set[str], orders: Orders | None = None) -> TreeRows:
    """The root and everything in opened folders, in order. `opened` holds paths; the root's is `ROOT_PATH`."""
    orders = orders or Orders()
    rows = TreeRows()
    is_open = ROOT_PATH in opened
    rows.add_root(is_open=is_open)
    if not is_open:
        return rows
    opened_in: dict[str, set[str]] = {}
    for path in opened - {ROOT_PATH}:
        parent, slash, name = path.rpartition("/")
        opened_in.setdefault(parent + slash, set()).add(name)
    # What is still to be put out: entries of a folder, from a position on.
    stack: list[tuple[list[FileNode], int, Folder]] = [(orders.of("", listing.nodes), 0, _TOP)]
    while stack:
        nodes, start, folder = stack.pop()
        index = _next_open(nodes, start, opened_in.get(folder.prefix))
        rows.add(nodes, start, index, folder)
        if index < len(nodes):
            node = nodes[index]
            inner = folder.below(node.name)
            rows.add(nodes, index, index + 1, folder, is_open=True)
            stack.append((nodes, index + 1, folder))
            stack.append((orders.of(inner.prefix, node.contents or ()), 0, inner))
    orders.keep({"", *(f"{path}/" for path in opened)})
    return rows


def _next_open(nodes: list[FileNode], start: int, names: Set[str] | None) -> int:
    """The position of the next open folder, or the end."""
    if names:
        for index in range(start, len(nodes)):
            node = nodes[index]
            if node.type != "directory":  # folders come first, so that nothing below can be open
                break
            if node.name in names:
                return index
    return len(nodes)


def matching_rows(listing: Listing, needle: str) -> tuple[list[FileRow], int]:
    """The entries whose names hold `needle` (in lower case), with the folders above them, and how many they are.

    Takes as long as the whole tree is: not for the event loop.
    """
    rows = [FileRow(None, _ABOVE_ROOT, True)]
    count = 0
    # Where the search is in each folder from the root down, and how many of the folders above have their row.
    path: list[tuple[Iterator[FileNode], Folder]] = [(iter(in_order(listing.nodes)), _TOP)]
    above: list[tuple[FileNode, Folder]] = []
    shown = 0
    while path:
        entries, folder = path[-1]
        for node in entries:
            is_match = needle in node.name.casefold()
            if is_match:
                count += 1
                rows.extend(FileRow(parent, its_folder, True) for parent, its_folder in above[shown:])
                shown = len(above)
                rows.append(FileRow(node, folder))
            if node.contents:
                above.append((node, folder))
                shown += is_match
                path.append((iter(in_order(node.contents)), folder.below(node.name)))
                break
        else:
            path.pop()
            if above:
                above.pop()
                shown = min(shown, len(above))
    # A folder that matches is open exactly if something in it matches as well.
    for index in range(len(rows) - 1):
        row = rows[index]
        if not row.is_open and rows[index + 1].depth > row.depth:
            rows[index] = row._replace(is_open=True)
    return rows, count


def without_nested(paths: Iterable[str]) -> tuple[str, ...]:
    """The paths sorted, without those that lie in another one of them: deleting a folder deletes what is in it."""
    kept: list[str] = []
    for path in sorted(paths, key=lambda path: path.split("/")):
        if path == ROOT_PATH:
            return (ROOT_PATH,)
        if not kept or not path.startswith(f"{kept[-1]}/"):
            kept.append(path)
    return tuple(kept)


def existing(paths: Set[str], listing: Listing) -> set[str]:
    """Those of `paths` that are in the listing. Looks into each folder once, however many paths lie in it."""
    found: set[str] = set()
    by_parent: dict[str, set[str]] = {}
    for path in paths:
        parent, _, name = path.rpartition("/")
        by_parent.setdefault(parent, set()).add(name)
    for parent, names in by_parent.items():
        if parent:
            node = listing.find(parent)
            nodes = (node.contents or ()) if node is not None else ()
            prefix = f"{parent}/"
        else:
            nodes, prefix = listing.nodes, ""
        found.update(f"{prefix}{node.name}" for node in nodes if node.name in names)
    return found
