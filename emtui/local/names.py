"""Names of images: `[registry/]repository[:tag]`, as Docker has them, and the user's name put before them."""

import re
from dataclasses import dataclass

from emtui.errors import InvalidField

DEFAULT_TAG = "latest"

_MAX_REPOSITORY = 255
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REGISTRY = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::[0-9]{1,5})?"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_REGISTRY_ALONE = re.compile(_REGISTRY)


@dataclass(frozen=True, slots=True)
class ImageName:
    """A name taken apart. `registry` is empty where none was written, `tag` is `latest` where none was."""

    registry: str
    repository: str
    tag: str

    @property
    def reference(self) -> str:
        return f"{self.full_repository}:{self.tag}"

    @property
    def full_repository(self) -> str:
        return f"{self.registry}/{self.repository}" if self.registry else self.repository


def parse_image(text: str, field: str) -> ImageName:
    """Take an image's name apart; `field` is what the wire calls it.

    Raises:
        InvalidField: it is not a name as Docker has them, or it names a digest.
    """
    if not text:
        raise InvalidField(field, "a name is needed", remedy="Name the image, for example echo-test.")
    if "@" in text:
        raise InvalidField(field, "an image is named by its tag here, not by a digest", remedy="Write name:tag.")
    head, slash, rest = text.partition("/")
    has_registry = bool(slash) and ("." in head or ":" in head or head == "localhost")
    registry, path = (head, rest) if has_registry else ("", text)
    repository, colon, tag = path.partition(":")
    if has_registry and not _REGISTRY_ALONE.fullmatch(registry):
        raise InvalidField(field, f"not a registry: {registry}", remedy="Write host:port/name:tag.")
    if len(repository) > _MAX_REPOSITORY or not _REPOSITORY.fullmatch(repository):
        raise InvalidField(
            field,
            f"not a name of an image: {text}",
            remedy="Use lower-case letters and digits, with single . _ or - between them: echo-test.",
        )
    if colon and not _TAG.fullmatch(tag):
        raise InvalidField(
            field, f"not a tag: {tag}", remedy="Use at most 128 letters, digits, . _ and -, no . or - in front."
        )
    return ImageName(registry, repository, tag or DEFAULT_TAG)


def with_prefix(name: ImageName, user: str) -> ImageName:
    """The user's own image of this name: `echo-test` of `client1` is `client1-echo-test`. Never doubled."""
    if is_of(name.repository, user):
        return name
    return ImageName("", f"{user}-{name.repository}", name.tag)


def without_prefix(name: ImageName, user: str) -> ImageName:
    """The inverse of `with_prefix`."""
    return ImageName(name.registry, name.repository.removeprefix(f"{user}-"), name.tag)


def is_of(repository: str, user: str) -> bool:
    """Whether an image's name begins with the user's."""
    return repository.startswith(f"{user}-") and len(repository) > len(user) + 1
