"""Every key of the console that has a name: what it does, where it works, and whether it can be another one.

Bindings, key bar, help, palette, `emtui keys` and the documentation read `KEYS`; the keys of the commands stand in
`emtui.commands.REGISTRY`. A `KeyMap` is what the configuration made of it. Keys are called as Textual calls them.
"""

import contextlib
import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from emtui.commands import REGISTRY, Significance
from emtui.errors import ConfigProblem
from emtui.keys.names import NotAKey, canonical, is_seldom_sent, shown, shown_briefly, types_something

PANES = ("files", "images", "pod", "grid", "activity")
"""The panes, in the order of their numbers."""

_MAIN = frozenset(PANES)
_POLLED = _MAIN - {"activity"}
_FILTERED = frozenset(("files", "images", "grid"))
_PICKER = frozenset(("picker",))
_FIELDS = frozenset(("dialog",))
_DIALOG = _FIELDS | _PICKER
_EVERYWHERE = _MAIN | _DIALOG


class Group(StrEnum):
    """Where a key works, in the order of the help."""

    COMMANDS = "Commands"
    CONSOLE = "Console"
    PANE = "In a pane"
    FILES = "In Files"
    ACTIVITY = "In Activity"
    DIALOG = "In a dialog"
    PICKER = "In a dialog's files"


@dataclass(frozen=True, slots=True)
class Key:
    """What one or more keys do.

    Attributes:
        id: what the configuration calls it: `uplink`, `pane.files`.
        keys: the usual ones, as Textual calls them.
        meaning: what it does: a name, and what there is to say of it behind a colon.
        places: the panes where it works, `dialog`, and `picker` for the files in one; two on one key must have none
            in common.
        fixed: why it cannot be another key; empty where it can.
        is_needed: it can be another key, but not none.
        works_in_fields: it works while something is typed, so its key must not be one that types.
        is_critical: it is for something that cannot be undone.
        is_in_help: the help of the console has it.
    """

    id: str
    keys: tuple[str, ...]
    group: Group
    meaning: str
    places: frozenset[str] = _MAIN
    fixed: str = ""
    is_needed: bool = False
    works_in_fields: bool = False
    is_critical: bool = False
    is_in_help: bool = True

    @property
    def title(self) -> str:
        return self.meaning.partition(": ")[0]

    @property
    def explanation(self) -> str:
        """What its meaning says beyond the title, as a sentence; may be empty."""
        text = self.meaning.partition(": ")[2]
        return text[:1].upper() + text[1:]

    @property
    def is_fixed(self) -> bool:
        return bool(self.fixed)

    @property
    def note(self) -> str:
        """What keeps it from being changed freely; empty where nothing does."""
        return f"fixed: {self.fixed}" if self.is_fixed else "needs a key" if self.is_needed else ""


def _of_commands() -> Iterator[Key]:
    for name, command in REGISTRY.items():
        is_critical = command.significance is Significance.CRITICAL
        asks = " (asks first)" if is_critical else ""
        yield Key(
            name, (command.key,), Group.COMMANDS, f"{command.title}: {command.help}{asks}", is_critical=is_critical
        )


def _of_console() -> Iterator[Key]:
    here = Group.CONSOLE
    for number, pane in enumerate(PANES, 1):
        yield Key(f"pane.{pane}", (str(number),), here, f"{pane.title()} pane")
    yield Key("pane.next", ("tab",), here, "Next pane")
    yield Key("pane.previous", ("shift+tab",), here, "Previous pane")
    yield Key("search", ("s",), here, "Search the Grid Node: tags, encrypted models")
    yield Key("refresh", ("R",), here, "Refresh: ask for everything now")
    yield Key("hold_poll", ("p",), here, "Hold this pane's poll: stop it, or let it go on", _POLLED)
    yield Key("hold_queue", ("H",), here, "Hold back commands: keep those that have not left, or let them go")
    yield Key("copy", ("y",), here, "Copy: what the cursor is on")
    yield Key("help", ("question_mark",), here, "Help", is_needed=True)
    yield Key("sign_in", ("S",), here, "Sign in")
    yield Key("quit", ("q",), here, "Quit: pods go on", is_needed=True)
    yield Key(
        "palette", ("ctrl+p",), here, "Palette: everything by name, themes too", _EVERYWHERE, works_in_fields=True
    )
    why = "it is the way out that works everywhere, whatever the key map says"
    yield Key("leave", ("ctrl+q",), here, "Quit, out of a dialog too", _EVERYWHERE, why, is_in_help=False)
    why = "it copies in a field"
    yield Key("copy_text", ("ctrl+c",), here, "Copy what is marked in a field", _EVERYWHERE, why, is_in_help=False)


