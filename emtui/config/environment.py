"""What the environment says: a variable for each key that has one, by the model.

Nothing that costs time is imported here, since every start goes through it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from emtui.config.kinds import Wrong, meant
from emtui.config.model import Setting, settings_of
from emtui.config.problems import did_you_mean
from emtui.errors import ConfigProblem

PREFIX = "EMTUI_"

SECRETS = ("EMTUI_TOKEN", "EMTUI_PASSWORD")
"""Whether they are given is told, and never what they are."""

OTHERS: Mapping[str, str] = {
    "EMTUI_CONFIG": "the file of the configuration",
    "EMTUI_TOKEN": "a token, used as it is",
    "EMTUI_PASSWORD": "the password to sign in with; of emtui serve, the one of its users",
    "EMTUI_NO_KEYRING": "1: the system's keyring is not used",
}
"""Variables that no key of the file stands for, and what they are."""

_TESTS = "EMTUI_TEST_"
_CONSOLE = "console"
# A key of a profile goes before one of [local] that says the same.
_ORDER = ("profile", "console", "command_line", "", "local")


def variables() -> dict[str, Setting]:
    """Every variable that stands for a key, with that key."""
    found: dict[str, Setting] = {}
    for table in _ORDER:
        for setting in settings_of(table):
            if setting.variable:
                found.setdefault(setting.variable, setting)
    return found


def given(environment: Mapping[str, str]) -> dict[str, tuple[Any, str]]:
    """The values that variables give, by keys, each with the variable's name; one that is empty is not given.

    A wrong value that only the console takes is left out; `wrong_ones` tells it.

    Raises:
        ConfigProblem: a value is wrong; the variable is named.
    """
    found: dict[str, tuple[Any, str]] = {}
    if not any(name.startswith(PREFIX) for name in environment):
        return found
    for name, setting in variables().items():
        if text := environment.get(name):
            try:
                found[setting.key] = (setting.about.kind.read_text(text), name)
            except ValueError as error:
                if setting.table != _CONSOLE:
                    raise _wrong(name, error) from None
    return found


def wrong_ones(environment: Mapping[str, str], *, for_console: bool = False) -> Iterator[ConfigProblem]:
    """Every variable whose value is wrong; with `for_console` of those alone that only the console takes."""
    if not any(name.startswith(PREFIX) for name in environment):
        return
    for name, setting in variables().items():
        if (text := environment.get(name)) and (setting.table == _CONSOLE or not for_console):
            try:
                setting.about.kind.read_text(text)
            except ValueError as error:
                yield _wrong(name, error)


def unknown_ones(environment: Mapping[str, str]) -> Iterator[str]:
    """Every variable that begins as ours do and is not known, for people."""
    ours = sorted(name for name in environment if name.startswith(PREFIX) and not name.startswith(_TESTS))
    known = (*variables(), *OTHERS) if ours else ()
    for name in ours:
        if name not in known:
            likely = did_you_mean(meant(name, known)).rstrip()
            yield f"{name}: there is no such variable, and it is not obeyed. {likely}".rstrip()


def _wrong(name: str, error: ValueError) -> ConfigProblem:
    likely, remedy = (error.meant, error.remedy) if isinstance(error, Wrong) else ("", "")
    return ConfigProblem(
        f"{name}: {error}", remedy=f"{did_you_mean(likely)}{remedy or 'Mend the variable, or unset it.'}"
    )
