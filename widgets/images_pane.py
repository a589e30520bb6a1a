"""Pane 2: the images that the user has built and loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from textual.message import Message

from emtui import text
from widgets.cells import Line, left, right
from widgets.keys import key_map_of
from widgets.palette import Part
from widgets.pane import Pane
from widgets.row_list import RowList

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from emtui.models import Image

TAG_WIDTH = 10
SIZE_WIDTH = 9
CREATED_WIDTH = 11
_LEAST_NAME = 18


def created_text(created: str, now: datetime) -> str:
    """When an image was made, short. The remote's own words where they are no time."""
    try:
        moment = datetime.fromisoformat(created)
    except ValueError:
        return text.safe_str(created, 64)
    return text.short_date(moment if moment.tzinfo else moment.replace(tzinfo=UTC), now)


class ImageList(RowList["Image"]):
    """The rows of `ImagesPane`."""

    now: datetime | None = None

    def key_of(self, row: Image) -> str:
        return row.reference

    def draw_row(self, row: Image, width: int) -> Line:
        has_created = self.now is not None and width >= _LEAST_NAME + TAG_WIDTH + SIZE_WIDTH + CREATED_WIDTH + 4
        has_size = width >= _LEAST_NAME + TAG_WIDTH + SIZE_WIDTH + 2
        room = width - TAG_WIDTH - 1 - has_size * (SIZE_WIDTH + 1) - has_created * (CREATED_WIDTH + 2)
        size = text.size(row.size_bytes) if row.size_bytes is not None else text.safe_str(row.size or "–", 32)
        parts = [
            Part(left(text.safe_str(row.repository, 512), room)),
            Part(" " + left(text.safe_str(row.tag, 128), TAG_WIDTH), "accent"),
        ]
        if has_size:
            parts.append(Part(right(size, SIZE_WIDTH + 1), "muted"))
        if has_created and self.now is not None:
            parts.append(Part("  " + right(created_text(row.created, self.now), CREATED_WIDTH), "muted"))
        return tuple(parts)


class ImagesPane(Pane["Sequence[Image]"]):
    """The images (`Feed[Sequence[Image]]`).

    For the app: `selected`, the image under the cursor; `select(reference)`.
    Messages: `Opened` (enter on an image).
    """

    number = 2
    heading = "Images"
    is_filterable = True

    @dataclass
    class Opened(Message):
        """The operator opened an image."""

        pane: ImagesPane
        image: Image

        @property
        def control(self) -> ImagesPane:
            return self.pane

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 textual's name
        super().__init__(id=id, classes=classes)
        self.image_list = ImageList()

    def compose(self) -> ComposeResult:
        yield self.image_list

    @property
    def canvas(self) -> ImageList:
        return self.image_list

    @property
    def selected(self) -> Image | None:
        """The image under the cursor."""
        return self.image_list.cursor_row

    def select(self, reference: str) -> bool:
        """Put the cursor on an image (`repository:tag`). False where it is not shown."""
        return self.image_list.move_to_key(reference)

    def accept(self, value: Sequence[Image]) -> None:
        needle = self.filter_text.casefold()
        self.image_list.now = self.now
        self.image_list.set_rows([image for image in value if needle in image.reference.casefold()])

    def forget(self) -> None:
        self.image_list.set_rows(())

    def filter_changed(self, needle: str) -> None:
        del needle
        self.accept(self.feed.value or ())

    def facts(self, value: Sequence[Image]) -> list[Line]:
        return [(Part(f"{len(value):,}", "muted"),)]

    def empty_text(self) -> tuple[str, str]:
        keys = key_map_of(self)
        hints = (keys.hint("build", "builds one of a folder"), keys.hint("load", "loads a tar file"))
        return "no images yet", ", ".join(filter(None, hints))

    def on_row_list_opened(self, event: RowList.Opened) -> None:
        event.stop()
        self.post_message(self.Opened(self, event.row))
