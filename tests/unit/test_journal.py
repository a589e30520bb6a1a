"""The journal: every command's intent and end, safe against damage, growth and company."""

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emtui.commands import Delete, GetModel, RunPod, ServeModel, Uplink
from emtui.errors import LocalProblem
from emtui.journal import journal as journal_module
from emtui.journal import writers
from emtui.journal.journal import MAX_HASHES, MAX_LOG_LINES, MAX_TEXT_CHARS, Entry, Journal, JournalProblem
from emtui.journal.logbook import read_journal
from emtui.models import PodSpec
from emtui.views import Stage

NOW = datetime(2026, 11, 21, 20, 47, 13, 250_000, tzinfo=UTC)
LATER = NOW + timedelta(seconds=5)
COMMAND = Delete(("a.txt",))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    made = Journal(path)
    yield made
    made.close()


def only(journal: Journal) -> Entry:
    (entry,) = journal.entries()
    return entry


def test_a_command_from_its_intent_to_its_end(journal: Journal) -> None:
    number = journal.begin(COMMAND, "op", "local:/w", NOW)
    entry = only(journal)
    assert (entry.id, entry.name, entry.command, entry.stage) == (number, "delete", COMMAND, Stage.QUEUED)
    assert (entry.who, entry.profile, entry.asked_at, entry.changed_at) == ("op", "local:/w", NOW, NOW)
    assert entry.sent_at is None
    journal.advance(number, Stage.RELEASED, LATER)
    assert (only(journal).stage, only(journal).changed_at, only(journal).sent_at) == (Stage.RELEASED, LATER, None)
    journal.advance(number, Stage.SENT, LATER)
    journal.advance(number, Stage.EXECUTING, LATER + timedelta(seconds=1))
    assert only(journal).sent_at == LATER
    journal.finish(
        number, Stage.FAILED, LATER, note="n", error="e", remedy="r", log_tail=["one\n", "two\n"], sent_bytes=12
    )
    entry = only(journal)
    assert (entry.stage, entry.note, entry.error, entry.remedy) == (Stage.FAILED, "n", "e", "r")
    assert (entry.log_tail, entry.sent_bytes, entry.acknowledged) == (("one\n", "two\n"), 12, False)
    journal.acknowledge(number)
    assert only(journal).acknowledged
    journal.acknowledge(number + 1)


def test_entries_tell_their_title_and_endpoint(journal: Journal) -> None:
    journal.begin(COMMAND, "op", "p", NOW)
    journal.begin(GetModel("m", Path("/x")), "op", "p", NOW)
    first, second = journal.entries()
    assert (first.title, first.endpoint) == ("delete a.txt", "em")
    assert (second.title, second.endpoint) == ("get model m → /x", "grid")


def test_stages_are_written_in_order_only(journal: Journal) -> None:
    number = journal.begin(COMMAND, "op", "p", NOW)
    with pytest.raises(ValueError, match="final"):
        journal.advance(number, Stage.COMPLETE, NOW)
    with pytest.raises(ValueError, match="not final"):
        journal.finish(number, Stage.SENT, NOW)
    with pytest.raises(ValueError, match="zone"):
        journal.advance(number, Stage.SENT, NOW.replace(tzinfo=None))
    with pytest.raises(KeyError):
        journal.advance(number + 1, Stage.SENT, NOW)
    with pytest.raises(KeyError):
        journal.finish(number + 1, Stage.FAILED, NOW)
    journal.finish(number, Stage.CANCELLED, NOW)
    with pytest.raises(ValueError, match="ended"):
        journal.advance(number, Stage.SENT, NOW)
    with pytest.raises(ValueError, match="ended"):
        journal.finish(number, Stage.COMPLETE, NOW)
    assert only(journal).stage is Stage.CANCELLED


