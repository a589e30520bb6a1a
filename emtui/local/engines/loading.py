"""A load as both engines do it: the tar is read, the image is recorded, nothing is unpacked."""

import platform
from collections.abc import Callable

from emtui.local.engines.base import LoadRequest
from emtui.local.engines.buildlog import Emit
from emtui.local.engines.images import ImageTable, StoredImage
from emtui.local.engines.problems import LoadProblem
from emtui.local.engines.references import parse_reference
from emtui.local.engines.tarball import TarImage, read_tar

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "riscv64": "riscv64", "ppc64le": "ppc64le"}


def machine_architecture() -> str:
    """This machine's, as images name it."""
    return _MACHINES.get(platform.machine(), platform.machine())


def load(request: LoadRequest, emit: Emit, images: ImageTable, check: Callable[[], None]) -> StoredImage | None:
    """Load. None after a failure: why is in the log."""
    try:
        wanted = parse_reference(request.reference)
        found = read_tar(request.tar_fd, check)
        chosen = next((image for image in found if wanted in image.references), None)
        if chosen is None:
            raise LoadProblem(_not_in_it(request.reference, found))
    except LoadProblem as problem:
        emit(f"Error processing tar file: {problem}\n")
        return None
    except OSError as error:
        emit(f"Error processing tar file: {error.strerror or error}\n")
        return None
    stored = images.put(
        request.reference,
        f"sha256:{chosen.config_digest}",
        origin="loaded",
        size_bytes=chosen.size_bytes,
        config=chosen.config,
    )
    architecture = chosen.config.architecture
    if architecture and architecture != machine_architecture():
        emit(f"note: the image is for {architecture}, this machine is {machine_architecture()}\n")
    emit(f"Loaded image: {request.reference}\n")
    return stored


def _not_in_it(reference: str, found: list[TarImage]) -> str:
    names = [reference.familiar for image in found for reference in image.references]
    has = f"it holds {', '.join(names[:10])}" if names else "it names none"
    return f"no image {reference} in it; {has}"