def _of_panes() -> Iterator[Key]:
    here = Group.PANE
    yield Key("list.up", ("up", "k"), here, "Up")
    yield Key("list.down", ("down", "j"), here, "Down")
    yield Key("list.page_up", ("pageup",), here, "Page up")
    yield Key("list.page_down", ("pagedown",), here, "Page down")
    yield Key("list.first", ("home",), here, "First")
    yield Key("list.last", ("end", "G"), here, "Last")
    yield Key("list.open", ("enter",), here, "Open")
    yield Key("list.mark", ("space",), here, "Mark")
    yield Key("pane.filter", ("slash",), here, "Filter", _FILTERED)
    why = "esc leaves what is open, everywhere"
    yield Key("pane.clear_filter", ("escape",), here, "Clear the filter", _FILTERED, why)
    yield Key("files.expand", ("right",), Group.FILES, "Open the folder", frozenset(("files",)))
    yield Key("files.collapse", ("left", "h"), Group.FILES, "Close the folder, or go to it", frozenset(("files",)))
    yield Key("activity.cancel", ("escape",), Group.ACTIVITY, "Cancel the command", frozenset(("activity",)))
    yield Key("activity.again", ("A",), Group.ACTIVITY, "Do it again", frozenset(("activity",)))


def _of_dialogs() -> Iterator[Key]:
    here = Group.DIALOG
    why = "fields of every terminal program go on so"
    yield Key("dialog.next", ("tab", "enter"), here, "Next field", _FIELDS, why)
    yield Key("dialog.submit", ("ctrl+s",), here, "Do it", _DIALOG, is_needed=True, works_in_fields=True)
    why = "esc leaves what is open, everywhere"
    yield Key("dialog.leave", ("escape",), here, "Leave, nothing is done", _DIALOG, why)
    here = Group.PICKER
    yield Key("picker.mark", ("space",), here, "Mark, and go on to the next", _PICKER)
    yield Key("picker.open", ("enter",), here, "Open the folder, or take the file", _PICKER)
    yield Key("picker.into", ("right",), here, "Open the folder", _PICKER)
    yield Key("picker.up", ("left", "backspace"), here, "To the folder above", _PICKER)
    yield Key("picker.hidden", ("full_stop",), here, "Show hidden files, or hide them", _PICKER)
    yield Key("picker.clear", ("delete",), here, "Clear the marks", _PICKER)
    why = "a letter goes to the next name that begins with it"
    yield Key("picker.move", ("up", "down", "pageup", "pagedown", "home", "end"), here, "Move", _PICKER, why)


_ALL = (*_of_commands(), *_of_console(), *_of_panes(), *_of_dialogs())

KEYS: dict[str, Key] = {key.id: key for key in _ALL}
"""Every key by its id, in the order of the help."""


class KeyMap:
    """The keys in force: the usual ones, with those that the configuration has changed.

    An id that is not known has been told with the configuration, and changes nothing. Raises ConfigProblem for the
    first other thing that `check_keys` finds.
    """

    def __init__(self, changed: Mapping[str, str] | None = None) -> None:
        given = {name: keys for name, keys in (changed or {}).items() if name in KEYS}
        for problem in check_keys(given):
            raise ConfigProblem(f"keys.{problem.id}: {problem.message}", remedy=problem.remedy)
        self._changed = {name: _read(value) for name, value in given.items()}

    def keys(self, name: str) -> tuple[str, ...]:
        """The keys of an id, as Textual calls them; none where it is switched off."""
        return self._changed.get(name, KEYS[name].keys)

    def is_changed(self, name: str) -> bool:
        return self.keys(name) != KEYS[name].keys

    def shown(self, name: str) -> str:
        """The first key of an id as one reads it; empty where it is switched off."""
        return next((shown(key) for key in self.keys(name)), "")

    def briefly(self, name: str) -> str:
        """The same where room is scarce."""
        return next((shown_briefly(key) for key in self.keys(name)), "")

    def all_shown(self, name: str) -> str:
        """All keys of an id: `up, k`."""
        return ", ".join(shown(key) for key in self.keys(name))

    def hint(self, name: str, words: str) -> str:
        """`u uplinks some`; empty where it is switched off."""
        key = self.shown(name)
        return f"{key} {words}" if key else ""

    def panes(self) -> str:
        """The keys of all panes in few signs: `1-5`; empty where none has one."""
        keys = [key for key in (self.briefly(f"pane.{pane}") for pane in PANES) if key]
        places = [_place(key) for key in keys]
        is_run = len(keys) > 1 and all(
            before[0] == after[0] and before[1] + 1 == after[1] for before, after in pairwise(places)
        )
        return f"{keys[0]}-{keys[-1]}" if is_run else ",".join(keys)

    def for_textual(self) -> dict[str, str]:
        """What `App.set_keymap` takes: the ids that are changed."""
        # Textual takes an empty string for no change, so a key that nobody can press stands for none.
        return {
            name: ",".join(keys) or f"<none:{name}>" for name, keys in self._changed.items() if self.is_changed(name)
        }


