"""Uplink files and folders of the operator's disk to the volume."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from textual import work
from textual.app import ComposeResult
from textual.content import Content

from emtui import files
from emtui.commands import Uplink
from emtui.console.screens.confirm import Question
from emtui.console.screens.dialog import Dialog
from emtui.console.screens.form import Words, told
from emtui.console.screens.typed_paths import read_line, read_lines, resolve
from emtui.errors import EmtuiError, InvalidField
from emtui.files import UplinkPlan
from emtui.paths import check_volume_path
from emtui.text import count, safe_text, size
from widgets.fields import Field, TextField
from widgets.path_picker import PathPicker, with_tilde
from widgets.safe_input import SafeInput

SOURCES = "files"
DEST_PATH = "dest_path"

# Counting a big folder takes a while; it begins when the typing pauses.
_COUNT_DELAY_S = 0.12

_MOST_SKIPPED = 2


class UplinkDialog(Dialog[Uplink]):
    """A path typed or pasted, files marked below it, and the folder of the volume that they go to.

    `folders` are those of the volume, `start` is the folder of the disk that the picker opens and that relative paths
    begin at. `is_taken` tells whether the volume has a file at a path.
    """

    dialog_title = "Uplink"
    verb = "Uplink"

    def __init__(
        self, dest_path: str, folders: Sequence[str], start: Path, is_taken: Callable[[str], bool] = lambda _path: False
    ) -> None:
        super().__init__()
        self._is_taken = is_taken
        self._taken: tuple[str, ...] = ()
        self._start = start
        self._plan: UplinkPlan | EmtuiError | None = None
        self._paths = TextField(
            SOURCES, "Files", placeholder="a path, typed or pasted, or mark files below", takes_lines=True
        )
        self._picker = PathPicker(start)
        self._dest = TextField(
            DEST_PATH,
            "Destination",
            dest_path.strip("/"),
            placeholder="folder of the volume; empty for /",
            choices=tuple(folder.strip("/") for folder in folders if folder.strip("/")),
            check=lambda text: check_volume_path(DEST_PATH, text, "a folder"),
        )

    def compose_fields(self) -> ComposeResult:
        yield self._paths
        yield self._picker
        yield self._dest

    # ------------------------------------------------------------------------------------------------ sources

    def on_field_changed(self, event: Field.Changed) -> None:
        if event.field is self._paths:
            typed = self._paths.value
            folder, _, name = typed.rpartition("/")
            if typed.strip() and not typed.lstrip().startswith(("'", '"', "file:")):
                self._picker.follow(resolve(f"{folder}/" if "/" in typed else "", self._start), name)
        self._count_anew()

    def on_path_picker_marked(self) -> None:
        self._paths.show_problem(None)
        self._count_anew()

    def on_path_picker_chosen(self, event: PathPicker.Chosen) -> None:
        self._picker.mark([event.path])
        self._dest.focus_control()

    async def on_safe_input_lines_pasted(self, event: SafeInput.LinesPasted) -> None:
        self._picker.mark(await asyncio.to_thread(read_lines, event.lines, self._start))

    def _sources(self) -> tuple[Path, ...]:
        """What is typed and what is marked. Blocks.

        A folder that is typed only to get to the marked files in it is not sent itself.
        """
        marked = self._picker.marked
        typed = read_line(self._paths.value, self._start)
        way = [path for path in typed if any(path in mark.parents for mark in marked) and path.is_dir()]
        return tuple(dict.fromkeys([*(path for path in typed if path not in way), *marked]))

    # -------------------------------------------------------------------------------------------------- words

    def _count_anew(self) -> None:
        self._plan = None
        self.show_words()
        self._count()

    @work(group="count", exclusive=True)
    async def _count(self) -> None:
        await asyncio.sleep(_COUNT_DELAY_S)
        try:
            sources, dest_path = await self._asked()
            self._plan = await asyncio.to_thread(self._plan_for, sources, dest_path)
        except EmtuiError as error:
            self._plan = EmtuiError(with_tilde(error.message), remedy=error.remedy)
        self.show_words()

    def words(self) -> Words:
        if not self._paths.value.strip() and not self._picker.marked:
            return [
                Content.styled("Type or paste a path, or go down to the list and mark files with space.", "$em-muted")
            ]
        plan = self._plan
        if plan is None:
            return [Content.styled("counting …", "$em-muted")]
        if isinstance(plan, EmtuiError):
            return [told(plan)]
        requests = count(len(plan.batches), "request")
        folders = len({batch.dest_path for batch in plan.batches})
        into = f" into {folders} folders" if folders > 1 else ""
        lines = [
            Content.assemble(
                (count(plan.file_count, "file"), "bold"),
                f", {size(plan.size_bytes)} → /",
                safe_text(self._dest.value.strip("/"), "bold", limit=200),
                f"{into} ({requests})",
            )
        ]
        if self._taken:
            lines.append(
                Content.assemble(
                    ("▼ ", "$em-critical"),
                    f"{count(len(self._taken), 'file is', 'files are')} there already: ",
                    safe_text(", ".join(self._taken[:3]), "bold", limit=120),
                    " …" if len(self._taken) > 3 else "",
                )
            )
        for skipped in plan.skipped[:_MOST_SKIPPED]:
            lines.append(
                Content.assemble(("■ ", "$em-caution"), "left out: ", safe_text(with_tilde(skipped), limit=200))
            )
        if len(plan.skipped) > _MOST_SKIPPED:
            lines.append(Content(f"  and {len(plan.skipped) - _MOST_SKIPPED:,} more left out"))
        return lines

    # ------------------------------------------------------------------------------------------------ command

    async def _asked(self) -> tuple[tuple[Path, ...], str]:
        dest_path = check_volume_path(DEST_PATH, self._dest.value, "a folder")
        sources = await asyncio.to_thread(self._sources)
        if not sources:
            raise InvalidField(
                SOURCES, "nothing is chosen", remedy="Type a path, or mark files in the list with space."
            )
        return sources, dest_path

    def _plan_for(self, sources: tuple[Path, ...], dest_path: str) -> files.UplinkPlan:
        """The plan; notes what it would replace. Blocks."""
        plan = files.plan_uplink(sources, dest_path)
        plan.check_folders()
        self._taken = tuple(path for path, _ in plan.remote() if self._is_taken(path))
        return plan

    async def question(self, command: Uplink) -> Question | None:
        del command
        if not self._taken:
            return None
        return Question(
            title=f"Replace {count(len(self._taken), 'file')} of the volume",
            verb="Replace",
            targets=tuple(f"/{path}" for path in self._taken),
            consequence="What the volume holds there now is gone once the new file has arrived.",
        )

    async def make(self) -> Uplink:
        sources, dest_path = await self._asked()
        try:
            self._plan = await asyncio.to_thread(self._plan_for, sources, dest_path)
        except InvalidField:
            raise
        except EmtuiError as error:
            raise InvalidField(SOURCES, with_tilde(error.message), remedy=error.remedy) from error
        return Uplink(sources, dest_path)
