"""What the builder behind a Dockerfile can do. The rest is refused by name, before anything runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

_HEALTHCHECK = frozenset({"interval", "timeout", "start-period", "start-interval", "retries"})


@dataclass(frozen=True, slots=True)
class Dialect:
    """One builder's.

    Attributes:
        flags: the flags of each instruction that it takes.
        unsupported: instructions that it does not know, each with the reason.
        heredoc_problem: why it takes no here-documents, behind `RUN with a here-document (<<) `; empty where it does.
        is_whole: it is one of Docker's: owners, modes and digests are its business, and are not looked at here.
        platform_args: the variables that it sets by itself: `TARGETARCH` and its like.
    """

    flags: Mapping[str, frozenset[str]]
    unsupported: Mapping[str, str] = field(default_factory=dict)
    heredoc_problem: str = ""
    is_whole: bool = False
    platform_args: Mapping[str, str] = field(default_factory=dict)


PLAIN = Dialect(
    flags={
        "FROM": frozenset({"platform"}),
        "COPY": frozenset({"from", "chown", "chmod", "link"}),
        "ADD": frozenset({"chown", "chmod", "link"}),
        "HEALTHCHECK": _HEALTHCHECK,
    },
    unsupported={"ONBUILD": "triggers for later builds are not kept"},
    heredoc_problem="is not supported here",
)
"""What the sandbox does, and the simulated engine checks."""


def whole(platform: str, heredoc_problem: str) -> Dialect:
    """Everything that a builder of Docker's knows. `platform` is its own: `linux/amd64`."""
    system, _, machine = platform.partition("/")
    architecture, _, variant = machine.partition("/")
    values = {"PLATFORM": platform, "OS": system, "ARCH": architecture, "VARIANT": variant}
    return Dialect(
        flags={
            "FROM": frozenset({"platform"}),
            "COPY": frozenset({"from", "chown", "chmod", "link", "parents", "exclude"}),
            "ADD": frozenset({"chown", "chmod", "link", "checksum", "keep-git-dir", "exclude", "unpack"}),
            "RUN": frozenset({"mount", "network", "security"}),
            "HEALTHCHECK": _HEALTHCHECK,
        },
        heredoc_problem=heredoc_problem,
        is_whole=True,
        platform_args={f"{side}{name}": value for side in ("BUILD", "TARGET") for name, value in values.items()},
    )
