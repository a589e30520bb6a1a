"""What goes wrong between emtui and a Docker Engine, in one exception, with what to do."""

import contextlib
import errno
import json
import socket
from collections.abc import Iterator

import aiohttp
from aiodocker import DockerError

from emtui.errors import LocalProblem

NOT_CONNECTED = 0
"""The status of a problem where no answer came: refused, denied, gone in the middle, too slow."""

START = "Start the Docker Engine (systemctl start docker)."
RESTART = "Restart the Docker Engine (systemctl restart docker); journalctl -u docker says what holds it."
JOIN_GROUP = "Add yourself to the socket's group (usermod -aG docker USER) and sign in anew, or use rootless Docker."
OR_ADDRESS = "Or, where DOCKER_HOST is set, see whether it is right."
ADDRESS = "Write it as unix:///var/run/docker.sock or tcp://HOST:PORT, or unset it."
OTHER = "Something else than a Docker Engine is there: name another place with DOCKER_HOST, or unset it."

_MAX_TEXT = 4096


class DaemonProblem(Exception):
    """A request was not answered, or with an error.

    Attributes:
        message: what the daemon says, or what the connection does. Never an address, which may hold a password.
        status: the answer's HTTP status, `NOT_CONNECTED` where there was none.
        remedy: what to do about it; empty where only the message tells.
    """

    def __init__(self, message: str, status: int = NOT_CONNECTED, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.remedy = remedy

    @property
    def is_gone(self) -> bool:
        """No answer came. What was asked may have been done."""
        return self.status == NOT_CONNECTED

    def for_operator(self, what: str) -> LocalProblem:
        """As an error of emtui; `what` is the call that it ends."""
        remedy = (
            "See whether the Docker Engine runs and may be used (emtui doctor), then try again."
            if self.is_gone
            else "Read what the Docker Engine says, mend it, and try again."
        )
        return LocalProblem(f"{what}: {self.message}", remedy=remedy)


@contextlib.contextmanager
def daemon_problems() -> Iterator[None]:
    """Whatever a call of aiodocker or aiohttp raises, as `DaemonProblem`."""
    try:
        yield
    except DockerError as error:
        if not 100 <= error.status < 600:
            raise _lost(error) from error
        remedy = "journalctl -u docker says more." if error.status >= 500 else ""
        raise DaemonProblem(_text(error.message, error.status), error.status, remedy=remedy) from error
    except TimeoutError as error:
        raise DaemonProblem("the Docker Engine does not answer in time", remedy=RESTART) from error
    except aiohttp.InvalidURL as error:
        raise DaemonProblem("this is not an address", remedy=ADDRESS) from error
    except (aiohttp.ClientError, OSError) as error:
        raise _lost(error) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DaemonProblem("the Docker Engine's answer was cut off, or is none", remedy=OTHER) from error
    except ValueError as error:
        raise DaemonProblem("this is not an address", remedy=ADDRESS) from error
    except (LookupError, TypeError, AttributeError) as error:
        raise DaemonProblem("what answers is not a Docker Engine, or not as one does", remedy=OTHER) from error


def _text(message: str, status: int) -> str:
    """The daemon's own words: some answers are JSON inside of what calls itself text."""
    with contextlib.suppress(ValueError, RecursionError):
        document = json.loads(message)
        if isinstance(document, dict) and isinstance(document.get("message"), str):
            message = document["message"]
    return message.strip()[:_MAX_TEXT] or f"an error without a text (HTTP {status})"


def _lost(error: BaseException) -> DaemonProblem:
    """Why there is no connection, or no longer one. The libraries' own texts hold addresses and their internals."""
    cause: BaseException | None = error
    system = ""
    while cause is not None:
        if (known := _known(cause)) is not None:
            return known
        if isinstance(cause, OSError) and cause.strerror and not system:
            system = f" ({cause.strerror})"
        cause = cause.__cause__ or cause.__context__
    return DaemonProblem(f"the connection to the Docker Engine was lost{system}", remedy=START)


def _known(cause: BaseException) -> DaemonProblem | None:
    """What one error of a chain means by itself."""
    if isinstance(cause, OSError) and cause.errno in _NO_ADDRESS:
        return DaemonProblem(f"this is not an address ({cause.strerror})", remedy=ADDRESS)
    told = next((told for kind, told in _KNOWN if isinstance(cause, kind)), None)
    return DaemonProblem(told[0], remedy=told[1]) if told is not None else None


_NO_ADDRESS = (errno.EINVAL, errno.ENAMETOOLONG, errno.ENOTSOCK)
_KNOWN: tuple[tuple[type[BaseException], tuple[str, str]], ...] = (
    (PermissionError, ("its socket may not be used by this user (permission denied)", JOIN_GROUP)),
    (FileNotFoundError, ("there is no such socket", f"{START} {OR_ADDRESS}")),
    (ConnectionRefusedError, ("nothing answers there (connection refused)", f"{START} {OR_ADDRESS}")),
    (socket.gaierror, ("there is no such host", ADDRESS)),
    (aiohttp.http_exceptions.BadStatusLine, ("what answers does not speak HTTP", OTHER)),
)
