"""Pane 5: what was asked for, and how it goes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from textual.binding import BindingType
from textual.message import Message

from emtui import text
from emtui.views import CommandState, Feed, Stage
from widgets.activity_rows import command_cells, is_unseen
from widgets.cells import Line
from widgets.frame import joined
from widgets.keys import bind, key_map_of
from widgets.palette import Part
from widgets.pane import Pane
from widgets.row_list import RowList

if TYPE_CHECKING:
    from textual.app import ComposeResult

# More is in the journal; nobody scrolls through it.
MOST_ROWS = 1_000


class ActivityList(RowList[CommandState]):
    """The rows of `ActivityPane`, newest first. The cursor stays on the newest while it is there."""

    follows_first = True
    now: datetime | None = None

    def key_of(self, row: CommandState) -> int:
        return row.id

    def draw_row(self, row: CommandState, width: int) -> Line:
        return command_cells(row, self.now or row.changed_at, width, key_map_of(self).shown("activity.cancel"))

    def row_style(self, row: CommandState) -> str:
        return "alert" if is_unseen(row) else ""


class ActivityPane(Pane[tuple[CommandState, ...]]):
    """The commands, newest first.

    For the app: `show_commands(states)` with all of them; `update_command(state)` for one that is new or has changed,
    which draws only its line. `selected` is the state under the cursor, `dropped` how many older ones are not shown.
    Messages, each with the command's id: `Opened` (a line is opened), `CancelWished` (one that has not ended),
    `AgainWished` (one that has ended).
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        bind("activity.cancel", "cancel"),
        bind("activity.again", "again"),
    ]

    number = 5
    heading = "Activity"

    @dataclass
    class AboutCommand(Message):
        """Base of the wishes about one command."""

        pane: "ActivityPane"
        command_id: int

        @property
        def control(self) -> "ActivityPane":
            return self.pane

    class Opened(AboutCommand):
        """The operator opened a command."""

    class CancelWished(AboutCommand):
        """The operator wants a command to stop."""

    class AgainWished(AboutCommand):
        """The operator wants a command that has ended to be done again."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 textual's name
        super().__init__(id=id, classes=classes)
        self.command_list = ActivityList()
        self.dropped = 0
        # There is nothing to wait for: what was asked for is known here.
        self.show(Feed(value=()))

    def compose(self) -> "ComposeResult":
        yield self.command_list

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        state = self.selected
        if action == "cancel":
            return state is not None and state.is_cancellable
        if action == "again":
            return state is not None and state.stage.is_final
        return super().check_action(action, parameters)

    def action_cancel(self) -> None:
        """Ask for the command under the cursor to be stopped, where it can be."""
        state = self.selected
        if state is not None and state.is_cancellable:
            self.post_message(self.CancelWished(self, state.id))

    def action_again(self) -> None:
        """Ask for the command under the cursor to be done again, where it has ended."""
        state = self.selected
        if state is not None and state.stage.is_final:
            self.post_message(self.AgainWished(self, state.id))

    @property
    def canvas(self) -> ActivityList:
        return self.command_list

    @property
    def selected(self) -> CommandState | None:
        """The command under the cursor."""
        return self.command_list.cursor_row

    def show_commands(self, states: Sequence[CommandState]) -> None:
        """Show these commands, in any order. What is the same as before is not drawn again."""
        self.show(Feed(value=tuple(states)))

    def update_command(self, state: CommandState) -> None:
        """One command is new, or has changed."""
        self.command_list.now = self.now
        rows = self.command_list.rows
        # The one that changes is nearly always among the newest.
        for index, row in enumerate(rows):
            if row.id == state.id:
                if row is not state and row != state:
                    self.command_list.replace_row(index, state)
                    self.refresh_state()
                return
        self._set_rows([state, *rows])
        self.refresh_state()

    def _set_rows(self, states: Sequence[CommandState]) -> None:
        newest_first = sorted(states, key=_by_id, reverse=True)
        self.dropped += max(0, len(newest_first) - MOST_ROWS)
        self.command_list.set_rows(newest_first[:MOST_ROWS])

    # ------------------------------------------------------------------------------------------- for the base

    def is_same(self, old: tuple[CommandState, ...], new: tuple[CommandState, ...]) -> bool:
        # `update_command` may have come in between, so what was shown last says nothing.
        del old, new
        return False

    def accept(self, value: tuple[CommandState, ...]) -> None:
        self.command_list.now = self.now
        old = {row.id: index for index, row in enumerate(self.command_list.rows)}
        if len(value) != len(old) or any(state.id not in old for state in value):
            self.dropped = 0
            self._set_rows(value)
            return
        for state in value:
            index = old[state.id]
            if self.command_list.rows[index] != state:
                self.command_list.replace_row(index, state)

    def forget(self) -> None:
        self.command_list.set_rows(())

    def facts(self, value: tuple[CommandState, ...]) -> list[Line]:
        del value
        rows = self.command_list.rows
        queued = sum(row.stage is Stage.QUEUED for row in rows)
        held = sum(row.stage is Stage.HELD for row in rows)
        unknown = sum(row.stage is Stage.UNKNOWN for row in rows)
        unseen = sum(row.stage is Stage.FAILED and not row.acknowledged for row in rows)
        facts: list[Line] = [
            (Part(f"queue {queued:,}", "standby" if queued else "muted"),),
            (Part(f"held {held:,}", "caution" if held else "muted"),),
            (Part(f"unknown {unknown:,}", "unknown" if unknown else "muted"),),
        ]
        if unseen:
            facts.append((Part(f"▼ {text.count(unseen, 'failure')} unseen", "alert"),))
        return facts

    def footnote(self) -> Line:
        note = super().footnote()
        older = (Part(f"{self.dropped:,} older in the journal", "faint"),) if self.dropped else ()
        return joined([line for line in (older, note) if line])

    def empty_text(self) -> tuple[str, str]:
        return "nothing asked for yet", key_map_of(self).hint("help", "shows the keys")

    def tick(self, now_utc: datetime, now_monotonic: float) -> None:
        self.command_list.now = now_utc
        for index, row in enumerate(self.command_list.rows):
            if not row.stage.is_final and row.stage not in (Stage.QUEUED, Stage.HELD):
                self.command_list.line_changed(index)
        super().tick(now_utc, now_monotonic)

    def on_row_list_opened(self, event: RowList.Opened) -> None:
        event.stop()
        self.post_message(self.Opened(self, event.row.id))


def _by_id(state: CommandState) -> int:
    return state.id
