"""Names of images as they are typed: what an image can be called, and what another name suggests."""

import re

from emtui.errors import InvalidField

_NOT_IN_A_NAME = re.compile(r"[^a-z0-9]+")
_NAME = re.compile(
    r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*(?::[\w][\w.-]{0,127})?",
    re.ASCII,
)
_LONGEST_NAME = 200
_ENDINGS = (".tar.gz", ".tar.zst", ".tar.xz", ".tgz", ".tar")


def suggest_image_name(name: str) -> str:
    """A name that an image can have, out of any other name; empty where nothing of it is left."""
    return _NOT_IN_A_NAME.sub("-", name.casefold()).strip("-")[:_LONGEST_NAME].strip("-")


def check_image_name(field: str, name: str) -> str:
    """`name` without the spaces around it. Raises `InvalidField` of `field` with a name that would do."""
    name = name.strip()
    if not name:
        raise InvalidField(field, "is missing", remedy="Give the image a name, such as echo-test.")
    if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
        better = suggest_image_name(name)
        remedy = "Lower case letters, digits, and - _ . between them" + (f": {better}" if better else "")
        raise InvalidField(field, "is no name for an image", remedy=remedy)
    return name


def image_of_tar(tarfile: str) -> str:
    """The image's name that a tar file's name suggests: `images/fisheye.tar` → `fisheye`."""
    name = tarfile.rpartition("/")[2]
    for ending in _ENDINGS:
        if name.casefold().endswith(ending):
            name = name[: -len(ending)]
            break
    return suggest_image_name(name)
