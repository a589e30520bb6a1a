"""Servers for tests: `emtui serve` as a process of its own, which can be killed, or a server in this process."""

import asyncio
import contextlib
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import requests

from emtui.server.run import Serving, serve
from emtui.server.settings import Settings

START_S = 30.0
END_S = 45.0

PASSWORD = "correct horse"


def until(is_so: Callable[[], object], what: str, deadline_s: float = 20.0) -> None:
    """Ask until it is so, for at most `deadline_s`."""
    deadline = time.monotonic() + deadline_s
    while not is_so():
        assert time.monotonic() < deadline, f"{what}: not within {deadline_s:g} s"
        time.sleep(0.01)


class Held:
    """An uplink of a user whose last bytes are still to come, so that the server is busy."""

    def __init__(self, server: "Server", headers: Mapping[str, str]) -> None:
        self._server = server
        self._headers = headers
        self.connection = server.connect()
        head = b'--b\r\nContent-Disposition: form-data; name="files"; filename="held"\r\n\r\n'
        self._rest = b"held\r\n--b--\r\n"
        self.connection.sendall(
            f"POST /em/files/uplink HTTP/1.1\r\nHost: {server.host}\r\n"
            f"Authorization: {headers['Authorization']}\r\n"
            "Content-Type: multipart/form-data; boundary=b\r\n"
            f"Content-Length: {len(head + self._rest)}\r\n\r\n".encode()
            + head
        )
        until(lambda: list(server.directory.glob("**/staging/*")), "the uplink begins")

    def finish(self) -> int:
        """Send the rest, and return the answer's status."""
        self.connection.sendall(self._rest)
        return int(self.connection.recv(1000).split()[1])

    def close(self) -> None:
        """Go away, and wait until the server is free again."""
        self.connection.close()
        until(self._server.is_free, "the turn comes back")


@contextlib.contextmanager
def held_uplink(server: "Server", headers: Mapping[str, str]) -> Iterator[Held]:
    """A server that is busy."""
    held = Held(server, headers)
    try:
        yield held
    finally:
        held.close()


class Server:
    """A running server.

    Attributes:
        url: its address, without a slash at the end.
        directory: the workspace that it serves.
    """

    def __init__(self, url: str, directory: Path) -> None:
        self.url = url
        self.directory = directory

    @property
    def host(self) -> str:
        """Host and port, as the header has them."""
        return self.url.partition("://")[2]

    def connect(self) -> socket.socket:
        """A bare connection."""
        name, _, port = self.host.rpartition(":")
        return socket.create_connection((name.strip("[]"), int(port)), timeout=20)

    def is_free(self) -> bool:
        """Whether nobody has the turn."""
        answer = requests.get(f"{self.url}/em/pod/status", headers=self.headers(), timeout=10)
        return answer.status_code != 423

    @property
    def volume(self) -> Path:
        """The first user's volume."""
        return self.directory / "volume"

    @property
    def staging(self) -> Path:
        """Where nothing may be left of what was not finished."""
        return self.directory / "staging"

    def token(self, username: str = "client1", password: str = PASSWORD) -> str:
        """A new access token."""
        answer = requests.post(
            f"{self.url}/auth/", json={"username": username, "password": password}, timeout=10, verify=False
        )
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access"])

    def headers(self, username: str = "client1", password: str = PASSWORD) -> dict[str, str]:
        """What makes a call the user's."""
        return {"Authorization": f"Bearer {self.token(username, password)}"}


class Served(Server):
    """`emtui serve` as a process of its own.

    Attributes:
        process: the process.
    """

    def __init__(self, process: "subprocess.Popen[str]", directory: Path) -> None:
        self.process = process
        self._errors: list[str] = []
        self._first: queue.Queue[str] = queue.Queue()
        assert process.stdout is not None
        assert process.stderr is not None
        self._readers = [
            threading.Thread(target=self._read_out, args=(process.stdout,), daemon=True),
            threading.Thread(target=self._read_errors, args=(process.stderr,), daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        line = self._first.get(timeout=START_S)
        assert line.startswith("serving on "), f"it said {line!r} and {self.errors!r}"
        super().__init__(line.removeprefix("serving on ").strip(), directory)

    def _read_out(self, stream: IO[str]) -> None:
        self._first.put(stream.readline())
        stream.read()

    def _read_errors(self, stream: IO[str]) -> None:
        for line in stream:
            self._errors.append(line)

    @property
    def errors(self) -> str:
        """What it has said on stderr until now: the access log, mostly."""
        return "".join(self._errors)

    def stop(self) -> int:
        """SIGTERM, and its exit code once all that it said has been read."""
        self.process.send_signal(signal.SIGTERM)
        return self.ended()

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.ended()

    def ended(self) -> int:
        code = self.process.wait(END_S)
        for reader in self._readers:
            reader.join(END_S)
        return code


@contextlib.contextmanager
def served(directory: Path, *options: str, environment: Mapping[str, str] | None = None) -> Iterator[Served]:
    """Serve `directory` on a free port, with `PASSWORD` for everybody, and stop it again."""
    process = started(directory, *options, environment={"EMTUI_PASSWORD": PASSWORD, **(environment or {})})
    try:
        yield Served(process, directory)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(END_S)


@contextlib.asynccontextmanager
async def serving_here(settings: Settings) -> AsyncIterator[Serving]:
    """A server in this event loop; the settings as they are, but for the port, which is a free one."""
    started: asyncio.Future[Serving] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(replace(settings, port=0), started.set_result))
    await asyncio.wait((task, started), return_when=asyncio.FIRST_COMPLETED, timeout=START_S)
    if task.done():
        task.result()
    serving = started.result()
    try:
        yield serving
    finally:
        serving.stop()
        await asyncio.wait_for(task, END_S)


@contextlib.contextmanager
def served_here(directory: Path, **settings: Any) -> Iterator[Server]:
    """A server in a thread of this process, with `PASSWORD` for everybody, and with these fields of `Settings`."""
    found: queue.Queue[tuple[Serving, asyncio.AbstractEventLoop]] = queue.Queue()
    all_settings = Settings(directory, **{"port": 0, "password": PASSWORD, "engine": "simulated", **settings})

    def run() -> None:
        asyncio.run(serve(all_settings, lambda serving: found.put((serving, asyncio.get_running_loop()))))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    serving, loop = found.get(timeout=START_S)
    try:
        yield Server(serving.url, directory)
    finally:
        loop.call_soon_threadsafe(serving.stop)
        thread.join(END_S)
        assert not thread.is_alive()


def started(directory: Path, *options: str, environment: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
    """The bare process, for what is said at its start and end."""
    given = options if "--engine" in options else ("--engine", "simulated", *options)
    port = () if "--port" in options else ("--port", "0")
    return subprocess.Popen(
        [sys.executable, "-m", "emtui", "serve", "--local", str(directory), *port, *given],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="backslashreplace",
        env={**os.environ, **(environment or {})},
        # Where the tests run under nohup, a child would ignore SIGHUP too.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # noqa: PLW1509 - it takes no lock
    )


def peak_bytes(process: "subprocess.Popen[str]") -> int:
    """The most memory that a running process has had."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("it has no VmHWM")
