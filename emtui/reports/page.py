"""A rehearsal as one page of Markdown, for a review."""

from collections.abc import Iterator
from datetime import datetime

from emtui import __version__, text
from emtui.journal.logbook import Record
from emtui.reports.markdown import NOTHING, block, code, plain, table
from emtui.reports.rehearsal import (
    TAIL_LINES,
    Rehearsal,
    image_of,
    is_verified,
    paths_of,
    sha256_begins,
    spec_of,
    took_s,
)
from emtui.views import Stage

_MADE_OF = (
    "Made of the journal of emtui alone: what others did at the same time is not in it, and what became of a pod is "
    "told by `emtui pod status`, not here."
)
# A page is for reading; the JSON form has them all.
_MOST_PATHS = 5
_MOST_HASHES = 100


def markdown(rehearsal: Rehearsal) -> str:
    """The page, with a line feed at its end."""
    return "\n".join((*_lines(rehearsal), ""))


def _lines(rehearsal: Rehearsal) -> Iterator[str]:
    yield from _head(rehearsal)
    if not rehearsal.records:
        yield from ("", "Nothing was asked in this time.")
        return
    yield from _section("What was done", _commands(rehearsal))
    for title, records, lines in (
        ("Images", rehearsal.images, _images(rehearsal)),
        ("Pods", rehearsal.pods, _pods(rehearsal)),
        ("Downlinks", rehearsal.downlinks, _downlinks(rehearsal)),
        ("Failures", rehearsal.failures, _failures(rehearsal)),
    ):
        if records:
            yield from _section(title, lines)
    yield from _section("Still open", _open(rehearsal))


def _section(title: str, lines: Iterator[str]) -> Iterator[str]:
    yield from ("", f"## {title}", "")
    yield from lines


def _head(rehearsal: Rehearsal) -> Iterator[str]:
    counts = ", ".join(f"{count} {stage}" for stage, count in rehearsal.counts.items())
    yield from (f"# Rehearsal of {code(rehearsal.profile)}", "")
    began, ended = rehearsal.began_at, rehearsal.ended_at
    if began is not None and ended is not None:
        span = text.duration((ended - began).total_seconds())
        yield f"- **Span:** {text.timestamp(began)} – {text.timestamp(ended)} ({span}), day {text.day_of_year(began)}"
        yield f"- **Commands:** {len(rehearsal.records)}: {counts}"
        yield f"- **Operators:** {', '.join(code(who) for who in rehearsal.operators)}"
    since = f", since {text.timestamp(rehearsal.since)}" if rehearsal.since is not None else ""
    yield f"- **Journal:** {code(rehearsal.journal, 1000)}{since}"
    yield f"- **Made:** {text.timestamp(rehearsal.made_at)} by emtui {__version__}"
    yield from ("", _MADE_OF)


def _commands(rehearsal: Rehearsal) -> Iterator[str]:
    """In their order, with the day where it changes."""
    rows = []
    day = ""
    for record in rehearsal.records:
        today = record.asked_at.date().isoformat()
        rows.append(
            (
                str(record.id),
                f"{today} {text.clock(record.asked_at)}" if today != day else text.clock(record.asked_at),
                _took(record),
                _stage(record),
                code(record.title),
                text.size(record.sent_bytes) if record.sent_bytes else NOTHING,
                plain(record.result),
            )
        )
        day = today
    yield from table(("#", "UTC", "Took", "Stage", "Command", "Bytes", "Result"), rows, right=(0, 2, 5))


def _took(record: Record) -> str:
    seconds = took_s(record)
    if seconds is None:
        return NOTHING
    return f"{seconds:.1f} s" if seconds < 10 else text.duration(seconds)


def _stage(record: Record) -> str:
    return str(record.stage) if record.stage is Stage.COMPLETE else f"**{record.stage}**"


