"""What the words of a command line name: entries of the volume, and files of this machine."""

from argparse import ArgumentTypeError
from collections.abc import Sequence
from pathlib import Path

from emtui.cli.profile_options import path_option
from emtui.errors import Forbidden, NotFound
from emtui.paths import split_path
from emtui.plain import FileNode, Listing

ROOT = ""
"""The path of the volume itself."""

_LOOK = "emtui files list shows what there is."


def remote_option(text: str) -> str:
    """A path of the volume, as it is given. An empty one is a variable of a script that is not set."""
    if not text:
        raise ArgumentTypeError("an empty name is no path; / is the volume itself")
    return text


def here_option(text: str) -> Path:
    """A file of this machine to be sent."""
    if text == "-":
        raise ArgumentTypeError(
            "- (stdin) cannot be sent: the size must be known before the first byte leaves. "
            "Write it to a file first; a file of that name is ./-"
        )
    return path_option(text)


def absolute(path: Path) -> Path:
    """`path` from the root on, links kept: what it names does not change with the folder that somebody stands in.

    A name that begins with `~` stays one: homes are the shell's work.

    Raises:
        LocalProblem: the folder that this runs in is gone.
    """
    try:
        return path.absolute()
    except OSError as error:
        from emtui.files import disk_problem

        raise disk_problem(error, path) from error


def entries(listing: Listing, words: Sequence[str]) -> list[tuple[str, FileNode | None]]:
    """What the words name in the volume: each entry once, with its path; the volume itself has no entry.

    A name is taken as it is listed, whatever is in it; `/` in front and doubled ones do not count, and one at the
    end means a folder. `*` and `?` are letters.

    Raises:
        NotFound: the volume lists no such entry.
        Forbidden, BadRequest: it is no path, or leaves the volume.
    """
    listed = dict(listing.walk()) if len(words) > 1 else None

    def find(path: str) -> FileNode | None:
        return listing.find(path) if listed is None else listed.get(path)

    found: dict[str, FileNode | None] = {}
    for word in words:
        path = word.strip("/")
        node = find(path) if path else None
        if node is None:
            path = "/".join(split_path(path))
            node = find(path) if path else None
        if node is None and path != ROOT:
            raise NotFound(f"the volume does not list {path}", remedy=_LOOK)
        if node is not None and not node.is_directory and word.endswith("/"):
            raise NotFound(f"{path} is no folder of the volume", remedy="Leave the / at its end out.")
        found[path] = node
    return list(found.items())


def not_the_volume(named: Sequence[tuple[str, FileNode | None]], what: str) -> None:
    """Raises `Forbidden` where the volume itself is named."""
    if any(path == ROOT for path, _ in named):
        raise Forbidden(f"the volume itself cannot be {what}", remedy="Name what is in it.")
