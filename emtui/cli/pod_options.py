"""What pods of local mode may do and use, as options of `emtui`, `emtui serve` and `emtui doctor`."""

from argparse import ArgumentTypeError
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from emtui.pod import limits as pod_limits

if TYPE_CHECKING:
    from argparse import _ActionsContainer

T = TypeVar("T")

POD_OPTIONS = ("pod_network", "pod_read_only", "pod_memory", "pod_cpus", "pod_processes")
"""As they are called in the configuration, and with dashes as options."""


def add_pod_options(group: "_ActionsContainer") -> None:
    """Let a parser take them, or one of its groups."""
    group.add_argument("--pod-network", action="store_true", help="let pods and builds reach the network")
    group.add_argument(
        "--pod-read-only", action="store_true", help="let pods write to the volume and to /tmp, and nowhere else"
    )
    group.add_argument(
        "--pod-memory",
        metavar="SIZE",
        type=_checked(pod_limits.memory_bytes),
        help="the most memory of a pod: 2G",
    )
    group.add_argument(
        "--pod-cpus", metavar="N", type=_checked(pod_limits.cpus), help="the most processors that a pod uses: 1.5"
    )
    group.add_argument(
        "--pod-processes", metavar="N", type=_checked(pod_limits.processes), help="the most processes of a pod"
    )


def _checked(read: Callable[[object], T]) -> Callable[[str], T]:
    def checked(text: str) -> T:
        try:
            return read(text)
        except ValueError as error:
            raise ArgumentTypeError(str(error)) from None

    return checked
