"""Delete files and folders of the volume."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from emtui.commands import Delete
from emtui.console.screens.confirm import TargetList
from emtui.console.screens.dialog import Dialog
from emtui.console.screens.form import Words
from emtui.text import count, safe_text, size


class DeleteDialog(Dialog[Delete]):
    """Names what would go, with the counts, and stands on Cancel.

    `paths` are entries of the volume, a folder counts as one; `file_count` and `size_bytes` are of all files in them,
    None where that is not known.
    """

    dialog_title = "Delete"
    verb = "Delete"
    is_critical: ClassVar[bool] = True

    def __init__(self, paths: tuple[str, ...], file_count: int | None = None, size_bytes: int | None = None) -> None:
        super().__init__()
        self._paths = paths
        self._file_count = file_count
        self._size_bytes = size_bytes

    def compose_fields(self) -> ComposeResult:
        yield TargetList(tuple(f"/{path.strip('/')}" for path in self._paths))

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#hint", Static).update(Content(""))

    def words(self) -> Words:
        what = (
            Content.assemble("/", safe_text(self._paths[0].strip("/"), limit=200))
            if len(self._paths) == 1
            else Content(count(len(self._paths), "entry", "entries"))
        )
        inside = "" if self._file_count is None else f", {count(self._file_count, 'file')}, {size(self._size_bytes)}"
        return [
            Content.assemble(("▼ ", "$em-critical"), "Delete ", what.stylize("bold"), inside, "."),
            Content("It goes from the volume for good; there is no way back."),
        ]

    async def make(self) -> Delete:
        return Delete(self._paths)
