"""The EM API's versions as data: which path, field and form of body each call has, and which others were seen.

What comes first is the specification; what follows was seen on servers in the field (wire contract). A step to the
next one is taken only upon an answer which says that the call was not executed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Encoding = Literal["json", "form", "multipart"]
CallName = Literal["uplink", "list", "downlink", "delete", "build", "load", "images", "run", "status", "volumes"]
WaitName = Literal["read", "change", "long_change", "uplink", "downlink"]


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path. `names` are the names of fields that are tried first here, in place of the call's first."""

    method: Literal["GET", "POST"]
    path: str
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """One call in one dialect.

    Attributes:
        routes: where it may be, in the order of trial.
        in_body, in_query: which of the values go where; the others are not sent.
        names: a value's names on the wire in the order of trial, where it has others than its own.
        encodings: how the body may be written, in the order of trial; none where there is no body.
        wait: which of the limits holds.
        changes: whether it changes anything on the EM.
        has_own_404: a 404 means that a file is missing, and not that the path is not served.
        is_raw: the answer is the file itself, not JSON.
    """

    routes: tuple[Route, ...]
    in_body: tuple[str, ...] = ()
    in_query: tuple[str, ...] = ()
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    encodings: tuple[Encoding, ...] = ()
    wait: WaitName = "read"
    changes: bool = False
    has_own_404: bool = False
    is_raw: bool = False


@dataclass(frozen=True, slots=True)
class Dialect:
    """A version of the API. `needs_volume`: its calls name the user's volume (`pvc_name`)."""

    name: str
    calls: Mapping[CallName, Call]
    most_uplink_bytes: int
    needs_volume: bool = False


_JSON_OR_FORM: tuple[Encoding, ...] = ("json", "form")

DIALECT_2025_11 = Dialect(
    "2025-11",
    {
        "uplink": Call(
            (Route("POST", "/em/files/uplink"),), ("dest_path",), encodings=("multipart",), wait="uplink", changes=True
        ),
        "list": Call((Route("GET", "/em/files/list"),)),
        "downlink": Call(
            (Route("GET", "/em/files/downlink"),), in_query=("filepath",), wait="downlink", has_own_404=True
        ),
        "delete": Call(
            (Route("POST", "/em/files/delete"),), ("filepath",), encodings=_JSON_OR_FORM, wait="change", changes=True
        ),
        "build": Call(
            (Route("POST", "/em/pod/image/build"),),
            ("dockerfile", "context", "image_name"),
            names={"image_name": ("image_name", "image")},
            encodings=_JSON_OR_FORM,
            wait="long_change",
            changes=True,
        ),
        "load": Call(
            (Route("POST", "/em/image/load"), Route("POST", "/em/pod/image/load")),
            ("tarfile", "image"),
            names={"image": ("image", "image_name")},
            encodings=_JSON_OR_FORM,
            wait="long_change",
            changes=True,
        ),
        "images": Call((Route("GET", "/em/image/list"), Route("GET", "/em/pod/image/list"))),
        "run": Call(
            (Route("POST", "/em/pod/execution"), Route("POST", "/em/pod/run", {"docker_image": "image"})),
            ("docker_image", "max_duration", "node", "scheduled_time", "command"),
            names={"docker_image": ("docker_image", "image")},
            encodings=_JSON_OR_FORM,
            wait="change",
            changes=True,
        ),
        "status": Call((Route("GET", "/em/pod/status"),)),
    },
    most_uplink_bytes=500_000_000,
)

DIALECT_2026_03 = Dialect(
    "2026-03",
    {
        "uplink": Call(
            (Route("POST", "/em/files/uplink"),),
            ("dest_path", "pvc_name"),
            encodings=("multipart",),
            wait="uplink",
            changes=True,
        ),
        "list": Call((Route("POST", "/em/files/list"),), ("pvc_name",), encodings=_JSON_OR_FORM),
        "downlink": Call(
            (Route("GET", "/em/files/downlink"),),
            in_query=("filepath", "pvc_name"),
            wait="downlink",
            has_own_404=True,
            is_raw=True,
        ),
        "delete": Call(
            (Route("POST", "/em/files/delete"),),
            ("filepath", "pvc_name"),
            encodings=_JSON_OR_FORM,
            wait="change",
            changes=True,
        ),
        "build": Call(
            (Route("POST", "/em/pod/image/build"),),
            ("dockerfile", "context", "image_name", "pvc_name"),
            names={"image_name": ("image_name", "image")},
            encodings=_JSON_OR_FORM,
            wait="long_change",
            changes=True,
        ),
        "load": Call(
            (Route("POST", "/em/pod/image/load"),),
            ("tarfile", "image", "pvc_name"),
            names={"image": ("image", "image_name")},
            encodings=_JSON_OR_FORM,
            wait="long_change",
            changes=True,
        ),
        "images": Call((Route("POST", "/em/pod/image/list"),), encodings=_JSON_OR_FORM),
        "run": Call(
            (Route("POST", "/em/pod/run"),),
            ("docker_image", "max_duration", "node", "scheduled_time", "command", "pod_name", "pvc_name"),
            names={"docker_image": ("image", "docker_image")},
            encodings=_JSON_OR_FORM,
            wait="change",
            changes=True,
        ),
        "status": Call((Route("POST", "/em/pod/status"),), in_query=("pod_name",)),
        "volumes": Call((Route("POST", "/em/pvc/list"),), encodings=_JSON_OR_FORM),
    },
    most_uplink_bytes=2_000_000_000,
    needs_volume=True,
)

DIALECTS: tuple[Dialect, ...] = (DIALECT_2025_11, DIALECT_2026_03)
"""In the order in which `auto` tries them."""
