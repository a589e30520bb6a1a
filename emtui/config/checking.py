"""What a configuration says, judged by the model: every problem at once, and what is odd."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from emtui.config.document import Document
from emtui.config.kinds import Names, Wrong, meant, shown
from emtui.config.model import SINGLE_TABLES, TABLES, Setting, keys_of
from emtui.config.problems import Problem, Problems, did_you_mean, key_of

Tables = dict[str, Any]
"""What a file says, and nothing else: `{"default_profile": …, "console": {…}, "profile": {NAME: {…}}}`."""

Path = tuple[str | int, ...]

# Of each sort, one after the other: whoever has more to mend looks again.
_MOST_TOLD = 100
_MOST_KEYS = 200

_OF_SECRETS = {
    "password": "Take it out: it is asked for, or EMTUI_PASSWORD or your keyring has it.",
    "token": "Take it out: EMTUI_TOKEN is for it.",
}
"""Keys that there are not, since a file is no place for a secret."""


@dataclass(frozen=True)
class Checked:
    """What a file says, and what is wrong with it. `tables` is for use only where no problem is an error.

    Attributes:
        version: the one that the file was written in, None where that cannot be told.
        is_cut: there is more that is wrong of the same sort as some that is told.
        surprises: what is right, and may not be what was meant; only `emtui.config.loading.judge` looks for it.
    """

    tables: Tables
    problems: tuple[Problem, ...]
    version: int | None = None
    is_cut: bool = False
    surprises: tuple[Problem, ...] = ()

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if not problem.is_warning)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.is_warning)


def check(document: Document) -> Checked:
    """Judge a document. Every problem is told, in the order of lines."""
    judge = _Judge(document)
    tables = judge.tables()
    sorts = (judge.wrong, _key_problems(document), _whole(document), _unknown(document))
    found = [list(islice(problems, _MOST_TOLD + 1)) for problems in sorts]
    told = [problem for problems in found for problem in problems[:_MOST_TOLD]]
    told.sort(key=lambda problem: problem.line or 0)
    return Checked(tables, tuple(told), document.version, any(len(problems) > _MOST_TOLD for problems in found))


def checked(document: Document) -> Checked:
    """The same, of a document that must be right but for what only the console takes. Raises Problems."""
    found = check(document)
    if any(not problem.is_for_console for problem in found.errors):
        raise Problems([problem for problem in found.errors if not problem.is_for_console])
    return found


def flat(keys: object, before: str = "") -> Any:
    """`[keys]` by ids: `pane.files = "1"` is a table in a table for TOML, and means the id."""
    if not isinstance(keys, dict):
        return keys
    found: dict[str, Any] = {}
    for name, value in keys.items():
        found |= flat(value, f"{before}{name}.") if isinstance(value, dict) else {f"{before}{name}": value}
    return found


def path_in(document: Document, place: Sequence[str | int]) -> Sequence[str | int]:
    """Where a key of `Tables` is in the file; ids of keys may be several tables there."""
    if len(place) > 1 and place[0] == "keys":
        return _path_of_id(document, str(place[1]))
    return place


class _Judge:
    """Reads a document by the model. What is wrong gathers in `wrong`, and is left out of what is read."""

    def __init__(self, document: Document) -> None:
        self.wrong: list[Problem] = []
        self._document = document

    def tables(self) -> Tables:
        values = self._document.values
        found: Tables = {"keys": {}, "profile": {}}
        found |= self._read(keys_of(""), values, ())
        for name in SINGLE_TABLES:
            found[name] = self._read(keys_of(name), self._table(values, (), name), (name,))
        profiles = self._table(values, (), "profile")
        for name in profiles:
            path = ("profile", name)
            found["profile"][name] = self._read(keys_of("profile"), self._table(profiles, path[:1], name), path)
        keys = flat(self._table(values, (), "keys"))
        for name in islice(keys, _MOST_KEYS):
            if isinstance(keys[name], str):
                found["keys"][name] = keys[name]
            else:
                self._tell(
                    path_in(self._document, ("keys", name)), f"a text in quotes is expected, not {shown(keys[name])}"
                )
        return found

    def _table(self, values: Mapping[str, Any], path: Path, name: str) -> Mapping[str, Any]:
        table = values.get(name, {})
        if isinstance(table, dict):
            return table
        self._tell((*path, name), f"a table is expected, not {shown(table)}")
        return {}

    def _read(self, known: Mapping[str, Setting], values: Mapping[str, Any], path: Path) -> dict[str, Any]:
        found = {}
        for key, value in values.items():
            if key in known:
                kind = known[key].about.kind
                try:
                    found[key] = self._items(kind, value, (*path, key)) if isinstance(kind, Names) else kind.read(value)
                except ValueError as error:
                    self._refuse((*path, key), error)
        return found

    def _items(self, kind: Names, value: object, path: Path) -> tuple[str, ...]:
        """Each of several texts by itself, so that the line of the one that is wrong can be told."""
        found = []
        for number, item in enumerate(kind.read_array(value)):
            try:
                found.append(kind.item.read(item))
            except ValueError as error:
                self._refuse((*path, number), error)
        return tuple(found)

    def _refuse(self, path: Path, error: ValueError) -> None:
        wrong = error if isinstance(error, Wrong) else Wrong(str(error))
        self._tell(path, str(wrong), f"{did_you_mean(wrong.meant)}{wrong.remedy or 'Mend it there.'}")

    def _tell(self, path: Sequence[str | int], what: str, remedy: str = "Mend it there.") -> None:
        if len(self.wrong) <= _MOST_TOLD:
            self.wrong.append(self._document.problem(path, what, remedy))


def _path_of_id(document: Document, name: str) -> Sequence[str | int]:
    lines = document.positions.lines
    return next((path for path in lines if path[0] == "keys" and ".".join(map(str, path[1:])) == name), ("keys", name))


def _unknown(document: Document) -> Iterator[Problem]:
    """Keys that are not known: they are told, not obeyed."""
    values = document.values
    known = [*keys_of(""), *(name for name in TABLES if name), "keys"]
    yield from _unknown_in(document, (), values, known, "")
    for name in SINGLE_TABLES:
        if isinstance(table := values.get(name), dict):
            yield from _unknown_in(document, (name,), table, keys_of(name), name)
    profiles = values.get("profile")
    for name, table in profiles.items() if isinstance(profiles, dict) else ():
        if isinstance(table, dict):
            yield from _unknown_in(document, ("profile", name), table, keys_of("profile"), "profile")


def _unknown_in(
    document: Document, path: tuple[str, ...], table: Mapping[str, Any], known: Any, name: str
) -> Iterator[Problem]:
    for key in table:
        if key not in known:
            likely = meant(key, known) or _elsewhere(key, name)
            remedy = _OF_SECRETS.get(key) or f"{did_you_mean(likely)}Mend its name, or leave it out."
            yield document.problem((*path, key), "it is not known and not obeyed", remedy, is_warning=True)


def _elsewhere(key: str, here: str) -> str:
    """A key of another table: `console.theme` for a `theme` that stands on top."""
    for table in TABLES:
        if table != here and key in keys_of(table):
            return f"profile.NAME.{key}" if table == "profile" else f"{table}.{key}" if table else f"{key} on top"
    return ""


def _key_problems(document: Document) -> Iterator[Problem]:
    """What the key map says to `[keys]`: ids that are not known are told, keys that cannot be had stop."""
    keys = flat(document.values.get("keys", {}))
    if not keys or not isinstance(keys, dict):
        return
    if len(keys) > _MOST_KEYS:
        yield document.problem(["keys"], f"at most {_MOST_KEYS} keys are expected, not {len(keys)}", "Leave some out.")
        return
    from emtui.keys.keymap import KEYS, check_keys

    for problem in check_keys({name: value for name, value in keys.items() if isinstance(value, str)}):
        path = _path_of_id(document, problem.id)
        yield document.problem(path, problem.message, problem.remedy, is_warning=problem.id not in KEYS)


def _whole(document: Document) -> Iterator[Problem]:
    """What is wrong with keys that are right one by one."""
    profiles = document.values.get("profile", {})
    profiles = profiles if isinstance(profiles, dict) else {}
    for name, table in profiles.items():
        if isinstance(table, dict) and not any(table.get(end) for end in ("em_url", "grid_url", "local")):
            what = "it names neither em_url, grid_url nor local"
            yield document.problem(("profile", name), what, "Give at least one of them.", is_warning=True)
    named = document.values.get("default_profile")
    if isinstance(named, str) and named and named not in profiles:
        known = ", ".join(key_of([name]) for name in profiles) or "none"
        what = f"no profile is called {shown(named)}"
        yield document.problem(["default_profile"], what, f"{did_you_mean(meant(named, profiles))}There are: {known}.")
