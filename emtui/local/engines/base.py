"""What any engine can do: build, load, list, start, tell, stop. One small Protocol, one suite of tests for all.

An engine runs images for local mode. It knows nothing of users' names, locks or the wire: `LocalEM` gives it full
image references and open directory handles.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from emtui.backend import LogSink
from emtui.local.handles import DirHandle
from emtui.models import Image, PodState

DEFAULT_GRACE_S = 10.0
"""Seconds between SIGTERM at `max_duration` and SIGKILL, as `docker stop` has it."""

DEFAULT_BASE_IMAGES = ("alpine", "busybox", "debian", "ubuntu", "python")
"""Base images "on board". A reference matches by its name, with any tag, with or without the onboard registry."""

ONBOARD_REGISTRY = "fpga.dphi.space:5000"
"""The registry that an onboard Dockerfile may write in front of a base image."""


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """A build: `context` is open and stays the caller's; `dockerfile` is the file's text.

    `dockerfile_name` is for the log only. `reference` is the full name with tag.
    """

    context: DirHandle
    dockerfile: str
    dockerfile_name: str
    reference: str


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """A load: `tar_fd` is open for reading and stays the caller's. `reference` is the name that must be in it."""

    tar_fd: int
    reference: str


@dataclass(frozen=True, slots=True)
class PodRequest:
    """A pod to run.

    Attributes:
        pod_id: unique in the workspace, letters, digits and `-` only.
        name: the pod's name for people.
        reference: an image that `find` gave.
        node: `FPGA`, `GPU` or `MPU`; a label.
        command: for `/bin/sh -c`; empty for the image's own entry point and command.
        max_duration_s: seconds until SIGTERM, counted from the start.
        scheduled_time: when to start; None for now.
        grace_s: seconds between SIGTERM and SIGKILL.
    """

    pod_id: str
    name: str
    reference: str
    node: str
    command: str
    max_duration_s: float
    scheduled_time: datetime | None = None
    grace_s: float = DEFAULT_GRACE_S


class Engine(Protocol):
    """Runs images. One engine owns one workspace; pods outlive it and are found again by the next."""

    name: str
    """`docker`, `sandbox` or `simulated`."""

    notes: Sequence[str]
    """What is special about it, for the operator: which isolation, which limits cannot be set here."""

    warnings: Sequence[str]
    """What the operator has to know unasked: that it is not the engine of before, what it cannot do as asked."""

    async def prepare(self) -> None:
        """Find what was left by the last time again: its pods, and what was half made. Nothing is asked for.

        It is done once; every other call that needs it does it where nobody has before.
        """
        ...

    async def build(self, request: BuildRequest, log: LogSink) -> Image:
        """Build an image; an older one of the same reference is replaced when it is done, not before.

        Raises:
            BuildFailed: without `log_tail` (the caller has the lines).
        """
        ...

    async def load(self, request: LoadRequest, log: LogSink) -> Image:
        """Load an image out of a `docker save` or OCI tar.

        Raises:
            LoadFailed: without `log_tail` (the caller has the lines).
        """
        ...

    async def images(self) -> Sequence[Image]:
        """The images built and loaded, base images left out."""
        ...

    async def find(self, reference: str) -> bool:
        """Whether a pod can be made of it: a built or loaded image, or a base image on board."""
        ...

    async def start(self, pod: PodRequest) -> None:
        """Start a pod, or its wait for `scheduled_time`. Returns at once; only `state` tells how it goes."""
        ...

    async def state(self, pod_id: str) -> PodState:
        """How a pod is. One that cannot be found any more is terminated, `ContainerStatusUnknown`."""
        ...

    async def stop(self, pod_id: str, grace_s: float = DEFAULT_GRACE_S) -> None:
        """End a pod (SIGTERM, then SIGKILL) and forget all of it but its state. Returns when it is gone."""
        ...

    async def aclose(self) -> None:
        """Let go of handles. Pods go on."""
        ...
