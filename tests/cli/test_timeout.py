"""`--timeout`: how long a verb waits for a side that does not answer, whatever its own clocks would allow."""

import socket
import time
from collections.abc import Iterator

import pytest

from emtui.cli.exit_codes import Exit
from tests.cli.harness import Cli

# Its own clocks are 30 s and more.
MUCH_S = 12.0


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of somebody who takes every connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize(
    "words", [("files", "list", "--em-url"), ("grid", "models", "--grid-url"), ("pod", "status", "--em-url")]
)
def test_a_side_that_never_answers_is_given_up_in_time(
    words: tuple[str, ...], silent: str, bare: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMTUI_TOKEN", "a-token")
    began = time.monotonic()
    done = bare(*words, silent, "--timeout", "1")
    assert time.monotonic() - began < MUCH_S
    assert done.code == Exit.UNREACHABLE
    assert "no answer within 1 s" in done.stderr
