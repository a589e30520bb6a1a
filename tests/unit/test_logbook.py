"""The journal read without being opened: what it says, beside a writer, damaged, or by another version."""

import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from emtui.commands import Delete, RunPod
from emtui.journal import journal, logbook
from emtui.journal.journal import Journal, JournalProblem
from emtui.journal.logbook import journal_of, read_journal
from emtui.models import PodSpec
from emtui.profile import Profile
from emtui.views import Stage
from tests.cli.journals import Written, kinds
from tests.unit.as_nobody import as_nobody

NOW = datetime(2026, 11, 21, 20, 47, 13, tzinfo=UTC)


def test_it_reads_what_the_journal_writes(tmp_path: Path) -> None:
    assert logbook._APPLICATION_ID == journal._APPLICATION_ID
    assert len(journal._MIGRATIONS) == logbook._SCHEMA


def test_every_field_is_that_of_the_entry(tmp_path: Path) -> None:
    written = Written(tmp_path)
    for command in kinds():
        written.add(command, Stage.FAILED, error="\udcff", remedy="r", log_tail=("\x1b\n",), sent_bytes=7)
    written.journal.acknowledge(2)
    for record, entry in zip(read_journal(written.path), written.journal.entries(), strict=True):
        assert (record.id, record.name, record.title, record.endpoint) == (
            entry.id,
            entry.name,
            entry.title,
            entry.endpoint,
        )
        assert (record.asked_at, record.sent_at, record.changed_at) == (
            entry.asked_at,
            entry.sent_at,
            entry.changed_at,
        )
        assert (record.who, record.profile, record.stage) == (entry.who, entry.profile, entry.stage)
        assert (record.error, record.remedy, record.log_tail) == (entry.error, entry.remedy, entry.log_tail)
        assert (record.sent_bytes, record.is_acknowledged) == (7, entry.id == 2)
    written.journal.close()


def test_what_was_written_a_moment_ago_is_read_while_others_write(tmp_path: Path) -> None:
    written = Written(tmp_path)
    has_begun, is_over = threading.Event(), threading.Event()

    def write() -> None:
        while not is_over.is_set():
            written.add(Delete(("a",)))
            has_begun.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert has_begun.wait(10)
        counts = [len(read_journal(written.path)) for _ in range(20)]
    finally:
        is_over.set()
        writer.join()
    assert counts == sorted(counts)
    assert counts[0] > 0
    assert len(read_journal(written.path)) == len(written.journal.entries())
    written.journal.close()


def test_nothing_is_where_there_is_no_journal(tmp_path: Path) -> None:
    assert read_journal(tmp_path / "journal.db") == []
    assert read_journal(tmp_path / "no/journal.db") == []
    (tmp_path / "file").touch()
    assert read_journal(tmp_path / "file/journal.db") == []
    (tmp_path / "journal.db").touch()  # another emtui is making it
    assert read_journal(tmp_path / "journal.db") == []
    assert list(tmp_path.glob("no*")) == []


def test_a_folder_that_cannot_be_written_to_is_read() -> None:
    with tempfile.TemporaryDirectory() as folder:  # where somebody without rights can come
        written = Written(Path(folder))
        written.add(Delete(("a",)))
        written.journal.close()
        Path(folder).chmod(0o555)
        try:
            told: list[Any] = as_nobody(lambda: [len(read_journal(written.path))])  # type: ignore[list-item] # what comes back from the other process is as JSON
        finally:
            Path(folder).chmod(0o755)
        assert told == [1]


def test_a_journal_that_may_not_be_read_is_told() -> None:
    with tempfile.TemporaryDirectory() as folder:
        written = Written(Path(folder))
        written.journal.close()
        Path(folder).chmod(0o755)
        written.path.chmod(0)

        def look() -> list[Any]:
            try:
                return [len(read_journal(written.path))]
            except JournalProblem as error:
                return [error.message, error.remedy]

        told: list[Any] = as_nobody(look)
        assert told[0].endswith("journal.db: Permission denied")
        assert "rights" in told[1]


