"""What is examined: a profile, this machine, and the environment; and what is known of them so far."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from emtui.doctor.scratch import Scratch
from emtui.errors import ConfigProblem
from emtui.profile import Profile

if TYPE_CHECKING:
    from emtui.local.engines.docker.daemon import Found


@dataclass(slots=True)
class Case:
    """What is examined.

    Attributes:
        profile: what would be opened.
        config: the configuration's file.
        is_config_named: somebody has named it or a profile in it, so that it must be right.
        problem: why the options are no profile; `profile` is then the usual one.
        environment: the variables.
        scratch: see `Scratch`.
        engine: which one would be used; empty until that is known, and where none is needed or works.
        docker: the Docker Engine that works, and its place; None until that is known, and where none does.
        is_held_up: a look has not ended.
    """

    profile: Profile
    config: Path
    is_config_named: bool = False
    problem: ConfigProblem | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    scratch: Scratch = field(init=False)
    engine: str = ""
    docker: "Found | None" = None
    is_held_up: bool = False

    def __post_init__(self) -> None:
        self.scratch = Scratch(self.workspace)

    @property
    def workspace(self) -> Path:
        """The profile's folder, absolute."""
        return Path(os.path.abspath(os.path.expanduser(self.profile.workspace)))  # noqa: PTH100, PTH111 - never raises

    @property
    def has_local_end(self) -> bool:
        return "local" in (self.profile.em_kind, self.profile.grid_kind)

    @property
    def needs_engine(self) -> bool:
        """Pods are run here."""
        return self.profile.em_kind == "local"
