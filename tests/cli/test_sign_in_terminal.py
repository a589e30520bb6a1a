"""The password that a verb asks for on a terminal: taken unseen, asked again, and broken off at once."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from emtui.cli.exit_codes import Exit
from tests.e2e.terminal import Terminal
from tests.serving import PASSWORD, served_here

pytestmark = pytest.mark.e2e


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[Terminal]:
    """A verb that has to sign in."""
    with served_here(tmp_path / "served") as server:
        words = ["-m", "emtui", "--em-url", server.url, "--username", "client1", "files", "list", "--json"]
        with Terminal([sys.executable, *words]) as terminal:
            terminal.wait_for("Password of")
            yield terminal


def test_what_is_typed_is_not_seen_and_the_verb_goes_on(asking: Terminal) -> None:
    asking.send(f"{PASSWORD}\r")
    assert asking.wait_exit() == Exit.OK
    assert PASSWORD not in asking.text()
    assert asking.left_behind() == []


def test_ctrl_c_ends_it_at_once_and_the_terminal_shows_letters_again(asking: Terminal) -> None:
    asking.signal(signal.SIGINT)
    assert asking.wait_exit() == Exit.INTERRUPTED
    assert asking.left_behind() == []


def test_nothing_typed_is_not_signed_in(asking: Terminal) -> None:
    asking.send("\r")
    assert asking.wait_exit() == Exit.NOT_SIGNED_IN
    assert asking.left_behind() == []


def test_after_ctrl_z_what_is_typed_is_still_not_seen(asking: Terminal) -> None:
    asking.signal(signal.SIGSTOP)
    asking.show_what_is_typed()  # as a shell does that has the terminal meanwhile
    asking.signal(signal.SIGCONT)
    asking.wait_for(lambda terminal: terminal.text().count("Password of") == 2)
    asking.send(f"{PASSWORD}\r")
    assert asking.wait_exit() == Exit.OK
    assert PASSWORD not in asking.text()


def test_a_password_that_is_refused_is_what_it_ends_with(asking: Terminal) -> None:
    for times in (1, 2):
        asking.wait_for(lambda terminal, times=times: terminal.text().count("Password of") == times)
        asking.send("wrong\r")
    assert asking.wait_exit() == Exit.NOT_SIGNED_IN
    assert asking.text().count("No active account found") == 3
    assert "nobody is signed in" not in asking.text()
