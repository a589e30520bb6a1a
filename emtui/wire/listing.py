"""The volume's listing on the wire (EM API §2), both ways, without recursion: a tree may be 1,000 folders deep."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import xxhash

from emtui.errors import ContractViolation
from emtui.plain import FileNode, FileType, Listing

_TYPES: dict[str, FileType] = {"file": "file", "directory": "directory", "link": "link"}

# More than any disk; Python refuses to read thousands of digits.
_MOST_DIGITS = 20
# A shown value of an answer that is wrong.
_MOST_SHOWN = 40


def listing_json(nodes: Sequence[FileNode]) -> Iterator[str]:
    """The JSON array of `data`, in pieces."""
    yield "["
    stack: list[tuple[Iterator[FileNode], bool]] = [(iter(nodes), True)]
    while stack:
        siblings, is_first = stack.pop()
        node = next(siblings, None)
        if node is None:
            yield "]}" if stack else "]"
            continue
        stack.append((siblings, False))
        yield ("" if is_first else ", ") + _node_json(node)
        if node.is_directory:
            yield ', "contents": ['
            stack.append((iter(node.contents or ()), True))
        else:
            yield "}"


def _node_json(node: FileNode) -> str:
    """One entry without its end: `contents` may follow."""
    time = node.time.astimezone(UTC)
    stamp = f"{time.year:04}-{time.month:02}-{time.day:02}-{time.hour:02}-{time.minute:02}"
    start = f'{{"type": "{node.type}", "name": {json.dumps(node.name)}, "size": "{node.size}", "time": "{stamp}"'
    return start if node.hash is None else f'{start}, "hash": {node.hash}'


class ListingReader:
    """Reads the listings of one endpoint, one after the other.

    An entry that has not changed is the same object as in the listing before, and a listing whose bytes are the
    same is the same as a whole. Calls block, and must not overlap.
    """

    def __init__(self) -> None:
        self._last: Listing | None = None

    def unchanged(self, body: bytes) -> Listing | None:
        """The listing before, if `body` is the same answer to the byte."""
        last = self._last
        return last if last is not None and last.fingerprint == _fingerprint(body) else None

    def read(self, body: bytes, data: object) -> Listing:
        """The listing that `data`, the answer's field, holds; `body` is the whole answer.

        Raises:
            ContractViolation: a field is missing or wrong; it is named.
        """
        before = self._last.nodes if self._last is not None else ()
        nodes = _read_nodes(data, before)
        files = [node for _, node in Listing(nodes, "", 0, 0).walk() if node.type == "file"]
        self._last = Listing(nodes, _fingerprint(body), len(files), sum(node.size for node in files))
        return self._last


def _fingerprint(body: bytes) -> str:
    return xxhash.xxh3_128_hexdigest(body)


class _Folder:
    """An array of entries that is being read, and what the listing before had in its place."""

    def __init__(self, items: object, before: Sequence[FileNode], where: str, owner: Mapping[str, Any] | None) -> None:
        if not isinstance(items, list):
            raise ContractViolation(f"{where}: an array is promised, not {_shown(items)}")
        self.items = iter(items)
        self.where = where
        self.owner = owner
        self.before = {node.name: node for node in before}
        self.old_order = before
        self.done: list[FileNode] = []
        self.owner_before: FileNode | None = None


def _read_nodes(data: object, before: Sequence[FileNode]) -> tuple[FileNode, ...]:
    stack = [_Folder(data, before, "data", None)]
    while True:
        folder = stack[-1]
        item = next(folder.items, None)
        if item is not None:
            where = f"{folder.where}[{len(folder.done)}]"
            if not isinstance(item, Mapping):
                raise ContractViolation(f"{where}: an object is promised, not {_shown(item)}")
            name = item.get("name")
            old = folder.before.get(name) if isinstance(name, str) else None
            if item.get("type") == "directory":
                inner = _Folder(item.get("contents") or [], (old and old.contents) or (), f"{where}.contents", item)
                inner.owner_before = old
                stack.append(inner)
            else:
                folder.done.append(_node(item, None, old, where))
            continue
        stack.pop()
        contents = _kept(folder)
        if folder.owner is None:
            return contents
        where = folder.where.removesuffix(".contents")
        stack[-1].done.append(_node(folder.owner, contents, folder.owner_before, where))


def _kept(folder: _Folder) -> tuple[FileNode, ...]:
    """The entries as a tuple: the one of before where they are all the same objects."""
    old = folder.old_order
    is_same = len(old) == len(folder.done) and all(a is b for a, b in zip(old, folder.done, strict=True))
    return old if is_same and isinstance(old, tuple) else tuple(folder.done)


def _node(item: Mapping[str, Any], contents: tuple[FileNode, ...] | None, old: FileNode | None, where: str) -> FileNode:
    kind = _TYPES.get(str(item.get("type")), "other")
    name = item.get("name")
    if not isinstance(name, str) or not name:
        raise ContractViolation(f"{where}.name: a name is promised, not {_shown(name)}")
    size = _size(item.get("size"), where)
    time = _time(item.get("time"), where)
    digest = item.get("hash")
    if not (digest is None or (isinstance(digest, int) and not isinstance(digest, bool))):
        raise ContractViolation(f"{where}.hash: an integer is promised, not {_shown(digest)}")
    if (
        old is not None
        and (old.type, old.size, old.time, old.hash) == (kind, size, time, digest)
        and old.contents is contents
    ):
        return old
    return FileNode(kind, name, size, time, digest, contents)


def _size(value: object, where: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS:
        return int(value)
    raise ContractViolation(f"{where}.size: decimal bytes are promised, not {_shown(value)}")


def _time(value: object, where: str) -> datetime:
    if isinstance(value, str):
        moment = _moment(value)
        if moment is not None:
            return moment
    raise ContractViolation(f"{where}.time: YYYY-MM-DD-HH-MM is promised, not {_shown(value)}")


@lru_cache(maxsize=4096)
def _moment(text: str) -> datetime | None:
    try:
        year, month, day, hour, minute = (int(part) for part in text.split("-", 4))
        return datetime(year, month, day, hour, minute, tzinfo=UTC)
    except ValueError:
        return None


def _shown(value: object) -> str:
    if isinstance(value, str | int | float | bool | None):
        text = repr(value)
        return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "…"
    return type(value).__name__