def _place(key: str) -> tuple[str, int]:
    """Where a key stands among those that differ from it in the last sign, or in the number behind an `f`."""
    *modifiers, base = key.split("+") if len(key) > 1 else [key]
    kind, number = ("f", int(base[1:])) if len(base) > 1 and base[1:].isdigit() else (base[:-1], ord(base[-1]))
    return "+".join([*modifiers, kind]), number


def _read(value: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(canonical(word) for word in value.split(","))) if value else ()


# --------------------------------------------------------------------------------------------------- checking


class KeyProblem(NamedTuple):
    """What is wrong with the key of `id` in a key map, and what to do."""

    id: str
    message: str
    remedy: str


def check_keys(keys: Mapping[str, str]) -> list[KeyProblem]:
    """What is wrong with a key map: ids and keys that do not exist, keys that cannot be had, two at once on one key.

    `keys` has a key, or several with commas between, for each id; an empty text switches it off.
    """
    problems: list[KeyProblem] = []
    changed: dict[str, tuple[str, ...]] = {}
    for name, value in keys.items():
        try:
            changed[name] = _checked(name, value)
        except NotAKey as error:
            problems.append(KeyProblem(name, str(error), error.remedy))
    return problems + list(_clashes(changed))


def _checked(name: str, value: str) -> tuple[str, ...]:
    """The keys that `value` names, for the id `name`. Raises NotAKey, in words that fit every problem."""
    key = KEYS.get(name)
    if key is None:
        close = difflib.get_close_matches(name, KEYS, n=1)
        raise NotAKey("nothing in the console is called so", f"Did you mean {close[0]!r}?" if close else _ASK)
    if key.is_fixed:
        raise NotAKey(f"it stays {' and '.join(map(shown, key.keys))}: {key.fixed}", "Leave it out.")
    read = _read(value)
    if not read and key.is_needed:
        raise NotAKey("it cannot be without a key", "Name one, or leave it out.")
    for one in read:
        if key.is_critical and "ctrl" in one.split("+"):
            raise NotAKey(f"{shown(one)}: what cannot be undone is not done with ctrl", "Choose a key without ctrl.")
        if key.works_in_fields and types_something(one):
            raise NotAKey(
                f"{shown(one)}: it works while something is typed, and this key types", "Choose a key with ctrl, or f1."
            )
    return read


_ASK = "emtui keys tells what can be changed."


def _clashes(changed: Mapping[str, tuple[str, ...]]) -> Iterator[KeyProblem]:
    for number, (name, keys) in enumerate(changed.items()):
        told_before = set(list(changed)[:number])
        for other in KEYS.values():
            if other.id == name or other.id in told_before or not other.places & KEYS[name].places:
                continue
            for key in keys:
                if key in changed.get(other.id, other.keys):
                    way_out = "" if other.is_fixed else f", or give {other.id} another one too"
                    yield KeyProblem(
                        name,
                        f"{shown(key)} is the key of {other.id} too ({other.title}), and both work at once",
                        f"Choose another key{way_out}.",
                    )


def seldom_sent(keys: Mapping[str, str]) -> Iterator[KeyProblem]:
    """Keys of a key map that can be, and do not come from most terminals."""
    for name, value in keys.items():
        with contextlib.suppress(NotAKey):
            for key in filter(is_seldom_sent, _read(value)):
                what = f"most terminals do not send {shown(key)}"
                yield KeyProblem(name, what, "Choose another key, or try it in each terminal that you use.")


# ---------------------------------------------------------------------------------------------- documentation


class ReferenceRow(NamedTuple):
    """A key in the documentation; `note` says why it is fixed, or that it needs a key."""

    group: str
    keys: str
    id: str
    meaning: str
    note: str


def reference_rows(key_map: KeyMap | None = None) -> list[ReferenceRow]:
    """Every key by group, for the documentation and `emtui keys`."""
    in_force = key_map or KeyMap()
    return [
        ReferenceRow(
            key.group.value,
            in_force.all_shown(key.id),
            key.id,
            key.meaning,
            key.note,
        )
        for group in Group
        for key in KEYS.values()
        if key.group is group
    ]
