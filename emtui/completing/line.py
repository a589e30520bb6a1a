"""The line that is being typed, taken apart as a shell does it: which words stand before the cursor, and where.

Only as far as completion needs it. Shells differ in what they hand over: bash the one command, zsh the whole line.
"""

from dataclasses import dataclass

_ENDS_A_COMMAND = ";&|(\n"
_BLANKS = " \t"


@dataclass(frozen=True, slots=True)
class Word:
    """A word before the cursor.

    Attributes:
        text: what it means, quotes and escapes resolved.
        start, end: where it stands in the line; a backslash that nothing follows is not part of it. bash writes what
            all names begin with up to that of the first letter that differs.
    """

    text: str
    start: int
    end: int

    @property
    def is_assignment(self) -> bool:
        """`NAME=value` in front of a command."""
        name, equals, _ = self.text.partition("=")
        return bool(equals) and name.isidentifier()


def command_before(line: str, point: int) -> list[Word]:
    """The words of the command that the cursor is in, up to the cursor; the last is the one that is being typed.

    It is empty where the cursor stands behind a blank. `point` is counted in characters.
    """
    reader = _Reader(line[:point])
    while reader.at < len(reader.line):
        reader.step()
    reader.end_word(always=True)
    return reader.words


class _Reader:
    """Reads a line from left to right."""

    def __init__(self, line: str) -> None:
        self.line = line
        self.at = 0
        self.words: list[Word] = []
        self._text: list[str] = []
        self._start: int | None = None
        self._quote = ""
        self._torn = 0

    def step(self) -> None:
        """Read a character, or two of which the first is a backslash."""
        character = self.line[self.at]
        if not self._quote and character in _BLANKS + _ENDS_A_COMMAND:
            self.end_word()
            if character in _ENDS_A_COMMAND:
                self.words = []
            self.at += 1
            return
        if self.line.startswith("\\\n", self.at) and self._quote != "'":  # the command goes on in the next line
            self.at += 2
            return
        if self._start is None:
            self._start = self.at
        if character == self._quote:
            self._quote = ""
        elif not self._quote and character in "'\"":
            self._quote = character
        elif character == "\\" and self._escapes():
            self.at += 1
            self._text.append(self.line[self.at : self.at + 1])
            self._torn = int(self.at == len(self.line))
        else:
            self._text.append(character)
        self.at = min(self.at + 1, len(self.line))  # nothing may follow a backslash

    def _escapes(self) -> bool:
        following = self.line[self.at + 1 : self.at + 2]
        return not self._quote or (self._quote == '"' and following in ('"', "\\", "$", "`"))

    def end_word(self, *, always: bool = False) -> None:
        """A word is over; `always`: also one that has not begun."""
        if self._start is not None or always:
            start = self.at if self._start is None else self._start
            self.words.append(Word("".join(self._text), start, self.at - self._torn))
        self._text, self._start = [], None
