"""Fetch a model from the Grid Node."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from textual.content import Content

from emtui import files
from emtui.commands import GetModel
from emtui.console.screens.target import TargetDialog
from emtui.text import safe_text, size
from widgets.path_picker import shown


class GetModelDialog(TargetDialog[GetModel]):
    """Where the model goes. `size_bytes` is None where the node does not say it."""

    dialog_title = "Get model"
    verb = "Get"

    def __init__(self, model_id: str, size_bytes: int | None, target: Path) -> None:
        super().__init__(target, "a folder, or a file's name")
        self._model_id = model_id
        self._size_bytes = size_bytes

    def plan(self, target: Path, *, is_folder: bool) -> tuple[GetModel, Iterable[Path]]:
        place = target / files.local_name(self._model_id) if is_folder else target
        return GetModel(self._model_id, place), [place]

    def summary(self, places: tuple[Path, ...]) -> Content:
        return Content.assemble(
            "Model ",
            safe_text(self._model_id, "bold", limit=200),
            f", {size(self._size_bytes)} → " if self._size_bytes is not None else " → ",
            safe_text(shown(places[0]), "bold", limit=200),
        )

    def overwriting(self, command: GetModel) -> GetModel:
        return replace(command, overwrite=True)