def test_an_unknown_outcome_can_be_resolved(journal: Journal) -> None:
    number = journal.begin(COMMAND, "op", "p", NOW)
    journal.finish(number, Stage.UNKNOWN, NOW, error="no answer")
    journal.acknowledge(number)
    journal.finish(number, Stage.COMPLETE, LATER, note="the volume lists it")
    entry = only(journal)
    assert (entry.stage, entry.note, entry.error, entry.acknowledged) == (
        Stage.COMPLETE,
        "the volume lists it",
        "",
        False,
    )


def test_times_of_any_zone_are_kept_as_utc_and_sorted(journal: Journal) -> None:
    east = timezone(timedelta(hours=2))
    journal.begin(COMMAND, "op", "p", NOW.astimezone(east))
    journal.begin(COMMAND, "op", "p", NOW.replace(microsecond=0) + timedelta(seconds=1))
    assert journal.entries()[0].asked_at == NOW
    assert journal.entries()[0].asked_at.utcoffset() == timedelta(0)
    assert [entry.id for entry in journal.entries(since=NOW)] == [1, 2]
    assert [entry.id for entry in journal.entries(since=NOW + timedelta(microseconds=1))] == [2]
    assert journal.entries(since=LATER) == []


def test_recent_and_last(journal: Journal) -> None:
    spec = PodSpec(docker_image="echo", max_duration=1.5, node="FPGA", scheduled_time=NOW)
    for stage in (Stage.COMPLETE, Stage.COMPLETE, Stage.FAILED):
        journal.finish(journal.begin(RunPod(spec), "op", "p", NOW), stage, NOW)
    journal.begin(COMMAND, "op", "p", NOW)
    assert [entry.id for entry in journal.recent(3)] == [4, 3, 2]
    last = journal.last("run")
    assert last is not None
    assert (last.id, last.command) == (2, RunPod(spec))
    assert journal.last("delete") is None


def test_what_a_closed_journal_left_open_is_told_to_the_next(path: Path) -> None:
    first = Journal(path)
    done = first.begin(COMMAND, "op", "p", NOW)
    first.finish(done, Stage.COMPLETE, NOW)
    left = first.begin(COMMAND, "op", "p", NOW)
    first.advance(left, Stage.SENT, NOW)
    second = Journal(path)
    assert first.open_entries() == second.open_entries() == []
    mine = second.begin(COMMAND, "op", "p", NOW)
    first.close()
    assert [entry.id for entry in second.open_entries()] == [left]
    second.finish(left, Stage.UNKNOWN, NOW)
    second.finish(mine, Stage.COMPLETE, NOW)
    assert second.open_entries() == []
    second.close()


@pytest.mark.parametrize(
    "writer",
    ["{pid}:another-start:0", "999999999:x:0", "1:another-start:0"],
    ids=["our number, another process", "no such process", "its number given anew"],
)
def test_a_process_number_that_was_given_anew_is_another_process(journal: Journal, writer: str) -> None:
    number = journal.begin(COMMAND, "op", "p", NOW)
    with journal._db.change() as db:
        db.execute("UPDATE commands SET writer = ?", (writer.format(pid=os.getpid()),))
    assert [entry.id for entry in journal.open_entries()] == [number]


def test_a_living_process_keeps_its_entries_and_a_dead_one_not(journal: Journal) -> None:
    number = journal.begin(COMMAND, "op", "p", NOW)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        with journal._db.change() as db:
            db.execute("UPDATE commands SET writer = ?", (f"{child.pid}:{writers.started_at(child.pid)}:0",))
        assert journal.open_entries() == []
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert [entry.id for entry in journal.open_entries()] == [number]  # dead, its parent has not looked yet
    finally:
        child.kill()
        child.communicate(timeout=30)
    assert [entry.id for entry in journal.open_entries()] == [number]


