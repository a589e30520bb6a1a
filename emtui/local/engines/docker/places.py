"""Where a Docker Engine may be: `DOCKER_HOST`, Docker's own contexts, and the sockets that Docker and Podman use."""

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_DEFAULT_CONTEXT = "default"


@dataclass(frozen=True, slots=True)
class Place:
    """One place to look at.

    Attributes:
        url: `unix:///…`, `tcp://…`; empty for a context of Docker's, which names its own.
        context: that context's name, empty for none.
        origin: who named it, for people: `DOCKER_HOST`, `the Docker context desktop`, or the socket's path.
    """

    url: str
    origin: str
    context: str = ""

    @property
    def scheme(self) -> str:
        """`unix`, `tcp`, …; empty for a context, and for what has none."""
        return self.url.partition("://")[0] if "://" in self.url else ""

    @property
    def socket(self) -> Path | None:
        """The socket's path, None for a place that is none."""
        return Path(self.url.removeprefix("unix://")) if self.url.startswith("unix://") else None


def places(environment: Mapping[str, str] = os.environ) -> tuple[Place, ...]:
    """In the order in which they are tried. Blocks for as long as a small file takes.

    One that somebody has named is the only one. Without that, the sockets that are there.
    """
    host = environment.get("DOCKER_HOST", "")
    if host:
        return (Place(host, "DOCKER_HOST"),)
    context = environment.get("DOCKER_CONTEXT", "") or _current_context(environment)
    if context not in ("", _DEFAULT_CONTEXT):
        return (Place("", f"the Docker context {context}", context),)
    found = [path for path in _usual_sockets(environment) if _is_socket(path)]
    return tuple(Place(f"unix://{path}", str(path)) for path in found)


def usual_sockets(environment: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """The sockets that are looked for, whether they are there or not."""
    return tuple(dict.fromkeys(_usual_sockets(environment)))


def _usual_sockets(environment: Mapping[str, str]) -> list[Path]:
    home = Path(environment.get("HOME") or "/nonexistent")
    runtime = environment.get("XDG_RUNTIME_DIR", "")
    own = Path(runtime) if runtime else None
    sockets = [Path("/var/run/docker.sock")]
    if own is not None:
        sockets.append(own / "docker.sock")
    sockets.append(home / ".docker" / "run" / "docker.sock")
    if own is not None:
        sockets.append(own / "podman" / "podman.sock")
    return [*sockets, Path("/run/podman/podman.sock")]


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except PermissionError:
        return True  # there, behind a folder that may not be looked into: trying it tells why
    except OSError:
        return False


def _current_context(environment: Mapping[str, str]) -> str:
    folder = environment.get("DOCKER_CONFIG") or str(Path(environment.get("HOME") or "/nonexistent") / ".docker")
    try:
        document = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return ""
    named = document.get("currentContext") if isinstance(document, dict) else None
    return named if isinstance(named, str) else ""
