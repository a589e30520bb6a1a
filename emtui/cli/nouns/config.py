"""`emtui config`: where the configuration is, what is in force, what is wrong with it, and its schema."""

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emtui.cli.exit_codes import Exit
from emtui.cli.output import Output
from emtui.cli.profile_options import path_option, resolved_from
from emtui.cli.running import offline
from emtui.cli.verb import Verb
from emtui.text import count, safe_str

if TYPE_CHECKING:
    from emtui.config.layers import InForce, Resolved
    from emtui.config.problems import Problem

_LONGEST_PATH = 4096


# ------------------------------------------------------------------------------------------------------- path


def _path(options: Namespace, out: Output) -> None:
    file = _file(options)
    is_there = file.exists()
    if out.is_json:
        out.document({"path": str(file), "exists": is_there})
        return
    out.line(safe_str(file, _LONGEST_PATH))
    if not is_there:
        out.say(f"emtui: {file}: there is no such file; none is needed")


def _file(options: Namespace) -> Path:
    from emtui.config import usual_path
    from emtui.config.layers import config_named

    return config_named(vars(options), os.environ) or usual_path()


# ------------------------------------------------------------------------------------------------------- show


def _show(options: Namespace, out: Output) -> None:
    from emtui.config.environment import SECRETS

    resolved = resolved_from(options)
    secrets = {name: bool(os.environ.get(name)) for name in SECRETS}
    unfit = (f"{error.message}. {error.remedy}".rstrip() for error in resolved.console_problems)
    warnings = (*resolved.warnings, *unfit)
    if out.is_json:
        out.document(
            {
                "file": str(resolved.loaded.file),
                "exists": resolved.loaded.is_there,
                "settings": [_described(one, resolved) for one in resolved.settings],
                "secrets": [{"name": name, "is_set": is_set} for name, is_set in secrets.items()],
                "warnings": list(warnings),
            }
        )
        return
    rows = [(one.key, _value(one), _origin(one, resolved)) for one in resolved.settings]
    rows += [(name, "set, not shown", name) for name, is_set in secrets.items() if is_set]
    out.table(("key", "value", "from"), rows)
    for warning in warnings:
        out.say(f"emtui: {warning}")


def _described(one: "InForce", resolved: "Resolved") -> dict[str, Any]:
    value = list(one.value) if isinstance(one.value, tuple) else str(one.value) if _is_path(one) else one.value
    if value in ("", []):
        value = None  # in no layer
    source: dict[str, Any] = {"kind": one.origin.kind}
    if one.origin.kind == "file":
        source |= {"name": str(resolved.loaded.file), "line": resolved.loaded.line(one.origin.path)}
    elif one.origin.name:
        source["name"] = one.origin.name
    return {"key": one.key, "value": value, "source": source}


def _is_path(one: "InForce") -> bool:
    return isinstance(one.value, Path)


def _value(one: "InForce") -> str:
    """A value as people read it; in words where it is what is built in and has no other form."""
    if isinstance(one.value, bool):
        return str(one.value).lower()
    if one.value in (None, "", ()):
        return _without(one.key) or "–"
    if isinstance(one.value, tuple):
        return ", ".join(one.value)
    return f"{one.value:g}" if isinstance(one.value, float) else str(one.value)


def _without(key: str) -> str:
    from emtui.config.model import keys_of

    setting = keys_of("profile").get(key)
    return f"({setting.about.without})" if setting is not None and setting.about.without else ""


def _origin(one: "InForce", resolved: "Resolved") -> str:
    if one.origin.kind == "file":
        line = resolved.loaded.line(one.origin.path)
        return f"{resolved.loaded.file}:{line}" if line is not None else str(resolved.loaded.file)
    return one.origin.name or one.origin.kind


# ------------------------------------------------------------------------------------------------------ check


