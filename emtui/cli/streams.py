"""The streams of a real run: there in any case, and never in the way of what is done.

A reader that goes away has read enough: what follows is dropped, and a verb still ends with its own exit code. A full
disk behind stdout is told at the end, when everything has been done. A stream that was closed is `/dev/null`, so that
no file which is opened later takes its place.
"""

import errno
import io
import os
import sys
from typing import Any, TextIO

_BUFFER_BYTES = 1 << 16


class _Raw(io.FileIO):
    """A descriptor that is written to. `problem` is the first failure that somebody has to be told."""

    problem: OSError | None = None

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data) or 0
        except OSError as error:
            if error.errno != errno.EPIPE and self.problem is None:
                self.problem = error
            _to_nowhere(self.fileno())
            return memoryview(data).nbytes


def prepare() -> None:
    """Put the three standard streams right, before anything is opened or written."""
    for number, mode in enumerate((os.O_RDONLY, os.O_WRONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)  # the lowest number that is free, which is this one
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - it stays open to the end
    sys.stdout = _forgiving(sys.stdout, 1, is_quick=False)
    sys.stderr = _forgiving(sys.stderr, 2, is_quick=True)


def lost() -> OSError | None:
    """Why stdout could not be written; None where all of it was. Flushes it."""
    sys.stdout.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return raw.problem if isinstance(raw, _Raw) else None


def _forgiving(stream: TextIO | None, number: int, *, is_quick: bool) -> TextIO:
    if stream is not None and stream.isatty():
        return stream
    encoding = stream.encoding if stream is not None else "utf-8"
    errors = stream.errors if stream is not None else None
    buffered = io.BufferedWriter(_Raw(number, "wb", closefd=False), _BUFFER_BYTES)
    return io.TextIOWrapper(buffered, encoding=encoding, errors=errors, line_buffering=is_quick)


def _to_nowhere(number: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.dup2(nowhere, number)
    finally:
        os.close(nowhere)
