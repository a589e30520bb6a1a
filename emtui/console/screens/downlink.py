"""Downlink files and folders of the volume to the operator's disk."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from textual.content import Content

from emtui import files
from emtui.commands import Downlink
from emtui.console.screens.target import TARGET, TargetDialog
from emtui.errors import InvalidField
from emtui.text import count, safe_text, size
from widgets.path_picker import shown

Targets = Sequence[tuple[str, Path]]
"""Each file of the volume with its place on the disk."""


def by_base_name(command: Downlink) -> Targets:
    """Each file under its own name in the target; the target itself for one file where it is no folder. Blocks."""
    target = command.target.expanduser()
    if len(command.paths) == 1 and not command.is_folder and not target.is_dir():
        return [(command.paths[0], target)]
    return [(path, target / files.local_name(path.rstrip("/").rpartition("/")[2])) for path in command.paths]


class DownlinkDialog(TargetDialog[Downlink]):
    """Where the files go, and what is in the way there.

    `size_bytes` is of all of them, None where it is not known. `places` gives every file of a downlink with its place
    (folders expanded); it may block and raise `EmtuiError`.
    """

    dialog_title = "Downlink"
    verb = "Downlink"

    def __init__(
        self,
        paths: tuple[str, ...],
        size_bytes: int | None,
        target: Path,
        places: Callable[[Downlink], Targets] = by_base_name,
    ) -> None:
        super().__init__(target, "a folder, or a file's new name")
        self._paths = paths
        self._size_bytes = size_bytes
        self._places = places
        self._first = ""

    def plan(self, target: Path, *, is_folder: bool) -> tuple[Downlink, Iterable[Path]]:
        if len(self._paths) > 1 and target.exists() and not is_folder:
            raise InvalidField(TARGET, "is a file", remedy=f"{count(len(self._paths), 'file')} need a folder to go to.")
        command = Downlink(self._paths, target, is_folder=is_folder)
        targets = self._places(command)
        self._first = targets[0][0]
        return command, [place for _, place in targets]

    def summary(self, places: tuple[Path, ...]) -> Content:
        is_one = len(places) == 1
        what = safe_text(self._first, "bold", limit=120) if is_one else count(len(places), "file")
        parents = {place.parent for place in places}
        common = Path(*_common_parts(places)) if not is_one else places[0]
        place = shown(common) if is_one else f"{shown(common)}/"
        kept = ", folders kept" if len(parents) > 1 else ""
        return Content.assemble(what, f", {size(self._size_bytes)} → ", safe_text(place, "bold", limit=200), kept)

    def overwriting(self, command: Downlink) -> Downlink:
        return replace(command, overwrite=True)


def _common_parts(places: tuple[Path, ...]) -> list[str]:
    """The folders that all places share."""
    shared = []
    for parts in zip(*(place.parent.parts for place in places), strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return shared
