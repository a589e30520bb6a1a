"""A load: the image that is asked for is found in the tar. The engines without a Docker Engine only record it."""

import platform
from collections.abc import Callable

from emtui.local.engines.base import LoadRequest
from emtui.local.engines.buildlog import Emit
from emtui.local.engines.images import ImageTable, StoredImage
from emtui.local.engines.problems import LoadProblem
from emtui.local.engines.references import parse_reference
from emtui.local.engines.tarball import TarImage, read_tar

LOAD_ERROR = "Error processing tar file: "
NOT_IN_IT = "no image "
"""What follows where the tar holds none of that name."""

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "riscv64": "riscv64", "ppc64le": "ppc64le"}


def architecture_name(machine: str) -> str:
    """An architecture as images name it: `amd64` for the kernel's `x86_64`."""
    return _MACHINES.get(machine, machine)


def machine_architecture() -> str:
    """This machine's, as images name it."""
    return architecture_name(platform.machine())


def read_image(request: LoadRequest, machine: str, check: Callable[[], None]) -> TarImage:
    """The image of the tar that is asked for; of several with this name the one for `machine`, else the first.

    Raises:
        LoadProblem: there is none of this name, or the tar cannot be read.
    """
    wanted = parse_reference(request.reference)
    found = read_tar(request.tar_fd, check)
    named = [image for image in found if wanted in image.references]
    if not named:
        raise LoadProblem(_not_in_it(request.reference, found))
    return next((image for image in named if image.config.architecture == machine), named[0])


def architecture_note(image: TarImage, machine: str) -> str:
    """A line for the log where an image is for another architecture than `machine`; else empty."""
    architecture = image.config.architecture
    if not architecture or architecture == machine:
        return ""
    return f"note: the image is for {architecture}, this machine is {machine}\n"


def load(request: LoadRequest, emit: Emit, images: ImageTable, check: Callable[[], None]) -> StoredImage | None:
    """Load. None after a failure: why is in the log."""
    machine = machine_architecture()
    try:
        chosen = read_image(request, machine, check)
    except LoadProblem as problem:
        emit(f"{LOAD_ERROR}{problem}\n")
        return None
    except OSError as error:
        emit(f"{LOAD_ERROR}{error.strerror or error}\n")
        return None
    stored = images.put(
        request.reference,
        f"sha256:{chosen.config_digest}",
        origin="loaded",
        size_bytes=chosen.size_bytes,
        config=chosen.config,
    )
    note = architecture_note(chosen, machine)
    if note:
        emit(note)
    emit(f"Loaded image: {request.reference}\n")
    return stored


def _not_in_it(reference: str, found: list[TarImage]) -> str:
    names = [reference.familiar for image in found for reference in image.references]
    has = f"it holds {', '.join(names[:10])}" if names else "it names none"
    return f"{NOT_IN_IT}{reference} in it; {has}"
