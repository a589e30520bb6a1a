"""The volume's tree as rows: only what is opened becomes rows, closed folders cost nothing. Pure functions."""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from itertools import repeat
from operator import attrgetter
from typing import NamedTuple

from emtui.models import FileNode, Listing

ROOT_PATH = ""

_by_name = attrgetter("name")


@dataclass(frozen=True, slots=True)
class Folder:
    """Where rows are: shared by all entries of one folder, so that 100,000 of them hold one path."""

    prefix: str
    """The path with a `/` at its end, empty for the root."""
    depth: int


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


_ABOVE_ROOT = Folder("", -1)


def in_order(nodes: Sequence[FileNode]) -> list[FileNode]:
    """Folders first, each by name."""
    by_name = sorted(nodes, key=_by_name)  # a listing mostly comes sorted, which makes this one pass
    folders = [node for node in by_name if node.type == "directory"]
    return folders + [node for node in by_name if node.type != "directory"] if folders else by_name


def tree_rows(listing: Listing, opened: Set[str]) -> list[FileRow]:
    """The root and everything in opened folders, in order. `opened` holds paths; the root's is `ROOT_PATH`."""
    is_open = ROOT_PATH in opened
    rows = [FileRow(None, _ABOVE_ROOT, is_open)]
    if not is_open:
        return rows
    opened_in: dict[str, set[str]] = {}
    for path in opened - {ROOT_PATH}:
        prefix, slash, name = path.rpartition("/")
        opened_in.setdefault(prefix + slash, set()).add(name)
    # What is still to be put out: entries of a folder, from a position on.
    stack: list[tuple[list[FileNode], int, Folder]] = [(in_order(listing.nodes), 0, Folder("", 0))]
    while stack:
        nodes, start, folder = stack.pop()
        names = opened_in.get(folder.prefix)
        if not names:
            rows.extend(map(FileRow, nodes[start:] if start else nodes, repeat(folder)))
            continue
        for index in range(start, len(nodes)):
            node = nodes[index]
            if node.type != "directory":  # folders come first, so that nothing below can be open
                rows.extend(map(FileRow, nodes[index:], repeat(folder)))
                break
            if node.name not in names:
                rows.append(FileRow(node, folder))
                continue
            rows.append(FileRow(node, folder, True))
            stack.append((nodes, index + 1, folder))
            stack.append((in_order(node.contents or ()), 0, Folder(f"{folder.prefix}{node.name}/", folder.depth + 1)))
            break
    return rows


def matching_rows(listing: Listing, needle: str) -> tuple[list[FileRow], int]:
    """The entries whose names hold `needle` (in lower case), with the folders above them, and how many they are.

    Takes as long as the whole tree is: not for the event loop.
    """
    rows = [FileRow(None, _ABOVE_ROOT, True)]
    count = 0
    above: list[tuple[FileNode, Folder]] = []
    shown = 0  # how many of `above` have their row
    stack: list[tuple[FileNode, Folder]] = list(zip(reversed(in_order(listing.nodes)), repeat(Folder("", 0))))
    while stack:
        node, folder = stack.pop()
        depth = folder.depth
        if len(above) > depth:
            del above[depth:]
            shown = min(shown, depth)
        if needle in node.name.casefold():
            count += 1
            rows.extend(FileRow(parent, its_folder, True) for parent, its_folder in above[shown:])
            shown = depth
            if node.contents:
                # A folder that matches is open only if something in it matches as well: corrected below.
                above.append((node, folder))
                shown = depth + 1
            rows.append(FileRow(node, folder))
        elif node.contents:
            above.append((node, folder))
        if node.contents:
            inner = Folder(f"{folder.prefix}{node.name}/", depth + 1)
            stack.extend(zip(reversed(in_order(node.contents)), repeat(inner)))
    for index in range(len(rows) - 1):
        row, after = rows[index], rows[index + 1]
        if not row.is_open and after.depth > row.depth:
            rows[index] = row._replace(is_open=True)
    return rows, count


def without_nested(paths: Iterable[str]) -> tuple[str, ...]:
    """The paths sorted, without those that lie in another one of them: deleting a folder deletes what is in it."""
    kept: list[str] = []
    for path in sorted(paths, key=lambda path: path.split("/")):
        if path == ROOT_PATH or (kept and (kept[-1] == ROOT_PATH or path.startswith(kept[-1] + "/"))):
            if path == ROOT_PATH:
                return (ROOT_PATH,)
            continue
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
    return found | ({ROOT_PATH} & paths)
