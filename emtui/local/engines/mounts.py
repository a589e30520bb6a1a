"""What a RUN is given for its time: `--mount`, `--network`, `--security`."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from emtui.local.engines.dockerfile import Instruction
from emtui.local.engines.problems import BuildProblem

_ALLOWED = {"network": ("default", "none"), "security": ("sandbox",)}
_WHY = {
    "network": "a build has the network that emtui gives it (--pod-network), and none by default",
    "security": "a build has no rights over this machine",
}
_TYPES = ("bind", "cache", "tmpfs")
_SECRETS = ("secret", "ssh")
_OTHER_NAMES = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly", "rw": "readwrite"}
_KEYS = frozenset(
    {"type", "from", "source", "target", "readonly", "readwrite", "required", "size", "sharing", "mode", "uid", "gid",
     "id"}
)  # fmt: skip
# Which builder puts variables in where differs, so they are put in here, and only where each would.
_WITH_VARIABLES = ("source", "target", "id")
# A comma would be one more field, and the rest is read in more than one way.
_PLAIN = re.compile(r"""[^\s,'"\\`$]*""", re.ASCII)


@dataclass(frozen=True, slots=True)
class Mount:
    """One `--mount`.

    Attributes:
        fields: in their order, under the names that were given; one without a value has None. No name comes twice.
        stage: the number of the stage that it shows, None for none.
    """

    fields: tuple[tuple[str, str | None], ...]
    stage: int | None = None

    def get(self, name: str) -> str:
        """The value of a field, empty for none."""
        return next((value or "" for given, value in self.fields if _key(given) == name), "")

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

    def written(self, **changes: str) -> str:
        """As the value of a flag, with other values for some fields."""
        fields = [(name, value) for name, value in self.fields if _key(name) not in changes]
        return ",".join(f"{name}={value}" if value is not None else name for name, value in (*fields, *changes.items()))


def parse_mount(text: str, expand: Callable[[str], str]) -> Mount:
    """The value of a `--mount`; `expand` puts variables in.

    Raises:
        BuildProblem: it cannot be read, or not in one way only; or a build cannot be given that.
    """
    fields: list[tuple[str, str | None]] = []
    for item in text.split(","):
        name, given, value = item.partition("=")
        name = name.lower()
        if _key(name) not in _KEYS:
            raise BuildProblem(f'failed to parse --mount={text}: unexpected key "{name}" in "{item}"')
        if _key(name) in (_key(other) for other, _ in fields):
            raise BuildProblem(f'failed to parse --mount={text}: "{name}" is given twice')
        if "$" in value and _key(name) not in _WITH_VARIABLES:
            raise BuildProblem(f'failed to parse --mount={text}: "{name}" cannot hold a variable here')
        made = expand(value)
        if not (_PLAIN.fullmatch(made) and made.isascii() and made.isprintable()):
            raise BuildProblem(f'failed to parse --mount={text}: "{made}" has a blank, a quote or the like in it')
        fields.append((name, (made.lower() if name == "type" else made) if given else None))
    mount = Mount(tuple(fields))
    if mount.type in _SECRETS:
        raise BuildProblem(f"RUN --mount=type={mount.type}: no secrets or keys can be given to a build here")
    if mount.type not in _TYPES:
        raise BuildProblem(f'dockerfile parse error: unsupported mount type "{mount.type}"')
    return mount


def mounts_of(item: Instruction, expand: Callable[[str], str]) -> list[Mount]:
    """The mounts of a RUN.

    Raises:
        BuildProblem: as `parse_mount` has it.
    """
    return [parse_mount(value, expand) for name, value in item.given_flags if name == "mount"]


def check_rights(item: Instruction) -> None:
    """Refuse what would give a RUN more than a build has.

    Raises:
        BuildProblem: the machine's network, or its rights.
    """
    for name, value in item.given_flags:
        if name in _ALLOWED and value.lower() not in _ALLOWED[name]:
            raise BuildProblem(f"RUN --{name}={value} is not allowed: {_WHY[name]}")


def _key(name: str) -> str:
    return _OTHER_NAMES.get(name, name)
