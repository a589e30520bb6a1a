"""References of images: `[registry/]repository[:tag][@digest]`, and which of them are on board."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from emtui.local.engines.base import ONBOARD_REGISTRY

DEFAULT_TAG = "latest"

# The grammar of the registry's own reference, without the digest: it is what a builder accepts behind FROM.
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = rf"(?:localhost(?::[0-9]{{1,5}})?|{_LABEL}(?:\.{_LABEL})+(?::[0-9]{{1,5}})?|{_LABEL}:[0-9]{{1,5}})"
_NAME = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?:(?P<registry>{_HOST})/)?(?P<repository>{_NAME}(?:/{_NAME})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@sha256:[0-9a-f]{64})?"
)
_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")
_MAX_LENGTH = 512


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference taken apart. `registry` is empty for Docker Hub, where `library/` is left out of `repository`."""

    registry: str
    repository: str
    tag: str

    @property
    def familiar(self) -> str:
        """As people write it, with its tag: `alpine:latest`, `fpga.dphi.space:5000/alpine:latest`."""
        registry = f"{self.registry}/" if self.registry else ""
        return f"{registry}{self.repository}:{self.tag}"

    @property
    def canonical(self) -> str:
        """As a builder writes it: `docker.io/library/alpine:latest`."""
        library = "" if "/" in self.repository or self.registry else "library/"
        return f"{self.registry or 'docker.io'}/{library}{self.repository}:{self.tag}"


def parse_reference(text: str) -> Reference | None:
    """`text` taken apart, None where it is not a reference."""
    matched = _REFERENCE.fullmatch(text) if len(text) <= _MAX_LENGTH else None
    if matched is None:
        return None
    registry = matched["registry"] or ""
    repository = matched["repository"]
    if registry in _HUB:
        registry = ""
        repository = repository.removeprefix("library/")
    return Reference(registry, repository, matched["tag"] or DEFAULT_TAG)


def on_board(text: str, base_images: Sequence[str]) -> str | None:
    """The name of the base image on board that `text` means, None where it is not on board.

    It matches by name, with any tag. The onboard registry and Docker Hub's own name may stand in front.
    """
    reference = parse_reference(text)
    if reference is None or reference.registry not in ("", ONBOARD_REGISTRY):
        return None
    repository = reference.repository.removeprefix("library/")
    return repository if repository in base_images else None
