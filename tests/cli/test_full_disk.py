"""What a workspace on a full disk still does, and what it says of the rest."""

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from emtui.cli.exit_codes import Exit
from tests.cli.harness import Cli
from tests.cli.refused import is_refused
from tests.unit.local.local_limits import mounted


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Path]:
    """A workspace on a disk of 2 MB of its own."""
    with mounted(tmp_path / "small", "size=2M") as disk:
        yield disk / "ws"


def fill(disk: Path) -> None:
    """Leave no byte free."""
    with (disk / "fill").open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            with suppress(OSError):
                while file.write(bytes(size)):
                    pass


def test_what_is_there_can_be_seen_on_a_full_disk(emtui: Cli, workspace: Path) -> None:
    emtui.ok("files", "list")
    (workspace / "volume/a").write_bytes(b"one")
    emtui.ok("files", "delete", "a", "--yes")
    (workspace / "volume/b").write_bytes(b"two")
    fill(workspace.parent)
    assert [row[2] for row in emtui.ok("files", "list").rows] == ["b"]
    assert emtui.ok("grid", "models").rows == []
    assert emtui.ok("log").rows[-1][2] == "delete a"


def test_what_cannot_be_done_on_a_full_disk_says_so_and_not_to_throw_the_workspace_away(
    emtui: Cli, workspace: Path
) -> None:
    emtui.ok("files", "list")
    (workspace / "volume/a").write_bytes(b"one")
    fill(workspace.parent)
    done = emtui("files", "delete", "a", "--yes")
    is_refused(done, Exit.FAILED, "journal.db: No space left on device. Free some space")
    assert "aside" not in done.stderr
    (workspace.parent / "fill").unlink()
    emtui.ok("files", "delete", "a", "--yes")


def test_a_workspace_that_cannot_be_made_for_want_of_space_says_so(emtui: Cli, workspace: Path) -> None:
    fill(workspace.parent)
    is_refused(emtui("files", "list"), Exit.CONFIG, "No space left on device. Free some space, or")


def test_a_journal_with_something_in_its_wal_is_not_read_without_it(emtui: Cli, workspace: Path) -> None:
    emtui.ok("files", "list")
    path = workspace / "journal.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA journal_mode = WAL")
    other.execute("CREATE TABLE more (a)")
    kept = {name: path.with_name(name).read_bytes() for name in ("journal.db", "journal.db-wal")}
    other.close()
    for name, data in kept.items():
        path.with_name(name).write_bytes(data)
    fill(workspace.parent)
    for words in (("log",), ("files", "list")):
        is_refused(emtui(*words), Exit.FAILED, "journal.db: No space left on device. Free some space")
