"""A Docker Engine of a test's own, which it may stop, kill and start again. Needs root and dockerd."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from emtui.local.engines.docker.daemon import Daemon, Found
from emtui.local.engines.docker.places import Place
from emtui.local.engines.docker.problems import DaemonProblem
from tests.engines.docker_here import make_base
from tests.missing import missing

_STARTS_IN_S = 60.0


class OwnDaemon:
    """One dockerd. Its socket's path is short, since the kernel takes no long one."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.socket = folder / "d.sock"
        self.place = Place(f"unix://{self.socket}", "the test's own")
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Found:
        with (self.folder / "log").open("ab") as log:
            # In a network of its own: it would take docker0 away from the machine's engine.
            self._process = subprocess.Popen(
                ["unshare", "--net", "dockerd", "--host", f"unix://{self.socket}", "--pidfile", self.folder / "pid",
                 "--data-root", self.folder / "data", "--exec-root", self.folder / "exec", "--bridge=none",
                 "--iptables=false", "--ip6tables=false", *self._options],
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + _STARTS_IN_S
        while True:
            with contextlib.suppress(DaemonProblem):
                return asyncio.run(self._look())
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.1)

    async def _look(self) -> Found:
        daemon = Daemon(self.place)
        try:
            facts = await daemon.facts()
            await make_base(daemon)
            return Found(self.place, facts)
        finally:
            await daemon.aclose()

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it and wait for that."""
        self.send(number)
        assert self._process is not None
        self._process.wait(60)
        if number == signal.SIGKILL:
            # Its containerd dies with it, but a number that nobody has reaped makes the next one wait for it.
            (self.folder / "exec" / "containerd" / "containerd.pid").unlink(missing_ok=True)


@contextlib.contextmanager
def own_daemon(*options: str) -> Iterator[OwnDaemon]:
    """A daemon that has not been started yet; gone with all that is its own at the end."""
    if shutil.which("dockerd") is None or os.geteuid() != 0:
        missing("no Docker Engine: dockerd of the test's own needs root and docker.io")
    folder = Path(tempfile.mkdtemp(prefix="emtd", dir="/tmp"))
    daemon = OwnDaemon(folder, *options)
    try:
        yield daemon
    finally:
        process = daemon._process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        end_shims(folder)
        shutil.rmtree(folder, ignore_errors=True)


def end_shims(folder: Path) -> None:
    """A killed dockerd leaves its containerd and the shims of its containers: those of this folder are ended."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if f"{folder}/".encode() in words:
                os.kill(int(entry.name), signal.SIGKILL)
    for line in Path("/proc/mounts").read_text().splitlines():
        place = line.split()[1]
        if place.startswith(f"{folder}/"):
            subprocess.run(["umount", "--lazy", place], check=False, capture_output=True)
