"""Paths of a volume as text: relative, `/` between folders, names that are not UTF-8 held by `surrogateescape`.

What is refused here is refused before any file system is touched, or any request sent.
"""

import os

from emtui.errors import BadRequest, Forbidden, InvalidField

MAX_NAME_BYTES = 255
"""The longest name that the usual file systems take."""

MAX_DEPTH = 4096
"""More than any real tree; a path beyond it is an attack on the number of open files or on a recursion."""


def split_path(path: str, *, what: str = "path") -> tuple[str, ...]:
    """The folders and the name of a relative path; `()` for the volume itself (`""`, `.`, `./`).

    Raises:
        Forbidden: it is absolute or goes up with `..`, also as `..\\`, with spaces around, or percent-encoded.
        BadRequest: NUL in it, a name over 255 bytes, too deep.
    """
    if "\0" in path:
        raise BadRequest(f"{what}: a NUL character cannot be in a path", remedy="Remove it.")
    if path.startswith("/") or path[1:3] in (":\\", ":/"):
        raise Forbidden(f"{what}: an absolute path leaves the volume: {path}", remedy="Give it relative to the volume.")
    parts = []
    for part in path.split("/"):
        if part in ("", "."):
            continue
        if any(step.strip() == ".." for step in _decoded(part).replace("\\", "/").split("/")):
            raise Forbidden(f"{what}: it leaves the volume: {path}", remedy="Give it relative to the volume.")
        if len(encode_name(part, what)) > MAX_NAME_BYTES:
            raise BadRequest(f"{what}: a name over {MAX_NAME_BYTES} bytes: {part}", remedy="Shorten it.")
        parts.append(part)
    if len(parts) > MAX_DEPTH:
        raise BadRequest(f"{what}: deeper than {MAX_DEPTH} folders", remedy="Use fewer folders.")
    return tuple(parts)


def check_volume_path(field: str, path: str, what: str) -> str:
    """`path` as it is, without slashes around it. Raises `InvalidField` of `field` where it is no path."""
    bare = path.strip("/") if path.strip() else ""
    is_outside = "\0" in path
    try:
        split_path(bare)
    except Forbidden:
        is_outside = True
    except BadRequest:
        pass  # a name that is listed over there is taken as it is; the EM knows what it can hold
    if is_outside:
        raise InvalidField(field, "leaves the volume", remedy=f"Give {what} inside the volume.")
    return bare


def encode_name(part: str, what: str) -> bytes:
    """The bytes of a name or path.

    Raises:
        BadRequest: a lone surrogate in it stands for no byte.
    """
    try:
        return os.fsencode(part)
    except UnicodeEncodeError:
        raise BadRequest(
            f"{what}: a lone surrogate stands for no byte", remedy="Give the name as it is listed."
        ) from None


def _decoded(part: str) -> str:
    """`part` with the percent-encodings of dot, slash, backslash and percent resolved, however often nested."""
    for _ in range(8):
        before = part
        for encoded, plain in (
            ("%25", "%"),
            ("%2e", "."),
            ("%2E", "."),
            ("%2f", "/"),
            ("%2F", "/"),
            ("%5c", "\\"),
            ("%5C", "\\"),
        ):
            part = part.replace(encoded, plain)
        if part == before:
            break
    return part


def join_path(*parts: str) -> str:
    """Parts of a relative path with `/` between them, empty ones left out."""
    return "/".join(part for part in parts if part)


class BaseNames:
    """The names of the files of one uplink, in their order: each of them a base name, and each only once."""

    def __init__(self) -> None:
        self.all: list[str] = []
        self._seen: set[str] = set()

    def add(self, name: str) -> None:
        """The next one.

        Raises:
            BadRequest: a name that is none, that stands for no bytes, or that came before.
            Forbidden: a path, or a name that leaves its folder.
        """
        if "/" in name:
            raise Forbidden(f"a base name is needed, not a path: {name}", remedy="Put the folder into dest_path.")
        if split_path(name, what="file name") != (name,):
            raise BadRequest(f"not a name of a file: {name!r}", remedy="Rename it.")
        if name in self._seen:
            raise BadRequest(
                f"two files of one uplink have the same name: {name}", remedy="Send them in two calls, or rename one."
            )
        self._seen.add(name)
        self.all.append(name)
