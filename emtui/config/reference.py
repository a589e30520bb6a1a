"""The documentation of the configuration, out of the model: as data, and as Markdown."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from emtui.config.environment import OTHERS
from emtui.config.model import TABLES, Setting, settings_of

_HEADERS = {"": "", "profile": "[profile.NAME]"}
_COLUMNS = ("key", "type", "default", "meaning", "variable", "option")


@dataclass(frozen=True, slots=True)
class Row:
    """A key, as the documentation tells it. `table` is its header; empty for what stands on top of the file.

    Attributes:
        default: as TOML has it, or in words; empty where there is none.
        example: `key = value`.
        variable, option: what says the same, empty where nothing does.
    """

    table: str
    key: str
    type: str
    default: str
    meaning: str
    example: str
    variable: str
    option: str


def rows() -> Iterator[Row]:
    """Every key, table by table, in the order of the model."""
    for table in TABLES:
        for setting in settings_of(table):
            yield Row(
                table=_HEADERS.get(table, f"[{table}]"),
                key=setting.key,
                type=_type(setting),
                default=_default(setting),
                meaning=setting.about.meaning,
                example=f"{setting.key} = {setting.about.example}",
                variable=setting.variable,
                option=setting.about.option,
            )


def tables() -> Iterator[tuple[str, str]]:
    """Each table's header and what it is for; the header of what stands on top of the file is empty."""
    for name, kind in TABLES.items():
        yield _HEADERS.get(name, f"[{name}]"), str(kind.__doc__).partition("\n")[0]


def markdown() -> str:
    """A section with a table for each table of the file, and one for the variables that no key stands for."""
    parts: list[str] = []
    for header, purpose in tables():
        parts += [f"## {f'`{header}`' if header else 'On top of the file'}", purpose, _grid(header)]
    keys = "Keys of the console by their ids, several with commas between; an empty text switches one off."
    parts += ["## `[keys]`", keys, '```toml\n[keys]\nuplink = "U"\n"pane.files" = "f1,1"\n```']
    others = [f"| `{name}` | {meaning} |" for name, meaning in OTHERS.items()]
    parts += ["## Variables without a key", "\n".join(["| variable | meaning |", "|---|---|", *others])]
    return "\n\n".join(parts) + "\n"


def _grid(header: str) -> str:
    lines = [f"| {' | '.join(_COLUMNS)} |", "|---" * len(_COLUMNS) + "|"]
    for row in rows():
        if row.table == header:
            code = [f"`{text}`" if text else "" for text in (row.key, row.variable, row.option)]
            meaning = f"{row.meaning}: `{row.example.partition(' = ')[2]}`"
            cells = (code[0], row.type, row.default, meaning, code[1], code[2])
            lines.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
    return "\n".join(lines)


def _type(setting: Setting) -> str:
    known = setting.about.kind.schema()
    return " or ".join(f"`{word}`" for word in known["enum"] if word) if "enum" in known else setting.about.kind.name


def _default(setting: Setting) -> str:
    if setting.about.without:
        return setting.about.without
    default: Any = setting.default
    if default in ("", (), None):
        return ""
    return f"`{json.dumps(default)}`"
