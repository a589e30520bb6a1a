"""Fetch a model from the Grid Node."""

import asyncio
import os
from pathlib import Path

from textual import work
from textual.app import ComposeResult
from textual.content import Content

from emtui import files
from emtui.commands import GetModel
from emtui.errors import EmtuiError, InvalidField, LocalProblem
from emtui.screens.dialog import Dialog, Question, Words, told
from emtui.screens.downlink import TARGET, overwrite_question
from emtui.screens.typed_paths import existing, resolve
from emtui.text import safe_text, size
from widgets.fields import Field, TextField
from widgets.path_picker import shown

_LOOK_DELAY_S = 0.1


class GetModelDialog(Dialog[GetModel]):
    """Where the model goes. `size_bytes` is None where the node does not say it."""

    dialog_title = "Get model"
    verb = "Get"

    def __init__(self, model_id: str, size_bytes: int | None, target: Path) -> None:
        super().__init__()
        self._model_id = model_id
        self._size_bytes = size_bytes
        self._base = target
        self._place: Path | None = None
        self._in_the_way: tuple[Path, ...] = ()
        self._problem: EmtuiError | None = None
        self._target = TextField(
            TARGET, "To", f"{shown(target)}/", placeholder="a folder, or a file's name", hint="A folder ends in /."
        )

    def compose_fields(self) -> ComposeResult:
        yield self._target

    def on_mount(self) -> None:
        super().on_mount()
        self._look_anew()

    def on_field_changed(self, _event: Field.Changed) -> None:
        self._look_anew()

    def _look_anew(self) -> None:
        self._place = None
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

    def _command(self) -> GetModel:
        written = self._target.value
        if not written.strip() or "\0" in written:
            raise InvalidField(TARGET, "is missing", remedy="Give a folder of this computer, such as ~/.")
        target = resolve(written, self._base)
        if target.is_dir() or written.rstrip().endswith("/"):
            try:
                target = target / files.local_name(self._model_id)
            except LocalProblem as error:
                raise InvalidField(TARGET, error.message, remedy=error.remedy) from error
        if target.is_dir():
            raise InvalidField(TARGET, "is a folder", remedy="Give the file another name.")
        self._in_the_way = existing([target])
        self._place = target
        return GetModel(self._model_id, target, overwrite=os.path.lexists(target))

    def words(self) -> Words:
        if self._problem is not None:
            return [told(self._problem)]
        if self._place is None:
            return [Content.styled("looking …", "$em-muted")]
        lines = [
            Content.assemble(
                "Model ",
                safe_text(self._model_id, "bold", limit=200),
                f", {size(self._size_bytes)} → " if self._size_bytes is not None else " → ",
                safe_text(shown(self._place), "bold", limit=200),
            )
        ]
        if self._in_the_way:
            lines.append(Content.assemble(("▼ ", "$em-critical"), "It is there already."))
        return lines

    async def make(self) -> GetModel:
        return await asyncio.to_thread(self._command)

    async def question(self, command: GetModel) -> Question | None:
        return overwrite_question((command.target,)) if command.overwrite else None
