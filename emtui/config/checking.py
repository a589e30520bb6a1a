"""What a configuration says, judged by the model: every problem at once, and what is odd. Imports pydantic."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pydantic import TypeAdapter, ValidationError

from emtui.config.document import Document
from emtui.config.kinds import Wrong, meant, shown
from emtui.config.model import TABLES, Config, keys_of
from emtui.config.problems import Problem, Problems, did_you_mean, key_of

Tables = dict[str, Any]
"""What a file says, and nothing else: `{"default_profile": …, "console": {…}, "profile": {NAME: {…}}}`."""

# Of each sort, one after the other: whoever has more to mend looks again.
_MOST_TOLD = 100
_MOST_KEYS = 200

_SINGLE = ("console", "local", "command_line")
_KINDS = {"dataclass_type": "a table", "dict_type": "a table", "string_type": "a text in quotes"}


@dataclass(frozen=True)
class Checked:
    """What a file says, and what is wrong with it. `tables` is for use only where no problem is an error.

    `version` is the one that the file was written in, None where that cannot be told.
    """

    tables: Tables
    problems: tuple[Problem, ...]
    version: int | None = None

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if not problem.is_warning)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.is_warning)


def check(document: Document) -> Checked:
    """Judge a document. Every problem is told, in the order of lines."""
    values = {**document.values, "keys": flat(document.values.get("keys", {}))}
    problems = list(islice(_unknown(document), _MOST_TOLD))
    config = None
    try:
        config = adapter().validate_python(values)
    except ValidationError as error:
        problems += (_problem(document, one) for one in islice(error.errors(include_url=False), _MOST_TOLD))
    problems += _key_problems(document, values["keys"])
    problems += islice(_whole(document), _MOST_TOLD)
    problems.sort(key=lambda problem: problem.line or 0)
    return Checked(_given(config, values) if config is not None else {}, tuple(problems), document.version)


def checked(document: Document) -> Checked:
    """The same, of a document that must be right. Raises Problems."""
    found = check(document)
    if found.errors:
        raise Problems(found.errors)
    return found


def adapter() -> TypeAdapter[Config]:
    """What pydantic makes of the model."""
    return TypeAdapter(Config)


def flat(keys: object, before: str = "") -> Any:
    """`[keys]` by ids: `pane.files = "1"` is a table in a table for TOML, and means the id."""
    if not isinstance(keys, dict):
        return keys
    found: dict[str, Any] = {}
    for name, value in keys.items():
        found |= flat(value, f"{before}{name}.") if isinstance(value, dict) else {f"{before}{name}": value}
    return found


def _given(config: Config, values: Mapping[str, Any]) -> Tables:
    """What pydantic has read, where the file says something."""
    tables: Tables = {"keys": dict(config.keys)}
    if "default_profile" in values:
        tables["default_profile"] = config.default_profile
    for name in _SINGLE:
        tables[name] = _of_table(getattr(config, name), values.get(name, {}))
    tables["profile"] = {name: _of_table(table, values["profile"][name]) for name, table in config.profile.items()}
    return tables


def _of_table(table: object, values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: getattr(table, key) for key in values if hasattr(table, key)}


def _problem(document: Document, error: Mapping[str, Any]) -> Problem:
    cause = error.get("ctx", {}).get("error")
    path = path_in(document, error["loc"])
    if isinstance(cause, Wrong):
        mend = cause.remedy or "Mend it there."
        return document.problem(path, str(cause), f"{did_you_mean(cause.meant)}{mend}")
    if cause is not None:
        return document.problem(path, str(cause), "Mend it there.")
    what = f"{_KINDS.get(error['type'], error['msg'])} is expected, not {shown(error['input'])}"
    return document.problem(path, what, "Mend it there.")


def path_in(document: Document, place: Sequence[str | int]) -> Sequence[str | int]:
    """Where pydantic's place is in the file; ids of keys may be several tables there."""
    if len(place) > 1 and place[0] == "keys":
        return _path_of_id(document, str(place[1]))
    return place


def _path_of_id(document: Document, name: str) -> Sequence[str | int]:
    lines = document.positions.lines
    return next((path for path in lines if path[0] == "keys" and ".".join(map(str, path[1:])) == name), ("keys", name))


def _unknown(document: Document) -> Iterator[Problem]:
    """Keys that are not known: they are told, not obeyed."""
    values = document.values
    known = [*keys_of(""), *(name for name in TABLES if name), "keys"]
    yield from _unknown_in(document, (), values, known, "")
    for name in _SINGLE:
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
            remedy = f"{did_you_mean(likely)}Mend its name, or leave it out."
            yield document.problem((*path, key), "it is not known and not obeyed", remedy, is_warning=True)


def _elsewhere(key: str, here: str) -> str:
    """A key of another table: `console.theme` for a `theme` that stands on top."""
    for table in TABLES:
        if table != here and key in keys_of(table):
            return f"profile.NAME.{key}" if table == "profile" else f"{table}.{key}" if table else f"{key} on top"
    return ""


def _key_problems(document: Document, keys: object) -> Iterator[Problem]:
    """What the key map says to `[keys]`: ids that are not known are told, keys that cannot be had stop."""
    from emtui.keys.keymap import KEYS, check_keys

    if isinstance(keys, dict) and len(keys) > _MOST_KEYS:
        yield document.problem(["keys"], f"at most {_MOST_KEYS} keys are expected, not {len(keys)}", "Leave some out.")
    elif isinstance(keys, dict):
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
