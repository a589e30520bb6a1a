"""A verb of the command line as data: what it is called, which options it takes, what carries it out.

One flat parser for each verb: the options that all verbs share may stand before the noun, between noun and verb, or
behind the verb, and mean the same there.
"""

import argparse
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from emtui.cli.profile_options import add_profile_options


def _no_options(_parser: ArgumentParser) -> None:
    """Nothing but what all verbs take."""


@dataclass(frozen=True, slots=True)
class Verb:
    """One thing that the command line does.

    Attributes:
        noun, name: `files`, `list`; the name is empty where the noun does one thing only (`emtui log`).
        summary: one line for the list of verbs, without a full stop.
        run: does it, and gives the exit code.
        configure: adds its own options and arguments to the parser.
        description: what its help says besides the summary; may be empty.
        examples: command lines that work as they stand, for help and documentation.
        has_json: it takes `--json`.
        json_help: what `--json` writes.
        has_common: it takes the options that all verbs take; else its own are all that it has.
        runs_images: it needs an engine, so that its help tells the options for that.
    """

    noun: str
    name: str
    summary: str
    run: Callable[[Namespace], int]
    configure: Callable[[ArgumentParser], None] = _no_options
    description: str = ""
    examples: tuple[str, ...] = ()
    has_json: bool = True
    json_help: str = "write one JSON document"
    has_common: bool = True
    runs_images: bool = False

    @property
    def words(self) -> str:
        """`files list`."""
        return f"{self.noun} {self.name}".rstrip()


class Parser(ArgumentParser):
    """A parser whose complaint is one line and the way to the help, on stderr."""

    def parse_args(self, args: Sequence[str] | None = None, namespace: Namespace | None = None) -> Namespace:  # type: ignore[override] # the namespace is always one of argparse's
        found, more = self.parse_known_args(args, namespace)
        if more:
            import difflib

            known = [option for action in self._actions for option in action.option_strings]
            likely = difflib.get_close_matches(more[0].partition("=")[0], known, n=1)
            meant = f". Did you mean {likely[0]}?" if likely else ""
            self.error(f"there is no such option or argument here: {' '.join(more)}{meant}")
        return found

    def error(self, message: str) -> NoReturn:
        from emtui.text import safe_str

        stop = "" if message.endswith(("?", ".")) else "."
        self.exit(2, f"{self.prog}: {safe_str(message)}{stop} See {self.prog} --help.\n")


def parser_of(verb: Verb) -> ArgumentParser:
    """The parser of a verb, with the options that all verbs take."""
    epilog = "".join(f"\n  {line}" for line in verb.examples)
    parser = Parser(
        prog=f"emtui {verb.words}",
        description=f"{verb.summary}.\n\n{verb.description}".rstrip(),
        epilog=f"examples:{epilog}" if epilog else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    verb.configure(parser)
    if verb.has_json:
        parser.add_argument("--json", action="store_true", help=verb.json_help)
    if verb.has_common:
        usage = parser.format_usage().removeprefix("usage: ").rstrip().replace("%", "%%")
        add_profile_options(parser, with_engine=verb.runs_images)
        parser.usage = f"{usage} [options of every command]"
    parser.set_defaults(words=verb.words)
    return parser
