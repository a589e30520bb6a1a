"""The configuration as the rest of emtui takes it: the values that the file has, and where each of them stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emtui.config.problems import Problem, Problems
from emtui.errors import ConfigProblem

if TYPE_CHECKING:
    from emtui.config.checking import Checked
    from emtui.config.document import Document


@dataclass(frozen=True)
class Loaded:
    """A configuration.

    Attributes:
        file: its file.
        tables: what it says, and nothing else: `{"console": {"theme": …}, "profile": {NAME: {…}}}`.
        odd: what is odd about it: what, and what to do.
        for_console: what is wrong with keys that only the console takes; everything else starts nevertheless.
        is_there: there is such a file.
    """

    file: Path
    tables: Mapping[str, Any] = field(default_factory=dict)
    odd: tuple[tuple[str, str], ...] = ()
    for_console: "tuple[Problem, ...]" = ()
    is_there: bool = True
    _document: "Document | None" = field(default=None, repr=False)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is odd about it, for people."""
        return tuple(f"{what}. {remedy}".rstrip() for what, remedy in self.odd)

    @property
    def profiles(self) -> Mapping[str, Mapping[str, Any]]:
        """The profiles by their names, in the order of the file."""
        found: Mapping[str, Mapping[str, Any]] = self.table("profile")
        return found

    def table(self, name: str) -> Mapping[str, Any]:
        """What a table says, nothing where it is not there."""
        found: Mapping[str, Any] = self.tables.get(name, {})
        return found

    def line(self, path: Sequence[str | int]) -> int | None:
        """The line of a key of `tables`, None where it is not known."""
        if self._document is None:
            return None
        from emtui.config.checking import path_in

        return self._document.positions.line(path_in(self._document, path))


def load(file: Path) -> Loaded:
    """The configuration in `file`, judged. Blocks.

    Raises:
        ConfigProblem: it is missing, cannot be read, or a value is wrong; file, line, key and remedy are named. A value
            that only the console takes is in `for_console` instead.
    """
    from emtui.config.checking import checked
    from emtui.config.document import parse, read_source

    document = parse(read_source(file))
    found = checked(document)
    odd = tuple((one.text, one.remedy) for one in found.warnings)
    return Loaded(file, found.tables, odd, found.errors, _document=document)


def judge(file: Path) -> "Checked":
    """Every problem of a file, which is read anew, and what may surprise. Blocks.

    Raises:
        ConfigProblem: it cannot be read at all: then there is one problem only.
    """
    from emtui.config.checking import Checked, check
    from emtui.config.document import parse, read_source
    from emtui.config.surprises import surprises

    try:
        document = parse(read_source(file))
        found = check(document)
        return replace(found, surprises=tuple(surprises(document, found.tables)))
    except Problems as problems:
        return Checked({}, problems.all)


def absent(file: Path) -> Loaded | None:
    """The configuration of a usual file that is not there, which is no fault; None where it is there. Blocks.

    One that may not even be looked for is left out and told: nobody has named it. That is so in a container whose
    home is somebody else's.
    """
    try:
        file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return Loaded(file, is_there=False)
    except PermissionError as error:
        what = f"{file}: {error.strerror}: it may not be looked for, and is left out"
        return Loaded(
            file, odd=((what, "Make its folder readable, or name another file by --config."),), is_there=False
        )
    except (OSError, ValueError):
        return None
    return None


def profile_named(loaded: Loaded, name: str) -> Mapping[str, Any]:
    """What the profile `name` says.

    Raises:
        ConfigProblem: there is no such profile; the one that may be meant is named.
    """
    table = loaded.profiles.get(name)
    if table is None:
        from emtui.config.kinds import meant
        from emtui.config.problems import did_you_mean

        known = ", ".join(loaded.profiles) or "none"
        raise ConfigProblem(
            f"{loaded.file}: no profile is called {name}",
            remedy=f"{did_you_mean(meant(name, loaded.profiles))}There are: {known}.",
        )
    return table