def test_a_command_of_another_version_is_kept_without_being_understood(journal: Journal) -> None:
    for name, data in [
        ("teleport", "{}"),
        ("delete", '{"path": "a"}'),
        ("delete", "[1]"),
        ("delete", "not json"),
        ("run", '{"spec": {"docker_image": 3}}'),
    ]:
        number = journal.begin(COMMAND, "op", "p", NOW)
        with journal._db.change() as db:
            db.execute("UPDATE commands SET name = ?, data = ? WHERE id = ?", (name, data, number))
        entry = journal.recent(1)[0]
        assert (entry.command, entry.name, entry.data) == (None, name, data)
        assert name in entry.title
        assert entry.endpoint == "em"


# Text with bytes that are not UTF-8, as file names and lines of a log have them.
any_text = st.text(st.characters() | st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF), max_size=60)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(any_text, any_text, any_text, st.lists(any_text, max_size=3))
def test_foreign_text_survives_whatever_it_is(journal: Journal, id_: str, who: str, error: str, log: list[str]) -> None:
    command = ServeModel(Path("a\udcff"), id_)
    number = journal.begin(command, who, error, NOW)
    journal.finish(number, Stage.FAILED, NOW, note=id_, error=error, remedy=who, log_tail=log)
    entry = journal.recent(1)[0]
    assert entry.command == command
    assert (entry.who, entry.profile, entry.note, entry.error, entry.remedy) == (who, error, id_, error, who)
    assert entry.log_tail == tuple(log)


def test_an_entry_is_bounded(journal: Journal) -> None:
    number = journal.begin(COMMAND, "op", "p", NOW)
    log = [f"{line}" * 10_000 for line in range(300)]
    journal.finish(number, Stage.FAILED, NOW, error="e" * 10_000_000, log_tail=log)
    entry = only(journal)
    assert len(entry.error) == MAX_TEXT_CHARS
    assert len(entry.log_tail) == MAX_LOG_LINES
    assert entry.log_tail[-1].startswith("299")
    assert all(len(line) <= 4096 for line in entry.log_tail)


def test_growth_is_bounded_but_nothing_open_or_unseen_unknown_is_dropped(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "KEPT_ENTRIES", 20)
    monkeypatch.setattr(journal_module, "PRUNE_EVERY", 10)
    open_one = journal.begin(COMMAND, "op", "p", NOW)
    unknown, seen = (journal.begin(COMMAND, "op", "p", NOW) for _ in range(2))
    for number in (unknown, seen):
        journal.finish(number, Stage.UNKNOWN, NOW)
    journal.acknowledge(seen)
    for _ in range(97):
        journal.finish(journal.begin(COMMAND, "op", "p", NOW), Stage.COMPLETE, NOW)
    numbers = [entry.id for entry in journal.entries()]
    assert numbers == [open_one, unknown, *range(80, 101)]


# -------------------------------------------------------------------------------------------- the file


def test_a_journal_is_there_after_it_was_closed(path: Path) -> None:
    first = Journal(path)
    first.begin(Uplink((Path("/a"),), "x"), "op", "p", NOW)
    first.close()
    second = Journal(path)
    assert only(second).command == Uplink((Path("/a"),), "x")
    second.close()


def make(path: Path) -> bytes:
    journal = Journal(path)
    for _ in range(300):
        journal.finish(journal.begin(COMMAND, "op", "p", NOW), Stage.FAILED, NOW, error="e" * 500)
    journal.close()
    return path.read_bytes()


def zeroed_page(data: bytes) -> bytes:
    return data[:4096] + bytes(4096) + data[8192:]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"this is no database, but somebody's file" * 50,
        lambda data: data[: len(data) // 2],
        lambda data: data[:-1000],
        zeroed_page,
        lambda data: data[:4096] + os.urandom(len(data) - 4096),
        lambda data: b"\0" * len(data),
    ],
    ids=["other file", "half", "torn end", "page lost", "rubbish in it", "zeros"],
)
def test_a_damaged_journal_is_refused_and_never_touched(path: Path, damage: object) -> None:
    assert callable(damage)
    path.write_bytes(damage(make(path)))
    before = path.read_bytes()
    with pytest.raises(JournalProblem) as caught:
        Journal(path)
    assert str(path) in caught.value.message
    assert "Move journal.db aside" in caught.value.remedy
    assert path.read_bytes() == before


