"""What `emtui serve` is started with, checked by whoever uses it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from emtui.profile import PodPolicy

DEFAULT_USER = "client1"


@dataclass(frozen=True, slots=True)
class Patience:
    """For how long the server waits, in seconds.

    Attributes:
        headers_s: until a request's head is whole.
        stall_s: how long a transfer may give or take fewer than `LEAST_BYTES` before it is broken off.
        rest_s: for the rest of a body whose answer is out already.
        stop_s: for the request at work, when the server is told to stop.
    """

    headers_s: float = 20.0
    stall_s: float = 60.0
    rest_s: float = 60.0
    stop_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What to serve, to whom, and where.

    Attributes:
        directory: the workspace of the first user; the accounts are in its `serve/`.
        host, port: where to listen; port 0 for a free one.
        usernames: who is served, besides the users of earlier starts; where nobody is named and none is there,
            `DEFAULT_USER`.
        passwords: of the users that have one of their own.
        password: of all named users without one of their own; None where none is given.
        engine, base_images, pods: as local mode has them.
        has_grid_auth: whether the Grid Node asks for a token too.
        tls_cert, tls_key: PEM files; both or none.
        is_insecure: whether an address that others reach is served without TLS.
        allowed_hosts, allowed_origins: besides the usual ones.
        access_s, refresh_s: how long tokens are good.
        wait_s: how long a workspace that another emtui has is waited for; None is without an end.
    """

    directory: Path
    host: str = "127.0.0.1"
    port: int = 8000
    usernames: tuple[str, ...] = ()
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    password: str | None = field(default=None, repr=False)
    engine: str | None = None
    base_images: tuple[str, ...] = ()
    pods: PodPolicy = PodPolicy()
    has_grid_auth: bool = False
    tls_cert: Path | None = None
    tls_key: Path | None = None
    is_insecure: bool = False
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    access_s: float = 15 * 60
    refresh_s: float = 7 * 24 * 3600
    wait_s: float | None = 0.0
    patience: Patience = Patience()

    @property
    def scheme(self) -> str:
        return "https" if self.tls_cert is not None else "http"
