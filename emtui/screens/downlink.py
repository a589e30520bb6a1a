"""Downlink files and folders of the volume to the operator's disk."""

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from textual import work
from textual.app import ComposeResult
from textual.content import Content

from emtui import files
from emtui.commands import Downlink
from emtui.errors import EmtuiError, InvalidField
from emtui.screens.dialog import Dialog, Question, Words, told
from emtui.screens.typed_paths import existing, resolve
from emtui.text import count, safe_text, size
from widgets.fields import Field, TextField
from widgets.path_picker import shown

TARGET = "target"

Targets = Sequence[tuple[str, Path]]
"""Each file of the volume with its place on the disk."""

# The disk is looked at when the typing pauses.
_LOOK_DELAY_S = 0.1


def by_base_name(command: Downlink) -> Targets:
    """Each file under its own name in the target; the target itself for one file where it is no folder. Blocks."""
    target = command.target.expanduser()
    if len(command.paths) == 1 and not target.is_dir():
        return [(command.paths[0], target)]
    return [(path, target / files.local_name(path.rstrip("/").rpartition("/")[2])) for path in command.paths]


class DownlinkDialog(Dialog[Downlink]):
    """Where the files go, and what is in the way there.

    `size_bytes` is of all of them, None where it is not known. `plan` gives every file of a downlink with its place
    (folders expanded); it may block and raise `EmtuiError`.
    """

    dialog_title = "Downlink"
    verb = "Downlink"

    def __init__(
        self,
        paths: tuple[str, ...],
        size_bytes: int | None,
        target: Path,
        plan: Callable[[Downlink], Targets] = by_base_name,
    ) -> None:
        super().__init__()
        self._paths = paths
        self._size_bytes = size_bytes
        self._base = target
        self._plan = plan
        self._targets: Targets | None = None
        self._in_the_way: tuple[Path, ...] = ()
        self._problem: EmtuiError | None = None
        self._target = TextField(
            TARGET, "To", f"{shown(target)}/", placeholder="a folder, or a file's new name", hint="A folder ends in /."
        )

    def compose_fields(self) -> ComposeResult:
        yield self._target

    def on_mount(self) -> None:
        super().on_mount()
        self._look_anew()

    def on_field_changed(self, _event: Field.Changed) -> None:
        self._look_anew()

    def _look_anew(self) -> None:
        self._targets = None
        self._look()

    @work(group="look", exclusive=True)
    async def _look(self) -> None:
        await asyncio.sleep(_LOOK_DELAY_S)
        try:
            await asyncio.to_thread(self._command)
            self._problem = None
        except EmtuiError as error:
            self._problem = error
        self.show_words()

    def _command(self) -> Downlink:
        """The command as the field has it; notes what is in the way. Blocks."""
        written = self._target.value
        if not written.strip() or "\0" in written:
            raise InvalidField(TARGET, "is missing", remedy="Give a folder of this computer, such as ~/.")
        target = resolve(written, self._base)
        if written.rstrip().endswith("/") and len(self._paths) == 1 and not os.path.lexists(target):
            # A Path keeps no separator at its end: the folder to be made is named together with the file in it.
            target = target / files.local_name(self._paths[0].rstrip("/").rpartition("/")[2])
        if len(self._paths) > 1 and os.path.lexists(target) and not target.is_dir():
            raise InvalidField(TARGET, "is a file", remedy=f"{count(len(self._paths), 'file')} need a folder to go to.")
        command = Downlink(self._paths, target)
        try:
            targets = self._plan(command)
        except EmtuiError as error:
            raise InvalidField(TARGET, error.message, remedy=error.remedy) from error
        folders = [place for _, place in targets if place.is_dir()]
        if folders:
            raise InvalidField(TARGET, f"{shown(folders[0])} is a folder", remedy="Choose another place for the file.")
        self._in_the_way = existing(place for _, place in targets)
        self._targets = targets
        return command

    def words(self) -> Words:
        if self._problem is not None:
            return [told(self._problem)]
        targets = self._targets
        if targets is None:
            return [Content.styled("looking …", "$em-muted")]
        what = safe_text(targets[0][0], "bold", limit=120) if len(targets) == 1 else count(len(targets), "file")
        place = shown(targets[0][1]) if len(targets) == 1 else f"{shown(resolve(self._target.value, self._base))}/"
        folders = {place.parent for _, place in targets}
        kept = ", folders kept" if len(folders) > 1 else ""
        lines = [Content.assemble(what, f", {size(self._size_bytes)} → ", safe_text(place, "bold", limit=200), kept)]
        if self._in_the_way:
            lines.append(
                Content.assemble(
                    ("▼ ", "$em-critical"),
                    f"{count(len(self._in_the_way), 'file is', 'files are')} there already: ",
                    safe_text(", ".join(path.name for path in self._in_the_way[:3]), "bold", limit=120),
                    " …" if len(self._in_the_way) > 3 else "",
                )
            )
        return lines

    async def make(self) -> Downlink:
        command = await asyncio.to_thread(self._command)
        return Downlink(command.paths, command.target, overwrite=bool(self._in_the_way))

    async def question(self, command: Downlink) -> Question | None:
        return overwrite_question(self._in_the_way) if command.overwrite else None


def overwrite_question(in_the_way: tuple[Path, ...]) -> Question:
    """Asked before files of this computer are replaced."""
    return Question(
        title=f"Overwrite {count(len(in_the_way), 'file')}",
        verb="Overwrite",
        targets=tuple(shown(path) for path in in_the_way),
        consequence="What is there now is replaced once the new file is complete and verified; it does not come back.",
    )
