"""The server's log: lines on stderr, written by a thread of their own, so that nobody waits for a full pipe."""

import contextlib
import logging
import queue
import sys
import threading
import types
from typing import TextIO

from emtui.text import safe_str

# What uvicorn says of an answer that was broken off on purpose, or never begun.
_EXPECTED = {
    "ASGI callable returned without completing response.",
    "ASGI callable returned without starting response.",
}

_MOST_WAITING = 10_000
_LAST_LINES_S = 2.0
_LOGGERS = ("emtui.server", "uvicorn.error", "asyncio")
# Their warnings repeat what a client has sent.
_SILENT = ("python_multipart", "python_multipart.multipart", "socketio", "engineio")


class Log:
    """Takes lines until it is closed. Lines that the other end does not take are dropped, and counted."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._queue: queue.Queue[str | None] = queue.Queue(_MOST_WAITING)
        self._dropped = 0
        self._handler = _Handler(self)
        self._before: list[tuple[logging.Logger, bool, int]] = []
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)

    def __enter__(self) -> "Log":
        self._thread.start()
        for name in (*_LOGGERS, *_SILENT):
            logger = logging.getLogger(name)
            self._before.append((logger, logger.propagate, logger.level))
            logger.propagate = False
            logger.setLevel(logging.WARNING if name in _LOGGERS else logging.CRITICAL)
            logger.addHandler(self._handler)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: types.TracebackType | None
    ) -> None:
        for logger, propagate, level in self._before:
            logger.removeHandler(self._handler)
            logger.propagate = propagate
            logger.setLevel(level)
        with contextlib.suppress(queue.Full):  # then nobody reads, and the thread ends with the process
            self._queue.put(None, timeout=_LAST_LINES_S)
        self._thread.join(_LAST_LINES_S)

    def write(self, line: str) -> None:
        """One line, without its newline. Never waits."""
        try:
            self._queue.put_nowait(line)
        except queue.Full:
            self._dropped += 1

    def _run(self) -> None:
        while (line := self._queue.get()) is not None:
            if self._dropped:
                line = f"{line}\n({self._dropped} lines before this one were dropped)"
                self._dropped = 0
            try:
                self._stream.write(f"{line}\n")
                self._stream.flush()
            except (OSError, ValueError):
                return  # nobody reads it any more


class _Handler(logging.Handler):
    """Hands records to the log, each line of a traceback made harmless."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg in _EXPECTED:
            return
        lines = self.format(record).splitlines()
        self._log.write("\n".join(safe_str(line) for line in lines))
