"""Origins of pages: scheme, host and port, as a browser sends them and as the command line has them."""

from urllib.parse import urlsplit

from emtui.errors import ConfigProblem

Origin = tuple[str, str, int]

_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def checked_origin(text: str) -> Origin:
    """An origin of the command line.

    Raises:
        ConfigProblem: it is none.
    """
    origin = origin_of(text)
    if origin is None:
        raise ConfigProblem(f"--allow-origin: not an origin: {text}", remedy="Write scheme://host[:port], no path.")
    return origin


def origin_of(text: str) -> Origin | None:
    """Scheme, host and port; None for `null` and what is no origin."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.path or parts.query or parts.fragment:
        return None
    if "@" in parts.netloc:
        return None
    return parts.scheme, plain_host(parts.hostname), port if port is not None else _DEFAULT_PORTS[parts.scheme]


def plain_host(host: str) -> str:
    """A host's name as it is compared."""
    return host.lower().strip("[]").rstrip(".")
