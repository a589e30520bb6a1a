"""Isolation by bubblewrap: what Flatpak runs its programs in.

bwrap makes the namespaces, mounts, drops all capabilities, sets `no_new_privs`, and stays as the pod's process 1. It
is started blocked (`--block-fd`), so that the limits stand before the command's first instruction. Options go through
a descriptor (`--args`): no environment variable of a pod is in the machine's process list.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

from emtui.local.engines.sandbox.jail import (
    PROC_MASKED,
    PROC_READ_ONLY,
    SHM,
    VOLUME,
    Jail,
    close_quietly,
    heeds,
    present_in_proc,
)
from emtui.local.engines.sandbox.limits import Cgroup, lower

_EXEC_FAILED = re.compile(r"^bwrap: execvp (?P<path>.*): (?P<why>[^:\n]+)$", re.MULTILINE)
_SETUP_FAILED = re.compile(r"\Abwrap: (?P<why>.*)$", re.MULTILINE)


class Bwrap:
    """See the module."""

    name = "bwrap"

    def start(self, jail: Jail, stdout: int, stderr: int) -> "BwrapRun":
        program = shutil.which("bwrap")
        if program is None:
            raise FileNotFoundError("bwrap is not installed")
        return BwrapRun(program, jail, stdout, stderr)


def options(jail: Jail) -> list[str]:
    """All options of bwrap but the descriptors."""
    made = ["--unshare-all", "--new-session", "--die-with-parent", "--cap-drop", "ALL", "--hostname", jail.hostname]
    if (jail.uid, jail.gid) != (os.getuid(), os.getgid()):
        made += ["--uid", str(jail.uid), "--gid", str(jail.gid)]
    made += ["--bind", jail.root, "/"]
    for source, target in jail.read_only_binds():
        made += ["--ro-bind", source, target]
    made += ["--proc", "/proc"]
    # bwrap covers these only where it finds them writable, which it does not see for root.
    for place in present_in_proc(PROC_READ_ONLY):
        made += ["--ro-bind", place, place]
    for place in present_in_proc(PROC_MASKED):
        made += ["--ro-bind", "/dev/null", place]
    made += ["--dev", "/dev", "--bind", jail.shm, SHM, "--remount-ro", "/dev"]
    if jail.volume:
        made += ["--bind", jail.volume, VOLUME]
    made += ["--chdir", jail.cwd, "--clearenv"]
    for name, value in jail.env.items():
        made += ["--setenv", name, value]
    return made


class BwrapRun:
    """One run. The descriptors: the options, what bwrap tells (`info`), and what it waits for (`block`)."""

    def __init__(self, program: str, jail: Jail, stdout: int, stderr: int) -> None:
        self.cgroup = Cgroup(jail.limits)
        self._init_pid = 0
        args_fd = _memory_file("\0".join(options(jail)))
        info_read, info_write = os.pipe()
        block_read, block_write = os.pipe()
        try:
            self.process = subprocess.Popen(
                [program, "--args", str(args_fd), "--info-fd", str(info_write), "--block-fd", str(block_read), "--",
                 *jail.argv],
                stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, cwd="/", env={},
                pass_fds=(args_fd, info_write, block_read),
                preexec_fn=self.cgroup.join,  # noqa: PLW1509 - this process has one thread
            )  # fmt: skip
        except BaseException:
            close_quietly(args_fd, info_read, info_write, block_read, block_write)
            self.cgroup.remove()
            raise
        close_quietly(args_fd, info_write, block_read)
        try:
            with os.fdopen(info_read, "rb") as info:
                told = info.read()  # up to the closing of its only other end, which follows the information
            if told:
                self._init_pid = int(json.loads(told)["child-pid"])
                lower(self._init_pid, jail.limits)
                os.write(block_write, b"1")
        except BaseException:
            self.process.kill()
            self.process.wait()
            self.cgroup.remove()
            raise
        finally:
            close_quietly(block_write)

    def terminate(self) -> None:
        command = self._command_pid()
        if command and heeds(command, signal.SIGTERM):
            with contextlib.suppress(ProcessLookupError):
                os.kill(command, signal.SIGTERM)

    def _command_pid(self) -> int:
        """The command on this machine: the child of the pod's process 1 that is process 2 inside."""
        for entry in os.scandir("/proc"):
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                status = Path(f"/proc/{entry.name}/status").read_text(errors="replace")
                fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
                if int(fields["PPid"]) == self._init_pid and fields["NSpid"].split()[-1] == "2":
                    return int(entry.name)
        return 0

    def kill(self) -> None:
        # Until it has been waited for, the number is not given away again; with process 1 the whole pod goes.
        if self.process.poll() is None:
            if self._init_pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._init_pid, signal.SIGKILL)
            self.process.kill()

    def start_error(self, stderr_tail: str) -> str:
        if self.process.returncode != 1:
            return ""
        if not self._init_pid and (matched := _SETUP_FAILED.search(stderr_tail)):
            return f"sandbox: {matched['why']}"
        failed = list(_EXEC_FAILED.finditer(stderr_tail))
        if failed and stderr_tail.rstrip().endswith(failed[-1][0]):
            return f"exec {failed[-1]['path']}: {failed[-1]['why'].lower()}"
        matched = _SETUP_FAILED.search(stderr_tail)
        return f"sandbox: {matched['why']}" if matched and "\n" not in stderr_tail.strip() else ""

    def close(self) -> None:
        self.cgroup.remove()


def _memory_file(text: str) -> int:
    fd = os.memfd_create("bwrap-args")
    view = memoryview(os.fsencode(text))
    while view:
        view = view[os.write(fd, view) :]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd
