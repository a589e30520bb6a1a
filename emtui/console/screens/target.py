"""What the dialogs share that bring something to the operator's disk: the place, and what is in the way there."""

import asyncio
from abc import abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Generic, TypeVar

from textual import work
from textual.app import ComposeResult
from textual.content import Content

from emtui.console.screens.confirm import Question
from emtui.console.screens.dialog import Dialog
from emtui.console.screens.form import Words, told
from emtui.console.screens.typed_paths import resolve
from emtui.errors import EmtuiError, InvalidField
from emtui.files import existing
from emtui.text import count, safe_text
from widgets.fields import Field, TextField
from widgets.path_picker import shown

TARGET = "target"

# The disk is looked at when the typing pauses.
_LOOK_DELAY_S = 0.1

CommandT = TypeVar("CommandT")


class TargetDialog(Dialog[CommandT], Generic[CommandT]):
    """Base: one field with a folder or a file's name, looked at off the loop while it is typed.

    A subclass gives `plan` (the command for a target, and the files that it would write) and `summary`.
    """

    def __init__(self, target: Path, placeholder: str) -> None:
        super().__init__()
        self._base = target
        self._planned: tuple[CommandT, tuple[Path, ...]] | None = None
        self._in_the_way: tuple[Path, ...] = ()
        self._problem: EmtuiError | None = None
        self._target = TextField(TARGET, "To", f"{shown(target)}/", placeholder=placeholder, hint="A folder ends in /.")

    @abstractmethod
    def plan(self, target: Path, *, is_folder: bool) -> tuple[CommandT, Iterable[Path]]:
        """The command, and each file that it writes. `is_folder`: it was written so. Blocks; raises EmtuiError."""

    @abstractmethod
    def summary(self, places: tuple[Path, ...]) -> Content:
        """What goes where, in one line."""

    @abstractmethod
    def overwriting(self, command: CommandT) -> CommandT:
        """The same command, allowed to overwrite."""

    def compose_fields(self) -> ComposeResult:
        yield self._target

    def on_mount(self) -> None:
        super().on_mount()
        self._look_anew()

    def on_field_changed(self, _event: Field.Changed) -> None:
        self._look_anew()

    def _look_anew(self) -> None:
        self._planned = None
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

    def _command(self) -> CommandT:
        """The command as the field has it; notes what is in the way. Blocks."""
        written = self._target.value
        if not written.strip() or "\0" in written:
            raise InvalidField(TARGET, "is missing", remedy="Give a folder of this computer, such as ~/.")
        target = resolve(written, self._base)
        try:
            command, planned = self.plan(target, is_folder=written.rstrip().endswith("/") or target.is_dir())
        except InvalidField:
            raise
        except EmtuiError as error:
            raise InvalidField(TARGET, error.message, remedy=error.remedy) from error
        places = tuple(planned)
        if folder := next((place for place in places if place.is_dir()), None):
            raise InvalidField(TARGET, f"{shown(folder)} is a folder", remedy="Choose another place for the file.")
        self._in_the_way = existing(places)
        self._planned = command, places
        return command

    def words(self) -> Words:
        if self._problem is not None:
            return [told(self._problem)]
        if self._planned is None:
            return [Content.styled("looking …", "$em-muted")]
        lines = [self.summary(self._planned[1])]
        if self._in_the_way:
            names = ", ".join(path.name for path in self._in_the_way[:3])
            lines.append(
                Content.assemble(
                    ("▼ ", "$em-critical"),
                    f"{count(len(self._in_the_way), 'file is', 'files are')} there already: ",
                    safe_text(names, "bold", limit=120),
                    " …" if len(self._in_the_way) > 3 else "",
                )
            )
        return lines

    async def make(self) -> CommandT:
        command = await asyncio.to_thread(self._command)
        return self.overwriting(command) if self._in_the_way else command

    async def question(self, command: CommandT) -> Question | None:
        del command
        if not self._in_the_way:
            return None
        return Question(
            title=f"Overwrite {count(len(self._in_the_way), 'file')}",
            verb="Overwrite",
            targets=tuple(shown(path) for path in self._in_the_way),
            consequence="What is there now is replaced once the new file is complete and verified; "
            "it does not come back.",
        )