def test_a_torn_end_of_the_write_ahead_log_loses_the_torn_change_only(path: Path, tmp_path: Path) -> None:
    journal = Journal(path)
    numbers = [journal.begin(COMMAND, "op", "p", NOW) for _ in range(3)]
    copy = tmp_path / "copy.db"
    copy.write_bytes(path.read_bytes())
    wal = Path(f"{path}-wal").read_bytes()
    Path(f"{copy}-wal").write_bytes(wal[:-100])
    journal.close()
    torn = Journal(copy)
    assert [entry.id for entry in torn.entries()] == numbers[:2]
    torn.begin(COMMAND, "op", "p", NOW)
    torn.close()


def test_an_empty_file_is_a_new_journal(path: Path) -> None:
    path.touch()
    journal = Journal(path)
    assert journal.entries() == []
    journal.close()


def test_a_newer_journal_and_another_database_are_refused(path: Path, tmp_path: Path) -> None:
    make(path)
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(JournalProblem, match="made by a newer emtui"):
        Journal(path)
    other = tmp_path / "other.db"
    db = sqlite3.connect(other)
    db.execute("CREATE TABLE t (a)")
    db.commit()
    db.close()
    before = other.read_bytes()
    with pytest.raises(JournalProblem, match="not this one of emtui"):
        Journal(other)
    assert other.read_bytes() == before


def test_a_place_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    with pytest.raises(LocalProblem, match="unable to open") as caught:
        Journal(tmp_path / "missing" / "journal.db")
    assert "rights" in caught.value.remedy
    with pytest.raises(JournalProblem):
        Journal(tmp_path)


