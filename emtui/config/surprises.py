"""What is right in a configuration and may not be what was meant: told to who asks for a check, at no start."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from emtui.config.checking import Tables, path_in
from emtui.config.document import Document
from emtui.config.kinds import File, shown
from emtui.config.model import Setting, keys_of
from emtui.config.problems import Problem

_WHOLE_PATH = "Write the whole path; ~ is your home."


def surprises(document: Document, tables: Tables) -> Iterator[Problem]:
    """Paths and keys of the console that will surprise, each as a warning. Blocks for a look at files that are named.

    `tables` is what the document says.
    """
    for setting, path, value in _files(tables):
        for what, remedy in _of_file(setting, value):
            yield document.problem(path, what, remedy, is_warning=True)
    yield from _exposed(document, tables["profile"])
    yield from _of_keys(document, tables["keys"])


def _exposed(document: Document, profiles: Mapping[str, Mapping[str, Any]]) -> Iterator[Problem]:
    """Addresses that are refused when they are opened."""
    from emtui.client.http.address import Address
    from emtui.errors import Exposed

    for name, table in profiles.items():
        for key in ("em_url", "grid_url"):
            try:
                if table.get(key):
                    Address.parse(table[key], insecure=table.get("insecure", False))
            except Exposed as error:
                remedy = "Use https; or, where you know the way, give insecure = true."
                yield document.problem(("profile", name, key), error.message, remedy, is_warning=True)


def _files(tables: Tables) -> Iterator[tuple[Setting, tuple[str, ...], str]]:
    """Every path that is given, and where."""
    profiles = ((("profile", name), table) for name, table in tables["profile"].items())
    for where, table in ((("local",), tables["local"]), *profiles):
        known = keys_of(where[0])
        for key, value in table.items():
            if value and isinstance(known[key].about.kind, File):
                yield known[key], (*where, key), value


def _of_file(setting: Setting, value: str) -> Iterator[tuple[str, str]]:
    try:
        path = Path(value).expanduser()
    except RuntimeError:
        yield f"{shown(value)}: there is no such home", _WHOLE_PATH
        return
    if "$" in value:
        yield f"{shown(value)} is taken as it is: no variable is put in", _WHOLE_PATH
    elif not path.is_absolute():
        yield f"{shown(value)} is looked for in the folder that emtui is started in", _WHOLE_PATH
    elif setting.key == "ca_file" and not path.is_file():
        yield f"{path}: there is no such file", "Name a readable file of certificates, PEM."


def _of_keys(document: Document, keys: dict[str, Any]) -> Iterator[Problem]:
    if not keys:
        return
    from emtui.keys.keymap import seldom_sent

    for problem in seldom_sent(keys):
        path = path_in(document, ("keys", problem.id))
        yield document.problem(path, problem.message, problem.remedy, is_warning=True)
