"""The journal: what was asked, when, by whom, and how it ended.

One SQLite file for each workspace or profile. The intent is written and synced before a request leaves, so that
after `kill -9` or loss of power every command that may have reached the other side is still known. Several emtui may
have one journal open at once: each writes its own commands, and what one that is gone has left open belongs to the
first that takes it over. Calls block; all but `begin`, SENT and the end of a command take well under 1 ms.
"""

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from emtui.commands import REGISTRY, Command, Endpoint, restore
from emtui.errors import LocalProblem
from emtui.journal.writers import begin_writing, end_writing, is_writing
from emtui.storage.sqlite import Database, pack, unpack
from emtui.views import Stage

KEPT_ENTRIES = 10_000
"""How many ended commands are kept: years of rehearsals in a few MiB. Older ones are dropped, except those whose
outcome is unknown and that nobody has seen yet."""

PRUNE_EVERY = 100
"""After so many new commands the old ones are dropped: looking costs more than writing one."""

MAX_LOG_LINES = 100
MAX_LOG_LINE_CHARS = 4096
MAX_TEXT_CHARS = 65_536
"""Bounds of one entry: an error or a log line without end is cut."""

MAX_HASHES = 1_000
"""Of so many files of one command the SHA-256 is kept; the note still tells whether all of them were right."""

_APPLICATION_ID = 0x656D746A  # "emtj"
_FINAL = ", ".join(f"'{stage}'" for stage in Stage if stage.is_final)
_OPEN = f"SELECT * FROM commands WHERE stage NOT IN ({_FINAL}) ORDER BY id"  # noqa: S608 - names of stages
_HINDERED = "SELECT * FROM commands WHERE is_hindered AND stage = 'unknown' AND NOT is_acknowledged ORDER BY id"

# No run that is under way can be so many commands older than another.
_RUNS = "SELECT * FROM commands WHERE id > ? - 1000 AND id <> ? AND name = 'run' AND sent_at IS NOT NULL ORDER BY id"

# Never change one that has landed: add another.
_MIGRATIONS = (
    f"""
    CREATE TABLE commands (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,                    -- of the command in the registry
        data TEXT NOT NULL,                    -- its JSON, ASCII
        who BLOB NOT NULL,
        profile BLOB NOT NULL,
        writer TEXT NOT NULL,                  -- the process that does it, see _Writer
        stage TEXT NOT NULL,
        asked_at TEXT NOT NULL,                -- ISO 8601, UTC, microseconds
        sent_at TEXT,
        changed_at TEXT NOT NULL,
        note BLOB NOT NULL DEFAULT x'',
        error BLOB NOT NULL DEFAULT x'',
        remedy BLOB NOT NULL DEFAULT x'',
        log_tail TEXT NOT NULL DEFAULT '[]',   -- JSON list, ASCII
        sent_bytes INTEGER NOT NULL DEFAULT 0,
        is_acknowledged INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX commands_open ON commands (id) WHERE stage NOT IN ({_FINAL});
    CREATE INDEX commands_asked ON commands (asked_at);
    """,
    """
    ALTER TABLE commands ADD COLUMN sha256 TEXT NOT NULL DEFAULT '{}';         -- JSON: of each path that came, ASCII
    ALTER TABLE commands ADD COLUMN is_hindered INTEGER NOT NULL DEFAULT 0;    -- see Journal.hindered
    CREATE INDEX commands_hindered ON commands (id) WHERE is_hindered;
    """,
)


class JournalProblem(LocalProblem):
    """The journal cannot be used: damaged, of a newer emtui, not writable, disk full."""

    code = "JOURNAL"


class HasEnded(ValueError):
    """A command whose end is to be written has one already. `entry` is what the journal says."""

    def __init__(self, entry: "Entry") -> None:
        super().__init__(f"entry {entry.id} has ended already: {entry.stage}")
        self.entry = entry


@dataclass(frozen=True, slots=True)
class Entry:
    """One command in the journal.

    Attributes:
        id: its number; later commands have higher ones.
        name: the command's name in the registry, as it was when it was written.
        data: the command as JSON.
        command: the command itself, None where this emtui cannot restore it (of another version, or damaged).
        who, profile: who asked, and in which profile; foreign text.
        stage: how far it came.
        asked_at, changed_at: UTC; when it was asked for, and when its stage was last written.
        sent_at: when its request was about to leave, None where none did.
        note, error, remedy, log_tail: how it ended, as `CommandState` has it; foreign text.
        sent_bytes: bytes that were moved, sent or fetched.
        sha256: of each file that was fetched, by its path, hexadecimal; of the first `MAX_HASHES`. Foreign keys.
        acknowledged: whether the operator has seen the failure.
    """

    id: int
    name: str
    data: str
    command: Command | None
    who: str
    profile: str
    stage: Stage
    asked_at: datetime
    changed_at: datetime
    sent_at: datetime | None = None
    note: str = ""
    error: str = ""
    remedy: str = ""
    log_tail: tuple[str, ...] = ()
    sent_bytes: int = 0
    sha256: Mapping[str, str] = field(default_factory=dict)
    acknowledged: bool = False

    @property
    def title(self) -> str:
        """One line that says what it does; may hold foreign text."""
        return self.command.describe() if self.command is not None else f"{self.name} (of another version of emtui)"

    @property
    def endpoint(self) -> Endpoint:
        """Which link carries it."""
        kind = REGISTRY.get(self.name)
        return kind.endpoint if kind is not None else "em"


