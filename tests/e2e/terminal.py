"""A program in a real pseudo-terminal: keys go in, a screen comes out.

The program is started with the terminal as its controlling one, so that a resize, SIGHUP and the terminal's modes are
real. Its output is cut into whole control sequences first: what only changes a mode is kept as state, queries are
answered as a plain xterm would, the rest is drawn by pyte.
"""

import codecs
import contextlib
import errno
import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pyte

Wanted = str | re.Pattern[str] | Callable[["Terminal"], bool]

_KEYS = {
    "enter": b"\r",
    "tab": b"\t",
    "shift+tab": b"\x1b[Z",
    "escape": b"\x1b",
    "esc": b"\x1b",
    "space": b" ",
    "backspace": b"\x7f",
    "delete": b"\x1b[3~",
    "up": b"\x1b[A",
    "down": b"\x1b[B",
    "right": b"\x1b[C",
    "left": b"\x1b[D",
    "home": b"\x1b[H",
    "end": b"\x1b[F",
    "pageup": b"\x1b[5~",
    "pagedown": b"\x1b[6~",
    "f1": b"\x1bOP",
}

# A lone ESC is a key only once nothing follows it; the program waits ESCDELAY for that.
_ESCAPE_DELAY_MS = 20
_AFTER_ESCAPE_S = 0.1

# Textual carries out a bound key (an arrow, backspace) after the characters that came with it in one burst. Nobody
# types that quickly.
_KEY_PAUSE_S = 0.04

# One whole sequence, or a run of plain text. What does not match yet is the beginning of a sequence.
_SEQUENCE = re.compile(
    r"""
      (?P<osc>\x1b\][^\x07\x1b]*(?:\x07|\x1b\\))
    | (?P<string>\x1b[PX^_][^\x1b]*\x1b\\)
    | (?P<csi>\x1b\[(?P<prefix>[<=>?]?)(?P<params>[0-9;:]*)(?P<middle>[ !"$'*+]*)(?P<final>[@-~]))
    | (?P<escape>\x1b[ -/]*[0-OQ-WYZ\\`-~])
    | (?P<plain>[^\x1b]+)
    """,
    re.VERBOSE,
)

ALTERNATE_SCREEN = 1049
CURSOR = 25
# Mouse, focus, paste and in-band resize: what a shell must not find switched on.
_MODES_TO_LEAVE = frozenset({1000, 1002, 1003, 1004, 1006, 1015, 1016, 2004, 2048, ALTERNATE_SCREEN})


class Screen(pyte.Screen):
    """A pyte screen that answers nothing by itself."""

    def write_process_input(self, data: str) -> None:
        """Queries are answered by `Terminal`."""