def _images(rehearsal: Rehearsal) -> Iterator[str]:
    rows = []
    for record in rehearsal.images:
        fields = record.fields
        origin = ", ".join(str(fields[key]) for key in ("context", "dockerfile", "tarfile") if fields.get(key))
        rows.append((code(image_of(record)), record.name, code(origin), _when(record.changed_at), _took(record)))
    yield from table(("Image", "How", "Of", "At", "Took"), rows)


def _pods(rehearsal: Rehearsal) -> Iterator[str]:
    rows = []
    for record in rehearsal.pods:
        spec = spec_of(record)
        rows.append(
            (
                code(spec.get("docker_image", "")),
                code(spec.get("node", "")),
                _minutes(spec.get("max_duration")),
                code(spec.get("scheduled_time") or "now"),
                code(spec.get("command", "") or ""),
                _when(record.asked_at),
                f"{_stage(record)}: {plain(record.result)}",
            )
        )
    yield from table(("Image", "Node", "At most", "Scheduled", "Command", "Asked", "Answer"), rows)


def _minutes(value: object) -> str:
    return f"{value:g} min" if isinstance(value, int | float) else plain(value or "")


def _downlinks(rehearsal: Rehearsal) -> Iterator[str]:
    rows = []
    for record in rehearsal.downlinks:
        paths = paths_of(record)
        names = ", ".join(code(path) for path in paths[:_MOST_PATHS])
        more = f" and {len(paths) - _MOST_PATHS} more" if len(paths) > _MOST_PATHS else ""
        rows.append(
            (
                f"{names}{more}" or NOTHING,
                "stdout" if record.fields.get("is_for_stdout") else code(record.fields.get("target", "")),
                text.size(record.sent_bytes),
                _hash(record),
                _when(record.changed_at),
            )
        )
    yield from table(("Files", "To", "Bytes", "SHA-256", "At"), rows, right=(2,))
    yield from _hashes(rehearsal)


def _hash(record: Record) -> str:
    """That of the one file; those of several stand below the table."""
    if len(record.sha256) == 1:
        (sha256,) = record.sha256.values()
        return code(sha256) if is_verified(record) else f"{code(sha256)}, not promised"
    begins = sha256_begins(record)
    return f"{code(begins)}…" if begins else "verified" if is_verified(record) else "not promised"


def _hashes(rehearsal: Rehearsal) -> Iterator[str]:
    """As `sha256sum -c` reads them, each with the number of its downlink."""
    for record in rehearsal.downlinks:
        if len(record.sha256) < 2:
            continue
        lines = [f"{sha256}  {path}" for path, sha256 in record.sha256.items()]
        told = lines[:_MOST_HASHES]
        left_out = len(lines) - len(told)
        more = f"; {left_out:,} more are in the journal: emtui log --json" if left_out else ""
        yield from ("", f"What **#{record.id}** has fetched{more}:", "", *block(told))


def _failures(rehearsal: Rehearsal) -> Iterator[str]:
    for number, record in enumerate(rehearsal.failures):
        if number:
            yield ""
        yield f"**#{record.id}** {_when(record.asked_at)} {code(record.title)}: {plain(record.error, 1000)}"
        if record.remedy:
            yield from ("", f"To do: {plain(record.remedy, 1000)}")
        if record.log_tail:
            left_out = len(record.log_tail) - TAIL_LINES
            told = f" ({text.count(left_out, 'line')} before them are in the journal)" if left_out > 0 else ""
            yield from ("", f"The log's last lines{told}:", "", *block(record.log_tail[-TAIL_LINES:]))


def _open(rehearsal: Rehearsal) -> Iterator[str]:
    if not rehearsal.open_ones:
        yield "Nothing: every command is known to have ended."
    for record in rehearsal.open_ones:
        why = plain(record.result, 1000) if record.result else "it has not ended"
        remedy = f" {plain(record.remedy, 1000)}" if record.remedy else ""
        yield f"- **#{record.id}** {record.stage} {_when(record.asked_at)} {code(record.title)}: {why}.{remedy}"


def _when(moment: datetime) -> str:
    return text.timestamp(moment)
