"""Which dialog a wish opens, and with what in it: prefilled from the pane that has the focus.

Dialogs are imported here, when one is opened, and not with the main screen: the first frame does not wait for them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emtui.commands import Downlink

if TYPE_CHECKING:
    from emtui.console.screens.dialog import Dialog
    from emtui.console.screens.main import MainScreen
    from emtui.plain import FileNode, Listing

# A completion list longer than this helps nobody.
_MOST_CHOICES = 500


class NothingChosen(Exception):
    """The command needs something under the cursor; the text says what."""


def dialog_for(name: str, screen: MainScreen, user: str) -> Dialog[Any]:
    """The dialog of the command `name`.

    Raises:
        NothingChosen: there is nothing that it could be done with.
    """
    return _DIALOGS[name](screen, user)


def _paths(screen: MainScreen, fits: Callable[[str, FileNode], bool]) -> list[str]:
    listing = screen.files.listing
    found: list[str] = []
    for path, node in listing.walk() if listing is not None else ():
        if fits(path, node):
            found.append(path)
            if len(found) == _MOST_CHOICES:
                break
    return found


def _uplink(screen: MainScreen, _user: str) -> Dialog[Any]:
    from emtui.console.screens.uplink import UplinkDialog

    folders = _paths(screen, lambda _path, node: node.is_directory)
    listing = screen.files.listing

    def is_taken(path: str) -> bool:
        node = listing.find(path) if listing is not None else None
        return node is not None and not node.is_directory

    return UplinkDialog(screen.files.cursor_folder, folders, Path.cwd(), is_taken)


def _downlink(screen: MainScreen, _user: str) -> Dialog[Any]:
    from emtui.console.screens.downlink import DownlinkDialog
    from emtui.link.perform import downlink_targets

    paths, listing = screen.files.selection, screen.files.listing
    if not paths or listing is None:
        raise NothingChosen("Choose a file in pane 1 first: there is nothing to downlink.")
    _, size_bytes = _count(paths, listing)

    def places(command: Downlink) -> list[tuple[str, Path]]:
        return [(path, target) for path, _, target in downlink_targets(command, listing)]

    return DownlinkDialog(paths, size_bytes, Path.cwd(), places)


def _delete(screen: MainScreen, _user: str) -> Dialog[Any]:
    from emtui.console.screens.delete import DeleteDialog

    paths, listing = screen.files.selection, screen.files.listing
    if not paths or listing is None:
        raise NothingChosen("Choose a file in pane 1 first: there is nothing to delete.")
    return DeleteDialog(paths, *_count(paths, listing))


def _build(screen: MainScreen, user: str) -> Dialog[Any]:
    from emtui.console.screens.build import BuildDialog
    from emtui.image_names import suggest_image_name

    known = _paths(screen, lambda _path, node: node.type == "file" and node.name.startswith("Dockerfile"))
    folder, cursor = screen.files.cursor_folder, screen.files.cursor_path
    here = [path for path in known if path.rpartition("/")[0] == folder]
    dockerfile = cursor if cursor in known else next(iter(here or known), "")
    context = dockerfile.rpartition("/")[0] if dockerfile else folder
    return BuildDialog(dockerfile, context, suggest_image_name(context.rpartition("/")[2]), known, user)


def _load(screen: MainScreen, _user: str) -> Dialog[Any]:
    from emtui.console.screens.load import LoadDialog

    known = _paths(screen, lambda _path, node: node.type == "file" and node.name.endswith((".tar", ".tar.gz", ".tgz")))
    cursor = screen.files.cursor_path
    return LoadDialog(cursor if cursor in known else next(iter(known), ""), "", known)


def _run(screen: MainScreen, user: str) -> Dialog[Any]:
    from emtui.console.screens.run import RunDialog

    images = screen.images.feed.value or ()
    chosen = screen.images.selected or next(iter(images), None)
    pod = screen.pod.feed.value
    return RunDialog(
        images,
        chosen.reference if chosen else "",
        node=pod.spec.node if pod is not None and pod.spec is not None else "",
        active=pod,
        user=user,
    )


def _serve_model(screen: MainScreen, _user: str) -> Dialog[Any]:
    from emtui.console.screens.serve_model import ServeModelDialog

    view = screen.grid.feed.value
    return ServeModelDialog(Path.cwd(), {model.model_id for model in view.models} if view is not None else ())


def _get_model(screen: MainScreen, _user: str) -> Dialog[Any]:
    from emtui.console.screens.get_model import GetModelDialog

    model = screen.grid.selected
    if model is None:
        raise NothingChosen("Choose a model in pane 4 first: there is none to get.")
    if model.is_copy_allowed is False:
        raise NothingChosen(f"{model.model_id} may not be copied: whoever serves it has not allowed it.")
    return GetModelDialog(model.model_id, model.size_bytes, Path.cwd())


def _count(paths: tuple[str, ...], listing: Listing) -> tuple[int, int]:
    """Files and bytes in all of the paths."""
    from emtui.plain import Listing

    file_count = size_bytes = 0
    for path in paths:
        node = listing.find(path)
        if node is None:
            continue
        size_bytes += node.size
        inside = Listing(node.contents, "", 0, 0).walk() if node.contents is not None else ((path, node),)
        file_count += sum(child.type != "directory" for _, child in inside)
    return file_count, size_bytes


_DIALOGS: dict[str, Callable[[MainScreen, str], Dialog[Any]]] = {
    "uplink": _uplink,
    "downlink": _downlink,
    "delete": _delete,
    "build": _build,
    "load": _load,
    "run": _run,
    "serve_model": _serve_model,
    "get_model": _get_model,
}
