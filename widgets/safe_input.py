"""An input of one line for foreign text.

Its value is exact: a name that holds bytes no terminal may get is kept as it is and drawn with a stand-in for each
such character. What is typed or pasted is bounded.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from rich.highlighter import Highlighter
from rich.text import Text
from textual import events
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input

from emtui.text import safe_str

FIELD_LIMIT = 4096
"""Characters in one field at most: the longest path of Linux."""

# Nobody presses two keys so quickly; what a terminal hands over in one piece, a paste above all, comes like this.
_BURST_S = 0.02
# An ESC in a paste comes as this key, and the rest of the paste after it as keys too, line ends among them.
_TORN_BY = ("circumflex_accent", "enter")

_LINE_ENDS = re.compile(r"\r\n|\r|\n")
_MOST_MARKS = 4


def masked(value: str) -> str:
    """`value` with a visible stand-in, one for one, for each character that a terminal could act on.

    One for one, so that the cursor and the selection stand where they seem to stand. `safe_str` writes such a
    character out and is for everywhere else.
    """
    if value.isascii() and value.isprintable():
        return value
    shown = []
    marks = 0
    for character in value:
        code = ord(character)
        marks = marks + 1 if unicodedata.combining(character) else 0
        if code < 0x20:
            shown.append(chr(0x2400 + code))
        elif code == 0x7F:
            shown.append("\u2421")
        elif marks > _MOST_MARKS or safe_str(character) != character:
            shown.append("\ufffd")
        else:
            shown.append(character)
    return "".join(shown)


class _Mask(Highlighter):
    """Draws the value of one input masked. The text it is given has already lost characters, so it is not used."""

    def __init__(self, value: Callable[[], str]) -> None:
        self._value = value

    def __call__(self, text: str | Text) -> Text:  # noqa: ARG002  # rich's signature
        return Text(masked(self._value()), no_wrap=True, overflow="ignore", end="")

    def highlight(self, text: Text) -> None:
        """Nothing to add: `__call__` makes the whole text."""


class SafeInput(Input):
    """An input of one line that shows foreign text harmlessly and bounds what is pasted."""

    DEFAULT_CSS = """
    SafeInput {
        width: 1fr; height: 1; border: none; padding: 0 1; background: $surface;
        &:focus { border: none; background: $em-cursor; background-tint: $foreground 0%; }
        &.-wrong, &.-wrong:focus { border: none; background: $em-alert; }
        &:disabled { color: $em-muted; }
    }
    """

    @dataclass
    class Refused(Message):
        """What was pasted was not taken, and why."""

        input: "SafeInput"
        reason: str

        @property
        def control(self) -> "SafeInput":
            return self.input

    @dataclass
    class LinesPasted(Message):
        """Several lines were pasted into an input that takes each of them as a value of its own."""

        input: "SafeInput"
        lines: tuple[str, ...]

        @property
        def control(self) -> "SafeInput":
            return self.input

    def __init__(
        self,
        value: str = "",
        *,
        placeholder: str = "",
        takes_lines: bool = False,
        is_secret: bool = False,
        suggester: Suggester | None = None,
        id: str | None = None,  # noqa: A002  # textual's name for it
    ) -> None:
        super().__init__(
            value[:FIELD_LIMIT],
            placeholder=placeholder,
            password=is_secret,
            highlighter=_Mask(lambda: self.value),
            max_length=FIELD_LIMIT,
            compact=True,
            suggester=suggester,
            id=id,
        )
        self.cursor_blink = False
        self._takes_lines = takes_lines
        self._key_at = float("-inf")
        self._is_torn = False
        self.is_torn_paste = False

    def on_key(self, event: events.Key) -> None:
        """Sets `is_torn_paste`: the key came in one burst with others, after what tears a paste to keys."""
        is_burst = event.time - self._key_at < _BURST_S
        self._key_at = event.time
        self.is_torn_paste = is_burst and self._is_torn
        self._is_torn = self.is_torn_paste or event.key in _TORN_BY

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        self.take(event.text)

    def action_paste(self) -> None:
        self.take(self.app.clipboard)

    def action_copy(self) -> None:
        # The clipboard carries UTF-8: bytes that are not are written out. A secret stays where it is.
        if self.selected_text and not self.password:
            self.app.copy_to_clipboard(self.selected_text.encode("utf-8", "backslashreplace").decode())

    def action_cut(self) -> None:
        self.action_copy()
        self.delete_selection()

    def take(self, text: str) -> None:
        """Put a pasted `text` in the place of the selection, or say why not; the value is never cut."""
        if len(text) > FIELD_LIMIT * (64 if self._takes_lines else 1):
            self.post_message(self.Refused(self, f"{len(text):,} characters were pasted; that is too long"))
            return
        lines = tuple(line for line in _LINE_ENDS.split(text) if line.strip())
        if len(lines) > 1 and self._takes_lines:
            self.post_message(self.LinesPasted(self, lines))
        elif len(lines) > 1:
            self.post_message(self.Refused(self, f"{len(lines)} lines were pasted; this takes one"))
        elif lines and len(self.value) + len(lines[0]) > FIELD_LIMIT:
            self.post_message(self.Refused(self, f"a field holds {FIELD_LIMIT:,} characters; that is too long"))
        elif lines:
            self.replace(lines[0], *self.selection)
