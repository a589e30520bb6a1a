"""What a sync would send, by size, memory, time and hash."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import xxhash

from emtui.errors import BadRequest
from emtui.files import FileSource
from emtui.files.sync import plan_sync
from emtui.files.synced import FILE_NAME, Synced
from emtui.plain import FileNode, FileType, Listing

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def listing(*nodes: FileNode) -> Listing:
    return Listing(nodes, "1", len(nodes), sum(node.size for node in nodes))


def node(time: datetime = NOON, size: int = 3, kind: FileType = "file", number: int | None = 1) -> FileNode:
    return FileNode(kind, "a", size, time, number)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    return path


def changed_at(path: Path, moment: datetime) -> None:
    os.utime(path, (moment.timestamp(), moment.timestamp()))


def reasons(file: Path, there: Listing, synced: Synced | None = None, ahead_s: float = 0.0) -> list[str]:
    return [change.reason for change in plan_sync(file, "", there, synced or Synced(), ahead_s).changes]


@pytest.mark.parametrize(
    ("later", "found"),
    [
        (timedelta(seconds=-1), []),
        (timedelta(0), ["time"]),
        (timedelta(seconds=59), ["time"]),
        (timedelta(hours=1), ["time"]),
    ],
)
def test_without_a_memory_and_a_hash_a_file_is_sent_unless_it_is_surely_older(
    later: timedelta, found: list[str], file: Path
) -> None:
    changed_at(file, NOON + later)
    assert reasons(file, listing(node(number=None))) == found


def test_a_clock_that_is_known_to_be_ahead_hides_no_change(file: Path) -> None:
    changed_at(file, NOON - timedelta(minutes=5))
    assert reasons(file, listing(node(number=None)), ahead_s=600.0) == ["time"]
    assert reasons(file, listing(node(number=None)), ahead_s=-600.0) == []


@pytest.mark.parametrize(
    ("there", "found"),
    [
        (listing(), ["new"]),
        (listing(node(size=4)), ["size"]),
        (listing(node(kind="link")), ["new"]),
        (listing(node(kind="other", size=3)), ["new"]),
    ],
)
def test_what_is_not_there_as_it_is_here_is_sent(there: Listing, found: list[str], file: Path) -> None:
    changed_at(file, NOON - timedelta(days=1))
    assert reasons(file, there) == found


def test_the_same_bytes_by_the_listed_hash_are_not_sent(file: Path) -> None:
    changed_at(file, NOON + timedelta(days=1))
    number = xxhash.xxh3_64_intdigest(b"one")
    signed = number - (1 << 64) if number >= 1 << 63 else number
    assert reasons(file, listing(node(number=signed))) == []
    assert reasons(file, listing(node(number=None))) == ["time"]


def test_other_bytes_by_the_listed_hash_are_sent_however_old_they_are(file: Path) -> None:
    changed_at(file, NOON - timedelta(days=1))
    assert reasons(file, listing(node(number=7))) == ["hash"]


def test_a_folder_in_the_place_of_a_file_is_refused(file: Path) -> None:
    with pytest.raises(BadRequest, match="/a is a folder of the volume"):
        reasons(file, listing(FileNode("directory", "a", 3, NOON, None, ())))


class TestMemory:
    """What was synced before."""

    @pytest.fixture
    def synced(self, file: Path) -> Synced:
        made = Synced()
        changed_at(file, NOON + timedelta(hours=1))
        made.remember([("a", FileSource(file))], listing(node()))
        return made

    def test_what_is_as_it_was_is_left(self, file: Path, synced: Synced) -> None:
        assert reasons(file, listing(node()), synced) == []

    def test_what_has_changed_here_is_sent_whatever_its_time(self, file: Path, synced: Synced) -> None:
        changed_at(file, NOON - timedelta(days=1))
        assert reasons(file, listing(node()), synced) == ["hash"]

    def test_what_has_changed_here_is_sent_without_a_hash_too(self, file: Path) -> None:
        synced = Synced()
        synced.remember([("a", FileSource(file))], listing(node(number=None)))
        changed_at(file, NOON - timedelta(days=1))
        assert reasons(file, listing(node(number=None)), synced) == ["time"]

    def test_what_has_changed_there_goes_by_the_times(self, file: Path, synced: Synced) -> None:
        assert reasons(file, listing(node(NOON + timedelta(minutes=30))), synced) == ["time"]
        plan = plan_sync(file, "", listing(node(NOON + timedelta(hours=2), number=7)), synced)
        assert (plan.changes, plan.same, plan.newer) == ((), (), ("a",))

    def test_what_has_changed_here_and_there_is_sent(self, file: Path, synced: Synced) -> None:
        changed_at(file, NOON - timedelta(days=1))
        assert reasons(file, listing(node(NOON + timedelta(hours=2), number=7)), synced) == ["hash"]

    def test_another_file_of_the_same_place_is_one_that_is_new_here(
        self, file: Path, synced: Synced, tmp_path: Path
    ) -> None:
        (tmp_path / "other").mkdir()
        other = tmp_path / "other/a"
        other.write_bytes(b"ONE")
        os.utime(other, ns=(file.stat().st_mtime_ns,) * 2)
        assert reasons(other, listing(node()), synced) == ["hash"]
        changed_at(other, NOON - timedelta(days=1))
        assert reasons(other, listing(node(number=None)), synced) == []

    def test_it_outlives_the_process_and_forgets_what_is_gone(self, file: Path, synced: Synced, tmp_path: Path) -> None:
        synced.write(tmp_path)
        assert oct((tmp_path / FILE_NAME).stat().st_mode & 0o777) == "0o600"
        again = Synced.read(tmp_path)
        assert reasons(file, listing(node()), again) == []
        again.remember([], listing())
        assert not again.remembers_remote("a", node())

    def test_what_cannot_be_written_is_no_failure(self, synced: Synced, tmp_path: Path) -> None:
        synced.write(tmp_path / "missing")
        assert not list(tmp_path.glob("*.part"))
        assert not Synced.read(tmp_path / "missing").remembers_remote("a", node())
