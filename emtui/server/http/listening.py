"""Where the server listens: the address, the TLS files and the socket, all checked before anything is opened."""

import errno
import ipaddress
import os
import socket
import ssl
from pathlib import Path

from emtui.errors import ConfigProblem
from emtui.server.settings import Settings

_BACKLOG = 512


def listening_socket(settings: Settings) -> socket.socket:
    """A bound socket; it listens once the server starts. Blocks for as long as a name is looked up.

    Raises:
        ConfigProblem: no such address, in use, not allowed, or one that others reach without TLS.
    """
    host, port = settings.host, settings.port
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise ConfigProblem(f"--host: no such address: {host}", remedy="Name an address of this machine.") from None
    family, kind, protocol, _, address = found[0]
    if not ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback:
        _check_exposed(settings)
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        raise _problem(settings, error) from None
    sock.setblocking(False)
    return sock


def _check_exposed(settings: Settings) -> None:
    if settings.tls_cert is None and not settings.is_insecure:
        raise ConfigProblem(
            f"--host {settings.host}: other machines reach it, and passwords would travel in the open",
            remedy="Give --tls-cert and --tls-key, or allow it with --insecure.",
        )


def _problem(settings: Settings, error: OSError) -> ConfigProblem:
    shown = f"{settings.host} port {settings.port}"
    if error.errno == errno.EADDRINUSE:
        return ConfigProblem(
            f"{shown}: in use by another program", remedy="Choose another one with --port, or 0 for one that is free."
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return ConfigProblem(f"{shown}: not allowed", remedy="Choose a port of 1024 or more with --port.")
    return ConfigProblem(
        f"{shown}: {os.strerror(error.errno or 0)}", remedy="Name an address of this machine with --host."
    )


def url_of(settings: Settings, port: int) -> str:
    """The server's address, as a client writes it."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{settings.scheme}://{host}:{port}"


def check_tls(settings: Settings) -> None:
    """Try `--tls-cert` and `--tls-key`, where they are given. Blocks.

    Raises:
        ConfigProblem: one of the two is missing, cannot be read, or they do not belong together.
    """
    if settings.tls_cert is None and settings.tls_key is None:
        return
    if settings.tls_cert is None or settings.tls_key is None:
        raise ConfigProblem("--tls-cert and --tls-key belong together", remedy="Give both.")
    for option, path in (("--tls-cert", settings.tls_cert), ("--tls-key", settings.tls_key)):
        _check_readable(option, path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # An encrypted key would be asked for on the terminal, which a service does not have.
        context.load_cert_chain(settings.tls_cert, settings.tls_key, password=lambda: "")
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or "they cannot be read"
        raise ConfigProblem(
            f"--tls-cert, --tls-key: {str(reason).replace('_', ' ').lower()}",
            remedy="Give a certificate and its key as PEM, the key without a passphrase.",
        ) from None


def _check_readable(option: str, path: Path) -> None:
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise ConfigProblem(
            f"{option}: {path}: {os.strerror(error.errno or 0)}", remedy="Name a file that can be read."
        ) from None