@pytest.mark.parametrize("name", ["a b", "a?b", "a#b", "a%20b", "é", os.fsdecode(b"\xff")])
def test_the_folder_may_have_any_name(name: str, tmp_path: Path) -> None:
    written = Written(tmp_path / name)
    written.add(Delete(("a",)))
    written.journal.close()
    assert len(read_journal(written.path)) == 1


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("PRAGMA user_version = 99", "made by a newer emtui (schema 99"),
        ("PRAGMA application_id = 7", "a database, but not this one of emtui"),
        ("UPDATE commands SET stage = 'lost'", "an entry of it cannot be read"),
        ("UPDATE commands SET asked_at = 'noon'", "an entry of it cannot be read"),
        ("UPDATE commands SET log_tail = '7'", "an entry of it cannot be read"),
        ("UPDATE commands SET note = x'ff'", "an entry of it cannot be read"),
        ("DROP TABLE commands", "cannot be read (no such table"),
    ],
)
def test_a_journal_of_another_kind_is_refused_with_the_remedy(statement: str, told: str, tmp_path: Path) -> None:
    written = Written(tmp_path)
    written.add(Delete(("a",)))
    written.journal.close()
    with sqlite3.connect(written.path) as db:
        db.execute(statement)
    db.close()
    with pytest.raises(JournalProblem) as caught:
        read_journal(written.path)
    assert told in caught.value.message
    assert "aside" in caught.value.remedy


def test_damage_in_the_middle_is_found(tmp_path: Path) -> None:
    written = Written(tmp_path)
    for number in range(200):
        written.add(Delete((f"{number}" * 100,)))
    written.journal.close()
    data = bytearray(written.path.read_bytes())
    data[4096 * 3 : 4096 * 4] = os.urandom(4096)
    written.path.write_bytes(data)
    with pytest.raises(JournalProblem):
        read_journal(written.path)


def test_a_command_of_another_version_keeps_its_line(tmp_path: Path) -> None:
    written = Written(tmp_path)
    for command in kinds():
        written.add(command)
    with written.journal._db.change() as db:
        db.execute("UPDATE commands SET data = '{\"colour\": 1}' WHERE id <= 7")
        db.execute("UPDATE commands SET name = 'teleport' WHERE id = 8")
    titles = [record.title for record in read_journal(written.path)]
    assert titles == [entry.title for entry in written.journal.entries()]
    assert titles[7] == "teleport (of another version of emtui)"
    written.journal.close()


def test_a_run_needs_no_library_to_be_told(tmp_path: Path) -> None:
    one = Journal(tmp_path / "journal.db")
    one.begin(RunPod(PodSpec(docker_image="echo", max_duration=3, node="GPU")), "me", "em", NOW)
    one.close()
    code = (
        "import sys; from pathlib import Path; from emtui.journal.logbook import read_journal\n"
        "print(read_journal(Path(sys.argv[1]))[0].title, 'pydantic' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "journal.db")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "run echo on GPU for 3 min False\n"


def test_the_journal_is_in_the_profiles_folder(own_home: Path) -> None:
    assert journal_of(Profile(Path("~/ws"))) == own_home / "ws/journal.db"
    assert journal_of(Profile(Path("ws"))) == Path.cwd() / "ws/journal.db"
    with pytest.raises(JournalProblem):
        journal_of(Profile(Path("~nobody-of-that-name/ws")))


def test_what_an_emtui_that_is_gone_has_left_says_so(tmp_path: Path) -> None:
    written = Written(tmp_path)
    written.add(Delete(("a",)), Stage.SENT)
    written.journal.begin(Delete(("b",)), "me", "em", NOW)
    assert [record.result for record in read_journal(written.path)] == ["", ""]  # it is still at work
    written.journal.close()
    sent, queued = read_journal(written.path)
    assert (sent.stage, sent.error) == (Stage.SENT, "emtui ended while it ran")
    assert "looked into again" in sent.remedy
    assert (queued.stage, queued.result, queued.error) == (Stage.QUEUED, "emtui ended before it left", "")
