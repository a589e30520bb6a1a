"""A build's log in the shape of BuildKit's plain progress."""

import time
from collections.abc import Callable

Emit = Callable[[str], None]

# What BuildKit keeps of one step's output; a step that never stops printing must not fill the memory or the screen.
MAX_STEP_BYTES = 2 << 20
MAX_LINE = 8192


class BuildLog:
    """Numbers the steps. `emit` gets each line with its newline."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._number = 0

    def line(self, text: str) -> None:
        self._emit(f"{text}\n")

    def step(self, title: str) -> "Step":
        self._number += 1
        self._emit(f"#{self._number} {title}\n")
        return Step(self._emit, self._number, title)


class Step:
    """One numbered step of the log. `is_over` once its end has been told."""

    def __init__(self, emit: Emit, number: int, title: str) -> None:
        self._emit = emit
        self._number = number
        self.title = title
        self._began = time.monotonic()
        self._bytes = 0
        self.output_tail: list[str] = []
        self.is_over = False

    def note(self, text: str) -> None:
        self._emit(f"#{self._number} {text}\n")

    def output(self, line: str) -> None:
        """A line that a RUN printed, with the seconds since the step began in front."""
        if self._bytes > MAX_STEP_BYTES:
            return
        self._bytes += len(line) + 1
        if self._bytes > MAX_STEP_BYTES:
            self.note("[output clipped, log limit 2MiB reached]")
            return
        text = f"{time.monotonic() - self._began:.3f} {line}"
        self.output_tail = [*self.output_tail[-9:], text]
        self.note(text)

    def done(self) -> None:
        self._end(f"DONE {time.monotonic() - self._began:.1f}s")

    def cached(self) -> None:
        """It was done by an earlier build."""
        self._end("CACHED")

    def canceled(self) -> None:
        """Another step has failed."""
        self._end("CANCELED")

    def _end(self, text: str) -> None:
        self.note(text)
        self._emit("\n")
        self.is_over = True

    def error(self, text: str) -> None:
        self.note(f"ERROR: {text}")
