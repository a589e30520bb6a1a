"""Opening a session for a script: what its arguments, the environment and the configuration come to."""

import contextlib
import os
import warnings
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Literal

from emtui.api.session import Session
from emtui.errors import WorkspaceInUse
from emtui.profile import Profile
from emtui.session import open_session as open_profile
from emtui.text import safe_str
from emtui.threads import in_thread

DEFAULT_TIMEOUT_S = 60.0
"""How long a busy or absent other side is waited for, where nobody says anything: a pipeline must come to an end."""

HOLDER = "a Python script"
"""What others are told of who has the workspace open."""


@contextlib.asynccontextmanager
async def open_session(
    profile: str | Profile | None = None,
    *,
    local: str | os.PathLike[str] | None = None,
    demo: bool = False,
    em_url: str | None = None,
    grid_url: str | None = None,
    username: str | None = None,
    api: Literal["auto", "2025-11", "2026-03"] | None = None,
    ca_file: str | os.PathLike[str] | None = None,
    insecure: bool = False,
    read_only: bool = False,
    engine: Literal["docker", "sandbox", "simulated"] | None = None,
    base_images: Sequence[str] = (),
    pod_network: bool = False,
    pod_read_only: bool = False,
    pod_memory: str | int | None = None,
    pod_cpus: float | None = None,
    pod_processes: int | None = None,
    config: str | os.PathLike[str] | None = None,
    timeout_s: float | None = None,
) -> AsyncIterator[Session]:
    """Open an EM and a Grid Node, and close them again. Pods go on.

    `profile` is the name of a configured profile, or a `Profile`, which is taken as it is. The other arguments are the
    command line's options and go over the environment and the configuration as they do; those that are not given (None,
    False, empty) leave what these say. Without any argument it is the local workspace in the user's data directory.

    `timeout_s` is how long a busy or absent other side is waited for, and a local workspace that another emtui has
    open; 0 is without an end, and where nobody says anything it is 60 seconds.

    What is odd about the configuration is a Python warning, and in `Session.notices`; so is such a waiting.

    Raises:
        ConfigProblem: an argument, a variable of the environment or the configuration is wrong.
        WorkspaceInUse: another emtui has the workspace open, and has not let go of it in time.
        WorkspaceProblem: the directory cannot be used.
        Untrusted: plain http to another machine.
    """
    options: dict[str, object] = {
        "local": _path(local),
        "demo": demo,
        "em_url": em_url,
        "grid_url": grid_url,
        "username": username,
        "api": api,
        "ca_file": _path(ca_file),
        "insecure": insecure,
        "read_only": read_only,
        "engine": engine,
        "base_images": tuple(base_images) or None,
        "pod_network": pod_network,
        "pod_read_only": pod_read_only,
        "pod_memory": pod_memory,
        "pod_cpus": pod_cpus,
        "pod_processes": pod_processes,
        "config": _path(config),
    }
    if isinstance(profile, Profile):
        too_many = [name for name, value in options.items() if value not in (None, False)]
        if too_many:
            raise TypeError(f"a Profile is taken as it is: {', '.join(too_many)} cannot be given too")
        what = profile
    else:
        what, configured_s = await in_thread(_resolved, options | {"profile": profile, "timeout": timeout_s})
        timeout_s = configured_s if timeout_s is None else timeout_s
    give_up_s = DEFAULT_TIMEOUT_S if timeout_s is None else timeout_s or None
    for notice in what.notices:
        warnings.warn(safe_str(notice), stacklevel=3)
    async with open_profile(what, give_up_s=give_up_s, holder=HOLDER, on_wait=_waits) as opened:
        session = Session(opened)
        try:
            yield session
        finally:
            session.end()


def _waits(error: WorkspaceInUse) -> None:
    warnings.warn(f"{safe_str(error.message)}; waiting for it", stacklevel=2)


def _path(given: str | os.PathLike[str] | None) -> Path | None:
    """A path as Python has it. An empty one is refused where options are read."""
    return None if given is None else Path(given)


def _resolved(options: dict[str, object]) -> tuple[Profile, float | None]:
    from emtui.config.layers import resolve

    resolved = resolve(options)
    return resolved.profile, resolved.timeout_s
