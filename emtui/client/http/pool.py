"""httpx on a pool of connections that listen while they send (`emtui.client.http.early`)."""

import ssl
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

import httpcore
import httpx

from emtui.client.http.early import ListeningBackend

_KEEP_ALIVE_S = 30.0
_MOST_CONNECTIONS = 8


class PoolTransport(httpx.AsyncBaseTransport):
    """A pool's connections for an `httpx.AsyncClient`. The errors of httpcore come through as they are."""

    def __init__(self, context: ssl.SSLContext | None, *, kept: int) -> None:
        """`context` is for https; `kept` is how many connections are kept for the next request."""
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=_MOST_CONNECTIONS,
            max_keepalive_connections=kept,
            keepalive_expiry=_KEEP_ALIVE_S,
            network_backend=ListeningBackend(),
        )

    async def __aenter__(self) -> Self:
        await self._pool.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self._pool.aclose()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        response = await self._pool.handle_async_request(
            httpcore.Request(
                request.method,
                httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            response.status, headers=response.headers, stream=_Received(response), extensions=response.extensions
        )

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Received(httpx.AsyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._response.aiter_stream():
            yield piece

    async def aclose(self) -> None:
        await self._response.aclose()
