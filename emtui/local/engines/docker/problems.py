"""What goes wrong between emtui and a Docker Engine, in one exception."""

import contextlib
import json
from collections.abc import Iterator

import aiohttp
from aiodocker import DockerError

from emtui.errors import LocalProblem

NOT_CONNECTED = 0
"""The status of a problem where no answer came: refused, denied, gone in the middle, too slow."""

_MAX_TEXT = 4096


class DaemonProblem(Exception):
    """A request was not answered, or with an error.

    Attributes:
        message: what the daemon says, or what the connection does.
        status: the answer's HTTP status, `NOT_CONNECTED` where there was none.
    """

    def __init__(self, message: str, status: int = NOT_CONNECTED) -> None:
        super().__init__(message)
        self.message = message
        self.status = status

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
        status = error.status if 100 <= error.status < 600 else NOT_CONNECTED
        raise DaemonProblem(_text(error.message, status) if status else _lost(error), status) from error
    except TimeoutError as error:
        raise DaemonProblem("the Docker Engine does not answer in time") from error
    except (aiohttp.ClientError, OSError) as error:
        raise DaemonProblem(_lost(error)) from error
    except ValueError as error:  # an answer that was cut off in the middle of its JSON
        raise DaemonProblem("the Docker Engine's answer was cut off") from error
    except (LookupError, TypeError, AttributeError) as error:
        raise DaemonProblem("what answers is not a Docker Engine, or not as one does") from error


def _text(message: str, status: int) -> str:
    """The daemon's own words: some answers are JSON inside of what calls itself text."""
    with contextlib.suppress(ValueError, RecursionError):
        document = json.loads(message)
        if isinstance(document, dict) and isinstance(document.get("message"), str):
            message = document["message"]
    return message.strip()[:_MAX_TEXT] or f"an error without a text (HTTP {status})"


def _lost(error: BaseException) -> str:
    """Why there is no connection, or no longer one."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, PermissionError):
            return "its socket may not be used by this user (permission denied)"
        if isinstance(cause, FileNotFoundError):
            return "there is no such socket"
        if isinstance(cause, ConnectionRefusedError):
            return "nothing answers behind its socket (connection refused)"
        cause = cause.__cause__ or cause.__context__
    return f"the connection to the Docker Engine was lost: {error or type(error).__name__}"
