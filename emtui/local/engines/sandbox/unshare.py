"""Isolation by `unshare` of util-linux, for machines without bubblewrap.

`unshare` makes the namespaces; `launcher`, started by it as process 1, does what bwrap would: mounts, a new root, no
capabilities, limits, and the command as its child. It gets its orders through a pipe, so that nothing needs to be
found by number: `T` means SIGTERM to the command, and the pipe's end means that everything is over.
"""

import contextlib
import json
import os
import shutil
import subprocess

from emtui.local.engines.sandbox.jail import Jail, close_quietly
from emtui.local.engines.sandbox.limits import Cgroup
from emtui.local.engines.spawn import python_command

_NAMESPACES = ("--mount", "--pid", "--fork", "--kill-child", "--net", "--ipc", "--uts")
_LAUNCHER = "emtui.local.engines.sandbox.launcher"


class Unshare:
    """See the module."""

    name = "unshare"

    def start(self, jail: Jail, stdout: int, stderr: int) -> "UnshareRun":
        program = shutil.which("unshare")
        if program is None:
            raise FileNotFoundError("unshare (of util-linux) is not installed")
        return UnshareRun(program, jail, stdout, stderr)


class UnshareRun:
    """One run. The descriptors: orders down (`control`), and what the launcher tells (`status`)."""

    def __init__(self, program: str, jail: Jail, stdout: int, stderr: int) -> None:
        self.cgroup = Cgroup(jail.limits)
        control_read, self._control = os.pipe()
        self._status, status_write = os.pipe()
        command, env = python_command(_LAUNCHER, str(control_read), str(status_write))
        users = ["--map-root-user"]
        if (jail.uid, jail.gid) != (0, 0):
            # Only root keeps its capabilities when the launcher is executed, and that needs them for a moment.
            users = [f"--map-user={jail.uid}", f"--map-group={jail.gid}", "--keep-caps"]
        try:
            self.process = subprocess.Popen(
                [program, "--user", *users, *_NAMESPACES, "--", *command],
                stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, cwd="/", env=env,
                pass_fds=(control_read, status_write),
                preexec_fn=self.cgroup.join,  # noqa: PLW1509 - this process has one thread
            )  # fmt: skip
        except BaseException:
            close_quietly(control_read, status_write, self._control, self._status)
            self.cgroup.remove()
            raise
        close_quietly(control_read, status_write)
        with contextlib.suppress(BrokenPipeError):  # it has died at once, and its end says so
            self._send(jail.to_json().encode() + b"\n")

    def _send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._control, view) :]

    def terminate(self) -> None:
        with contextlib.suppress(BrokenPipeError):  # it has ended
            self._send(b"T")

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()  # --kill-child takes process 1 along, and that everything else

    def start_error(self, stderr_tail: str) -> str:
        with os.fdopen(os.dup(self._status), "rb") as status:
            told = status.read(65_536)
        if told:
            return str(json.loads(told)["error"])
        if self.process.returncode == 1 and stderr_tail.startswith("unshare: "):
            return f"sandbox: {stderr_tail.strip().splitlines()[0]}"
        return ""

    def close(self) -> None:
        close_quietly(self._control, self._status)
        self.cgroup.remove()