class Journal:
    """An open journal; thread-safe.

    Raises:
        JournalProblem: damaged (it is never overwritten), of a newer emtui, not writable, disk full. Every call may
            raise it.
    """

    def __init__(self, path: Path) -> None:
        """Open the journal at `path`, making it where it is missing. Its folder must exist."""
        self._db = Database(
            path,
            _MIGRATIONS,
            application_id=_APPLICATION_ID,
            problem=JournalProblem,
            remedy=f"Move {path.name} aside, with its -wal and -shm; a new journal is then begun.",
            check=True,
        )
        self._writer = begin_writing()

    def begin(self, command: Command, who: str, profile: str, asked_at: datetime) -> int:
        """Write what is about to be done. When it returns, it is on the disk. Returns the entry's number."""
        with self._db.change() as db:
            number = db.execute(
                "INSERT INTO commands (name, data, who, profile, writer, stage, asked_at, changed_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    command.name,
                    command.to_json(),
                    pack(who),
                    pack(profile),
                    self._writer,
                    Stage.QUEUED,
                    _iso(asked_at),
                    _iso(asked_at),
                ),
            ).lastrowid
            if number is None:
                raise AssertionError("an INSERT gives a row's number")
            if number % PRUNE_EVERY == 0:
                _prune(db)
        return number

    def advance(self, number: int, stage: Stage, at: datetime) -> None:
        """Write a stage that is not the last. SENT is on the disk when it returns; the others survive `kill -9`.

        Raises:
            ValueError: the stage is final, or the command has ended already.
            KeyError: no such entry.
        """
        if stage.is_final:
            raise ValueError(f"{stage} is final: finish() writes it")
        sent_at = _iso(at) if stage is Stage.SENT else None
        with self._db.change(is_synced=stage is Stage.SENT) as db:
            if _stage(db, number).is_final:
                raise ValueError(f"entry {number} has ended already")
            db.execute(
                "UPDATE commands SET stage = ?, changed_at = ?, sent_at = coalesce(?, sent_at) WHERE id = ?",
                (stage, _iso(at), sent_at, number),
            )

    def finish(
        self,
        number: int,
        stage: Stage,
        at: datetime,
        *,
        note: str = "",
        error: str = "",
        remedy: str = "",
        log_tail: Sequence[str] = (),
        sent_bytes: int = 0,
        sha256: Mapping[str, str] | None = None,
        is_hindered: bool = False,
    ) -> None:
        """Write how a command ended. One whose outcome was unknown may be finished again, once it is known.

        `is_hindered`: only a busy or absent other side kept it from being known; see `hindered`.

        Raises:
            ValueError: the stage is not final.
            HasEnded: it has an end already. Two emtui may look into one command; what the first has written holds.
            KeyError: no such entry.
        """
        if not stage.is_final:
            raise ValueError(f"{stage} is not final: advance() writes it")
        lines = [line[:MAX_LOG_LINE_CHARS] for line in log_tail[-MAX_LOG_LINES:]]
        hashes = dict(islice((sha256 or {}).items(), MAX_HASHES))
        texts = [pack(text[:MAX_TEXT_CHARS]) for text in (note, error, remedy)]
        with self._db.change() as db:
            before = _stage(db, number)
            if before.is_final and before is not Stage.UNKNOWN:
                raise HasEnded(_entry(db.execute("SELECT * FROM commands WHERE id = ?", (number,)).fetchone()))
            # What has been moved stays moved, whoever looks into it later.
            db.execute(
                "UPDATE commands SET stage = ?, changed_at = ?, note = ?, error = ?, remedy = ?, log_tail = ?,"
                " sent_bytes = max(sent_bytes, ?), sha256 = ?, is_hindered = ?, is_acknowledged = 0 WHERE id = ?",
                (stage, _iso(at), *texts, json.dumps(lines), sent_bytes, json.dumps(hashes), is_hindered, number),
            )

    def acknowledge(self, number: int) -> None:
        """The operator has seen how it ended. An entry that is gone is nobody's loss."""
        with self._db.change(is_synced=False) as db:
            db.execute("UPDATE commands SET is_acknowledged = 1 WHERE id = ?", (number,))

    def open_entries(self) -> list[Entry]:
        """Commands without an end whose emtui is gone (closed, killed, or the machine restarted), oldest first.

        Those of an emtui that is still at work, this one too, are not among them: they are its business.
        """
        return [_entry(row) for row in self._db.read(_OPEN) if not is_writing(row["writer"])]

    def hindered(self) -> list[Entry]:
        """Commands of which only a busy or absent other side has kept it from being known how they ended, oldest
        first: it is worth to ask again. Those that the operator has looked at are not among them."""
        return [_entry(row) for row in self._db.read(_HINDERED)]

    def rivals(self, number: int, since: datetime) -> list[Entry]:
        """Runs other than `number` that were under way at `since` or later, and may have been executed; oldest first.

        Each run takes the place of the pod before, and a status of the pod does not say whose it is.
        """
        rows = self._db.read(_RUNS, (number, number))
        return [entry for row in rows if _may_have_run(entry := _entry(row), row["writer"], since)]

    def take_over(self, endpoints: Collection[Endpoint] = ("em", "grid")) -> list[Entry]:
        """Make the commands of `open_entries` this journal's own, and give them: nobody else gets them as well.

        Only those that go to one of the `endpoints`.

        They are this emtui's business from now on. Where it ends before they do, the next one takes them over.
        """
        # After a loss of power whoever took them is gone like those who had them before.
        with self._db.change(is_synced=False) as db:
            left = [_entry(row) for row in db.execute(_OPEN).fetchall() if not is_writing(row["writer"])]
            taken = [entry for entry in left if entry.endpoint in endpoints]
            db.executemany("UPDATE commands SET writer = ? WHERE id = ?", [(self._writer, one.id) for one in taken])
        return taken

    def recent(self, limit: int) -> list[Entry]:
        """The last `limit` commands, newest first, ended or not."""
        return [_entry(row) for row in self._db.read("SELECT * FROM commands ORDER BY id DESC LIMIT ?", (limit,))]

    def last(self, name: str) -> Entry | None:
        """The newest command of that name that was completed, None where there is none."""
        rows = self._db.read(
            "SELECT * FROM commands WHERE name = ? AND stage = ? ORDER BY id DESC LIMIT 1", (name, Stage.COMPLETE)
        )
        return _entry(rows[0]) if rows else None

    def entries(self, since: datetime | None = None) -> list[Entry]:
        """All commands, or those asked for at `since` or later, oldest first."""
        if since is None:
            return [_entry(row) for row in self._db.read("SELECT * FROM commands ORDER BY id")]
        rows = self._db.read("SELECT * FROM commands WHERE asked_at >= ? ORDER BY id", (_iso(since),))
        return [_entry(row) for row in rows]

    def close(self) -> None:
        end_writing(self._writer)
        self._db.close()


