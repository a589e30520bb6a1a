"""Running the server: everything is opened and checked, then it listens; told to stop, it ends what it is doing."""

import asyncio
import contextlib
import ipaddress
import math
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace

import socketio  # type: ignore[import-untyped]
import uvicorn
from starlette.types import ASGIApp

from emtui.local.opening import LocalEnds, open_ends, open_workspace
from emtui.server.app import application
from emtui.server.http.listening import check_tls, listening_socket, url_of
from emtui.server.http.log import Log
from emtui.server.http.protocol import MAX_HEAD_BYTES, protocol_class
from emtui.server.settings import DEFAULT_USER, Settings
from emtui.server.users.accounts import Accounts
from emtui.storage.folder_lock import SERVE
from emtui.threads import in_thread

_MAX_WEBSOCKET_BYTES = 4 << 20
_KEEP_ALIVE_S = 15
_BREAK_OFF_S = 10.0


class _Server(uvicorn.Server):
    """uvicorn, which ends by itself and not by the signal, and takes nothing that it works on with it."""

    def __init__(self, config: uvicorn.Config, sockets: socketio.AsyncServer, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._sockets = sockets
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        ending = asyncio.ensure_future(_close_sockets(self._sockets))
        await super().shutdown(sockets)
        await ending
        await self._end_tasks()

    async def _end_tasks(self) -> None:
        """Wait for what was cancelled to be undone: the workspaces are closed next."""
        tasks = set(self.server_state.tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=_BREAK_OFF_S)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        handled: list[signal.Signals] = []
        try:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                    continue  # started with nohup, to outlive its terminal
                with contextlib.suppress(RuntimeError, ValueError):  # in another thread no signal comes
                    loop.add_signal_handler(number, self.stop)
                    handled.append(number)
            yield
        finally:
            for number in handled:
                loop.remove_signal_handler(number)

    def stop(self) -> None:
        """End, and let the request at work finish; told again, break it off."""
        if not self.should_exit:
            self.should_exit = True
            return
        self.force_exit = True
        for task in set(self.server_state.tasks):
            task.cancel()
        for connection in set(self.server_state.connections):
            connection.transport.abort()


async def _close_sockets(sockets: socketio.AsyncServer) -> None:
    """Say goodbye to the Socket.IO clients, which would else hold their connections."""
    clients = list(sockets.manager.get_participants("/", None))
    for sid, _ in clients:
        with contextlib.suppress(Exception):
            await sockets.disconnect(sid)
    # Those that never said who they are may hold one too, waiting for what does not come.
    for engine_sid in set(sockets.eio.sockets).difference(engine_sid for _, engine_sid in clients):
        with contextlib.suppress(Exception):
            await sockets.eio.disconnect(engine_sid)
    await sockets.shutdown()


class Serving:
    """A server that answers.

    Attributes:
        url: its address.
        made_passwords: of users who had none, by user.
    """

    def __init__(self, url: str, made_passwords: dict[str, str], server: _Server) -> None:
        self.url = url
        self.made_passwords = made_passwords
        self._server = server

    def stop(self) -> None:
        """Let it end, as SIGTERM does."""
        self._server.stop()


async def serve(settings: Settings, on_started: Callable[[Serving], None]) -> None:
    """Serve until it is told to stop. `on_started` is called once requests are answered.

    Raises:
        WorkspaceInUse: another emtui has a directory.
        WorkspaceProblem: a directory cannot be used.
        ConfigProblem: an option or `grid.toml` is wrong, or the engine that is named does not work here.
    """
    await in_thread(check_tls, settings)
    sock = await in_thread(listening_socket, settings)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(sock.close)
        accounts, ends, made = await _open(settings, stack, _holder(settings, sock))
        log = stack.enter_context(Log())
        app, sockets = application(settings, accounts, ends, log.write)
        # Its constructor is called before it is known; the callback only later.
        server = _Server(
            _config(settings, app),
            sockets,
            lambda: on_started(Serving(url_of(settings, sock.getsockname()[1]), made, server)),
        )
        await server.serve([sock])


async def _open(
    settings: Settings, stack: contextlib.AsyncExitStack, holder: str
) -> tuple[Accounts, dict[str, LocalEnds], dict[str, str]]:
    """The accounts and every user's workspace, the first user's first.

    All are opened at once: what is wrong with one shows at the start, not in somebody's first call.
    """
    # Before the accounts: its lock is theirs too.
    workspace = await stack.enter_async_context(open_workspace(settings.directory, holder, settings.wait_s))
    accounts = await in_thread(Accounts, workspace.path)
    stack.callback(accounts.close)
    usernames = settings.usernames
    if not usernames and (DEFAULT_USER in accounts.usernames or not accounts.usernames):
        usernames = (DEFAULT_USER,)
    made = await in_thread(accounts.settle, usernames, settings.passwords, settings.password)
    ends: dict[str, LocalEnds] = {}
    for user in accounts.usernames:
        own = workspace
        if ends:
            own = await stack.enter_async_context(open_workspace(accounts.workspace_of(user), holder))
        ends[user] = await stack.enter_async_context(
            open_ends(own, user, settings.engine, settings.base_images, settings.pods)
        )
    if settings.engine is not None:
        await ends[accounts.usernames[0]].em.info()  # an engine that does not work is refused now
    return accounts, ends, made


def _holder(settings: Settings, sock: socket.socket) -> str:
    """What the workspaces' locks say of this server: where others on this machine reach it."""
    address, port = sock.getsockname()[:2]
    if ipaddress.ip_address(address.partition("%")[0]).is_unspecified:  # it listens on all, but nobody can call it so
        settings = replace(settings, host="::1" if ":" in address else "127.0.0.1")
    return f"{SERVE} {url_of(settings, port)}"


def _config(settings: Settings, app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="asyncio",
        http=protocol_class(settings.patience.headers_s),
        ws="wsproto",
        ws_max_size=_MAX_WEBSOCKET_BYTES,
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=math.ceil(settings.patience.stop_s),
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )
