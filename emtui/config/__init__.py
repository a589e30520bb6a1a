"""The configuration: a TOML file with profiles, defaults of local mode, and how the console looks and behaves.

    version = 1
    default_profile = "em"

    [profile.em]
    em_url = "https://em.example.org"
    grid_url = "https://grid.example.org"
    username = "client1"

`emtui -p em` opens it. Both ends are independent: one that is not named is absent, or local where `local` is given.
`emtui.config.model` says which keys there are, `emtui.config.layers` what is in force.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emtui.config.loading import Loaded


def config_path() -> Path:
    """`EMTUI_CONFIG`, else the usual one."""
    named = os.environ.get("EMTUI_CONFIG")
    return Path(named) if named else usual_path()


def usual_path() -> Path:
    """`config.toml` in the user's configuration directory."""
    from platformdirs import user_config_path

    return user_config_path("emtui") / "config.toml"


def read_config(path: Path) -> "Loaded":
    """The configuration in `path`, with warnings: keys that are not known are told, not obeyed. Blocks.

    Raises:
        ConfigProblem: as `emtui.config.loading.load`.
    """
    from emtui.config.loading import load

    return load(path)
