"""What is examined: a profile, this machine, and the environment; and what is known of them so far."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from emtui.errors import ConfigProblem
from emtui.profile import Profile


class Scratch:
    """A folder to try things in, made when it is first needed and removed at the end."""

    def __init__(self, beside: Path) -> None:
        """`beside` is the folder next to which it is made, on the same disk, where that can be."""
        self._beside = beside
        self._made: Path | None = None

    def folder(self) -> Path:
        """It. Blocks. Raises OSError where it can be made nowhere."""
        if self._made is None:
            parent = nearest_folder(self._beside.parent)
            can_be_there = parent != Path(parent.root) and os.access(parent, os.W_OK | os.X_OK)
            self._made = Path(tempfile.mkdtemp(prefix=".emtui-doctor-", dir=parent if can_be_there else None))
        return self._made

    def remove(self) -> None:
        """Remove it with all that is in it. Blocks."""
        if self._made is not None:
            shutil.rmtree(self._made, ignore_errors=True)


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
        is_held_up: a look has not ended.
    """

    profile: Profile
    config: Path
    is_config_named: bool = False
    problem: ConfigProblem | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    scratch: Scratch = field(init=False)
    engine: str = ""
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


def nearest_folder(path: Path) -> Path:
    """`path`, or the nearest folder above it that exists. Blocks."""
    while not path.is_dir() and path != path.parent:
        path = path.parent
    return path
