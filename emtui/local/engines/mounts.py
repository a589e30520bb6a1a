"""What a RUN is given for its time: `--mount`, `--network`, `--security`."""

import csv
from dataclasses import dataclass, field

from emtui.local.engines.dockerfile import Instruction
from emtui.local.engines.problems import BuildProblem
from emtui.local.engines.substitution import expand

_ALLOWED = {"network": ("default", "none"), "security": ("sandbox",)}
_WHY = {
    "network": "a build has the network that emtui gives it (--pod-network), and none by default",
    "security": "a build has no rights over this machine",
}


@dataclass(frozen=True, slots=True)
class Mount:
    """One `--mount`, in the order of its fields. A field without a value is None there."""

    fields: tuple[tuple[str, str | None], ...] = field(default=())

    def get(self, *names: str) -> str:
        """The last value under one of these names, empty for none."""
        return next((value or "" for name, value in reversed(self.fields) if name in names), "")

    @property
    def type(self) -> str:
        return self.get("type") or "bind"

    @property
    def origin(self) -> str:
        """The stage that it shows, empty for none."""
        return self.get("from")

    @property
    def takes_context(self) -> bool:
        return self.type == "bind" and not self.origin

    def below(self, folder: str) -> str:
        """As text, its source being in a folder of the context."""
        fields = [(name, value) for name, value in self.fields if name not in ("source", "src")]
        source = self.get("source", "src").lstrip("/")
        return ",".join(
            _quoted(f"{name}={value}" if value is not None else name)
            for name, value in (*fields, ("source", f"{folder}/{source}".rstrip("/")))
        )


def parse_mount(text: str, escape: str) -> Mount:
    """The value of a `--mount`.

    Raises:
        BuildProblem: it cannot be read.
    """
    try:
        # Variables stay: the builder puts them in, where it knows how to.
        plain = expand(text.replace("$", f"{escape}$"), {}, escape)
        rows = list(csv.reader([plain], strict=True))
    except csv.Error as error:
        raise BuildProblem(f"failed to parse mount {text}: {error}") from error
    fields = []
    for item in rows[0] if rows else ():
        name, given, value = item.partition("=")
        fields.append((name.strip().lower(), value if given else None))
    return Mount(tuple(fields))


def mounts_of(item: Instruction, escape: str) -> list[Mount]:
    """The mounts of a RUN.

    Raises:
        BuildProblem: one cannot be read.
    """
    return [parse_mount(value, escape) for name, value in item.given_flags if name == "mount"]


def check_rights(item: Instruction, escape: str) -> None:
    """Refuse what would give a RUN more than a build has.

    Raises:
        BuildProblem: the machine's network, or its rights.
    """
    for name, value in item.given_flags:
        if name in _ALLOWED and expand(value.replace("$", f"{escape}$"), {}, escape).lower() not in _ALLOWED[name]:
            raise BuildProblem(f"RUN --{name}={value} is not allowed: {_WHY[name]}")


def _quoted(text: str) -> str:
    """A field of a line of CSV, which is one word of a Dockerfile at the same time."""
    if any(mark in text for mark in ',"'):
        text = '"' + text.replace('"', '""') + '"'
    if not any(mark.isspace() or mark in "'\"\\`" for mark in text):
        return text
    return "'" + text.replace("'", "'\"'\"'") + "'"
