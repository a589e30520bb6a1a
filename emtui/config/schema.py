"""The configuration's JSON Schema, for editors that complete and check TOML."""

import inspect
import tomllib
from typing import Any

from emtui.config.model import SINGLE_TABLES, TABLES, VERSION, Setting, settings_of

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """The schema of the whole file, in draft 2020-12. Keys that it does not know are allowed: they are only told."""
    top = _table("")
    properties = top["properties"]
    properties["version"]["maximum"] = VERSION
    properties |= {name: _table(name) for name in SINGLE_TABLES}
    properties["keys"] = {
        "description": "keys of the console by id; several with commas between, empty for none",
        "type": "object",
        # `pane.files = "1"` is a table in a table for TOML.
        "additionalProperties": {"anyOf": [{"type": "string"}, {"type": "object"}]},
    }
    properties["profile"] = {
        "description": "profiles by name: emtui -p NAME",
        "type": "object",
        "additionalProperties": _table("profile"),
    }
    about = {
        "title": "Configuration of emtui",
        "description": "config.toml of emtui. The command line and the environment go over it.",
    }
    return {"$schema": DIALECT, **top, **about}


def _table(name: str) -> dict[str, Any]:
    return {
        "description": inspect.getdoc(TABLES[name]),
        "type": "object",
        "properties": {setting.key: _key(setting) for setting in settings_of(name)},
    }


def _key(setting: Setting) -> dict[str, Any]:
    example = tomllib.loads(f"example = {setting.about.example}")["example"]
    found = {"description": setting.about.meaning, **setting.about.kind.schema(), "examples": [example]}
    if not setting.about.without:
        found["default"] = setting.default
    return found
