"""What emtui's exit codes mean."""

from enum import IntEnum

from emtui.errors import (
    BadRequest,
    Cancelled,
    ConfigProblem,
    Conflict,
    ContractViolation,
    EmtuiError,
    Exposed,
    Forbidden,
    Locked,
    NotFound,
    NotSignedIn,
    OutcomeNotKnown,
    RemoteFailed,
    Unconfirmed,
    Unreachable,
    Untrusted,
    VerificationFailed,
    WorkspaceInUse,
    WorkspaceProblem,
)


class Exit(IntEnum):
    """Exit codes, for scripts: they do not change."""

    OK = 0
    """Done."""
    FAILED = 1
    """Something on this machine is in the way (a file, a full disk), or emtui itself is at fault."""
    USAGE = 2
    """An option is unknown, or its value cannot be read; or somebody would have to be asked without a terminal."""
    CONFIG = 3
    """What was asked for cannot be had so: a directory, an address, the configuration; the message has the remedy."""
    NOT_SIGNED_IN = 4
    """No token, or one that is not accepted."""
    NOT_FOUND = 5
    """No such file, image or model."""
    REFUSED = 6
    """Refused by the other side, which may have failed inside: a bad field, a build that fails. Or refused here, since
    it would be refused there: a path that leaves the volume, an uplink without a file. Or by `--read-only`."""
    LOCKED = 7
    """Somebody else's request was at work until `--timeout` was over, or another emtui has the workspace open."""
    UNREACHABLE = 8
    """No answer until `--timeout` was over, or none that can be trusted."""
    UNKNOWN = 9
    """It may have been done: no answer came, and looking did not settle it; or another pod has taken the place of the
    one that was waited for. Look before you do it again."""
    VERIFICATION = 10
    """What came is not what was promised: size, hash, or the shape of an answer. Nothing was kept of it here."""
    POD_FAILED = 20
    """The pod has ended with an exit code other than 0."""
    POD_DEADLINE = 21
    """The pod was ended because its `max_duration` was over."""
    POD_OUT_OF_MEMORY = 22
    """The pod was ended because it took more memory than it may."""
    POD_NOT_STARTED = 23
    """The pod does not start: no such image, no such node, a crash again and again."""
    INTERRUPTED = 130
    """Ctrl+C, or a question answered with no. Another signal gives 128 and its number: 143 is SIGTERM, 129 SIGHUP."""


# The first that fits: special ones before the families that they belong to.
_CODES: tuple[tuple[type[EmtuiError], Exit], ...] = (
    (OutcomeNotKnown, Exit.UNKNOWN),
    (Cancelled, Exit.INTERRUPTED),
    (Unconfirmed, Exit.USAGE),
    (NotSignedIn, Exit.NOT_SIGNED_IN),
    (NotFound, Exit.NOT_FOUND),
    (Locked, Exit.LOCKED),
    (WorkspaceInUse, Exit.LOCKED),
    (Unreachable, Exit.UNREACHABLE),
    (Exposed, Exit.CONFIG),
    (Untrusted, Exit.UNREACHABLE),
    (VerificationFailed, Exit.VERIFICATION),
    (ContractViolation, Exit.VERIFICATION),
    (BadRequest, Exit.REFUSED),
    (Forbidden, Exit.REFUSED),
    (Conflict, Exit.REFUSED),
    (RemoteFailed, Exit.REFUSED),
    (WorkspaceProblem, Exit.CONFIG),
    (ConfigProblem, Exit.CONFIG),
)


def exit_of(error: EmtuiError) -> Exit:
    """The exit code that says what an error is."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), Exit.FAILED)