class Terminal:
    """A program in a pseudo-terminal of `size` (columns, lines).

    With `draw` off only `raw` is kept, for measurements that pyte would slow down.

    Attributes:
        raw: every byte that the program wrote.
        modes: the private modes that are switched on (DECSET numbers).
        kitty_depth: how many keyboard protocols are pushed.
    """

    def __init__(
        self,
        command: Sequence[str | os.PathLike[str]],
        *,
        size: tuple[int, int] = (120, 40),
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        draw: bool = True,
    ) -> None:
        self.columns, self.lines = size
        self._draw = draw
        self.raw = bytearray()
        self.modes: set[int] = {CURSOR}
        self.kitty_depth = 0
        self._main = Screen(self.columns, self.lines)
        self._alternate = Screen(self.columns, self.lines)
        self._stream = pyte.Stream(self._main)
        self._pending = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._changed = threading.Condition()
        self.last_output = time.monotonic()
        self._master, slave = os.openpty()
        self._woken, self._wake = os.pipe()
        self._set_size()
        self._before = termios.tcgetattr(self._master)
        self.process = subprocess.Popen(
            [os.fspath(part) for part in command],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, "TERM": "xterm-256color", "ESCDELAY": str(_ESCAPE_DELAY_MS), **(env or {})},
            cwd=cwd,
            start_new_session=True,
            preexec_fn=_take_terminal,  # noqa: PLW1509 - one ioctl, which waits for no lock
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read, name="terminal", daemon=True)
        self._reader.start()

    # ------------------------------------------------------------------------------------------------ what it shows

    @property
    def alternate_screen(self) -> bool:
        return ALTERNATE_SCREEN in self.modes

    @property
    def screen(self) -> Screen:
        return self._alternate if self.alternate_screen else self._main

    def text(self) -> str:
        """The screen as lines, without the blanks at their ends."""
        with self._changed:
            return "\n".join(line.rstrip() for line in self.screen.display)

    def dump(self) -> str:
        """The screen in a frame, for a message."""
        rows = self.text().split("\n")
        edge = "+" + "-" * self.columns + "+"
        return "\n".join([edge, *(f"|{row.ljust(self.columns)}|" for row in rows), edge])

    def left_behind(self) -> list[str]:
        """What a program that has ended did not restore; empty where the terminal is as it was."""
        with self._changed:
            left = [f"mode {mode} is on" for mode in sorted(self.modes & _MODES_TO_LEAVE)]
            if CURSOR not in self.modes:
                left.append("the cursor is hidden")
            if self.kitty_depth:
                left.append(f"{self.kitty_depth} keyboard protocols are pushed")
            if termios.tcgetattr(self._master)[:4] != self._before[:4]:
                left.append("echo or line mode is not as before")
        return left

    # ------------------------------------------------------------------------------------------------ keys

    def send(self, data: str | bytes) -> None:
        """Write to the program's input as it stands."""
        rest = os.fsencode(data) if isinstance(data, str) else data
        while rest:
            rest = rest[os.write(self._master, rest) :]

    def press(self, *keys: str) -> None:
        """Press keys by name (`ctrl+s`, `enter`, `up`) or a character, at the pace of a quick typist."""
        time.sleep(_KEY_PAUSE_S)
        for key in keys:
            if key.startswith("ctrl+") and len(key) == 6:
                self.send(bytes([ord(key[-1].upper()) & 0x1F]))
            else:
                self.send(_KEYS.get(key) or key)
            time.sleep(_AFTER_ESCAPE_S if key in ("escape", "esc") else _KEY_PAUSE_S)

    def paste(self, text: str) -> None:
        """Paste, in brackets where the program has asked for them."""
        self.send(f"\x1b[200~{text}\x1b[201~" if 2004 in self.modes else text)

    def resize(self, columns: int, lines: int) -> None:
        """Give the terminal another size; the kernel tells the program."""
        with self._changed:
            self.columns, self.lines = columns, lines
            self._main.resize(lines, columns)
            self._alternate.resize(lines, columns)
        self._set_size()

    # ------------------------------------------------------------------------------------------------ waiting

    def wait_for(self, wanted: Wanted, timeout: float = 15.0, *, what: str = "") -> str:
        """Wait until the screen shows `wanted` (a text, a pattern, or what a function says). Returns the screen.

        Raises AssertionError with the screen when it does not come, or the program ends before it does.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            while not self._shows(wanted):
                left = deadline - time.monotonic()
                if left <= 0 or (not self._reader.is_alive() and not self._shows(wanted)):
                    why = f"after {timeout:g} s" if left <= 0 else f"and the program ended ({self.process.poll()})"
                    raise AssertionError(f"{what or wanted!r} is not on the screen {why}:\n{self.dump()}")
                self._changed.wait(min(left, 0.25))
            return self.text()

    def wait_gone(self, unwanted: str | re.Pattern[str], timeout: float = 15.0) -> str:
        """Wait until the screen does not show `unwanted` any more. Returns the screen."""
        return self.wait_for(lambda terminal: not terminal._shows(unwanted), timeout, what=f"without {unwanted!r}, it")

    def wait_quiet(self, seconds: float = 0.2, timeout: float = 15.0) -> str:
        """Wait until nothing has been written for `seconds`. Returns the screen."""
        deadline = time.monotonic() + timeout
        while (rest := self.last_output + seconds - time.monotonic()) > 0:
            assert time.monotonic() < deadline, f"it never stops writing:\n{self.dump()}"
            time.sleep(rest)
        return self.text()

    def wait_exit(self, timeout: float = 15.0) -> int:
        """Wait until the program has ended and all that it wrote is read. Returns its exit code."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it has not ended after {timeout:g} s:\n{self.dump()}") from None
        self._reader.join(timeout)
        return code

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def show_what_is_typed(self) -> None:
        """Let the terminal show what is typed, whatever the program has set."""
        modes = termios.tcgetattr(self._master)
        modes[3] |= termios.ECHO
        termios.tcsetattr(self._master, termios.TCSANOW, modes)

    def hang_up(self) -> None:
        """Take the terminal away, as a lost connection does: the kernel sends SIGHUP, and every write fails."""
        os.write(self._wake, b"x")
        self._reader.join(10)
        os.close(self._master)
        self._master = -1

    def close(self) -> None:
        """End the program, whatever it does, and let go of the terminal."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        self._reader.join(10)
        for descriptor in (self._master, self._wake, self._woken):
            if descriptor >= 0:
                os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ------------------------------------------------------------------------------------------------ inside

    def _set_size(self) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", self.lines, self.columns, 0, 0))

    def _shows(self, wanted: Wanted) -> bool:
        if isinstance(wanted, str):
            return wanted in self.text()
        if isinstance(wanted, re.Pattern):
            return wanted.search(self.text()) is not None
        return wanted(self)

    def _read(self) -> None:
        while True:
            try:
                ready, _, _ = select.select([self._master, self._woken], [], [])
                data = os.read(self._master, 65536) if self._woken not in ready else b""
            except OSError as error:  # EIO: no program has the terminal open any more
                if error.errno not in (errno.EIO, errno.EBADF):
                    raise
                data = b""
            with self._changed:
                if data:
                    self.raw += data
                    self.last_output = time.monotonic()
                    if self._draw:
                        self._take(self._decoder.decode(data))
                self._changed.notify_all()
            if not data:
                return

    def _take(self, text: str) -> None:
        text = self._pending + text
        at = 0
        while found := _SEQUENCE.match(text, at):
            at = found.end()
            if found["csi"]:
                self._csi(found)
            elif found["escape"] or found["plain"]:
                self._stream.feed(found.group())
        self._pending = text[at:]
        assert len(self._pending) < 100_000, f"a control sequence without end: {self._pending[:80]!r}"

    def _csi(self, found: re.Match[str]) -> None:
        prefix, params, middle, final = found["prefix"], found["params"], found["middle"], found["final"]
        if prefix == "?" and final in "hl" and not middle:
            for mode in map(int, filter(None, params.split(";"))):
                self._mode(mode, on=final == "h")
        elif prefix == "?" and middle == "$" and final == "p":
            self._answer(f"\x1b[?{params};0$y")  # "that mode is not known here"
        elif prefix in "<>" and prefix and final == "u":
            self.kitty_depth = max(0, self.kitty_depth + (1 if prefix == ">" else -int(params or 1)))
        elif not prefix and final == "c":
            self._answer("\x1b[?62;22c")
        elif not prefix and final == "n" and params == "6":
            self._answer(f"\x1b[{self.screen.cursor.y + 1};{self.screen.cursor.x + 1}R")
        elif not prefix and not middle and final not in "tnq":
            self._stream.feed(found.group().replace(":", ";"))

    def _mode(self, mode: int, *, on: bool) -> None:
        if on and mode == ALTERNATE_SCREEN:
            self._alternate.reset()
        (self.modes.add if on else self.modes.discard)(mode)
        if mode == ALTERNATE_SCREEN:
            self._stream = pyte.Stream(self.screen)

    def _answer(self, text: str) -> None:
        with contextlib.suppress(OSError):
            os.write(self._master, text.encode())


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
