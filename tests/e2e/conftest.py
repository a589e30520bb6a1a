"""The console in a pseudo-terminal, on a workspace of its own."""

import contextlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from tests.e2e.terminal import Terminal
from tests.serving import PASSWORD, Served, served

EMTUI = (sys.executable, "-m", "emtui")


class OpenConsole(Protocol):
    """Opens `emtui --local DIR …` and waits until the workspace is open."""

    def __call__(
        self,
        *options: str,
        directory: Path | None = None,
        size: tuple[int, int] = (120, 40),
        ready: str = "client1@local",
    ) -> Terminal: ...


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A directory for `--local` that does not exist yet."""
    return tmp_path / "workspace"


@pytest.fixture
def volume(workspace: Path) -> Path:
    """The volume of `workspace`, with nothing in it."""
    (workspace / "volume").mkdir(parents=True)
    return workspace / "volume"


@pytest.fixture
def open_console(workspace: Path, own_home: Path) -> Iterator[OpenConsole]:
    with contextlib.ExitStack() as stack:

        def open_one(
            *options: str,
            directory: Path | None = None,
            size: tuple[int, int] = (120, 40),
            ready: str = "client1@local",
        ) -> Terminal:
            command = [*EMTUI, "--local", str(directory or workspace), *options]
            terminal = stack.enter_context(Terminal(command, size=size, cwd=own_home))
            terminal.wait_for(ready, 30)
            return terminal

        yield open_one


@pytest.fixture
def server(workspace: Path) -> Iterator[Served]:
    """`emtui serve` on `workspace`, with the engine that executes where there is one."""
    with served(workspace, "--engine", "sandbox") as one:
        yield one


@pytest.fixture
def open_remote(server: Served, own_home: Path) -> Iterator[Callable[..., Terminal]]:
    """Opens the console on both ends of `server`, and signs in by keys."""
    with contextlib.ExitStack() as stack:

        def open_one(*options: str, size: tuple[int, int] = (120, 40)) -> Terminal:
            command = [*EMTUI, "--em-url", server.url, "--grid-url", server.url, "--username", "client1", *options]
            terminal = stack.enter_context(Terminal(command, size=size, cwd=own_home, env={"EMTUI_NO_KEYRING": "1"}))
            terminal.wait_for(re.compile(r"─ +Sign in +─"), 30)
            terminal.send(PASSWORD)
            terminal.press("enter")
            terminal.wait_for(re.compile(r"EM ● \d+ ms"), 30)
            terminal.wait_gone(re.compile(r"─ +Sign in +─"))
            return terminal

        yield open_one


def quit_console(terminal: Terminal) -> None:
    """Leave with `q`, and find the terminal as it was."""
    terminal.press("q")
    assert terminal.wait_exit() == 0
    assert terminal.left_behind() == []


def act(terminal: Terminal, key: str, title: str, fill: Callable[[], object]) -> None:
    """Open the dialog `title` by its key, fill it in, and do it with ctrl+s."""
    frame = re.compile(rf"─ +{re.escape(title)} +─")
    terminal.press(key)
    terminal.wait_for(frame)
    fill()
    terminal.press("ctrl+s")
    terminal.wait_gone(frame)
