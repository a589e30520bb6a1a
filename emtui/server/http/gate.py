"""Who may talk to the server at all: checked before any handler, for HTTP and for websockets.

A browser lends its user's network to every page. So a request must name this server as a page of it would (`Host`,
against DNS rebinding), and come from a page of it or of an allowed origin (`Origin`).
"""

import ipaddress
import re
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emtui.errors import BadRequest, Forbidden
from emtui.server.http.answers import CLOSE, Answer, refused
from emtui.server.http.origins import checked_origin, origin_of, plain_host
from emtui.server.http.slashes import is_socket_io

_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.%]+\]|[^\[\]:/?#@\s]+)(?::(?P<port>\d{1,5}))?")

_PREFLIGHT = (
    (b"access-control-allow-methods", b"GET, POST"),
    (b"access-control-allow-headers", b"authorization, content-type"),
    (b"access-control-max-age", b"600"),
)


class Gate:
    """Lets through what names one of `hosts`, and comes from the server itself, `origins`, or no page at all.

    Raises:
        ConfigProblem: an entry of `origins` is no origin.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str], origins: Iterable[str]) -> None:
        self._app = app
        self._hosts = frozenset(plain_host(host) for host in hosts)
        self._origins = frozenset(checked_origin(origin) for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        answer, origin = self._look_at(scope)
        if answer is not None and scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        elif answer is not None:
            await answer.send(send)
        elif origin is None or scope["type"] == "websocket" or is_socket_io(scope["path"]):
            await self._app(scope, receive, send)  # Socket.IO writes these headers itself
        else:
            await self._for_page(origin, scope, receive, send)

    def _look_at(self, scope: Scope) -> tuple[Answer | None, bytes | None]:
        """Why it is not let through, or from which foreign page it comes."""
        values: dict[bytes, list[bytes]] = {}
        for key, value in scope["headers"]:
            values.setdefault(key, []).append(value)
        if b"content-length" in values and b"transfer-encoding" in values:
            wrong = refused(BadRequest("both Content-Length and Transfer-Encoding", remedy="Send one of them."))
            return Answer(wrong.status, wrong.body, (CLOSE,)), None
        hosts = [host.decode("latin-1") for host in values.get(b"host", [])]
        if len(hosts) != 1 or not self._is_allowed(hosts[0]):
            remedy = "Use the server's own address, or start it with --allow-host NAME."
            return refused(Forbidden("this name is not served here (Host)", remedy=remedy)), None
        origins = [origin.decode("latin-1") for origin in values.get(b"origin", [])]
        if not origins:
            return None, None
        if len(origins) == 1:
            origin = origin_of(origins[0])
            if origin is not None and origin == origin_of(f"{scope['scheme'].replace('ws', 'http')}://{hosts[0]}"):
                return None, None
            if origin is not None and origin in self._origins:
                return None, origins[0].encode("latin-1")
        remedy = "Start the server with --allow-origin ORIGIN where that page is meant to use it."
        return refused(Forbidden("a page from elsewhere may not use this server (Origin)", remedy=remedy)), None

    def _is_allowed(self, host: str) -> bool:
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        name = plain_host(match["name"])
        return name in self._hosts or is_address(name)

    async def _for_page(self, origin: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        """For a page of an allowed origin: its browser must be told that the page may read the answer."""
        headers = ((b"access-control-allow-origin", origin), (b"vary", b"Origin"))
        if scope["method"] == "OPTIONS":
            await send({"type": "http.response.start", "status": 204, "headers": [*headers, *_PREFLIGHT]})
            await send({"type": "http.response.body", "body": b""})
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *headers]}
            await send(message)

        await self._app(scope, receive, sent)


def is_address(name: str) -> bool:
    """Whether it is an IP address, which no name server can lead elsewhere."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