def _check_options(parser: ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", metavar="FILE", type=path_option, help="the file (default: the one in use)")


def _check(options: Namespace, out: Output) -> Exit:
    from emtui.config.loading import absent, judge
    from emtui.config.migrations import newest

    file = options.file or _file(options)
    is_named = options.file is not None or options.config is not None or bool(os.environ.get("EMTUI_CONFIG"))
    gone = None if is_named else absent(file)
    checked = None if gone is not None else judge(file)
    problems: list[dict[str, Any]] = []
    if checked is not None:
        told = sorted((*checked.problems, *checked.surprises), key=lambda problem: problem.line or 0)
        problems += map(_of_file, told)
    if gone is not None:
        problems += [_problem("warning", what, remedy) for what, remedy in gone.odd]
    if options.file is None:
        problems += _of_environment(os.environ)
        problems += _of_themes()
    errors = sum(problem["level"] == "error" for problem in problems)
    warnings = len(problems) - errors
    version = checked.version if checked is not None else None
    is_cut = checked is not None and checked.is_cut
    if out.is_json:
        out.document({
            "file": str(file), "exists": gone is None, "version": version,
            "errors": errors, "warnings": warnings, "is_cut": is_cut, "problems": problems,
        })  # fmt: skip
        return Exit.CONFIG if errors else Exit.OK
    for problem in problems:
        out.line(safe_str(_line(problem), _LONGEST_PATH))
    found = f"{count(errors, 'error')}, {count(warnings, 'warning')}" if problems else "nothing is wrong"
    found += "; there are more of them, to be told once some are mended" if is_cut else ""
    out.say(f"emtui: {file}: {'there is none, and none is needed; ' if gone is not None else ''}{found}")
    if version is not None and version < newest():
        out.say(f"emtui: it is of version {version}, which is read as well; emtui config migrate writes it anew")
    return Exit.CONFIG if errors else Exit.OK


def _of_file(problem: "Problem") -> dict[str, Any]:
    level = "warning" if problem.is_warning else "error"
    place = {"file": str(problem.file), "line": problem.line, "key": problem.key}
    return _problem(level, problem.message, problem.remedy) | place


def _of_themes() -> list[dict[str, Any]]:
    """The operator's own themes that are left out."""
    from emtui.theme_files import read_own_themes

    return [_problem("warning", error.message, error.remedy) for error in read_own_themes()[1]]


def _of_environment(environment: Mapping[str, str]) -> list[dict[str, Any]]:
    from emtui.config.environment import unknown_ones, wrong_ones

    found = [_problem("error", error.message, error.remedy) for error in wrong_ones(environment)]
    return found + [_problem("warning", what, "") for what in unknown_ones(environment)]


def _problem(level: str, message: str, remedy: str) -> dict[str, Any]:
    return {"level": level, "file": None, "line": None, "key": "", "message": message, "remedy": remedy}


def _line(problem: dict[str, Any]) -> str:
    """`FILE:LINE: error: KEY: what. What to do`."""
    place = [str(part) for part in (problem["file"], problem["line"]) if part is not None]
    parts = (":".join(place), problem["level"], problem["key"], problem["message"])
    stop = "" if problem["message"].endswith((".", "?")) else "."
    return f"{': '.join(part for part in parts if part)}{stop} {problem['remedy']}".rstrip()


# --------------------------------------------------------------------------------------------- schema, migrate


def _schema(_options: Namespace, out: Output) -> None:
    from emtui.config.schema import schema

    out.document(schema())


def _migrate(options: Namespace, out: Output) -> None:
    from emtui.config.migrations import newest
    from emtui.config.rewriting import rewrite

    file = options.file or _file(options)
    done = rewrite(file)
    if out.is_json:
        backup = str(done.backup) if done is not None else None
        before = done.version if done is not None else newest()
        out.document({"file": str(file), "from": before, "to": newest(), "backup": backup})
    elif done is None:
        out.say(f"emtui: {file}: it is of version {newest()} already; nothing was changed")
    else:
        out.say(f"emtui: {file}: from version {done.version} to {done.newest}; as it was: {done.backup}")


VERBS = (
    Verb(
        "config",
        "path",
        "Tell where the configuration is",
        offline(_path),
        description="The path is on stdout, also where there is no such file yet.",
        examples=("emtui config path",),
        json_help='write {"path", "exists"}',
    ),
    Verb(
        "config",
        "show",
        "Show each value in force, and where it comes from",
        offline(_show),
        description="An option goes over the environment, that over the profile, that over [local], [console] and\n"
        "[command_line], those over what is built in. Of a token or a password it is only told that it is set.",
        examples=("emtui config show", "emtui config show --local bench --json"),
        json_help='write {"file", "exists", "settings": [{"key", "value", "source"}], "secrets", "warnings"}',
    ),
    Verb(
        "config",
        "check",
        "Tell everything that is wrong with the configuration",
        offline(_check),
        _check_options,
        description="One line for each problem, with file, line and key; the variables of the environment are checked\n"
        "too where no FILE is given. Exit code 3 where there is an error; warnings are told only: keys that are not\n"
        "known, and what will surprise, as paths from the current folder and keys that most terminals do not send.",
        examples=("emtui config check",),
        json_help='write {"file", "exists", "version", "errors", "warnings", "is_cut", "problems"}',
    ),
    Verb(
        "config",
        "schema",
        "Write the configuration's JSON Schema",
        offline(_schema),
        description="Draft 2020-12, for editors that complete and check TOML.",
        examples=("emtui config schema",),
        json_help="as without it: it is JSON",
    ),
    Verb(
        "config",
        "migrate",
        "Write an older configuration in the form of now",
        offline(_migrate),
        _check_options,
        description="Comments and order stay. What the file was is kept beside it, as config.toml.bak-VERSION.\n"
        "Nothing else ever changes the file: an older one is read as it is.",
        examples=(),
        json_help='write {"file", "from", "to", "backup"}',
    ),
)
