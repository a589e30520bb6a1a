"""TLS: whom to trust, and what it means when somebody is not."""

import ssl

from emtui.errors import ConfigProblem, Untrusted

_GIVE_CA = "Give the certificate of its authority as the CA file, if you know that it is the right one."
_RENEW = "Nothing secret was sent. Ask whoever keeps the server to renew the certificate."
_USE_NAME = "Nothing secret was sent. Use the name that stands in the certificate."
_NO_ISSUER = "of an authority that is not known here"

# OpenSSL's numbers (X509_V_ERR_…): what the certificate is, and what to do about it.
_CAUSES = {
    2: (_NO_ISSUER, _GIVE_CA),
    9: ("not yet valid", "Nothing secret was sent. Check this machine's clock."),
    10: ("expired", _RENEW),
    18: ("self-signed", _GIVE_CA),
    19: ("signed by an authority of its own (self-signed)", _GIVE_CA),
    20: (_NO_ISSUER, _GIVE_CA),
    21: (_NO_ISSUER, _GIVE_CA),
    62: ("for another host", _USE_NAME),
    64: ("for another host", _USE_NAME),
}


def tls_context(ca_file: str | None = None) -> ssl.SSLContext:
    """What checks the other side: its name and its certificate, by the system's authorities or those of `ca_file`.

    Blocks while it reads the certificates.

    Raises:
        ConfigProblem: `ca_file` cannot be read, or holds no certificate.
    """
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror if isinstance(error, FileNotFoundError | PermissionError) else "no certificate in it"
        raise ConfigProblem(
            f"CA file {ca_file}: {reason}", remedy="Give a file with the authority's certificate in PEM format."
        ) from error


def untrusted(error: ssl.SSLError, label: str) -> Untrusted:
    """What a failed handshake with `label` (host[:port]) is, with its cause and remedy."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        reason = (error.reason or "").replace("_", " ").lower() or "no common language"
        return Untrusted(
            f"{label}: TLS failed: {reason}", remedy="Check the address, the port and whether it is https there."
        )
    what, remedy = _CAUSES.get(error.verify_code, (f"not accepted: {error.verify_message}", _GIVE_CA))
    return Untrusted(f"{label}: its certificate is {what}", remedy=remedy)
