"""Names that the other side had a short while ago, for the completion of a shell.

One small file for each end and kind, readable by its owner alone. What is not as it was written here (another owner,
others' rights, a link, a torn file) is not there. Nothing of it ever fails: a cache is nobody's loss.
"""

import contextlib
import hashlib
import json
import os
import secrets
import stat
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from emtui.commands import Endpoint
from emtui.plain import Listing
from emtui.profile import Profile

Kind = Literal["files", "images", "models", "tags"]
"""Paths of the volume (folders with a `/` at their end), images as a run names them, ids of models, tags."""

_ENDS: Mapping[Kind, Endpoint] = {"files": "em", "images": "em", "models": "grid", "tags": "grid"}

FRESH_S = 60.0
"""So long names are taken as they are."""

FAILED_S = 15.0
"""So long after a try that failed no other is made: whoever types does not wait for it each time."""

# More than anybody looks through in a shell.
_MOST_NAMES = 20_000
_MOST_BYTES = 4 << 20
_ROOM_BYTES = 1024
"""For what stands around the names."""
_READ_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)
_CREATE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL
for _flag in ("O_CLOEXEC", "O_NOFOLLOW"):  # not every system has each
    _READ_FLAGS |= getattr(os, _flag, 0)
    _CREATE_FLAGS |= getattr(os, _flag, 0)


@dataclass(frozen=True, slots=True)
class Recalled:
    """What is in the cache.

    Attributes:
        names: foreign text.
        is_fresh: they need not be asked for.
    """

    names: tuple[str, ...] = ()
    is_fresh: bool = False


def remember(profile: Profile, kind: Kind, names: Iterable[str]) -> None:
    """Keep what the other side has just listed; what cannot be kept is not.

    Blocks for about a millisecond, for some ten where there are thousands of names.
    """
    kept: list[str] = []
    size = _ROOM_BYTES
    for name in names:
        is_plain = name.isascii() and name.isprintable()
        size += (2 * len(name) if is_plain else len(json.dumps(name))) + 4
        if len(kept) == _MOST_NAMES or size > _MOST_BYTES:
            break
        kept.append(name)
    _write(profile, kind, {"names": kept, "at": time.time()})


def remember_listing(profile: Profile, listing: Listing) -> None:
    """`remember` the paths of a volume. Those of local mode are looked up on the disk, so there is nothing to keep."""
    if profile.em_kind == "remote":
        remember(profile, "files", (f"{path}/" if node.is_directory else path for path, node in listing.walk()))


def remember_failure(profile: Profile, kind: Kind) -> None:
    """The other side has not answered: what is kept stays as it is, and is not asked for again for a moment."""
    known = _read(profile, kind) or {}
    _write(profile, kind, known | {"failed_at": time.time()})


def outdate(profile: Profile, end: Endpoint) -> None:
    """Something has been changed at that end: what is kept of it is asked for anew, and taken where no answer comes."""
    for kind, its_end in _ENDS.items():
        known = _read(profile, kind) if its_end == end else None
        if known is not None:
            _write(profile, kind, {"names": known.get("names")})


def recall(profile: Profile, kind: Kind) -> Recalled:
    """What is kept, however old it is. Blocks for about a millisecond."""
    known = _read(profile, kind) or {}
    names = known.get("names")
    is_fresh = _is_within(known.get("at"), FRESH_S) or _is_within(known.get("failed_at"), FAILED_S)
    if not isinstance(names, list):
        names = []
    return Recalled(tuple(name for name in names if isinstance(name, str)), is_fresh)


def _is_within(moment: object, seconds: float) -> bool:
    """Whether a moment is so near; one that is still to come was written by another clock."""
    return isinstance(moment, int | float) and 0 <= time.time() - moment <= seconds


def _file(profile: Profile, kind: Kind) -> Path:
    from platformdirs import user_cache_path

    remote = profile.em if _ENDS[kind] == "em" else profile.grid
    if remote is not None:
        parts = ["remote", remote.url, remote.username, remote.pvc_name]
    else:
        parts = ["local", os.path.abspath(profile.workspace.expanduser())]  # noqa: PTH100 - as the workspace is found
    mark = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:24]
    return user_cache_path("emtui") / "completion" / f"{mark}.{kind}.json"


def _read(profile: Profile, kind: Kind) -> dict[str, object] | None:
    with contextlib.suppress(OSError, ValueError, RecursionError, RuntimeError):
        fd = os.open(_file(profile, kind), _READ_FLAGS)
        with os.fdopen(fd, "rb") as file:
            status = os.fstat(fd)
            if stat.S_ISREG(status.st_mode) and _is_ours(status):
                known = json.loads(file.read(_MOST_BYTES))
                return known if isinstance(known, dict) else None
    return None


def _is_ours(status: os.stat_result) -> bool:
    """Nobody else can have written or read it. A system without users has nobody else."""
    return not hasattr(os, "geteuid") or (status.st_uid == os.geteuid() and not status.st_mode & 0o077)


def _write(profile: Profile, kind: Kind, known: dict[str, object]) -> None:
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        path = _file(profile, kind)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
        try:
            with os.fdopen(os.open(part, _CREATE_FLAGS, 0o600), "w", encoding="ascii") as file:
                json.dump(known, file)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
