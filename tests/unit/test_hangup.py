"""A terminal that is gone, and signals, without a terminal."""

import asyncio
import io
import os
import signal
import sys

import pytest

from emtui.console.hangup import signals_leave, terminal_may_go


class Gone(io.StringIO):
    """A file that can be written to until `is_gone`; counts what it refused."""

    is_gone = False
    refused = 0

    def _check(self) -> None:
        if self.is_gone:
            self.refused += 1
            raise OSError(5, "Input/output error")

    def write(self, text: str) -> int:
        self._check()
        return super().write(text)

    def flush(self) -> None:
        self._check()


@pytest.mark.parametrize("call", ["write", "flush"])
def test_what_cannot_be_written_is_dropped_from_then_on(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    terminal = Gone()
    monkeypatch.setattr(sys, "__stderr__", terminal)
    with terminal_may_go():
        stream = sys.__stderr__
        assert stream is not None
        assert stream.write("frame") == 5
        stream.flush()
        assert stream.getvalue() == "frame"  # everything else is the file's own
        terminal.is_gone = True
        for _ in range(3):
            stream.write("more") if call == "write" else stream.flush()
    assert terminal.refused == 1
    assert sys.__stderr__ is terminal


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_leaves_with_its_exit_code(number: signal.Signals) -> None:
    left: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    before = signal.getsignal(number)
    with signals_leave(left.set_result):
        os.kill(os.getpid(), number)
        assert await asyncio.wait_for(left, 5) == 128 + number
    assert signal.getsignal(number) == before


def test_a_signal_before_the_loop_ends_it() -> None:
    with signals_leave(lambda code: None), pytest.raises(SystemExit) as ended:
        signal.raise_signal(signal.SIGTERM)
    assert ended.value.code == 128 + signal.SIGTERM
