"""Runs the blocks of a page as a reader would: one after the other, in one home, with emtui on the PATH.

What a shell block exports, and where it has gone with `cd`, holds for the blocks behind it. A `console` block runs in a
terminal, and what is left on it must be what the page says: `…` stands for anything in a line, and a line of its own
for any lines.
"""

import ast
import contextlib
import fcntl
import json
import os
import pty
import re
import select
import shlex
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.docs.blocks import ROOT, Block
from tests.docs.validating import steps_of, validate

DEADLINE_S = 120.0
COLUMNS = 100
_END_S = 40.0
_MOST_TOLD = 4_000
_SGR = re.compile(r"\x1b\[[\d;]*m")


class BlockFailed(AssertionError):
    """A block does not do what the page says."""

    def __init__(self, block: Block, why: str, shown: str = "") -> None:
        super().__init__(f"{block.where}: {why}\n\n{block.text}\n{shown[-_MOST_TOLD:]}".rstrip())


class Reader:
    """Somebody who follows a page.

    Attributes:
        home: an empty home; `home/work` is where the first block runs.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self._notes = home.parent / "notes"
        self._state = self._notes / "state"
        self._cwd = self._notes / "cwd"
        self._groups: list[int] = []
        self._servers: list[tuple[Block, subprocess.Popen[bytes], Path]] = []
        self._kernel: tuple[subprocess.Popen[bytes], int] | None = None
        self._notes.mkdir(parents=True)
        (home / "work").mkdir(parents=True)
        self._cwd.write_text(f"{home / 'work'}\n")
        self._state.write_text("")

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of the machine that the tests run on but its programs."""
        return {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "USER": "operator",
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "TERM": "xterm-256color",
            "COLUMNS": str(COLUMNS),
            "DOCKER_HOST": "unix:///nonexistent/docker.sock",
            "EMTUI_NO_KEYRING": "1",
        }

    def follow(self, block: Block) -> None:
        """Do what a block says. Raises BlockFailed."""
        if block.not_run:
            return
        validate(block)
        if block.title:
            path = self._cwd_now() / Path(block.title.replace("~", str(self.home), 1))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        if block.language == "yaml":
            for step in steps_of(block):
                self._shell(block, step.text, step.environment)
        if not block.is_executed:
            return
        if block.goes_on:
            self._serve(block)
        elif block.language == "sh":
            self._shell(block, block.text)
        elif block.language == "console":
            self._console(block)
        elif is_cell(block.text):
            self._cell(block)
        else:
            script = self._notes / f"line-{block.line}.py"
            script.write_text(block.text, encoding="utf-8")
            self._shell(block, f"python {shlex.quote(str(script))}")

    def close(self) -> None:
        """End what still runs."""
        if self._kernel is not None:
            process, answers = self._kernel
            process.stdin and process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_END_S)
            os.close(answers)
        failed = ""
        for block, process, log in reversed(self._servers):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                failed = f"{block.where}: it did not end after SIGTERM: {log.read_text(errors='replace')[-_MOST_TOLD:]}"
        for group in self._groups:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        assert not failed, failed

    # ---------------------------------------------------------------------------------------------------- shells

    def _cwd_now(self) -> Path:
        return Path(self._cwd.read_text(encoding="utf-8").rstrip("\n"))

    def _script(self, text: str) -> list[str]:
        state, cwd = shlex.quote(str(self._state)), shlex.quote(str(self._cwd))
        script = (
            f'source {state}; cd "$(cat {cwd})"\n'
            f"trap 'export -p >{state}; pwd >{cwd}' EXIT\n"
            f"set -aeuo pipefail\n{text}"
        )
        return ["bash", "-c", script]

    def _start(self, text: str, environment: dict[str, str], **streams: Any) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            self._script(text),
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            **streams,
        )
        self._groups.append(process.pid)
        return process

    def _shell(self, block: Block, text: str, environment: dict[str, str] | None = None) -> None:
        log = self._notes / f"line-{block.line}.log"
        # A file, not a pipe: what a block leaves running in the background would keep a pipe open.
        with log.open("wb") as file:
            process = self._start(text, environment or {}, stdout=file, stderr=file)
            code = self._ended(block, process)
        self._check(block, code, log.read_text(encoding="utf-8", errors="backslashreplace"))

    def _ended(self, block: Block, process: "subprocess.Popen[bytes]") -> int:
        try:
            return process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            raise BlockFailed(block, f"it has not ended after {DEADLINE_S:g} s") from None

    def _check(self, block: Block, code: int, shown: str) -> None:
        if code != block.exit_code:
            raise BlockFailed(block, f"it ends with {code}, not with {block.exit_code}", shown)

    def _serve(self, block: Block) -> None:
        log = self._notes / f"line-{block.line}.log"
        with log.open("wb") as file:
            process = self._start(block.text, {}, stdout=file, stderr=file)
        self._servers.append((block, process, log))
        deadline = time.monotonic() + DEADLINE_S
        while block.goes_on not in (shown := log.read_text(encoding="utf-8", errors="backslashreplace")):
            if process.poll() is not None:
                raise BlockFailed(block, f"it has ended with {process.returncode}, and not gone on", shown)
            if time.monotonic() > deadline:
                raise BlockFailed(block, f"it has not said {block.goes_on!r} after {DEADLINE_S:g} s", shown)
            time.sleep(0.05)

    # --------------------------------------------------------------------------------------------------- consoles

    def _console(self, block: Block) -> None:
        parts = list(_commands(block))
        for number, (command, expected) in enumerate(parts, 1):
            code, shown = self._on_terminal(block, command)
            if code != (block.exit_code if number == len(parts) else 0):
                raise BlockFailed(block, f"{command!r} ends with {code}", shown)
            if expected and not matches(expected, shown):
                raise BlockFailed(block, f"{command!r} shows something else", f"it shows:\n{shown}")

    def _on_terminal(self, block: Block, command: str) -> tuple[int, str]:
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 1000, COLUMNS, 0, 0))
        process = self._start(command, {}, stdout=slave, stderr=slave)
        os.close(slave)
        chunks: list[bytes] = []
        deadline = time.monotonic() + DEADLINE_S
        try:
            while True:
                has_ended = process.poll() is not None
                if select.select([master], [], [], 0.0 if has_ended else 0.1)[0]:
                    try:
                        chunk = os.read(master, 65_536)
                    except OSError:  # nobody has the other end any more
                        chunk = b""
                    if chunk:
                        chunks.append(chunk)
                        continue
                    process.wait(_END_S)
                    break
                if has_ended:
                    break
                if time.monotonic() > deadline:
                    raise BlockFailed(block, f"{command!r} has not ended after {DEADLINE_S:g} s")
        finally:
            os.close(master)
        return process.returncode, as_left(b"".join(chunks).decode("utf-8", "backslashreplace"))

    # -------------------------------------------------------------------------------------------------- notebooks

    def _cell(self, block: Block) -> None:
        if self._kernel is None:
            answers, theirs = os.pipe()
            kernel = shlex.join([sys.executable, str(ROOT / "tests/docs/kernel.py"), str(theirs)])
            process = subprocess.Popen(
                self._script(f"exec {kernel}"),
                env=self.environment,
                stdin=subprocess.PIPE,
                pass_fds=(theirs,),
                start_new_session=True,
            )
            os.close(theirs)
            self._groups.append(process.pid)
            self._kernel = (process, answers)
        process, answers = self._kernel
        assert process.stdin is not None
        process.stdin.write(f"{json.dumps(block.text)}\n".encode())
        process.stdin.flush()
        answer = b""
        deadline = time.monotonic() + DEADLINE_S
        while not answer.endswith(b"\n"):
            if not select.select([answers], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise BlockFailed(block, f"it has not ended after {DEADLINE_S:g} s")
            chunk = os.read(answers, 65_536)
            if not chunk:
                raise BlockFailed(block, "its Python has ended")
            answer += chunk
        failure = json.loads(answer)
        if failure is not None:
            raise BlockFailed(block, "it fails", failure)


def is_cell(source: str) -> bool:
    """Whether it awaits at the top, which only a notebook can."""
    try:
        compile(source, "<block>", "exec")
    except SyntaxError:
        compile(source, "<block>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        return True
    return False


def _commands(block: Block) -> Iterator[tuple[str, str]]:
    """The commands of a `console` block, each with what it shows."""
    command, expected = "", ""
    for line in block.text.splitlines():
        if line.startswith("$ "):
            if command:
                yield command, expected
            command, expected = line[2:], ""
        elif line.startswith("> ") and command and not expected:
            command += f"\n{line[2:]}"
        elif not command:
            raise BlockFailed(block, "it does not begin with `$ `")
        else:
            expected += f"{line}\n"
    yield command, expected


def as_left(written: str) -> str:
    """What is left on a terminal of what was written to it: no colours, and nothing of a line that was begun anew."""
    return "\n".join(_SGR.sub("", line).rpartition("\r\x1b[K")[2] for line in written.replace("\r\n", "\n").split("\n"))


def matches(expected: str, shown: str) -> bool:
    """Whether what is shown is what is expected; `…` is anything in a line, and alone in a line any lines."""
    pattern = ""
    for line in expected.rstrip().splitlines():
        if line.strip() == "…":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*?".join(re.escape(part) for part in line.rstrip().split("…")) + r"[ \t]*\n"
    return re.fullmatch(pattern + r"\s*", f"{shown.rstrip()}\n") is not None
