"""The harness itself, on a small program."""

import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.terminal import Terminal

pytestmark = pytest.mark.e2e

SMALL_APP = Path(__file__).with_name("small_app.py")


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    with Terminal([sys.executable, SMALL_APP], size=(80, 24)) as terminal:
        yield terminal


def test_keys_go_in_and_a_screen_comes_out(terminal: Terminal) -> None:
    terminal.wait_for("first light: größer 衛星")
    assert terminal.alternate_screen
    terminal.send("orbit")
    terminal.press("backspace", "left", "X", "ctrl+s")
    terminal.wait_for("said orbXi")
    terminal.paste(" and more")
    terminal.press("ctrl+s")
    terminal.wait_for("said orbX and morei")
    terminal.press("escape")
    assert terminal.wait_exit() == 3
    assert not terminal.alternate_screen
    assert terminal.left_behind() == []


def test_a_resize_reaches_the_program(terminal: Terminal) -> None:
    terminal.wait_for("80 by 24")
    terminal.resize(132, 50)
    terminal.wait_for("132 by 50")
    assert len(terminal.text().split("\n")) == 50


def test_a_signal_that_is_handled_restores_the_terminal(terminal: Terminal) -> None:
    terminal.wait_for("80 by 24")
    terminal.signal(signal.SIGTERM)
    assert terminal.wait_exit() == 4
    assert terminal.left_behind() == []


def test_what_is_left_behind_is_seen() -> None:
    with Terminal([sys.executable, SMALL_APP, "--deaf"], size=(80, 24)) as terminal:
        terminal.wait_for("80 by 24")
        terminal.signal(signal.SIGTERM)
        assert terminal.wait_exit() == -signal.SIGTERM
        assert "mode 1049 is on" in terminal.left_behind()
        assert "echo or line mode is not as before" in terminal.left_behind()


def test_a_failure_shows_the_screen(terminal: Terminal) -> None:
    terminal.wait_for(re.compile("80 by \\d+"))
    with pytest.raises(AssertionError, match=r"'never' is not on the screen after 0.1 s(?s:.*)first light"):
        terminal.wait_for("never", timeout=0.1)
    terminal.press("escape")
    with pytest.raises(AssertionError, match="the program ended"):
        terminal.wait_for("never")


def test_sequences_are_put_together_again_and_queries_answered() -> None:
    program = (
        "import os, sys, time, tty\n"
        "tty.setcbreak(0)\n"
        "for part in (\n"
        "    b'one\\x1b[', b'?10', b'49h\\x1b]0;ti', b'tle\\x07two\\x1b[>1u\\x1b[31', b'mthree', b'\\x1b[6n'\n"
        "):\n"
        "    os.write(1, part)\n"
        "    time.sleep(0.02)\n"
        "answer = os.read(0, 100)\n"
        "os.write(1, b'\\x1b[<u\\x1b[?1049lgot ' + repr(answer).encode())\n"
    )
    with Terminal([sys.executable, "-c", program]) as terminal:
        assert terminal.wait_exit() == 0
        assert "onegot b'\\x1b[1;9R'" in terminal.text()
        assert "\n".join(line.rstrip() for line in terminal._alternate.display).startswith("twothree")
        assert terminal.raw.endswith(b"9R'")
