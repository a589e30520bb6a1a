"""The journal as a log and a report read it: without a lock, and without what makes commands of it again.

It can be read while a console, a server or a script has the workspace open. Nothing that costs time is imported: what
a pod was asked to be is read as it stands in the journal.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from emtui.commands import REGISTRY, Command, Endpoint, RunPod
from emtui.journal.journal import JournalProblem
from emtui.journal.writers import ENDED_BEFORE, ENDED_MEANWHILE, LOOKED_INTO, is_writing
from emtui.profile import Profile
from emtui.storage.reading import read_rows
from emtui.storage.sqlite import unpack
from emtui.views import Stage

if TYPE_CHECKING:
    import sqlite3

    from emtui.models import PodSpec

# The journal's own, and the youngest schema of it that is understood here. A test compares them.
_APPLICATION_ID = 0x656D746A
_SCHEMA = 2

_ALL = "SELECT * FROM commands WHERE asked_at >= ? ORDER BY id DESC LIMIT ?"

DOCUMENT_KEYS = (
    "id", "command", "endpoint", "title", "fields", "stage", "note", "error", "remedy", "log_tail", "bytes", "sha256",
    "asked_at", "sent_at", "changed_at", "ended_at", "who", "profile", "acknowledged",
)  # fmt: skip
"""The keys of `Record.document`, in their order."""


@dataclass(frozen=True, slots=True)
class Record:
    """One command in the journal. All texts are foreign.

    Attributes:
        id: its number; later commands have higher ones.
        name: the command's name in the registry, as it was when it was written.
        title: one line that says what it does.
        fields: what it was asked to do, as the journal has it; empty where that cannot be read.
        who, profile: who asked, and in which profile.
        stage: how far it came.
        asked_at, changed_at: UTC; when it was asked for, and when its stage was last written.
        sent_at: when its request was about to leave, None where none did.
        note, error, remedy, log_tail: how it ended, as `CommandState` has it; of one that has not, because its emtui is
            gone, that this is so.
        sent_bytes: bytes that were moved, sent or fetched.
        sha256: of each file that was fetched, by its path; see `Entry`.
        is_acknowledged: somebody has seen the failure.
    """

    id: int
    name: str
    title: str
    fields: Mapping[str, Any]
    who: str
    profile: str
    stage: Stage
    asked_at: datetime
    changed_at: datetime
    sent_at: datetime | None
    note: str
    error: str
    remedy: str
    log_tail: tuple[str, ...]
    sent_bytes: int
    sha256: Mapping[str, str]
    is_acknowledged: bool

    @property
    def endpoint(self) -> Endpoint:
        """Which link carried it."""
        kind = REGISTRY.get(self.name)
        return kind.endpoint if kind is not None else "em"

    @property
    def ended_at(self) -> datetime | None:
        """UTC; None where it has not ended."""
        return self.changed_at if self.stage.is_final else None

    @property
    def result(self) -> str:
        """The note of what was done, the error of what was not; empty where there is neither."""
        return self.error or self.note

    def document(self) -> dict[str, Any]:
        """Every field for programs, as `emtui log --json` has it; times in ISO 8601, UTC."""
        values = (
            self.id,
            self.name,
            self.endpoint,
            self.title,
            dict(self.fields),
            str(self.stage),
            self.note,
            self.error,
            self.remedy,
            list(self.log_tail),
            self.sent_bytes,
            dict(self.sha256),
            self.asked_at.isoformat(),
            _iso(self.sent_at),
            self.changed_at.isoformat(),
            _iso(self.ended_at),
            self.who,
            self.profile,
            self.is_acknowledged,
        )
        return dict(zip(DOCUMENT_KEYS, values, strict=True))


def journal_of(profile: Profile) -> Path:
    """Where the journal of a profile is; it may not be there yet.

    Raises:
        JournalProblem: there is no home for a path that begins with `~`.
    """
    try:
        folder = profile.workspace.expanduser()
    except RuntimeError as error:
        raise JournalProblem(f"{profile.workspace}: {error}", remedy="Write the directory in full.") from error
    return Path(os.path.abspath(folder)) / "journal.db"  # noqa: PTH100 - as the workspace itself is found


def read_journal(path: Path, *, since: datetime | None = None, limit: int | None = None) -> list[Record]:
    """The commands asked for at `since` or later, of them the newest `limit`, oldest first. Blocks.

    There are none where there is no journal. `since` has a zone.

    Raises:
        JournalProblem: it is damaged, of a newer emtui, or cannot be read.
    """
    remedy = f"Move {path.name} aside, with its -wal and -shm; a new journal is then begun."
    first = since.astimezone(UTC).isoformat(timespec="microseconds") if since is not None else ""
    rows = read_rows(
        path,
        _ALL,
        (first, -1 if limit is None else limit),
        application_id=_APPLICATION_ID,
        newest=_SCHEMA,
        problem=JournalProblem,
        remedy=remedy,
        check=True,
    )
    try:
        return [_record(row) for row in reversed(rows)]
    except (ValueError, TypeError, IndexError, AttributeError) as error:
        raise JournalProblem(f"{path}: an entry of it cannot be read ({error})", remedy=remedy) from error


def _record(row: "sqlite3.Row") -> Record:
    fields = _fields(row["data"])
    stage = Stage(row["stage"])
    note, error, remedy = (unpack(row[column]) for column in ("note", "error", "remedy"))
    if not stage.is_final and not is_writing(row["writer"]):
        if row["sent_at"] is None:
            note = ENDED_BEFORE
        else:
            error, remedy = ENDED_MEANWHILE, LOOKED_INTO
    return Record(
        row["id"],
        row["name"],
        _title(row["name"], row["data"], fields),
        fields,
        unpack(row["who"]),
        unpack(row["profile"]),
        stage,
        datetime.fromisoformat(row["asked_at"]),
        datetime.fromisoformat(row["changed_at"]),
        datetime.fromisoformat(row["sent_at"]) if row["sent_at"] else None,
        note,
        error,
        remedy,
        tuple(str(line) for line in json.loads(row["log_tail"])),
        row["sent_bytes"],
        json.loads(row["sha256"]) if "sha256" in row.keys() else {},  # noqa: SIM118 - a row is searched by its values
        bool(row["is_acknowledged"]),
    )


def _fields(data: str) -> Mapping[str, Any]:
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _title(name: str, data: str, fields: Mapping[str, Any]) -> str:
    """What the command says of itself, as `Entry.title`; its fields may be those of another version of emtui."""
    with suppress(KeyError, ValueError, TypeError, AttributeError):
        return _command(name, data, fields).describe()
    return f"{name} (of another version of emtui)"


def _command(name: str, data: str, fields: Mapping[str, Any]) -> Command:
    if name == RunPod.name:
        return RunPod(cast("PodSpec", _Spec.of(fields["spec"])))
    return REGISTRY[name].from_json(data)


@dataclass(frozen=True, slots=True)
class _Spec:
    """What a title tells of a `PodSpec`, without the library that checks one."""

    docker_image: str
    node: str
    max_duration: float
    scheduled_time: datetime | None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> "_Spec":
        when = fields.get("scheduled_time")
        return cls(
            fields["docker_image"],
            fields["node"],
            float(fields["max_duration"]),
            datetime.fromisoformat(when) if when else None,
        )


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None