def test_a_full_disk_is_told_and_the_intent_is_not_half_there(journal: Journal) -> None:
    journal.begin(COMMAND, "op", "p", NOW)
    (pages,) = journal._db.read("PRAGMA page_count")[0]
    journal._db.read(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(JournalProblem, match="full") as caught:
        journal.begin(Delete(("x" * 2_000_000,)), "op", "p", NOW)
    assert "Free some space" in caught.value.remedy
    journal._db.read("PRAGMA max_page_count = 1000000")
    before = len(journal.entries())
    journal.begin(COMMAND, "op", "p", NOW)
    assert len(journal.entries()) == before + 1


def test_threads_and_journals_share_a_file(path: Path) -> None:
    journals = [Journal(path) for _ in range(3)]
    errors: list[BaseException] = []

    def work(journal: Journal) -> None:
        try:
            for _ in range(20):
                number = journal.begin(COMMAND, "op", "p", NOW)
                journal.advance(number, Stage.SENT, NOW)
                journal.finish(number, Stage.COMPLETE, NOW)
        except BaseException as error:
            errors.append(error)
            raise

    threads = [threading.Thread(target=work, args=(journal,)) for journal in journals for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert errors == []
    assert len(journals[0].entries()) == 120
    assert {entry.stage for entry in journals[1].entries()} == {Stage.COMPLETE}
    for journal in journals:
        journal.close()


def test_processes_that_open_it_for_the_first_time_at_once(path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from datetime import datetime, UTC\n"
        "from emtui.journal.journal import Journal; from emtui.commands import Delete\n"
        "sys.stdin.read(1); j = Journal(Path(sys.argv[1]))\n"
        "[j.begin(Delete(('a',)), 'op', 'p', datetime.now(UTC)) for _ in range(10)]; j.close()\n"
    )
    children = [subprocess.Popen([sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE) for _ in range(4)]
    for child in children:
        assert child.stdin is not None
        child.stdin.write(b".")
        child.stdin.flush()
    for child in children:
        child.communicate(timeout=60)
        assert child.returncode == 0
    journal = Journal(path)
    assert len(journal.entries()) == len(journal.open_entries()) == 40
    journal.close()


def test_what_was_moved_and_what_came_is_written_and_stays(journal: Journal) -> None:
    number = journal.begin(COMMAND, "op", "em", NOW)
    hashes = {f"\udcff{index}": "ab" * 32 for index in range(MAX_HASHES + 5)}
    journal.finish(number, Stage.UNKNOWN, NOW, sent_bytes=7, sha256=hashes)
    entry = only(journal)
    assert (entry.sent_bytes, len(entry.sha256), entry.sha256["\udcff0"]) == (7, MAX_HASHES, "ab" * 32)
    journal.finish(number, Stage.COMPLETE, LATER)
    assert only(journal).sent_bytes == 7


def test_what_was_only_hindered_is_asked_for_again_until_it_is_known_or_seen(journal: Journal) -> None:
    numbers = [journal.begin(COMMAND, "op", "em", NOW) for _ in range(3)]
    for number in numbers:
        journal.finish(number, Stage.UNKNOWN, NOW, is_hindered=number != numbers[2])
    assert [entry.id for entry in journal.hindered()] == numbers[:2]
    journal.acknowledge(numbers[0])
    journal.finish(numbers[1], Stage.COMPLETE, LATER)
    assert journal.hindered() == []


def test_only_what_goes_to_the_ends_that_are_named_is_taken_over(path: Path) -> None:
    gone = Journal(path)
    gone.begin(COMMAND, "op", "em", NOW)
    grid = gone.begin(GetModel("m", Path("/x")), "op", "em", NOW)
    gone.close()
    one = Journal(path)
    assert [entry.id for entry in one.take_over(["grid"])] == [grid]
    assert [entry.name for entry in one.open_entries()] == ["delete"]
    one.close()


def a_run(journal: Journal, sent_at: datetime | None, stage: Stage | None = None, ended_at: datetime = NOW) -> int:
    number = journal.begin(RunPod(PodSpec(docker_image="a", max_duration=1, node="FPGA")), "op", "em", NOW)
    if sent_at is not None:
        journal.advance(number, Stage.SENT, sent_at)
    if stage is not None:
        journal.finish(number, stage, ended_at)
    return number


def test_the_rivals_of_a_run_are_those_that_may_take_its_pods_place(journal: Journal, path: Path) -> None:
    before, after = NOW - timedelta(seconds=5), NOW + timedelta(seconds=5)
    ours = a_run(journal, NOW, Stage.COMPLETE)
    gone = Journal(path)
    a_run(gone, before)
    gone.close()
    a_run(journal, before, Stage.COMPLETE, before)
    a_run(journal, None)
    a_run(journal, after, Stage.FAILED, after)
    a_run(journal, after, Stage.CANCELLED, after)
    other = journal.begin(COMMAND, "op", "em", NOW)
    journal.advance(other, Stage.SENT, after)
    assert journal.rivals(ours, NOW) == []
    rivals = [
        a_run(journal, before),
        a_run(journal, before, Stage.COMPLETE, after),
        a_run(journal, after, Stage.COMPLETE, after),
        a_run(journal, after, Stage.UNKNOWN, after),
    ]
    assert [entry.id for entry in journal.rivals(ours, NOW)] == rivals


def test_a_journal_of_the_first_schema_is_read_and_brought_to_the_present_one(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.executescript(journal_module._MIGRATIONS[0])
        db.execute(f"PRAGMA application_id = {journal_module._APPLICATION_ID}")
        db.execute("PRAGMA user_version = 1")
        db.execute(
            "INSERT INTO commands (name, data, who, profile, writer, stage, asked_at, changed_at)"
            " VALUES ('delete', '{\"paths\": [\"a\"]}', x'61', x'61', '1::0', 'complete', ?, ?)",
            (NOW.isoformat(), NOW.isoformat()),
        )
        db.commit()
    (record,) = read_journal(path)
    assert (record.title, record.sha256) == ("delete a", {})
    journal = Journal(path)
    assert (only(journal).title, only(journal).sha256, journal.hindered()) == ("delete a", {}, [])
    journal.close()
