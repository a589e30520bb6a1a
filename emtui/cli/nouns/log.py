"""`emtui log`: what was asked, when, and how it ended, out of the journal of a profile.

The journal is read without opening anything else: it can be done while a console has the workspace open.
"""

import csv
import io
import json
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterable, Mapping
from typing import Any

from emtui.cli.exit_codes import Exit
from emtui.cli.output import Output
from emtui.cli.profile_options import profile_from
from emtui.cli.running import offline
from emtui.cli.since_option import add_since_option
from emtui.cli.to_file import add_output_option, give_text
from emtui.cli.verb import Verb
from emtui.journal.logbook import DOCUMENT_KEYS, Record, journal_of, read_journal
from emtui.text import safe_str, timestamp
from emtui.views import Stage

SIGNS: Mapping[Stage, str] = {
    Stage.QUEUED: "•",
    Stage.HELD: "■",
    Stage.RELEASED: "◎",
    Stage.SENT: "◎",
    Stage.ACCEPTED: "◎",
    Stage.EXECUTING: "◎",
    Stage.COMPLETE: "●",
    Stage.FAILED: "▼",
    Stage.CANCELLED: "•",
    Stage.UNKNOWN: "?",
}
"""The shapes of Activity."""

# What a spreadsheet takes for a formula, in the writing of East Asia too.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
# A log tail of 100 lines, and more than any other text of an entry.
_LONGEST_CELL = 1 << 20

_DESCRIPTION = """\
Newest last. It is read from the journal of the profile or workspace that the options
name, which a console may have open meanwhile; where nothing was asked yet, there is
nothing to tell, and that is no failure.

What an emtui that was killed has left is told as far as it came. The next verb that
reaches the other side finds out how it has ended, and writes that here.

--json writes one list. --export jsonl writes the same objects one a line, each field as
the journal has it. --export csv is for spreadsheets (RFC 4180, UTF-8, with a header): a
text that begins with = + - @ TAB or CR gets a ' in front, so that no file's name is
taken for a formula, and what does not print is written as an escape."""


def _configure(parser: ArgumentParser) -> None:
    add_since_option(parser, "what was asked for at that time or later (default: all)")
    parser.add_argument("--limit", metavar="N", type=_count, help="the newest N of them (default: all)")
    parser.add_argument("--export", choices=("jsonl", "csv"), help="write every field, as JSON Lines or as CSV")
    add_output_option(parser)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < len(text) <= 9 and int(text)):
        raise ArgumentTypeError(f"not a number of entries: {text}")
    return int(text)


def _log(options: Namespace, out: Output) -> Exit:
    if options.json and options.export:
        out.say("emtui log: --json and --export are two forms of one thing. Give one of them.")
        return Exit.USAGE
    if options.output is not None and not (options.json or options.export):
        out.say("emtui log: -o is for --json and --export. Or write: emtui log > FILE")
        return Exit.USAGE
    profile = profile_from(options)
    for notice in profile.notices:
        out.say(f"emtui: {notice}")
    path = journal_of(profile)
    records = read_journal(path, since=options.since, limit=options.limit)
    if not records:
        out.say(f"emtui: nothing is in {path}{' since then' if options.since else ''}")
    if options.json:
        indent = 2 if out.is_terminal else None
        text = json.dumps([record.document() for record in records], indent=indent) + "\n"
        give_text(out, text, options.output, yes=options.yes)
    elif options.export:
        text = jsonl(records) if options.export == "jsonl" else csv_text(records)
        give_text(out, text, options.output, yes=options.yes)
    else:
        out.table(("TIME", "STAGE", "COMMAND", "RESULT"), (_row(record, out.is_terminal) for record in records))
    return Exit.OK


def _row(record: Record, is_terminal: bool) -> tuple[str, str, str, str]:
    stage = SIGNS[record.stage] if is_terminal else str(record.stage)
    return timestamp(record.asked_at), stage, record.title, record.result


def jsonl(records: Iterable[Record]) -> str:
    """One object a line, ASCII."""
    return "".join(f"{json.dumps(record.document())}\n" for record in records)


def csv_text(records: Iterable[Record]) -> str:
    """RFC 4180, with a header; harmless to a terminal and to a spreadsheet."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(DOCUMENT_KEYS)
    for record in records:
        document = record.document()
        writer.writerow([_cell(document[key]) for key in DOCUMENT_KEYS])
    return file.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list):
        text = "\n".join(str(item).rstrip("\n") for item in value)
    else:
        text = value if isinstance(value, str) else json.dumps(value)
    harmless = safe_str(text, _LONGEST_CELL)
    return f"'{harmless}" if text.startswith(_FORMULA) else harmless


VERBS = (
    Verb(
        "log",
        "",
        "Tell what was asked, when, and how it ended",
        offline(_log),
        _configure,
        _DESCRIPTION,
        ("emtui log", "emtui log --since 2h", "emtui log --since today --export csv > today.csv"),
        json_help="write one list of objects, every field of each",
    ),
)
