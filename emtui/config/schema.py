"""The configuration's JSON Schema, for editors that complete and check TOML. Imports pydantic."""

from typing import Any

from emtui.config.checking import adapter
from emtui.config.model import VERSION

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """The schema of the whole file, in draft 2020-12. Keys that it does not know are allowed: they are only told."""
    made = adapter().json_schema()
    made["title"] = "Configuration of emtui"
    made["description"] = "config.toml of emtui. The command line and the environment go over it."
    made["properties"]["version"]["maximum"] = VERSION
    made["properties"]["keys"]["description"] = "keys of the console by id; several with commas between, empty for none"
    made["properties"]["profile"]["description"] = "profiles by name: emtui -p NAME"
    return {"$schema": DIALECT, **made}
