"""What completes which word of the command line. Imported only where a shell asks for a completion.

The verb's own parser, with the options that all verbs take, is given to argcomplete; the words for noun and verb are
taken out of the line first, so that options before and after them mean the same.
"""

import contextlib
import io
import os
import shlex
from argparse import Action, ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

from argcomplete.completers import BaseCompleter

from emtui.cli.nouns import NOUNS, Noun, verb_named
from emtui.cli.profile_options import add_profile_options, profile_from
from emtui.cli.verb import Parser, parser_of
from emtui.cli.words import around, front_parser, noun_parser
from emtui.completing.cache import Kind
from emtui.completing.finder import LOCAL_FILES, LOCAL_FOLDERS, Finder
from emtui.completing.line import Word, command_before

Names = Iterable[str] | Mapping[str, str]

KNOWS_PATHS = "_EMTUI_COMPLETES_PATHS"
"""Set by the scripts of `emtui completion`: the shell completes files of this machine itself when told so."""

_PROGRAM = "emtui"


def complete() -> NoReturn:
    """Answer a shell, whatever happens without a word on stderr, and end."""
    # The system's keyring may ask for its password on a screen, and a wrong password must not be tried at every key.
    os.environ["EMTUI_NO_KEYRING"] = "1"
    os.environ.pop("EMTUI_PASSWORD", None)
    with contextlib.suppress(Exception):  # whoever types sees no error of it; the verb itself tells it
        answer(os._exit)
    os._exit(0)


def answer(exit_method: Callable[[int], Any]) -> None:
    """Write what completes the line in `COMP_LINE` where argcomplete's protocol has it."""
    words = command_before(os.environ["COMP_LINE"], int(os.environ["COMP_POINT"]))
    words = _from_program(words, int(os.environ["_ARGCOMPLETE"]) - 1)
    if len(words) < 2:
        return
    typed = words[-1]
    parser, before = parser_for([word.text for word in words[1:-1]])
    has_ended_options = "--" in before
    if before[-1:] == ["--"]:
        before.pop()  # argparse gives it to an argument that may be left out, which then seems to be there
    raw = os.environ["COMP_LINE"][typed.start : typed.end]
    line = f"{shlex.join([_PROGRAM, *before])} {raw}"
    os.environ |= {"COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE": "1"}
    finder = Finder()
    finder.has_ended_options = has_ended_options
    finder(
        parser,
        always_complete_options=False,
        exit_method=exit_method,
        default_completer=_Values(has_ended_options=has_ended_options),
        validator=lambda completion, word: completion.startswith((word, "\x1f")),
    )


def _from_program(words: list[Word], skipped: int) -> list[Word]:
    """The words from the program's name on: an alias may have another one, and others may stand before it."""
    words = words[skipped:]
    named = (at for at, word in enumerate(words[:-1]) if os.path.basename(word.text) == _PROGRAM)  # noqa: PTH119 - any text, not a path of ours
    other = (at for at, word in enumerate(words[:-1]) if not word.is_assignment)
    return words[next(named, next(other, len(words))) :]


# ------------------------------------------------------------------------------------------------------ parsers


def parser_for(words: Sequence[str]) -> tuple[ArgumentParser, list[str]]:
    """The parser for the word that follows `words`, and those of them that are for it.

    It is the verb's, where they name one; else one whose next argument is a noun or a verb.
    """
    before = _parsed(front_parser(), words)
    if before is None or before.noun is None:
        return _naming("noun", {noun.name: noun.summary for noun in NOUNS.values()}), list(words)
    noun = NOUNS.get(before.noun)
    if noun is None:
        return Parser(prog=_PROGRAM), list(words)
    front, rest = around(words, before.noun, before.rest)
    verbs = {verb.name: verb.summary for verb in noun.verbs() if verb.name}
    alone = verb_named(noun, "")
    if alone is not None and not (rest and rest[0] in verbs):
        parser = parser_of(alone)
        if verbs and not rest:
            parser.add_argument("verb", nargs="?").completer = _Fixed(verbs)  # type: ignore[attr-defined] # as argcomplete has it
        return parser, front + rest
    return _of_noun(noun, front, rest, verbs)


def _of_noun(
    noun: Noun, front: list[str], rest: list[str], verbs: Mapping[str, str]
) -> tuple[ArgumentParser, list[str]]:
    found = _parsed(noun_parser(noun), rest)
    if found is None or found.verb is None:
        return _naming("verb", verbs), front + rest
    verb = verb_named(noun, found.verb)
    if verb is None:
        return Parser(prog=_PROGRAM), front + rest
    between, behind = around(rest, found.verb, found.rest)
    return parser_of(verb), front + between + behind


