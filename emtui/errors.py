"""The one exception family.

Every error says three things: what happened (`message`), why (`code`, the exact wire code where the
specification has one, and `log_tail`), and what to do about it (`remedy`). `status` is the HTTP status of the EM
API or the Grid Node API that the error stands for, or None where no wire is involved.

The texts may hold foreign strings (paths, names, server messages). They are data: only `emtui.text` may bring
them to a screen.
"""

from collections.abc import Sequence
from typing import ClassVar


class EmtuiError(Exception):
    """What every error of emtui is.

    Attributes:
        message: what happened, one sentence, as the remote says it where it is the remote that speaks.
        code: the wire's `error` field, or the family's own name for it.
        remedy: what the operator can do next; empty where there is nothing to do.
        status: the HTTP status it stands for, None where no wire is involved.
    """

    code: str = "ERROR"
    status: int | None = None
    default_remedy: ClassVar[str] = ""

    def __init__(self, message: str, *, remedy: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = self.default_remedy if remedy is None else remedy
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return self.message


class BadRequest(EmtuiError):
    """400: the request cannot be done as asked: a bad path, no files, too large, a bad field."""

    code = "BAD_REQUEST"
    status = 400


class InvalidField(BadRequest):
    """400: one field of a command or request is wrong. `field` is its name on the wire."""

    code = "INVALID_FIELD"

    def __init__(self, field: str, message: str, *, remedy: str | None = None) -> None:
        super().__init__(f"{field}: {message}", remedy=remedy)
        self.field = field


class NotSignedIn(EmtuiError):
    """401: no token, or one that is not accepted."""

    code = "NOT_SIGNED_IN"
    status = 401
    default_remedy = "Sign in again."


class Forbidden(EmtuiError):
    """403: a path that leaves the volume, or a model that may not be downloaded."""

    code = "FORBIDDEN"
    status = 403


class NotFound(EmtuiError):
    """404: no such file, image or model."""

    code = "NOT_FOUND"
    status = 404
    default_remedy = "Look what there is, then choose again."


class Conflict(EmtuiError):
    """409: the name is taken."""

    code = "CONFLICT"
    status = 409
    default_remedy = "Choose another name."


class Locked(EmtuiError):
    """423: the EM does one request at a time and is at work. Nothing was executed; try again."""

    code = "LOCKED"
    status = 423
    default_remedy = "It is tried again by itself."
    retry_after_s: float | None = None


class RemoteFailed(EmtuiError):
    """500: the EM or the Grid Node failed inside."""

    code = "INTERNAL_ERROR"
    status = 500
    default_remedy = "Try again; if it stays, tell whoever keeps the system."


class LoggedFailure(BadRequest):
    """A failure that comes with a log: `log_tail` holds its last lines (at most 100), each with its newline."""

    def __init__(self, message: str, log_tail: Sequence[str] = (), *, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.log_tail: tuple[str, ...] = tuple(log_tail)


class BuildFailed(LoggedFailure):
    """400 `BUILD_FAILED` (EM API §5)."""

    code = "BUILD_FAILED"
    default_remedy = "Read the log's last lines, mend the Dockerfile or its context, uplink it and build again."

    def __init__(self, log_tail: Sequence[str] = (), *, remedy: str | None = None) -> None:
        super().__init__("Docker build failed", log_tail, remedy=remedy)


class LoadFailed(LoggedFailure):
    """400 `IMAGE_LOAD_FAILED` (EM API §6)."""

    code = "IMAGE_LOAD_FAILED"
    default_remedy = "Check the path of the tar file and the image's name in it, then load again."

    def __init__(self, log_tail: Sequence[str] = (), *, remedy: str | None = None) -> None:
        super().__init__("Docker Image tarfile failed to load", log_tail, remedy=remedy)


class Unreachable(EmtuiError):
    """No answer: refused, reset, timed out, or a gateway that had none (502, 503, 504).

    Attributes:
        may_have_run: whether the request can have been executed.
        retry_after_s: how long the other side asked to wait before the next try, None where it did not.
    """

    code = "UNREACHABLE"
    default_remedy = "Check the address and the network; it is tried again by itself."

    def __init__(
        self, message: str, *, may_have_run: bool, retry_after_s: float | None = None, remedy: str | None = None
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.may_have_run = may_have_run
        self.retry_after_s = retry_after_s


class Untrusted(EmtuiError):
    """The other side is not who it should be, or the way to it is not safe: TLS, a redirect elsewhere, plain http."""

    code = "UNTRUSTED"
    default_remedy = "Nothing secret was sent. Check the address and the certificate."


class Exposed(Untrusted):
    """Plain http to another machine, which nobody has allowed. Nothing was sent."""

    default_remedy = "Use https; or, where you know the way, start with --insecure."


class ContractViolation(EmtuiError):
    """The answer is not what the specification promises: a field missing, a size or a hash that is wrong."""

    code = "CONTRACT_VIOLATION"
    default_remedy = "The other side answers wrongly; tell whoever keeps it, with this text."


class VerificationFailed(ContractViolation):
    """A file arrived whole but is not the promised one (size or SHA-256). Nothing was kept of it."""

    code = "VERIFICATION_FAILED"
    default_remedy = "Nothing was kept. Transfer it again."


class LocalProblem(EmtuiError):
    """The operator's own machine is in the way: a file that is missing, unreadable, in the way, a full disk."""

    code = "LOCAL_PROBLEM"


class WorkspaceProblem(LocalProblem):
    """The directory of local mode cannot be used: missing rights, not ours, in use, of a newer version."""

    code = "WORKSPACE"


class ConfigProblem(EmtuiError):
    """The configuration, an option or an environment variable is wrong."""

    code = "CONFIG"


class WorkspaceInUse(WorkspaceProblem):
    """Another emtui has the folder open.

    Attributes:
        process: its number, None where its lock does not say.
        holder: what it is: `console`, `files list`, `serve http://127.0.0.1:8000`; empty where its lock does not say.
    """

    code = "WORKSPACE_IN_USE"

    def __init__(
        self, message: str, *, remedy: str | None = None, process: int | None = None, holder: str = ""
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.process = process
        self.holder = holder


class OutcomeNotKnown(EmtuiError):
    """A command may have been executed: no answer came, and looking did not settle it. It is never repeated."""

    code = "UNKNOWN"
    default_remedy = "Look, then decide."


class Cancelled(EmtuiError):
    """A command was broken off before its end, by whoever asked for it."""

    code = "CANCELLED"


class Unconfirmed(EmtuiError):
    """Something has to be agreed to, and nobody can be asked."""

    code = "UNCONFIRMED"
    default_remedy = "Say --yes if it is meant."


def fault(error: BaseException) -> EmtuiError:
    """An error that nothing foresaw, as one that can be shown."""
    return EmtuiError(f"{type(error).__name__}: {error}", remedy="A fault of emtui itself; please report this text.")
