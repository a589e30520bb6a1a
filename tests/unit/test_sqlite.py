"""What every SQLite file of emtui has in common."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emtui.errors import LocalProblem, WorkspaceProblem
from emtui.local.store import MIGRATIONS, Store
from emtui.storage import sqlite as sqlite_module
from emtui.storage.sqlite import Database, pack, unpack

FIRST = "CREATE TABLE t (a TEXT NOT NULL UNIQUE) STRICT; -- a comment; with a sign\nINSERT INTO t VALUES ('a;b');"
SECOND = "ALTER TABLE t ADD COLUMN b TEXT;"


def opened(path: Path, *migrations: str) -> Database:
    return Database(path, migrations, application_id=1234, problem=LocalProblem, remedy="Move it.")


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    made = opened(tmp_path / "db", FIRST)
    yield made
    made.close()


def values(db: Database) -> list[str]:
    return [row["a"] for row in db.read("SELECT a FROM t ORDER BY a")]


def test_a_database_is_durable(db: Database) -> None:
    assert db.read("PRAGMA journal_mode")[0][0] == "wal"
    assert db.read("PRAGMA synchronous")[0][0] == 2
    with db.change(is_synced=False) as connection:
        assert connection.execute("PRAGMA synchronous").fetchone()[0] == 1
    assert db.read("PRAGMA synchronous")[0][0] == 2


def test_a_change_is_whole_or_not_at_all(db: Database) -> None:
    def insert_and_fail() -> None:
        with db.change() as connection:
            connection.execute("INSERT INTO t VALUES ('x')")
            raise KeyError

    def insert_twice() -> None:
        with db.change(is_synced=False) as connection:
            connection.execute("INSERT INTO t VALUES ('x')")
            connection.execute("INSERT INTO t VALUES ('x')")

    for change, error in ((insert_and_fail, KeyError), (insert_twice, sqlite3.IntegrityError)):
        with pytest.raises(error):
            change()
        assert values(db) == ["a;b"]
    with db.change() as connection:
        connection.execute("INSERT INTO t VALUES ('x')")
    assert values(db) == ["a;b", "x"]


def test_an_older_file_is_brought_up_once(db: Database, tmp_path: Path) -> None:
    db.close()
    for _ in range(2):
        newer = opened(tmp_path / "db", FIRST, SECOND)
        assert newer.read("SELECT b FROM t")[0]["b"] is None
        assert newer.read("PRAGMA user_version")[0][0] == 2
        newer.close()
    with pytest.raises(LocalProblem, match="newer emtui"):
        opened(tmp_path / "db", FIRST)


def test_a_migration_that_fails_leaves_the_older_file(db: Database, tmp_path: Path) -> None:
    db.close()
    with pytest.raises(LocalProblem, match="no such table"):
        opened(tmp_path / "db", FIRST, f"{SECOND} INSERT INTO missing VALUES (1);")
    again = opened(tmp_path / "db", FIRST)
    assert values(again) == ["a;b"]
    again.close()


def test_one_file_is_not_taken_for_another(tmp_path: Path) -> None:
    Store(tmp_path / "db").close()
    with pytest.raises(LocalProblem, match="not this one of emtui"):
        opened(tmp_path / "db", *MIGRATIONS)


def test_a_file_that_another_program_holds(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    db.read("PRAGMA busy_timeout = 20")
    other = sqlite3.connect(tmp_path / "db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LocalProblem, match="locked") as caught, db.change():
        raise AssertionError("never reached")
    assert "Another program holds it" in caught.value.remedy
    other.close()
    with db.change() as connection:
        connection.execute("INSERT INTO t VALUES ('x')")


def test_entering_wal_is_waited_for_only_so_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_module, "BUSY_TIMEOUT_S", 0.05)
    holder = sqlite3.connect(tmp_path / "db", isolation_level=None)
    holder.executescript(f"{FIRST} PRAGMA user_version = 1; PRAGMA application_id = 1234;")
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(LocalProblem, match="locked"):
        opened(tmp_path / "db", FIRST)
    holder.execute("ROLLBACK")
    opened(tmp_path / "db", FIRST).close()
    holder.close()


def test_damage_in_the_middle_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "emtui.db"
    store = Store(path)
    with store.change() as db:
        db.executemany("INSERT INTO datasets VALUES (?, ?)", [(b"x" * 500, str(n).encode()) for n in range(500)])
    store.close()
    data = path.read_bytes()
    path.write_bytes(data[: 20 * 4096] + b"\xff" * (len(data) - 20 * 4096))
    with pytest.raises(WorkspaceProblem, match="damaged") as caught:
        Store(path)
    assert "volume/ are not touched" in caught.value.remedy


@given(st.text(st.characters(exclude_categories=[])))
def test_any_text_can_be_packed(text: str) -> None:
    assert unpack(pack(text)) == text
