"""The command line's part of the documentation, out of the verbs themselves."""

import ast
import inspect
from argparse import SUPPRESS, Action, ArgumentParser
from collections.abc import Iterator
from typing import Any

from docs_markdown import block, code, description, prose, table

from emtui.cli.exit_codes import Exit
from emtui.cli.nouns import NOUNS
from emtui.cli.profile_options import add_profile_options
from emtui.cli.verb import Verb

# What tests/docs has to know to follow an example: by the verb's words and the example's place.
_SAID = {
    ("pod status", 2): "exit code: 124",
    ("serve", 0): "goes on: serving on",
}
# What has to be done before a verb's examples, besides what the page itself has set up.
_FIRST = {
    "files uplink": "emtui files delete echo-test --yes",
}


class _Group:
    """A group whose options are noted by its parser too."""

    def __init__(self, group: Any, actions: list[Action]) -> None:
        self._group = group
        self._actions = actions

    def add_argument(self, *names: Any, **more: Any) -> Action:
        action: Action = self._group.add_argument(*names, **more)
        self._actions.append(action)
        return action


class Recorder(ArgumentParser):
    """A parser that remembers in public which arguments it has been given."""

    def __init__(self) -> None:
        self.actions: list[Action] = []
        self._is_made = False
        super().__init__(prog="emtui", add_help=False)
        self._is_made = True

    def add_argument(self, *names: Any, **more: Any) -> Action:
        action = super().add_argument(*names, **more)
        self.actions.append(action)
        return action

    def add_argument_group(self, *names: Any, **more: Any) -> Any:
        # argparse makes its own two while it is made itself.
        group = super().add_argument_group(*names, **more)
        return _Group(group, self.actions) if self._is_made else group

    def add_mutually_exclusive_group(self, **more: Any) -> Any:
        return _Group(super().add_mutually_exclusive_group(**more), self.actions)


def _recorded(configure: Any) -> list[Action]:
    recorder = Recorder()
    configure(recorder)
    return [action for action in recorder.actions if action.help != SUPPRESS]


def commands() -> str:
    """Every noun with its verbs: usage, what it says, its own options, examples."""
    return "\n\n".join(_commands())


def _commands() -> Iterator[str]:
    for noun in NOUNS.values():
        yield f"## emtui {noun.name}"
        yield f"{prose(noun.summary[0].upper() + noun.summary[1:])}."
        for verb in noun.verbs():
            yield from _verb(verb)


def _verb(verb: Verb) -> Iterator[str]:
    actions = _recorded(verb.configure)
    yield f"### emtui {verb.words}"
    yield f"{prose(verb.summary)}."
    yield block("text", _usage(verb, actions))
    if verb.description.strip():
        yield description(verb.description)
    rows = [_row(action) for action in actions]
    if verb.has_json:
        rows.append((code("--json"), prose(verb.json_help)))
    if rows:
        yield table(("argument", "meaning"), rows)
    yield from _examples(verb)


def _examples(verb: Verb) -> Iterator[str]:
    if verb.words in _FIRST:
        yield f"<!-- run first: {_FIRST[verb.words]} -->"
    together: list[str] = []
    for number, example in enumerate(verb.examples):
        said = _SAID.get((verb.words, number))
        if said is None:
            together.append(example)
            continue
        if together:
            yield block("sh", "\n".join(together))
            together = []
        yield f"<!-- {said} -->\n{block('sh', example)}"
    if together:
        yield block("sh", "\n".join(together))


def _usage(verb: Verb, actions: list[Action]) -> str:
    words = [
        f"emtui {verb.words}",
        *(_used(action) for action in sorted(actions, key=lambda one: bool(one.option_strings))),
    ]
    if verb.has_json:
        words.append("[--json]")
    if verb.has_common:
        words.append("[options of all commands]")
    return " ".join(words)


def _used(action: Action) -> str:
    if not action.option_strings:
        return _value(action)
    value = _value(action)
    text = f"{action.option_strings[-1]} {value}".rstrip()
    return text if action.required else f"[{text}]"


def _value(action: Action) -> str:
    """`FILE`, `[PATH]`, `SRC…`: the value as usage has it; empty for a flag."""
    if action.nargs == 0:
        return ""
    name = action.metavar or ("|".join(str(one) for one in action.choices) if action.choices else action.dest.upper())
    name = name if isinstance(name, str) else " ".join(name)
    marks = {"+": f"{name}…", "*": f"[{name}…]", "?": f"[{name}]"}
    return marks.get(str(action.nargs), name)


def _row(action: Action) -> tuple[str, str]:
    names = ", ".join(action.option_strings)
    shown = f"{names} {_value(action)}".strip() if names else _value(action).strip("[]")
    values = {name: getattr(action, name) for name in ("default", "dest", "metavar", "choices")}
    return code(shown), prose(str(action.help or "") % ({"prog": "emtui"} | values))


def common_options() -> str:
    """The options that every command takes, before or behind its words."""
    return table(("option", "meaning"), [_row(action) for action in _recorded(add_profile_options)])


def exit_codes() -> str:
    """The exit codes, each with what stands below it in the source."""
    (kind,) = ast.parse(inspect.getsource(Exit)).body
    assert isinstance(kind, ast.ClassDef)
    rows: list[tuple[str, str, str]] = []
    for member, text in zip(kind.body[1::2], kind.body[2::2], strict=True):
        assert isinstance(member, ast.Assign)
        assert isinstance(member.targets[0], ast.Name)
        assert isinstance(text, ast.Expr)
        assert isinstance(text.value, ast.Constant)
        name = member.targets[0].id
        rows.append((code(str(int(Exit[name]))), code(name), prose(" ".join(str(text.value.value).split()))))
    return table(("code", "name", "meaning"), rows)
