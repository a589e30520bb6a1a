"""Opening a session for a script: what its arguments, the environment and the configuration come to."""

import asyncio
import contextlib
import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from emtui import arguments
from emtui.api.session import Session
from emtui.api.words import in_python, renamed
from emtui.errors import WorkspaceInUse
from emtui.profile import Profile
from emtui.session import open_session as open_profile
from emtui.text import safe_str
from emtui.threads import in_thread

DEFAULT_TIMEOUT_S = 60.0
"""How long a busy or absent other side is waited for, where nobody says anything: a pipeline must come to an end."""

HOLDER = "a Python script"
"""What others are told of who has the workspace open."""

_NOT_OPEN = "open_session() alone opens nothing: async with open_session(…) as session: …; in cells an AsyncExitStack"

# The sessions of this process that nobody closes yet.
_open: set[Session] = set()

# What holds them: the event loop alone would let go of it.
_holding: set[asyncio.Task[None]] = set()


class Opening(contextlib.AbstractAsyncContextManager[Session, None]):
    """What `open_session` gives: `async with` opens it.

    A task of its own holds the session open. So all of it is closed in one piece and in its order by whoever ends it:
    the `async with`, another cell, an event loop that ends, or Python, where nobody holds the opening any more.
    """

    def __init__(self, profile: str | Profile | None, options: dict[str, object], timeout_s: float | None) -> None:
        self._meant = profile, options, timeout_s
        self._left = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Session:
        if self._task is not None:
            raise RuntimeError("this was opened once already: call open_session() again")
        with in_python():
            profile, give_up_s = await _meant(*self._meant)
            for notice in profile.notices:
                warnings.warn(safe_str(renamed(notice)), stacklevel=2)
            opened: asyncio.Future[Session] = asyncio.get_running_loop().create_future()
            self._task = task = asyncio.create_task(_hold(profile, give_up_s, opened, self._left))
            _holding.add(task)
            task.add_done_callback(_holding.discard)
            await _first_of(task, opened)
            if task.done():
                task.result()
            return opened.result()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is None:
            return
        if kind is None:
            self._left.set()
        else:
            self._task.cancel()
        await _first_of(self._task)
        if not self._task.cancelled():
            self._task.result()

    def __del__(self) -> None:
        if self._task is not None and not self._task.done():
            with contextlib.suppress(RuntimeError):  # a loop that is closed
                self._task.get_loop().call_soon_threadsafe(self._task.cancel)

    if not TYPE_CHECKING:  # for a type checker it would make every name one that is there

        def __getattr__(self, name: str) -> object:
            raise AttributeError(f"there is no {name!r} yet: {_NOT_OPEN}")

        def __await__(self) -> object:
            raise TypeError(_NOT_OPEN)


def open_session(
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
    base_images: Iterable[str] = (),
    pod_network: bool = False,
    pod_read_only: bool = False,
    pod_memory: str | int | None = None,
    pod_cpus: float | None = None,
    pod_processes: int | None = None,
    config: str | os.PathLike[str] | None = None,
    timeout_s: float | None = None,
) -> Opening:
    """Open an EM and a Grid Node, and close them again: `async with open_session(…) as session:`. Pods go on.

    `profile` is the name of a configured profile, or a `Profile`, which is taken as it is. The other arguments are the
    command line's options and go over the environment and the configuration as they do; those that are not given (None,
    False, empty) leave what these say. Without any argument it is the local workspace in the user's data directory.

    `timeout_s` is how long a busy or absent other side is waited for, and a local workspace that another emtui has
    open; 0 is without an end, and where nobody says anything it is 60 seconds.

    What is odd about the configuration is a Python warning, and in `Session.notices`; so is such a waiting.

    Raises:
        ConfigProblem: an argument, a variable of the environment or the configuration is wrong.
        WorkspaceInUse: another emtui has the workspace open, and has not let go of it in time; or this very process
            has, which is not waited for.
        WorkspaceProblem: the directory cannot be used.
        Exposed: plain http to another machine, an `Untrusted`.
        TypeError, ValueError: an argument is of another kind, or an empty path.
    """
    options: dict[str, object] = {
        "local": _path("local", local),
        "demo": demo,
        "em_url": em_url,
        "grid_url": grid_url,
        "username": username,
        "api": api,
        "ca_file": _path("ca_file", ca_file),
        "insecure": insecure,
        "read_only": read_only,
        "engine": engine,
        "base_images": arguments.several(arguments.text)("base_images", base_images) or None,
        "pod_network": pod_network,
        "pod_read_only": pod_read_only,
        "pod_memory": pod_memory,
        "pod_cpus": pod_cpus,
        "pod_processes": pod_processes,
        "config": _path("config", config),
    }
    if isinstance(profile, Profile):
        too_many = [name for name, value in options.items() if value not in (None, False)]
        if too_many:
            raise TypeError(f"a Profile is taken as it is: {', '.join(too_many)} cannot be given too")
    elif profile is not None:
        arguments.instance(str, Profile)("profile", profile)
    return Opening(profile, options, timeout_s)


async def _first_of(task: asyncio.Task[None], *others: asyncio.Future[Session]) -> None:
    """Wait for the first of them. Whoever is cancelled meanwhile ends the task, and sees its end."""
    either: tuple[asyncio.Future[Any], ...] = (task, *others)
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait((task,))
        raise


async def _hold(
    profile: Profile, give_up_s: float | None, opened: asyncio.Future[Session], left: asyncio.Event
) -> None:
    """Open the profile and hold it open until it is left, or until this is cancelled."""

    def waits(error: WorkspaceInUse) -> None:
        _refuse_our_own(profile.workspace, error)
        warnings.warn(f"{safe_str(error.message)}; waiting for it", stacklevel=2)

    async with open_profile(profile, give_up_s=give_up_s, holder=HOLDER, on_wait=waits) as ends:
        session = Session(ends)
        _open.add(session)
        try:
            opened.set_result(session)
            await left.wait()
        finally:
            _open.discard(session)
            session.end()


async def _meant(
    profile: str | Profile | None, options: dict[str, object], timeout_s: float | None
) -> tuple[Profile, float | None]:
    """What is to be opened, and how long a busy or absent other side is waited for; None is without an end."""
    if isinstance(profile, Profile):
        what = profile
    else:
        what, timeout_s = await in_thread(_resolved, options | {"profile": profile, "timeout": timeout_s})
    return what, DEFAULT_TIMEOUT_S if timeout_s is None else timeout_s or None


def _refuse_our_own(workspace: Path, error: WorkspaceInUse) -> None:
    """Raise where a session of this process has the workspace and is not about to close: it may wait for this one."""
    here = [one.profile for one in tuple(_open) if "local" in (one.profile.em_kind, one.profile.grid_kind)]
    if any(profile.workspace.resolve() == workspace.resolve() for profile in here):
        raise WorkspaceInUse(
            f"{workspace}: a session of this very process has it open",
            remedy="Go on with that session, or close it first: leave its async with, or await stack.aclose().",
            process=error.process,
            holder=error.holder,
        )


def _path(name: str, given: str | os.PathLike[str] | None) -> Path | None:
    return None if given is None else arguments.path(name, given)


def _resolved(options: dict[str, object]) -> tuple[Profile, float | None]:
    from emtui.config.layers import resolve

    resolved = resolve(options)
    return resolved.profile, resolved.timeout_s