# ---------------------------------------------------------------------------------------------------- rows


def _iso(moment: datetime) -> str:
    """UTC to the microsecond, so that texts sort as times do. Raises ValueError for a time without a zone."""
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _stage(db: sqlite3.Connection, number: int) -> Stage:
    row = db.execute("SELECT stage FROM commands WHERE id = ?", (number,)).fetchone()
    if row is None:
        raise KeyError(number)
    return Stage(row["stage"])


def _prune(db: sqlite3.Connection) -> None:
    db.execute(
        f"DELETE FROM commands WHERE stage IN ({_FINAL}) AND (stage <> 'unknown' OR is_acknowledged)"  # noqa: S608 - names of stages
        f" AND id <= (SELECT id FROM commands WHERE stage IN ({_FINAL}) ORDER BY id DESC LIMIT 1 OFFSET ?)",
        (KEPT_ENTRIES,),
    )


def _may_have_run(entry: Entry, writer: str, since: datetime) -> bool:
    if entry.stage in (Stage.FAILED, Stage.CANCELLED):
        return False
    return entry.changed_at >= since or (not entry.stage.is_final and is_writing(writer))


def _entry(row: sqlite3.Row) -> Entry:
    command = None
    # What restore() and a changed dataclass raise for a command of another version. pydantic's error is a ValueError.
    with suppress(KeyError, ValueError, TypeError):
        command = restore(row["name"], row["data"])
    return Entry(
        id=row["id"],
        name=row["name"],
        data=row["data"],
        command=command,
        who=unpack(row["who"]),
        profile=unpack(row["profile"]),
        stage=Stage(row["stage"]),
        asked_at=datetime.fromisoformat(row["asked_at"]),
        changed_at=datetime.fromisoformat(row["changed_at"]),
        sent_at=datetime.fromisoformat(row["sent_at"]) if row["sent_at"] else None,
        note=unpack(row["note"]),
        error=unpack(row["error"]),
        remedy=unpack(row["remedy"]),
        log_tail=tuple(json.loads(row["log_tail"])),
        sent_bytes=row["sent_bytes"],
        sha256=json.loads(row["sha256"]),
        acknowledged=bool(row["is_acknowledged"]),
    )
