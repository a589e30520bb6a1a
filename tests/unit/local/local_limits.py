"""What limits local mode: rights, small disks, open files."""

import os
import subprocess
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

NOBODY = 65534


def without_rights(work: Callable[[], None]) -> None:
    """Run `work` as a user whom permissions hold, in a process of its own where this one is root."""
    if os.geteuid() != 0:
        work()
        return
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        try:
            work()
        except BaseException:  # noqa: BLE001 - whatever it is, the parent reports it
            os.write(writing, traceback.format_exc().encode()[-60_000:])
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as report:  # noqa: PTH123 - a descriptor, not a path
        said = report.read().decode()
    os.waitpid(child, 0)
    assert not said, said


def open_files() -> int:
    """How many descriptors this process has."""
    return len(list(Path("/proc/self/fd").iterdir()))


class mounted:  # noqa: N801 - used like a function
    """A tmpfs at `folder`; the test is skipped where none can be mounted."""

    def __init__(self, folder: Path, options: str) -> None:
        self._folder = folder
        self._options = options

    def __enter__(self) -> Path:
        self._folder.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", self._options, "none", str(self._folder)]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode:
            pytest.skip("needs the right to mount a small disk")
        return self._folder

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", "-l", str(self._folder)], check=True)
