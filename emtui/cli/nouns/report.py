"""`emtui report`: a rehearsal for a review, made of the journal alone."""

import json
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime, timedelta

from emtui.cli.output import Output
from emtui.cli.profile_options import profile_from
from emtui.cli.running import offline
from emtui.cli.since_option import add_since_option
from emtui.cli.to_file import add_output_option, give_text
from emtui.cli.verb import Verb
from emtui.journal.logbook import journal_of, read_journal

DEFAULT_SPAN = timedelta(hours=24)
"""A rehearsal is of one day, and one day may end after midnight."""

_DESCRIPTION = """\
One page of Markdown: the span, what was done in order with times, durations, stages and
sizes, the images that were built, the pods that were asked for, what was downlinked and
the SHA-256 of each file, failures with the end of their logs, and what is still open.
Of a downlink of several files the page has the hashes of the first 100, as sha256sum -c
reads them, --json those of the first 1,000.

It is made of the journal alone, which a console may have open meanwhile: nothing else is
opened or asked. So it does not say how a pod has ended, or what others did."""


def _configure(parser: ArgumentParser) -> None:
    add_since_option(parser, "what was asked for at that time or later (default: 24h)")
    add_output_option(parser)


def _report(options: Namespace, out: Output) -> None:
    profile = profile_from(options)
    for notice in profile.notices:
        out.say(f"emtui: {notice}")
    path = journal_of(profile)
    now = datetime.now(UTC)
    since = options.since or now - DEFAULT_SPAN
    records = read_journal(path, since=since)
    from emtui.reports.rehearsal import Rehearsal

    rehearsal = Rehearsal(profile.name, str(path), now, since, records)
    if not records:
        out.say(f"emtui: nothing is in {path} since then")
    if options.json:
        text = json.dumps(rehearsal.document(), indent=2 if out.is_terminal else None) + "\n"
    else:
        from emtui.reports.page import markdown

        text = markdown(rehearsal)
    give_text(out, text, options.output, yes=options.yes)


VERBS = (
    Verb(
        "report",
        "",
        "Tell a rehearsal on one page, for a review",
        offline(_report),
        _configure,
        _DESCRIPTION,
        ("emtui report", "emtui report --since 3d -o rehearsal.md", "emtui report --json"),
        json_help="write one object: the same, and each command with all that the page leaves out",
    ),
)