def _parsed(parser: ArgumentParser, words: Sequence[str]) -> Namespace | None:
    """The words as far as they are whole; None where an option still wants its value, or help was asked for."""
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        try:
            return parser.parse_args(words)
        except SystemExit:
            return None


def _naming(dest: str, names: Mapping[str, str]) -> ArgumentParser:
    parser = Parser(prog=_PROGRAM, allow_abbrev=False)
    if dest == "noun":
        parser.add_argument("--version", action="store_true", help="show the version")
    parser.add_argument("--json", action="store_true", help="write JSON")
    add_profile_options(parser)
    parser.add_argument(dest).completer = _Fixed(names)  # type: ignore[attr-defined] # as argcomplete has it
    return parser


# ------------------------------------------------------------------------------------------------------- values


class _Fixed(BaseCompleter):
    """Names that are always the same, with their descriptions."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def __call__(self, **_context: object) -> Names:
        return self._names


class _Values(BaseCompleter):
    """Completes every value that has no list of choices, by what it is."""

    def __init__(self, *, has_ended_options: bool) -> None:
        self._has_ended_options = has_ended_options

    def __call__(self, *, prefix: str, action: Action, parser: ArgumentParser, parsed_args: Namespace) -> Names:
        rule = rule_for(parser.prog, action)
        if rule is None:
            return ()
        try:
            found = rule(prefix, parsed_args)
        except Exception:  # noqa: BLE001 - a wrong configuration or option is told by the verb itself
            return ()
        if isinstance(found, Mapping):
            return found
        if self._has_ended_options:
            return [name.removeprefix("./") if name.startswith("./-") and prefix[:1] != "." else name for name in found]
        return [name for name in found if not name.startswith("-")]


Rule = Callable[[str, Namespace], Names]


def _local(wish: str) -> Rule:
    def rule(_word: str, _options: Namespace) -> Names:
        return [wish] if os.environ.get(KNOWS_PATHS) else ()

    return rule


def _remote(*, folders_only: bool = False) -> Rule:
    def rule(word: str, options: Namespace) -> Names:
        from emtui.completing.paths import volume_paths

        return list(volume_paths(profile_from(options), word, folders_only=folders_only))

    return rule


def _known(kind: Kind) -> Rule:
    def rule(_word: str, options: Namespace) -> Names:
        from emtui.completing.asking import known_names

        return known_names(profile_from(options), kind)

    return rule


def _profiles(_word: str, options: Namespace) -> Names:
    from emtui.config import usual_path
    from emtui.config.layers import config_named
    from emtui.config.loading import load

    file = config_named(vars(options), os.environ) or usual_path()
    return {
        name: " ".join(str(table[key]) for key in ("em_url", "grid_url", "local") if table.get(key))
        for name, table in load(file).profiles.items()
    }


def _themes(_word: str, _options: Namespace) -> Names:
    from emtui.theme_files import theme_names

    return theme_names()


def _nodes(_word: str, _options: Namespace) -> Names:
    return ("FPGA", "GPU", "MPU")


_FILES = _local(LOCAL_FILES)
_FOLDERS = _local(LOCAL_FOLDERS)

# By the verb and the argument's name on the left, by what its help calls it on the right.
_BY_ARGUMENT: Mapping[tuple[str, str], Rule | None] = {
    ("files list", "path"): _remote(),
    ("files uplink", "dest"): _remote(folders_only=True),
    ("files sync", "dest"): _remote(folders_only=True),
    ("image build", "context"): _remote(folders_only=True),
    ("image build", "dockerfile"): _remote(),
    ("pod run", "node"): _nodes,
    ("themes show", "theme"): _themes,
    ("grid serve", "model_id"): None,
    ("grid encrypted", "model_id"): None,
}
_BY_METAVAR: Mapping[str, Rule] = {
    "REMOTE": _remote(),
    "TARFILE": _remote(),
    "IMAGE": _known("images"),
    "ID": _known("models"),
    "TAG": _known("tags"),
    "SRC": _FILES,
    "FILE": _FILES,
    "FILE|DIR|-": _FILES,
    "DIR|FILE|-": _FILES,
    "DIR": _FOLDERS,
}


def rule_for(prog: str, action: Action) -> Rule | None:
    """What completes an argument's value; None for what only the operator knows."""
    verb = prog.removeprefix(_PROGRAM).strip()
    if (verb, action.dest) in _BY_ARGUMENT:
        return _BY_ARGUMENT[verb, action.dest]
    if action.dest == "profile":
        return _profiles
    return _BY_METAVAR.get(action.metavar) if isinstance(action.metavar, str) else None
