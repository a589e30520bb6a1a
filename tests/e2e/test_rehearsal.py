"""A whole rehearsal by keys: uplink, build, run, watch, downlink, publish a model and fetch it."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import act, quit_console
from tests.e2e.terminal import Terminal

pytestmark = pytest.mark.e2e

DOCKERFILE = """\
FROM alpine:latest
WORKDIR /app
COPY echo-test.sh /app/echo-test.sh
ENV GREETING=hello
ENTRYPOINT ["/bin/sh", "/app/echo-test.sh"]
"""
# Every byte there is, so that nothing on the way can be taken for text; and what only the image and the volume know.
SCRIPT = """\
set -e
i=0
while [ $i -lt 256 ]; do
    printf "\\\\$(printf %03o $i)"
    i=$((i + 1))
done > /data/downlink.bin
cat /data/echo-test/input.bin >> /data/downlink.bin
printf '%s from %s' "$GREETING" "$PWD" >> /data/downlink.bin
"""
INPUT = bytes(range(255, -1, -1)) * 4
RESULT = bytes(range(256)) + INPUT + b"hello from /app"
MODEL = bytes(range(256)) * 1000


@pytest.fixture
def payload(own_home: Path) -> Path:
    """What the operator has on disk: a folder to uplink and a model."""
    folder = own_home / "echo-test"
    folder.mkdir()
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "echo-test.sh").write_text(SCRIPT)
    (folder / "input.bin").write_bytes(INPUT)
    (own_home / "mnist.pt").write_bytes(MODEL)
    return folder


def _fill(terminal: Terminal, text: str, *, empty: str) -> None:
    """Replace what stands in the first field, which shows `empty` when there is nothing in it."""
    terminal.wait_quiet()
    if empty not in terminal.text():
        terminal.press("end", "ctrl+u")
        terminal.wait_for(empty)
    terminal.paste(text)
    terminal.wait_for(text[-30:])


def _engine(terminal: Terminal) -> str:
    found = re.search(r"·(sandbox|simulated|docker)", terminal.wait_for(re.compile("·(sandbox|simulated|docker)")))
    assert found
    return found[1]


@pytest.mark.parametrize("where", ["local", "remote"])
def test_the_whole_rehearsal(
    request: pytest.FixtureRequest, where: str, workspace: Path, volume: Path, payload: Path, own_home: Path
) -> None:
    """The same keys and the same words, whether the workspace is this machine's or a server's."""
    opener: Callable[[], Terminal] = request.getfixturevalue("open_console" if where == "local" else "open_remote")
    terminal = opener()
    assert _engine(terminal) == "sandbox", "this test needs an engine that executes: install bubblewrap"

    def choose_folder() -> None:
        _fill(terminal, str(payload), empty="a path, typed or pasted")
        terminal.wait_for("3 files, ")

    act(terminal, "u", "Uplink", choose_folder)
    terminal.wait_for(re.compile(r"▸ echo-test/"))
    terminal.wait_for(re.compile(r"● uplink echo-test"))
    sent = {path.name: path.read_bytes() for path in (volume / "echo-test").iterdir()}
    assert sent == {path.name: path.read_bytes() for path in payload.iterdir()}

    def choose_context() -> None:
        _fill(terminal, "echo-test", empty="folder of the volume, /")
        terminal.wait_for(re.compile(r"Image name +echo-test"))

    act(terminal, "b", "Build an image", choose_context)
    terminal.wait_for(re.compile(r"client1-echo-test +latest"), 60)

    terminal.press("2")
    act(terminal, "r", "Run a pod", lambda: terminal.wait_for("Runs echo-test on FPGA"))
    terminal.wait_for("COMPLETED", 60)
    terminal.press("R")
    terminal.wait_for("downlink.bin")
    assert (volume / "downlink.bin").read_bytes() == RESULT

    terminal.press("1", "/")
    terminal.send("downlink.bin")
    terminal.wait_for("1 match")
    terminal.press("enter")
    act(
        terminal,
        "d",
        "Downlink",
        lambda: _fill(terminal, str(own_home / "result.bin"), empty="a folder, or a file's new name"),
    )
    terminal.wait_for(re.compile(r"● downlink downlink.bin"))
    assert (own_home / "result.bin").read_bytes() == RESULT

    def describe_model() -> None:
        _fill(terminal, str(own_home / "mnist.pt"), empty="a path, typed or pasted")
        terminal.press("enter", "tab", "tab", "right")
        terminal.wait_for("others may download it")

    act(terminal, "m", "Serve a model", describe_model)
    terminal.wait_for("1 model")
    terminal.press("4")
    act(
        terminal,
        "g",
        "Get model",
        lambda: _fill(terminal, str(own_home / "fetched.pt"), empty="a folder, or a file's name"),
    )
    terminal.wait_for(re.compile(r"● get model mnist"))
    assert (own_home / "fetched.pt").read_bytes() == MODEL

    quit_console(terminal)
    assert (workspace / "volume/downlink.bin").read_bytes() == RESULT
