"""Where an EM or a Grid Node is: an address that was looked at before anything is sent to it.

Secrets never stand in an address. Plain http goes to this machine only, unless the operator insists.
"""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from emtui.errors import ConfigProblem, Exposed

_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?\.?")
_PATH = re.compile(r"[!-\[\]-~]*")  # ASCII without space and backslash
_SLASHES = re.compile("/{2,}")
_EXAMPLE = "Write it as https://HOST, https://HOST:PORT or https://HOST/PATH."


@dataclass(frozen=True, slots=True)
class Address:
    """An endpoint's address.

    Attributes:
        scheme: `http` or `https`.
        host: in lower case, a name or an IP address without brackets.
        port: from 1 to 65,535.
        base_path: what stands before every path: empty, or `/` with more, without a slash at its end.
    """

    scheme: str
    host: str
    port: int
    base_path: str = ""

    @classmethod
    def parse(cls, text: str, *, insecure: bool = False) -> "Address":
        """Read an address as an operator writes it. `insecure` lets plain http go to another machine.

        Raises:
            ConfigProblem: it is none, or it holds what has no place in it: a user, a password, a query, a fragment.
            Exposed: plain http to another machine.
        """
        # A password in it must not come back in the error, so that nothing of it is shown before this.
        if "@" in text:
            raise ConfigProblem(
                "the address holds a user or a password",
                remedy="Leave them out of it: give the user by --username; the password is asked for.",
            )
        scheme, host, port, path = _split(text.strip())
        address = cls(scheme, host, port, path)
        if address.is_exposed and not insecure:
            raise Exposed(
                f"{address.origin}: plain http to another machine: everybody on the way could read what is sent"
            )
        return address

    @property
    def label(self) -> str:
        """`host`, or `host:port` where the port is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """`scheme://host[:port]`."""
        return f"{self.scheme}://{self.label}"

    @property
    def is_loopback(self) -> bool:
        """It is this machine."""
        if self.host.rstrip(".") == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def is_exposed(self) -> bool:
        """What is sent there can be read on the way: plain http to another machine."""
        return self.scheme == "http" and not self.is_loopback

    def target(self, path: str) -> str:
        """The request's target for a path of the API, which may bring its query: never a doubled slash between."""
        return f"{self.base_path}/{path.lstrip('/')}"

    def __str__(self) -> str:
        return f"{self.origin}{self.base_path}"


def _split(text: str) -> tuple[str, str, int, str]:
    is_bare = "?" not in text and "#" not in text
    # What stands behind may be a token, and is never shown.
    shown = re.split(r"[?#]", text, maxsplit=1)[0]
    if not text.isprintable():
        raise ConfigProblem(f"the address holds signs that none has: {shown!r}", remedy=_EXAMPLE)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ConfigProblem(f"no address: {error}: {shown}", remedy=_EXAMPLE) from None
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS or not text.lower().startswith(f"{scheme}://"):
        raise ConfigProblem(f"the address does not begin with https:// or http://: {shown}", remedy=_EXAMPLE)
    if not is_bare:
        raise ConfigProblem(
            f"the address holds a query or a fragment, which it must not have: {shown}", remedy=_EXAMPLE
        )
    if port == 0:
        raise ConfigProblem(f"the address has port 0: {shown}", remedy=_EXAMPLE)
    if not _PATH.fullmatch(parts.path):
        raise ConfigProblem(f"the address has a path that cannot be: {shown!r}", remedy="Percent-encode it.")
    path = _SLASHES.sub("/", parts.path).rstrip("/")
    return scheme, _host(host, shown), port or _DEFAULT_PORTS[scheme], path


def _host(host: str, shown: str) -> str:
    try:
        if ":" in host and "%" not in host:
            return str(ipaddress.IPv6Address(host))
        ascii_host = host if host.isascii() else host.encode("idna").decode("ascii")
    except ValueError:
        ascii_host = ""
    if not _HOST.fullmatch(ascii_host):
        raise ConfigProblem(f"the address has no host that can be: {shown!r}", remedy=_EXAMPLE)
    return ascii_host
