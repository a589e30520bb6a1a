"""Opening the two ends of a profile: local ones on their workspace, remote ones at their address, or none.

What an end needs is imported when it is opened: a local session loads no HTTP library, a remote one no engine.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

from emtui.backend import EM, Backends, GridNode
from emtui.commands import LOCAL_USER, Endpoint
from emtui.errors import ConfigProblem, EmtuiError, WorkspaceInUse, WorkspaceProblem
from emtui.profile import WITHOUT_READ_ONLY, Profile, Remote
from emtui.threads import in_thread

if TYPE_CHECKING:
    from emtui.client.em.backend import HttpEM
    from emtui.client.grid.backend import RemoteGrid
    from emtui.client.http.address import Address
    from emtui.client.http.sign_in import Credentials
    from emtui.plain import Vitals


@dataclass(slots=True)
class Hooks:
    """Who hears of what happens at a remote end, on the event loop's thread; set once the session is open."""

    em_vitals: Callable[[Vitals], None] = lambda _vitals: None
    grid_vitals: Callable[[Vitals], None] = lambda _vitals: None
    grid_connected: Callable[[], None] = lambda: None

    def tell_em_vitals(self, vitals: Vitals) -> None:
        self.em_vitals(vitals)

    def tell_grid_vitals(self, vitals: Vitals) -> None:
        self.grid_vitals(vitals)

    def tell_grid_connected(self) -> None:
        self.grid_connected()


