"""The listing on the wire: exact, deep, tolerant where it may be, and the same objects where nothing changed."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from emtui.errors import ContractViolation
from emtui.plain import FileNode, Listing
from emtui.wire.deep_json import loads
from emtui.wire.listing import ListingReader, listing_json

NOON = datetime(2025, 11, 20, 12, 31, tzinfo=UTC)

# EM API §2, word for word.
SPECIFIED = """[
    {"type": "file", "name": "downlink.txt", "size": "167", "time": "2025-11-20-12-31", "hash": 5686952638663605203},
    {"type": "directory", "name": "echo-test", "size": "487", "time": "2025-11-20-11-30", "contents": [
      {"type": "file", "name": "Dockerfile", "size": "121", "time": "2025-11-20-13-43", "hash": -6285199279658827551},
      {"type": "file", "name": "echo-test.sh", "size": "362", "time": "2025-11-20-13-43", "hash": -8104029944333627578}
    ]}]"""


def written(nodes: tuple[FileNode, ...]) -> str:
    return "".join(listing_json(nodes))


def read(reader: ListingReader, text: str) -> Listing:
    return reader.read(text.encode("utf-8", "surrogatepass"), loads(text))


def test_the_specifications_example_is_read_and_written_again() -> None:
    listing = read(ListingReader(), SPECIFIED)
    assert (listing.file_count, listing.size_bytes) == (3, 650)
    assert listing.nodes[0] == FileNode("file", "downlink.txt", 167, NOON, 5686952638663605203)
    assert json.loads(written(listing.nodes)) == json.loads(SPECIFIED)


def test_names_that_are_not_utf_8_links_and_empty_folders_make_the_round_trip() -> None:
    nodes = (
        FileNode("file", "caf\udce9\n\x1b[31m", 1, NOON, -1),
        FileNode("link", "way", 9, NOON),
        FileNode("other", "fifo", 0, NOON),
        FileNode("directory", "empty", 0, NOON, None, ()),
    )
    assert read(ListingReader(), written(nodes)).nodes == nodes


def test_a_tree_three_thousand_deep_makes_the_round_trip() -> None:
    node = FileNode("file", "bottom", 4, NOON, 1)
    for _ in range(3000):
        node = FileNode("directory", "d", 4, NOON, None, (node,))
    listing = read(ListingReader(), written((node,)))
    assert sum(1 for _ in listing.walk()) == 3001


def test_what_has_not_changed_is_the_same_object() -> None:
    reader = ListingReader()
    first = read(reader, SPECIFIED)
    assert reader.unchanged(SPECIFIED.encode()) is first
    second = read(reader, SPECIFIED.replace('"167"', '"168"'))
    assert second.fingerprint != first.fingerprint
    assert second.nodes[0] is not first.nodes[0]
    assert second.nodes[1] is first.nodes[1]
    third = read(reader, SPECIFIED.replace('"362"', '"363"').replace('"167"', '"168"'))
    assert third.nodes[0] is second.nodes[0]
    assert third.nodes[1] is not second.nodes[1]
    assert (third.nodes[1].contents or ())[0] is (second.nodes[1].contents or ())[0]
    assert reader.unchanged(SPECIFIED.encode()) is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"size": "-1"}, "data[0].size"),
        ({"size": "9" * 5000}, "data[0].size"),
        ({"size": None}, "data[0].size"),
        ({"size": True}, "data[0].size"),
        ({"time": "2025-13-40-00-00"}, "data[0].time"),
        ({"time": 7}, "data[0].time"),
        ({"name": ""}, "data[0].name"),
        ({"name": None}, "data[0].name"),
        ({"hash": "abc"}, "data[0].hash"),
        ({"hash": 1.5}, "data[0].hash"),
        ({"type": "directory", "contents": "x"}, "data[0].contents"),
        ({"type": "directory", "contents": [7]}, "data[0].contents[0]"),
    ],
)
def test_a_field_that_is_wrong_is_named(change: dict[str, Any], field: str) -> None:
    item = {"type": "file", "name": "a", "size": "1", "time": "2025-11-20-12-31", "hash": 1} | change
    with pytest.raises(ContractViolation) as caught:
        ListingReader().read(b"", [item])
    assert caught.value.message.startswith(f"{field}:")
    assert len(caught.value.message) < 200


@pytest.mark.parametrize("data", [None, {}, "files", 7])
def test_what_is_no_list_is_refused(data: object) -> None:
    with pytest.raises(ContractViolation, match="data: an array"):
        ListingReader().read(b"", data)


def test_what_is_more_or_another_type_is_tolerated() -> None:
    item = {"type": "socket", "name": "s", "size": 7, "time": "2025-11-20-12-31", "mode": "rw", "hash": None}
    assert ListingReader().read(b"", [item]).nodes == (FileNode("other", "s", 7, NOON),)
