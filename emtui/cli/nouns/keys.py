"""`emtui keys`: the console's keys as they are in force, and what is wrong with those of the configuration."""

import os
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emtui.cli.exit_codes import Exit
from emtui.cli.output import Output
from emtui.cli.profile_options import resolved_from
from emtui.cli.running import offline
from emtui.cli.verb import Verb

if TYPE_CHECKING:
    from emtui.config.problems import Problem
    from emtui.keys.keymap import Key, KeyMap

_NO_KEY = "–"
# Columns. What has more keys than fit there pushes the rest of its own line only.
_WIDEST = 10


def _list(options: Namespace, out: Output) -> None:
    from emtui.config.problems import Problems
    from emtui.keys.keymap import KEYS, Group, KeyMap

    resolved = resolved_from(options)
    wrong = [one for one in resolved.loaded.for_console if _is_about_keys(one)]
    if wrong:
        raise Problems(wrong)
    keys = KeyMap(resolved.console.keys)
    by_group = [key for group in Group for key in KEYS.values() if key.group is group]
    if out.is_json:
        out.document([_as_document(key, keys) for key in by_group])
    elif out.is_terminal:
        for line in _lines(by_group, keys):
            out.line(line)
    else:
        out.table((), ((key.group, keys.all_shown(key.id), key.id, key.meaning, _usual(key, keys)) for key in by_group))


def _as_document(key: "Key", keys: "KeyMap") -> dict[str, Any]:
    return {
        "id": key.id,
        "group": key.group.value,
        "keys": list(keys.keys(key.id)),
        "shown": keys.all_shown(key.id),
        "usual": list(key.keys),
        "is_changed": keys.is_changed(key.id),
        "is_fixed": key.is_fixed,
        "meaning": key.meaning,
        "note": key.note,
    }


def _usual(key: "Key", keys: "KeyMap") -> str:
    """The usual keys, where they are other ones now."""
    from emtui.keys.names import shown

    return ", ".join(map(shown, key.keys)) if keys.is_changed(key.id) else ""


def _lines(by_group: "list[Key]", keys: "KeyMap") -> Iterator[str]:
    from emtui.text import safe_str

    shown = {key.id: safe_str(keys.all_shown(key.id)) or _NO_KEY for key in by_group}
    key_width = min(_WIDEST, max(map(len, shown.values())))
    id_width = max(len(key.id) for key in by_group)
    group = ""
    for key in by_group:
        if key.group != group:
            yield from ("",) if group else ()
            group = key.group
            yield group
        usual = _usual(key, keys)
        mark = "*" if usual else " "
        note = f"  (usually {usual})" if usual else "  (fixed)" if key.is_fixed else ""
        yield f"{mark} {shown[key.id]:<{key_width}}  {key.id:<{id_width}}  {key.meaning}{note}"


def _check(options: Namespace, out: Output) -> Exit:
    file = _file(options)
    problems, surprises = _problems(file)
    if out.is_json:
        out.document(
            [
                {
                    "level": level,
                    "file": str(one.file),
                    "line": one.line,
                    "key": one.key,
                    "message": one.message,
                    "remedy": one.remedy,
                }
                for level, found in (("error", problems), ("warning", surprises))
                for one in found
            ]
        )
    else:
        from emtui.text import safe_str

        for one in (*problems, *surprises):
            out.line(safe_str(one.as_notice()))
    if problems:
        return Exit.CONFIG
    out.say(f"{file}: its keys are right" if file.exists() else f"{file}: not there, so all keys are the usual ones")
    return Exit.OK


def _file(options: Namespace) -> Path:
    from emtui.config import usual_path
    from emtui.config.layers import config_named

    return config_named(vars(options), os.environ) or usual_path()


def _problems(file: Path) -> "tuple[list[Problem], list[Problem]]":
    """What is wrong with `[keys]`, or keeps the file from being read at all; and keys in it that will surprise."""
    from emtui.config import usual_path
    from emtui.config.loading import absent, judge

    if file == usual_path() and absent(file) is not None:
        return [], []
    found = judge(file)
    wrong = [one for one in found.problems if one.key in ("version", "") or _is_about_keys(one) or not one.line]
    return wrong, [one for one in found.surprises if _is_about_keys(one)]


def _is_about_keys(problem: "Problem") -> bool:
    return problem.key.partition(".")[0] == "keys"


VERBS = (
    Verb(
        "keys",
        "",
        "Tell every key of the console",
        offline(_list),
        description="Keys that the configuration has changed are marked. The id is what they are called there:\n"
        '[keys] uplink = "U". In a pipe each line is group, key, id, meaning and, where it was changed, the usual key.',
        examples=("emtui keys", "emtui keys --json"),
        json_help="write one list, an object for each id",
    ),
    Verb(
        "keys",
        "check",
        "Tell what is wrong with the keys of the configuration",
        offline(_check),
        description="Ids and keys that do not exist, keys that cannot be had, and two on one key, with file and line.\n"
        "Exit code 3 where there is any. A key that most terminals do not send is told only.",
        examples=("emtui keys check",),
        json_help="write one list, an object for each problem, with its level",
    ),
)
