"""A verb of the command line as data: what it is called, which options it takes, what carries it out.

One flat parser for each verb: the options that all verbs share may stand before the noun, between noun and verb, or
behind the verb, and mean the same there.
"""

import argparse
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
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

    @property
    def words(self) -> str:
        """`files list`."""
        return f"{self.noun} {self.name}".rstrip()


class Parser(ArgumentParser):
    """A parser whose complaint is one line and the way to the help, on stderr."""

    def error(self, message: str) -> NoReturn:
        from emtui.text import safe_str

        self.exit(2, f"{self.prog}: {safe_str(message)}. See {self.prog} --help.\n")


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
        add_profile_options(parser)
    parser.set_defaults(words=verb.words)
    return parser
