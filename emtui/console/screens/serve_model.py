"""Host a model of the operator's disk on the Grid Node."""

import asyncio
from collections.abc import Container
from pathlib import Path

from textual import work
from textual.app import ComposeResult
from textual.content import Content

from emtui import files
from emtui.commands import ServeModel
from emtui.console.screens.dialog import Dialog
from emtui.console.screens.form import Words, told
from emtui.console.screens.typed_paths import read_line, resolve
from emtui.errors import EmtuiError, InvalidField
from emtui.text import safe_text, size
from widgets.fields import ChoiceField, Field, TextField
from widgets.path_picker import PathPicker, shown, with_tilde

SOURCE = "model"
_LOOK_DELAY_S = 0.12
_YES, _NO = "yes", "no"


class ServeModelDialog(Dialog[ServeModel]):
    """A file, the id that it gets, and whether others may download it. `taken` are the ids of the listed models."""

    dialog_title = "Serve a model"
    verb = "Serve"

    def __init__(self, start: Path, taken: Container[str] = ()) -> None:
        super().__init__()
        self._start = start
        self._taken = taken
        self._found: tuple[Path, int] | EmtuiError | None = None
        self._path = TextField(SOURCE, "Model file", placeholder="a path, typed or pasted, or enter on a file below")
        self._picker = PathPicker(start, takes_many=False)
        self._id_field = TextField("model_id", "Model id", placeholder="any text, such as mnist-cnn")
        self._allow = ChoiceField("allow_download", "Download", (_NO, _YES), _NO, hint="Whether others may copy it.")

    def compose_fields(self) -> ComposeResult:
        yield self._path
        yield self._picker
        yield self._id_field
        yield self._allow

    def on_field_changed(self, event: Field.Changed) -> None:
        if event.field is not self._path:
            return
        typed = self._path.value
        folder, _, name = typed.rpartition("/")
        if typed.strip() and not typed.lstrip().startswith(("'", '"', "file:")):
            self._picker.follow(resolve(f"{folder}/" if "/" in typed else "", self._start), name)
        self._found = None
        self._look()

    def on_path_picker_chosen(self, event: PathPicker.Chosen) -> None:
        self._path.set_value(shown(event.path))
        self._id_field.focus_control()

    @work(group="look", exclusive=True)
    async def _look(self) -> None:
        await asyncio.sleep(_LOOK_DELAY_S)
        try:
            self._found = await asyncio.to_thread(self._source)
        except EmtuiError as error:
            self._found = error
        else:
            if not self._id_field.is_touched:
                self._id_field.set_value(self._found[0].stem)
        self.show_words()

    def _source(self) -> tuple[Path, int]:
        """The file and its size. Blocks."""
        paths = read_line(self._path.value, self._start)
        if not paths:
            raise InvalidField(SOURCE, "is missing", remedy="Type a path, or press enter on a file of the list.")
        if len(paths) > 1:
            raise InvalidField(SOURCE, "is more than one file", remedy="A model is one file.")
        try:
            return paths[0], files.FileSource(paths[0]).size_bytes
        except EmtuiError as error:
            raise InvalidField(SOURCE, with_tilde(error.message), remedy=error.remedy) from error

    def words(self) -> Words:
        if not self._path.value.strip():
            return [Content.styled("Type or paste a path, or press enter on a file of the list.", "$em-muted")]
        if self._found is None:
            return [Content.styled("looking …", "$em-muted")]
        if isinstance(self._found, EmtuiError):
            return [told(self._found)]
        path, size_bytes = self._found
        may = "others may download it" if self._allow.value == _YES else "nobody may download it"
        lines = [
            Content.assemble(
                "Serves ",
                safe_text(path.name, limit=120),
                f", {size(size_bytes)}, as ",
                safe_text(self._id_field.value, "bold", limit=120),
                f"; {may}",
            )
        ]
        if self._id_field.value.strip() in self._taken:
            lines.append(Content.assemble(("◆ ", "$em-serious"), "A model has this id already: it will be refused."))
        return lines

    async def make(self) -> ServeModel:
        path, _ = await asyncio.to_thread(self._source)
        model_id = self._id_field.value.strip() if self._id_field.is_touched else self._id_field.value or path.stem
        if not model_id.strip():
            raise InvalidField("model_id", "is missing", remedy="Give the model an id, such as mnist-cnn.")
        return ServeModel(path, model_id, allow_download=self._allow.value == _YES)
