"""From the words of a command line to the verb that they name, and its options.

Options that all verbs take may stand before the noun, before the verb, or behind it.
"""

import argparse
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NoReturn

from emtui import __version__
from emtui.cli.nouns import NOUNS, Noun, verb_named
from emtui.cli.profile_options import add_profile_options
from emtui.cli.verb import Parser, Verb, parser_of

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

_DESCRIPTION = (
    "The operator's console for DPhi Space's EM and for Grid Nodes. Without a command it opens the console: on the\n"
    "local workspace in your data directory, a whole EM and Grid Node, or on what the options name. Each command\n"
    "does on the command line what the console does."
)

_EPILOG = """\
environment:
  EMTUI_PASSWORD, EMTUI_TOKEN       to sign in with, where nobody can be asked
  EMTUI_CONFIG, EMTUI_PROFILE, …    what the configuration and most options say: emtui config show
  NO_COLOR                          no colours

exit codes:
  0 done   1 this machine   2 usage   3 configuration   4 not signed in   5 not found   6 refused   7 locked
  8 unreachable   9 outcome unknown   10 not verified   20-23 how a pod ended   130 interrupted
"""


def parse(words: Sequence[str]) -> "tuple[Verb | None, Namespace]":
    """The verb that the words name, and its options; no verb is the console.

    Raises:
        SystemExit: the words are wrong (2, one line on stderr), or asked for help or the version (0).
    """
    front = front_parser()
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    found = front.parse_args(words)
    name: str | None = found.noun
    if name is None:
        return None, found
    noun = NOUNS.get(name)
    if noun is None:
        _unknown(front, "command", name, NOUNS, "emtui --help")
    verb, rest = _verb(noun, found.rest)
    before, behind = around(words, name, found.rest)
    return verb, parser_of(verb).parse_args([*before, *behind[: len(behind) - len(found.rest)], *rest])


def front_parser() -> "ArgumentParser":
    """What may stand before the noun; its help is `emtui --help`."""
    parser = Parser(
        prog="emtui",
        usage="emtui [options] [COMMAND …]",
        description=f"{_DESCRIPTION}\n\ncommands:\n"
        f"{_listed((noun.name, noun.summary) for noun in NOUNS.values())}\n\n"
        "emtui COMMAND --help tells more of one.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"emtui {__version__}")
    _add_common(parser)
    parser.add_argument("noun", nargs="?", metavar="COMMAND", help=argparse.SUPPRESS)
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def noun_parser(noun: Noun) -> "ArgumentParser":
    """What may stand before a noun's verb; its help lists the verbs."""
    verbs = [(verb.name, verb.summary) for verb in noun.verbs() if verb.name]
    parser = Parser(
        prog=f"emtui {noun.name}",
        usage=f"emtui {noun.name} [options] VERB …",
        description=f"{noun.summary[0].upper()}{noun.summary[1:]}.\n\nverbs:\n{_listed(verbs)}\n\n"
        f"emtui {noun.name} VERB --help tells more of one.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_common(parser)
    parser.add_argument("verb", nargs="?", metavar="VERB", help=argparse.SUPPRESS)
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def _add_common(parser: "ArgumentParser") -> None:
    parser.add_argument("--json", action="store_true", help=argparse.SUPPRESS)
    add_profile_options(parser)


def _verb(noun: Noun, rest: list[str]) -> tuple[Verb, list[str]]:
    """The verb that `rest`, the words behind the noun, names, and these words without it."""
    alone = verb_named(noun, "")
    # `emtui keys check`: the verb stands right behind a noun that also does something by itself.
    if alone is not None:
        named = verb_named(noun, rest[0]) if rest and rest[0] else None
        return (named, rest[1:]) if named is not None else (alone, rest)
    parser = noun_parser(noun)
    found = parser.parse_args(rest)
    names = [verb.name for verb in noun.verbs()]
    if found.verb is None:
        parser.error(f"a verb is missing: {', '.join(names)}")
    verb = verb_named(noun, found.verb)
    if verb is None:
        _unknown(parser, "verb", found.verb, names, f"emtui {noun.name} --help")
    before, behind = around(rest, found.verb, found.rest)
    return verb, [*before, *behind]


def around(words: Sequence[str], name: str, rest: Sequence[str]) -> tuple[list[str], list[str]]:
    """What stands before and behind a noun or verb; `rest` is what argparse left. It keeps a `--` to itself."""
    front = list(words[: len(words) - len(rest)])
    at = len(front) - 1 - front[::-1].index(name)
    return front[:at], [*front[at + 1 :], *rest]


def _unknown(parser: "ArgumentParser", kind: str, word: str, known: Iterable[str], where: str) -> NoReturn:
    import difflib

    from emtui.text import safe_str

    close = difflib.get_close_matches(word, list(known), n=1)
    meant = f" Did you mean {close[0]}?" if close else ""
    parser.exit(2, f"{parser.prog}: there is no {kind} {safe_str(word)!r}.{meant} See {where}.\n")


def _listed(rows: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"  {name:<12} {summary}" for name, summary in rows)
