"""What a rehearsal was, out of the journal: what was done in order, what came of it, and what is still open."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from emtui.commands import BuildImage, Downlink, LoadImage, RunPod
from emtui.journal.logbook import Record
from emtui.views import Stage

TAIL_LINES = 20
"""How much of a failed build's log a report shows; the journal has more."""

# As `emtui.link.perform` notes it: the beginning of the hash of one file, or that those of all files are right.
_SHA256 = re.compile(r"\bsha256 OK(?: ([0-9a-f]{8,64}))?")


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The commands of one profile in a span of time.

    Attributes:
        profile: what was opened; foreign.
        journal: the file it is made of.
        made_at: when, UTC.
        since: what the span begins with, None for all.
        records: oldest first.
    """

    profile: str
    journal: str
    made_at: datetime
    since: datetime | None
    records: Sequence[Record]

    @property
    def began_at(self) -> datetime | None:
        """When the first command was asked for; None where there is none."""
        return min((record.asked_at for record in self.records), default=None)

    @property
    def ended_at(self) -> datetime | None:
        """When the last word of any command was written; None where there is none."""
        return max((record.changed_at for record in self.records), default=None)

    @property
    def counts(self) -> Mapping[Stage, int]:
        """How many commands are at which stage, in the order of the stages."""
        counted = Counter(record.stage for record in self.records)
        return {stage: counted[stage] for stage in Stage if counted[stage]}

    @property
    def operators(self) -> tuple[str, ...]:
        """Who asked, in the order of their first command."""
        return tuple(dict.fromkeys(record.who for record in self.records))

    def named(self, *names: str) -> list[Record]:
        """The commands of these names, whatever came of them."""
        return [record for record in self.records if record.name in names]

    @property
    def images(self) -> list[Record]:
        """What was built or loaded."""
        return [record for record in self.named(BuildImage.name, LoadImage.name) if record.stage is Stage.COMPLETE]

    @property
    def pods(self) -> list[Record]:
        """What was asked to run."""
        return self.named(RunPod.name)

    @property
    def downlinks(self) -> list[Record]:
        """What was fetched."""
        return [record for record in self.named(Downlink.name) if record.stage is Stage.COMPLETE]

    @property
    def failures(self) -> list[Record]:
        """What has failed."""
        return [record for record in self.records if record.stage is Stage.FAILED]

    @property
    def open_ones(self) -> list[Record]:
        """What nobody knows the outcome of, and what has not ended."""
        return [record for record in self.records if record.stage is Stage.UNKNOWN or not record.stage.is_final]

    def document(self) -> dict[str, Any]:
        """All of it for programs; times in ISO 8601, UTC."""
        began, ended = self.began_at, self.ended_at
        return {
            "made_of": "the journal alone",
            "profile": self.profile,
            "journal": self.journal,
            "made_at": self.made_at.isoformat(),
            "since": _iso(self.since),
            "began_at": _iso(began),
            "ended_at": _iso(ended),
            "duration_s": (ended - began).total_seconds() if began and ended else None,
            "operators": list(self.operators),
            "counts": {str(stage): count for stage, count in self.counts.items()},
            "commands": [_command(record) for record in self.records],
            "images": [_command(record) | {"image": image_of(record)} for record in self.images],
            "pods": [_command(record) | {"spec": spec_of(record)} for record in self.pods],
            "downlinks": [
                _command(record)
                | {
                    "paths": paths_of(record),
                    "target": record.fields.get("target"),
                    "is_verified": is_verified(record),
                    "sha256": dict(record.sha256),
                }
                for record in self.downlinks
            ],
            "failures": [
                _command(record) | {"remedy": record.remedy, "log_tail": list(record.log_tail)}
                for record in self.failures
            ],
            "open": [_command(record) | {"remedy": record.remedy} for record in self.open_ones],
        }


def took_s(record: Record) -> float | None:
    """Seconds from the wish to the end; None where it has not ended."""
    return max(0.0, (record.ended_at - record.asked_at).total_seconds()) if record.ended_at else None


def image_of(record: Record) -> str:
    """The image that was built or loaded, as it was asked for; foreign."""
    return str(record.fields.get("image_name", record.fields.get("image", "")))


def spec_of(record: Record) -> Mapping[str, Any]:
    """What a pod was asked to be; foreign."""
    spec = record.fields.get("spec")
    return spec if isinstance(spec, dict) else {}


def paths_of(record: Record) -> list[str]:
    """What was fetched; foreign."""
    paths = record.fields.get("paths")
    return [str(path) for path in paths] if isinstance(paths, list) else []


def is_verified(record: Record) -> bool:
    """Whether the hashes of a downlink were promised, and right."""
    return _SHA256.search(record.note) is not None


def sha256_begins(record: Record) -> str:
    """How the hash of a downlink of one file begins, which is all that an older emtui wrote of it; else empty."""
    found = _SHA256.search(record.note)
    return (found[1] or "") if found else ""


def _command(record: Record) -> dict[str, Any]:
    return {
        "id": record.id,
        "command": record.name,
        "title": record.title,
        "stage": str(record.stage),
        "asked_at": record.asked_at.isoformat(),
        "ended_at": _iso(record.ended_at),
        "duration_s": took_s(record),
        "bytes": record.sent_bytes,
        "note": record.note,
        "error": record.error,
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None
