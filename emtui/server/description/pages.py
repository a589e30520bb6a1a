"""The API's document at `/schema/`, and the page for people at `/swagger/`, all of it served from here."""

import html
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from emtui.server.description.document import document
from emtui.server.http.answers import Answer, Header, send_whole
from emtui.server.http.call import Call
from emtui.threads import in_thread

Handler = Callable[[Call], Awaitable[Answer | None]]

_TYPES = {".css": b"text/css; charset=utf-8", ".js": b"text/javascript; charset=utf-8", ".png": b"image/png"}
_FILES = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")

# Everything comes from this server; the bundle styles its elements by itself.
_CONTENT_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE_HEADERS: tuple[Header, ...] = (
    (b"content-type", b"text/html; charset=utf-8"),
    (b"content-security-policy", _CONTENT_POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>emtui serve</title>
<link rel="icon" href="/swagger/favicon-32x32.png"><link rel="stylesheet" href="/swagger/swagger-ui.css"></head>
<body><div id="swagger-ui"></div>
<script src="/swagger/swagger-ui-bundle.js"></script><script src="/swagger/start.js"></script></body></html>
"""
_START = b"""window.ui = SwaggerUIBundle({
  url: "/schema/", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis], persistAuthorization: false
});
"""


def _bundle() -> Path | None:
    """Where the files of Swagger UI are; None where the package is missing."""
    try:
        from swagger_ui_bundle import swagger_ui_path  # type: ignore[import-untyped]
    except ImportError:
        return None
    path = Path(str(swagger_ui_path))
    return path if all((path / name).is_file() for name in _FILES) else None


class Pages:
    """What is served for people and their tools. Nothing of it is secret; no token is asked for."""

    def __init__(self, *, has_grid_auth: bool) -> None:
        self._document = document(has_grid_auth=has_grid_auth)
        self._encoded = json.dumps(self._document, indent=1).encode()
        self._bundle = _bundle()

    def calls(self) -> dict[tuple[str, str], Handler]:
        """The handlers, by path and method."""
        found: dict[tuple[str, str], Handler] = {
            ("/schema", "GET"): self._schema,
            ("/schema.json", "GET"): self._schema,
            ("/swagger", "GET"): self._page,
        }
        if self._bundle is not None:
            found["/swagger/start.js", "GET"] = self._start
            for name in _FILES:
                found[f"/swagger/{name}", "GET"] = self._file(self._bundle / name)
        return found

    async def _schema(self, call: Call) -> None:
        await send_whole(call.send, 200, self._encoded, ((b"content-type", b"application/json"),))

    async def _page(self, call: Call) -> None:
        page = _PAGE if self._bundle is not None else plain_page(self._document)
        await send_whole(call.send, 200, page.encode(), _PAGE_HEADERS)

    async def _start(self, call: Call) -> None:
        await send_whole(call.send, 200, _START, _asset_headers(".js"))

    def _file(self, path: Path) -> Handler:
        async def send_file(call: Call) -> None:
            data = await in_thread(path.read_bytes)
            await send_whole(call.send, 200, data, _asset_headers(path.suffix))

        return send_file


def _asset_headers(suffix: str) -> tuple[Header, ...]:
    return ((b"content-type", _TYPES[suffix]), (b"x-content-type-options", b"nosniff"))


def plain_page(document: dict[str, Any]) -> str:
    """The document as a page without scripts, for where Swagger UI is not installed."""
    rows = []
    for path, item in document["paths"].items():
        for method, operation in item.items():
            answers = "".join(
                f"<li><b>{html.escape(status)}</b> {html.escape(answer['description'])}</li>"
                for status, answer in operation["responses"].items()
            )
            rows.append(
                f"<section><h2>{method.upper()} {html.escape(path)}</h2>"
                f"<p>{html.escape(operation['summary'])}</p><ul>{answers}</ul></section>"
            )
    title = html.escape(document["info"]["title"])
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head><body>'
        f'<h1>{title}</h1><p>The whole document: <a href="/schema/">/schema/</a></p>{"".join(rows)}</body></html>\n'
    )
