"""emtui: the operator's console for DPhi Space's EM and for Grid Nodes.

Importing this package costs nothing: it only says which version it is. What Python scripts use is imported when it is
first named (`from emtui import open_session`); docs/python.md shows how.
"""

__version__ = "0.1.0"

TYPE_CHECKING = False  # as in typing, which would have to be imported for it
if TYPE_CHECKING:
    from emtui.api.opening import open_session
    from emtui.api.session import Session
    from emtui.commands import BuildImage, Command, Delete, Downlink, GetModel, LoadImage, RunPod, ServeModel, Uplink
    from emtui.errors import (
        BadRequest,
        BuildFailed,
        Cancelled,
        ConfigProblem,
        Conflict,
        ContractViolation,
        EmtuiError,
        Exposed,
        Forbidden,
        InvalidField,
        LoadFailed,
        LocalProblem,
        Locked,
        LoggedFailure,
        NotFound,
        NotSignedIn,
        OutcomeNotKnown,
        RemoteFailed,
        Unreachable,
        Untrusted,
        VerificationFailed,
        WorkspaceInUse,
        WorkspaceProblem,
    )
    from emtui.journal.journal import Entry
    from emtui.models import (
        EncryptedModel,
        HostedModel,
        Image,
        PodSpec,
        PodState,
        PodStatus,
        Running,
        Terminated,
        Waiting,
    )
    from emtui.plain import FileNode, Listing
    from emtui.pod.trace import PodEnd, Verdict
    from emtui.profile import PodPolicy, Profile, Remote
    from emtui.views import CommandState, Stage

_HOMES = {
    "emtui.api.opening": ("open_session",),
    "emtui.api.session": ("Session",),
    "emtui.commands": (
        "BuildImage",
        "Command",
        "Delete",
        "Downlink",
        "GetModel",
        "LoadImage",
        "RunPod",
        "ServeModel",
        "Uplink",
    ),
    "emtui.errors": (
        "BadRequest",
        "BuildFailed",
        "Cancelled",
        "ConfigProblem",
        "Conflict",
        "ContractViolation",
        "EmtuiError",
        "Exposed",
        "Forbidden",
        "InvalidField",
        "LoadFailed",
        "LocalProblem",
        "Locked",
        "LoggedFailure",
        "NotFound",
        "NotSignedIn",
        "OutcomeNotKnown",
        "RemoteFailed",
        "Unreachable",
        "Untrusted",
        "VerificationFailed",
        "WorkspaceInUse",
        "WorkspaceProblem",
    ),
    "emtui.journal.journal": ("Entry",),
    "emtui.models": (
        "EncryptedModel",
        "HostedModel",
        "Image",
        "PodSpec",
        "PodState",
        "PodStatus",
        "Running",
        "Terminated",
        "Waiting",
    ),
    "emtui.plain": ("FileNode", "Listing"),
    "emtui.pod.trace": ("PodEnd", "Verdict"),
    "emtui.profile": ("PodPolicy", "Profile", "Remote"),
    "emtui.views": ("CommandState", "Stage"),
}

__all__ = [
    "BadRequest",
    "BuildFailed",
    "BuildImage",
    "Cancelled",
    "Command",
    "CommandState",
    "ConfigProblem",
    "Conflict",
    "ContractViolation",
    "Delete",
    "Downlink",
    "EmtuiError",
    "EncryptedModel",
    "Entry",
    "Exposed",
    "FileNode",
    "Forbidden",
    "GetModel",
    "HostedModel",
    "Image",
    "InvalidField",
    "Listing",
    "LoadFailed",
    "LoadImage",
    "LocalProblem",
    "Locked",
    "LoggedFailure",
    "NotFound",
    "NotSignedIn",
    "OutcomeNotKnown",
    "PodEnd",
    "PodPolicy",
    "PodSpec",
    "PodState",
    "PodStatus",
    "Profile",
    "Remote",
    "RemoteFailed",
    "RunPod",
    "Running",
    "ServeModel",
    "Session",
    "Stage",
    "Terminated",
    "Unreachable",
    "Untrusted",
    "Uplink",
    "Verdict",
    "VerificationFailed",
    "Waiting",
    "WorkspaceInUse",
    "WorkspaceProblem",
    "__version__",
    "open_session",
]


if not TYPE_CHECKING:  # for a type checker it would make every name one that is there

    def __getattr__(name: str) -> object:
        from importlib import import_module

        for module, names in _HOMES.items():
            if name in names:
                value = globals()[name] = getattr(import_module(module), name)
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
