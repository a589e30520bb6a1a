"""The OpenAPI document of what is served (3.0, which Swagger UI shows), made of the tables beside it."""

from typing import Any

from emtui import __version__
from emtui.server.description.em import em_paths
from emtui.server.description.grid import grid_paths
from emtui.server.description.parts import COMPONENTS

_DESCRIPTION = """The Engineering Model (EM) of Clustergate-2 and a Grid Node, on somebody's own machine.

Sign in at `/auth/` and send `Authorization: Bearer <access>` with every call of the EM. The EM does one request at a
time, for everybody: while one is being worked on, every other one is answered with 423 and was not executed.
A path that leaves the volume is a 400 with the error `FORBIDDEN`, of a downlink a 403.

Any request that does not name this server (`Host`), or comes from a page that may not use it (`Origin`), is a 403.

Bodies may be JSON, a form, or a form with parts. A field that is missing, empty or null is not given. Double slashes in
a path and one at its end do not count. The Grid Node is served over Socket.IO too, at `/socket.io/`: the event's name
is the path, and its acknowledgement is the body alone.
"""


def document(*, has_grid_auth: bool) -> dict[str, Any]:
    """The document, as JSON has it. `has_grid_auth`: the Grid Node asks for a token too."""
    return {
        "openapi": "3.0.3",
        "info": {"title": "emtui serve", "version": __version__, "description": _DESCRIPTION},
        "tags": [
            {"name": "sign-in", "description": "Tokens for a user and a password"},
            {"name": "EM", "description": "The user's volume, images and pod"},
            {"name": "Grid Node", "description": "Hosted models and tagged datasets"},
        ],
        "paths": {**em_paths(), **grid_paths(has_auth=has_grid_auth)},
        "components": COMPONENTS,
    }