@dataclass(frozen=True, slots=True)
class SignInAt:
    """Where somebody can sign in, and which ends that is for.

    `sign_in` takes a user's name and password, which go to `url` and nowhere else; it raises `NotSignedIn`.
    """

    url: str
    endpoints: tuple[Endpoint, ...]
    sign_in: Callable[[str, str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Ends:
    """Both ends of an open profile.

    Attributes:
        backends: what commands and polls talk to.
        folder: where the journal is.
        user: whose volume it is, for the names of images.
        notices: what went otherwise than meant while they were opened.
        banners: what must stand on the screen all the time.
        sign_ins: the addresses at which somebody can sign in, the EM's first.
        hooks: who hears of what happens.
    """

    backends: Backends
    folder: Path
    hooks: Hooks
    user: str = LOCAL_USER
    notices: tuple[str, ...] = ()
    banners: tuple[str, ...] = ()
    sign_ins: tuple[SignInAt, ...] = ()


def absent(endpoint: Endpoint) -> ConfigProblem:
    """What is said of an end that the profile does not have."""
    if endpoint == "em":
        return ConfigProblem("no EM is named", remedy="Start with --em-url URL, or give the profile an em_url.")
    return ConfigProblem("no Grid Node is named", remedy="Start with --grid-url URL, or give the profile a grid_url.")


class _Absent:
    """Stands for an end that the profile does not have: whatever is asked of it, it says so."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint: Endpoint = endpoint

    async def aclose(self) -> None:
        """There is nothing to let go of."""

    def __getattr__(self, name: str) -> Any:
        def refuse(*_arguments: object, **_more: object) -> NoReturn:
            raise absent(self._endpoint)

        return refuse


@contextlib.asynccontextmanager
async def open_ends(
    profile: Profile,
    *,
    holder: str = "",
    wait_s: float | None = 0.0,
    on_wait: Callable[[WorkspaceInUse], None] = lambda _error: None,
    give_up_s: float | None = None,
) -> AsyncIterator[Ends]:
    """Open what the profile names, and close it again.

    A workspace belongs to one emtui at a time; the folder of a profile without a local end may be open in several.
    `holder` says to others what this one is: `console`, or the words of a verb (`files list`). While another emtui
    has the workspace, it is asked for again until `wait_s` seconds are over, None for without an end; `on_wait` is
    called when the waiting begins, and again when somebody else has it. `give_up_s` is how long a remote side is given
    to begin its answer; None is as long as is usual.

    Raises:
        WorkspaceInUse: another emtui has the workspace, and has not let go of it in time.
        WorkspaceProblem: the folder cannot be used.
        ConfigProblem: an address or `grid.toml` is wrong.
        Untrusted: plain http to another machine.
    """
    kinds = (profile.em_kind, profile.grid_kind)
    hooks = Hooks()
    async with contextlib.AsyncExitStack() as stack:
        em = cast(EM, _Absent("em"))
        grid = cast(GridNode, _Absent("grid"))
        folder = profile.workspace
        notices: tuple[str, ...] = ()
        for remote in (profile.em, profile.grid):
            if remote is not None:
                await asyncio.to_thread(_check_certificates, remote)
        if "local" in kinds:
            local_em, local_grid, folder, notices = await stack.enter_async_context(
                _open_local(profile, holder, wait_s, on_wait)
            )
            em = local_em if profile.em_kind == "local" else em
            grid = local_grid if profile.grid_kind == "local" else grid
        else:
            await in_thread(_take_folder, folder)
        sign_ins: list[SignInAt] = []
        if profile.em is not None:
            em = http_em = await stack.enter_async_context(_open_em(profile.em, hooks, give_up_s))
            sign_ins.append(SignInAt(profile.em.url, ("em",), http_em.sign_in))
        if profile.grid is not None:
            grid = remote_grid = await stack.enter_async_context(_open_grid(profile.grid, profile.em, hooks, give_up_s))
            at_grid = SignInAt(profile.grid.url, ("grid",), remote_grid.sign_in)
            if profile.em is not None and _origin(profile.em) == _origin(profile.grid):
                sign_ins = [_both(sign_ins[0], at_grid)]
            else:
                sign_ins.append(at_grid)
        yield Ends(
            Backends(em, grid, have_one_clock=kinds == ("local", "local")),
            folder,
            hooks,
            user=profile.em.username if profile.em is not None else LOCAL_USER,
            notices=(*profile.notices, *notices),
            banners=_banners(profile),
            sign_ins=tuple(sign_ins),
        )


def _banners(profile: Profile) -> tuple[str, ...]:
    remotes = [remote for remote in (profile.em, profile.grid) if remote is not None]
    if any(_address(remote).is_exposed for remote in remotes):
        return ("INSECURE: plain http, everybody on the way can read and change it",)
    return ()


def _check_certificates(remote: Remote) -> None:
    """Refuse at the start what no connection could be made with. Blocks."""
    if remote.ca_file is None:
        return
    try:
        with remote.ca_file.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise ConfigProblem(
            f"--ca-file: {remote.ca_file}: {error.strerror}", remedy="Name a readable file of certificates, PEM."
        ) from error


def _address(remote: Remote) -> Address:
    from emtui.client.http.address import Address

    return Address.parse(remote.url, insecure=remote.is_insecure)


def _take_folder(folder: Path) -> None:
    """Make the folder of a profile without a local end. Others may have it open too. Blocks."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            is_read_only = os.statvfs(folder).f_flag & os.ST_RDONLY
            raise OSError(errno.EROFS if is_read_only else errno.EACCES, "")
    except OSError as error:
        raise WorkspaceProblem(
            f"{folder}: {os.strerror(error.errno or 0)}", remedy="Give yourself the rights to it."
        ) from error


@contextlib.asynccontextmanager
async def _open_local(
    profile: Profile, holder: str, wait_s: float | None, on_wait: Callable[[WorkspaceInUse], None]
) -> AsyncIterator[tuple[EM, GridNode, Path, tuple[str, ...]]]:
    """Both local ends, the workspace's folder, and what could not be done for the demo."""
    from emtui.local.opening import open_local
    from emtui.local.workspace import is_unmade

    if profile.is_read_only and await in_thread(is_unmade, profile.workspace):
        raise WorkspaceProblem(
            f"{profile.workspace}: no workspace is there, and read-only none is made",
            remedy=f"Check the name. {WITHOUT_READ_ONLY}",
        )
    async with open_local(
        profile.workspace,
        LOCAL_USER,
        engine=profile.engine,
        base_images=profile.base_images,
        pods=profile.pods,
        holder=holder,
        wait_s=wait_s,
        on_wait=on_wait,
    ) as local:
        notices: tuple[str, ...] = ()
        if profile.is_demo and not profile.is_read_only:
            from emtui.local.demo import seed
            from emtui.local.demo_files import BASE_IMAGE

            local.needs = (BASE_IMAGE,)
            notices = tuple(await seed(local.em, local.grid))
        yield local.em, local.grid, local.workspace.path, notices


@contextlib.asynccontextmanager
async def _open_em(remote: Remote, hooks: Hooks, give_up_s: float | None) -> AsyncIterator[HttpEM]:
    from emtui.client.em.backend import HttpEM
    from emtui.client.http.limits import Limits

    address = _address(remote)
    em = HttpEM(
        address,
        _credentials(remote, address),
        dialect=cast(Any, remote.api),
        pvc_name=remote.pvc_name,
        pod_name=remote.pod_name,
        ca_file=str(remote.ca_file) if remote.ca_file is not None else None,
        limits=Limits().within(give_up_s),
        on_vitals=hooks.tell_em_vitals,
    )
    try:
        yield em
    finally:
        await em.aclose()


@contextlib.asynccontextmanager
async def _open_grid(
    remote: Remote, em: Remote | None, hooks: Hooks, give_up_s: float | None
) -> AsyncIterator[RemoteGrid]:
    from emtui.client.grid.backend import RemoteGrid
    from emtui.client.grid.connection import Waits
    from emtui.client.http.limits import Limits

    address = _address(remote)
    # A token or a password of the environment is meant for the EM; a node at another address gets none of them.
    is_meant = em is None or _origin(em) == _origin(remote)
    grid = RemoteGrid(
        address,
        _credentials(remote, address) if is_meant else None,
        ca_file=str(remote.ca_file) if remote.ca_file is not None else None,
        limits=Limits().within(give_up_s),
        waits=Waits().within(give_up_s),
        on_vitals=hooks.tell_grid_vitals,
        on_connect=hooks.tell_grid_connected,
    )
    try:
        yield grid
    finally:
        await grid.aclose()


def _both(em: SignInAt, grid: SignInAt) -> SignInAt:
    """One server for both ends: who signs in at the EM signs in at the Grid Node too."""

    async def sign_in(username: str, password: str) -> None:
        await em.sign_in(username, password)
        # A Grid Node without a sign-in, or one that is down, does not keep anybody from the EM.
        with contextlib.suppress(EmtuiError):
            await grid.sign_in(username, password)

    return SignInAt(em.url, ("em", "grid"), sign_in)


def _origin(remote: Remote) -> str:
    return _address(remote).origin


def _credentials(remote: Remote, address: Address) -> Credentials:
    """What to sign in with, without a question: a token or a password of the environment, or what a keyring has."""
    from emtui.client.http.sign_in import Credentials
    from emtui.client.http.token_store import TokenStore, keyring_password

    given = os.environ if remote.takes_secrets else {}

    async def password() -> str | None:
        if (kept := given.get("EMTUI_PASSWORD")) or not remote.username:
            return kept
        return await keyring_password(remote.username, str(address))

    return Credentials(remote.username, given.get("EMTUI_TOKEN") or None, password, TokenStore())
