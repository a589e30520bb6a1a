"""The question before something is lost. It stands on Cancel."""

from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Button, Static

from emtui.console.screens.form import Form, Words
from emtui.text import safe_text
from widgets.keys import key_map_of

MOST_TARGETS = 200
"""Targets that are named; no one reads more, and each costs a line."""


def target_list(targets: tuple[str, ...]) -> Content:
    """Foreign names, one a line."""
    lines = [safe_text(target) for target in targets[:MOST_TARGETS]]
    if len(targets) > MOST_TARGETS:
        lines.append(Content(f"… and {len(targets) - MOST_TARGETS:,} more"))
    return Content("\n").join(lines)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked before something is lost: `verb` on the button, `title` with the count, then the targets."""

    title: str
    verb: str
    targets: tuple[str, ...]
    consequence: str


class TargetList(VerticalScroll):
    """The targets by name; scrolls, and can be reached with tab where it does."""

    DEFAULT_CSS = """
    TargetList {
        height: auto; max-height: 10; padding: 0 1; margin-bottom: 1;
        background: $surface; scrollbar-size-vertical: 1;
    }
    TargetList Static { width: 1fr; height: auto; }
    """

    def __init__(self, targets: tuple[str, ...]) -> None:
        # Cancel comes first: a list that fits has nothing to scroll and takes no focus.
        super().__init__(Static(target_list(targets)), can_focus=len(targets) > 7)


class ConfirmDialog(Form[bool]):
    """Asks one question; `ctrl+s` says yes, all else no.

    Two `ctrl+s` in one breath are one answer: until the question is on the screen none is taken.
    """

    is_critical: ClassVar[bool] = True

    def __init__(self, question: Question) -> None:
        super().__init__()
        self._question = question
        self.is_read = False

    def compose_fields(self) -> ComposeResult:
        yield TargetList(self._question.targets)

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#dialog").border_title = Content.assemble(" ", safe_text(self._question.title), " ")
        does = key_map_of(self).shown("dialog.submit")
        self.query_one("#do", Button).label = Content(f"{self._question.verb}  {does}")
        self.query_one("#hint", Static).update(Content(""))
        self.call_after_refresh(self._now_read)

    def _now_read(self) -> None:
        self.is_read = True

    def action_submit(self) -> None:
        if self.is_read:
            super().action_submit()

    def words(self) -> Words:
        return [Content.assemble(("▼ ", "$em-critical"), safe_text(self._question.consequence))]

    async def make(self) -> bool:
        return True
