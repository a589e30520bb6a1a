"""The two isolations behind one face, and how a run in one of them is watched."""

import subprocess
from typing import Protocol

from emtui.local.engines.sandbox.jail import Jail
from emtui.local.engines.sandbox.limits import Cgroup


class Contained(Protocol):
    """A run that has begun."""

    process: "subprocess.Popen[bytes]"
    """The outermost process. Its end is the end of all; its code is the command's, 128 + signal for a signal."""

    cgroup: Cgroup
    """What bounds it for root."""

    def terminate(self) -> None:
        """SIGTERM to the command. Nothing happens where it has ended."""
        ...

    def kill(self) -> None:
        """SIGKILL to everything in it."""
        ...

    def start_error(self, stderr_tail: str) -> str:
        """Why the command could not be executed, empty where it could. Asked after the end."""
        ...

    def close(self) -> None:
        """Let go of descriptors and the cgroup. Asked after the end."""
        ...


class Isolation(Protocol):
    """A way to make namespaces."""

    name: str

    def start(self, jail: Jail, stdout: int, stderr: int) -> Contained:
        """Begin. Raises OSError where it cannot; what goes wrong later is told by `start_error`."""
        ...


def isolation_by_name(name: str) -> Isolation:
    """`bwrap` or `unshare`."""
    if name == "bwrap":
        from emtui.local.engines.sandbox.bwrap import Bwrap

        return Bwrap()
    from emtui.local.engines.sandbox.unshare import Unshare

    return Unshare()
