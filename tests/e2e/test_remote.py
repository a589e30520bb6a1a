"""The console on a server: busy, gone, back again, and refused."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import EMTUI, act, quit_console
from tests.e2e.terminal import Terminal
from tests.serving import PASSWORD, Served, held_uplink, served

pytestmark = pytest.mark.e2e

OpenRemote = Callable[..., Terminal]


def test_a_busy_em_is_met_with_patience(open_remote: OpenRemote, server: Served, own_home: Path) -> None:
    """Somebody else's uplink is at work: ours waits, says for how long, and is done afterwards."""
    (own_home / "mine.bin").write_bytes(b"mine")
    terminal = open_remote()
    with held_uplink(server, server.headers()) as held:

        def choose() -> None:
            terminal.paste(str(own_home / "mine.bin"))
            terminal.wait_for("1 file, ")

        act(terminal, "u", "Uplink", choose)
        terminal.wait_for(re.compile(r"CG2 busy for \d+ s, 2nd try in \d+ s"))
        terminal.wait_for(re.compile(r"EM ■ busy \d+ s"))
        assert held.finish() == 200
        terminal.wait_for(re.compile(r"● uplink mine.bin"), 60)
    assert (server.volume / "mine.bin").read_bytes() == b"mine"
    assert (server.volume / "held").read_bytes() == b"held"
    terminal.wait_for(re.compile(r"EM ● \d+ ms"))
    quit_console(terminal)


def test_a_server_that_goes_and_comes_back(
    open_remote: OpenRemote, server: Served, workspace: Path, own_home: Path
) -> None:
    """Its data stays with its age, the next try counts down, and the token of before is still good."""
    (server.volume / "kept.bin").write_bytes(b"kept")
    terminal = open_remote()
    terminal.wait_for("kept.bin", 20)
    port = server.url.rpartition(":")[2]
    server.kill()
    terminal.wait_for(re.compile(r"EM ◆ no answer \d+ s"), 30)
    screen = terminal.wait_for(re.compile(r"next try in \d+ s"), 30)
    assert "kept.bin" in screen
    (server.volume / "new.bin").write_bytes(b"new")
    with served(workspace, "--engine", "simulated", "--port", port):
        terminal.wait_for("new.bin", 60)
        terminal.wait_for(re.compile(r"EM ● \d+ ms"))
        assert not re.search(r"─ +Sign in +─", terminal.text())
        terminal.wait_for(re.compile(r"GRID ● \d+ ms"), 60)
    quit_console(terminal)


def test_two_consoles_on_one_profile(open_remote: OpenRemote, server: Served, own_home: Path) -> None:
    """Neither keeps the other away, and each shows what both have done."""
    (server.volume / "mine.bin").write_bytes(b"mine")
    first = open_remote()
    first.wait_for("mine.bin", 20)
    command = [*EMTUI, "--em-url", server.url, "--grid-url", server.url, "--username", "client1"]
    with Terminal(command, cwd=own_home, env={"EMTUI_NO_KEYRING": "1"}) as second:
        second.wait_for("mine.bin", 30)
        (own_home / "new.bin").write_bytes(b"new")

        def choose() -> None:
            second.paste(str(own_home / "new.bin"))
            second.wait_for("1 file, ")

        act(second, "u", "Uplink", choose)
        second.wait_for(re.compile(r"● uplink new.bin"), 60)
        first.wait_for("new.bin", 30)
        quit_console(second)
    quit_console(first)
    assert (server.volume / "new.bin").read_bytes() == b"new"


def test_one_end_may_be_absent_or_down(server: Served, own_home: Path) -> None:
    command = [*EMTUI, "--em-url", server.url, "--username", "client1", "--grid-url", "http://127.0.0.1:9"]
    environment = {"EMTUI_NO_KEYRING": "1", "EMTUI_PASSWORD": PASSWORD}
    with Terminal(command, cwd=own_home, env=environment) as terminal:
        terminal.wait_for(re.compile(r"EM ● \d+ ms"), 30)
        terminal.wait_for("GRID ▼ no answer", 30)
        terminal.wait_for("no pod yet")
        quit_console(terminal)
    command = [*EMTUI, "--grid-url", server.url]
    with Terminal(command, cwd=own_home, env=environment) as terminal:
        terminal.wait_for("EM • none", 30)
        terminal.wait_for(re.compile(r"GRID ● \d+ ms"), 30)
        terminal.wait_for("no EM is named")
        quit_console(terminal)


def test_the_password_is_neither_on_the_screen_nor_on_the_disk(
    open_remote: OpenRemote, server: Served, own_home: Path
) -> None:
    terminal = open_remote()
    terminal.wait_for("no pod yet")
    quit_console(terminal)
    assert PASSWORD.encode() not in terminal.raw
    for path in own_home.rglob("*"):
        if path.is_file():
            assert PASSWORD.encode() not in path.read_bytes(), path
    (tokens,) = own_home.rglob("tokens.json")
    assert tokens.stat().st_mode & 0o777 == 0o600
    # The journal, and what else is written, knows nothing of the tokens in it.
    secret = tokens.read_text().split('"')[5].encode()
    assert len(secret) > 100
    for path in own_home.rglob("*"):
        if path.is_file() and path != tokens:
            assert secret not in path.read_bytes(), path


def test_plain_http_to_another_machine_is_refused(own_home: Path) -> None:
    with Terminal([*EMTUI, "--em-url", "http://em.example.org"], cwd=own_home) as terminal:
        assert terminal.wait_exit(30) == 3
        assert "emtui: http://em.example.org: plain http to another machine" in terminal.text()
        assert terminal.left_behind() == []


def test_a_console_that_is_told_to_go_on_waits_without_an_end(own_home: Path) -> None:
    """Nothing answers at all: it stays open, says so, and leaves at once when asked."""
    with Terminal([*EMTUI, "--em-url", "http://127.0.0.1:9", "--username", "a"], cwd=own_home) as terminal:
        terminal.wait_for("EM ▼ no answer", 30)
        terminal.wait_for(re.compile(r"next try in \d+ s"), 30)
        began = time.monotonic()
        quit_console(terminal)
        assert time.monotonic() - began < 5


def test_a_grid_node_elsewhere_is_signed_in_at_by_itself(
    open_remote: OpenRemote, server: Served, tmp_path: Path, own_home: Path
) -> None:
    """Each address gets its own password, and no other's."""
    environment = {"EMTUI_NO_KEYRING": "1"}
    with served(tmp_path / "node", "--grid-auth", "--username", "gina") as node:
        command = [*EMTUI, "--em-url", server.url, "--grid-url", node.url, "--username", "client1"]
        with Terminal(command, cwd=own_home, env=environment) as terminal:
            for url, user in ((server.url, "client1"), (node.url, "gina")):
                terminal.wait_for(f"Signs in at {url}", 30)
                terminal.press("shift+tab", "ctrl+u")
                terminal.send(user)
                terminal.press("tab")
                terminal.send(PASSWORD)
                terminal.wait_quiet()
                terminal.press("enter")
                terminal.wait_gone(f"Signs in at {url}")
            terminal.wait_for(re.compile(r"EM ● \d+ ms"), 30)
            terminal.wait_for(re.compile(r"GRID ● \d+ ms"), 30)
            quit_console(terminal)
        assert "POST /auth/ 200" in node.errors
        assert "POST /auth/ 401" not in node.errors + server.errors
