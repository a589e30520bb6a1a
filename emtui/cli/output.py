"""What the command line writes: data on stdout, talk on stderr.

On a terminal a table has a header and aligned columns; in a pipe it is lines of fields between tabs, without a
header, for `cut` and `awk`. Foreign text is made harmless in both. JSON is ASCII: nothing in it acts on a terminal,
and names that are not UTF-8 survive as `\\udcXX` escapes.
"""

import codecs
import json
import locale
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from emtui.errors import EmtuiError, LoggedFailure
from emtui.text import safe_str

_GAP = "  "


class Output:
    """One run's two streams.

    Attributes:
        is_json: `--json` was given.
        is_terminal: stdout is one.
        talks: stderr is a terminal that can redraw a line, so that progress is shown there.
    """

    def __init__(self, *, is_json: bool = False, stdout: TextIO | None = None, stderr: TextIO | None = None) -> None:
        self.is_json = is_json
        self.stdout = stdout or sys.stdout
        self.stderr = stderr or sys.stderr
        for stream in (self.stdout, self.stderr):
            write_what_can_be_shown(stream)
        self.is_terminal = self.stdout.isatty()
        self.talks = self.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._is_shown = False
        self._has_told_log = False
        self._has_colour = self.is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    # ------------------------------------------------------------------------------------------------- stdout

    def document(self, value: Any) -> None:
        """One JSON document: indented for a reader, on one line for a program."""
        self.stdout.write(f"{json.dumps(value, indent=2 if self.is_terminal else None)}\n")

    def record(self, value: Any) -> None:
        """One line of JSON Lines, at once."""
        self.stdout.write(f"{json.dumps(value)}\n")
        self.stdout.flush()

    def line(self, text: str) -> None:
        """A line of ours; foreign text in it has gone through `safe_str`."""
        self.stdout.write(f"{text}\n")

    def table(self, header: Sequence[str], rows: Iterable[Sequence[object]], right: Sequence[int] = ()) -> None:
        """Rows of foreign values. `right` are the columns that are aligned to the right on a terminal."""
        if not self.is_terminal:
            self.stdout.writelines("\t".join(safe_str(cell) for cell in row) + "\n" for row in rows)
            return
        cells = [tuple(safe_str(cell) for cell in row) for row in rows]
        if not cells:
            return
        widths = [max(_cells(row[column]) for row in (tuple(header), *cells)) for column in range(len(header))]
        self.line(self._bold(_aligned(header, widths, right)))
        self.stdout.writelines(f"{_aligned(row, widths, right)}\n" for row in cells)

    def _bold(self, text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if self._has_colour else text

    # ------------------------------------------------------------------------------------------------- stderr

    def say(self, text: str) -> None:
        """A line of talk on stderr, which stays. Foreign text in it is made harmless."""
        self.clear()
        self.stderr.write(f"{safe_str(text)}\n")
        self.stderr.flush()

    def log(self, line: str) -> None:
        """A line of a build's or load's log, on a terminal only."""
        if self.talks:
            self._has_told_log = True
            self.say(line.rstrip("\n"))

    def fail(self, error: EmtuiError) -> None:
        """Why it ended, and what to do about it; a build's last lines first, where they have not been seen."""
        if isinstance(error, LoggedFailure) and not self._has_told_log:
            for line in error.log_tail:
                self.say(line.rstrip("\n"))
        stop = "" if error.message.endswith((".", "!", "?")) else "."
        self.say(f"emtui: {error.message}{stop} {error.remedy}".rstrip())

    def progress(self, text: str) -> None:
        """What is going on, in place of what was said before; on a terminal only."""
        if self.talks:
            columns = max(20, shutil.get_terminal_size((80, 24)).columns) - 1
            self.stderr.write(f"\r\x1b[K{safe_str(text)[:columns]}")
            self.stderr.flush()
            self._is_shown = True

    def clear(self) -> None:
        """Take the progress off again."""
        if self._is_shown:
            self.stderr.write("\r\x1b[K")
            self.stderr.flush()
            self._is_shown = False


def _aligned(row: Sequence[str], widths: Sequence[int], right: Sequence[int]) -> str:
    cells: list[str] = []
    for column, (cell, width) in enumerate(zip(row, widths, strict=True)):
        gap = " " * (width - _cells(cell))
        cells.append(gap + cell if column in right else cell + gap)
    return _GAP.join(cells).rstrip()


def _cells(text: str) -> int:
    """How many columns of a terminal a text takes: an ideograph has two, a combining mark none."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(letter) else 2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def write_what_can_be_shown(stream: TextIO) -> None:
    """A letter that the locale has not is no reason to end: it is escaped.

    Python writes UTF-8 where the locale is C or POSIX, whatever the terminal shows.
    """
    if not hasattr(stream, "reconfigure"):
        return
    shown = locale.getencoding()
    if stream.isatty() and _is_utf8(stream.encoding) and not _is_utf8(shown):
        stream.reconfigure(encoding=shown, errors="backslashreplace")
    else:
        stream.reconfigure(errors="backslashreplace")


def _is_utf8(encoding: str) -> bool:
    try:
        return codecs.lookup(encoding).name == "utf-8"
    except LookupError:
        return False


def can_write(stream: TextIO, letters: str) -> bool:
    """Whether a stream has all of these letters."""
    try:
        letters.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
