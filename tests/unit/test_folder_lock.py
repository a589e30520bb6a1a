"""The lock of a folder: one process at a time, and whoever is kept out is told by whom and what to do."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from emtui.errors import WorkspaceInUse
from emtui.storage.folder_lock import LOCK, Holder, lock_folder, note_holder, read_holder

OTHERWISE = "Close that one."

HOLDER = """
import sys
from pathlib import Path
from emtui.storage.folder_lock import lock_folder, note_holder
fd, _ = lock_folder(Path(sys.argv[1]), remedy="", holder=sys.argv[2])
print("held", flush=True)
for line in sys.stdin:
    note_holder(fd, line)
    print("noted", flush=True)
"""


@contextmanager
def held(folder: Path, what: str) -> Iterator["subprocess.Popen[str]"]:
    """A process that has the folder. A line that it is given becomes what it says of itself."""
    command = [sys.executable, "-c", HOLDER, str(folder), what]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def refused(folder: Path) -> WorkspaceInUse:
    with pytest.raises(WorkspaceInUse) as caught:
        lock_folder(folder, remedy=OTHERWISE, holder="mine")
    return caught.value


@pytest.mark.parametrize(
    ("what", "remedy"),
    [
        ("", OTHERWISE),
        ("console", "Close that console, or share the workspace: emtui serve --local {folder}"),
        ("files list", "Wait until it has ended, or open another directory with --local."),
        (
            "serve http://127.0.0.1:8000",
            "emtui serve has it: use --em-url http://127.0.0.1:8000 --grid-url http://127.0.0.1:8000, "
            "or open another directory with --local.",
        ),
        (
            "serve http://[::1]:8000",
            "emtui serve has it: use --em-url 'http://[::1]:8000' --grid-url 'http://[::1]:8000', "
            "or open another directory with --local.",
        ),
        ("serve", "emtui serve has it: use its address with --em-url, or open another directory with --local."),
    ],
)
def test_who_is_kept_out_is_told_by_whom_and_what_to_do(tmp_path: Path, what: str, remedy: str) -> None:
    folder = tmp_path / "it's mine"
    folder.mkdir()
    with held(folder, what) as other:
        problem = refused(folder)
        assert (problem.process, problem.holder) == (other.pid, what)
        who = f"process {other.pid}: {what}" if what else f"process {other.pid}"
        assert problem.message == f"{folder}: in use by another emtui ({who})"
        assert problem.remedy == remedy.format(folder=shlex.quote(str(folder)))


def test_a_lock_ends_with_its_process_and_the_next_one_says_who_it_is(tmp_path: Path) -> None:
    with held(tmp_path, "serve http://a-rather-long-name.example.org:8000") as first:
        first.kill()
        first.wait(30)
        with held(tmp_path, "console") as second:
            assert (refused(tmp_path).process, refused(tmp_path).holder) == (second.pid, "console")
    fd, is_new = lock_folder(tmp_path, remedy="")
    try:
        assert not is_new
        assert (tmp_path / LOCK).read_text() == f"{os.getpid()}\n\n"
    finally:
        os.close(fd)


def test_what_a_holder_says_can_change(tmp_path: Path) -> None:
    with held(tmp_path, "serve") as other:
        assert other.stdin is not None
        assert other.stdout is not None
        for said, what in (
            ("serve https://[::1]:8443\n", "serve https://[::1]:8443"),
            ("console\n", "console"),
            (f"  files\t  list {'x' * 500}\n", f"files list {'x' * 189}"),
        ):
            other.stdin.write(said)
            other.stdin.flush()
            assert other.stdout.readline() == "noted\n"
            assert (tmp_path / LOCK).read_text() == f"{other.pid}\n{what}\n"
            assert (refused(tmp_path).process, refused(tmp_path).holder) == (other.pid, what)


def test_what_is_noted_stays_on_its_line(tmp_path: Path) -> None:
    fd, _ = lock_folder(tmp_path, remedy="")
    try:
        note_holder(fd, "files list\n1\nconsole \udcff")
        assert (tmp_path / LOCK).read_text() == f"{os.getpid()}\nfiles list 1 console ?\n"
        assert read_holder(fd) == Holder(os.getpid(), "files list 1 console ?")
    finally:
        os.close(fd)


@pytest.mark.parametrize(
    ("text", "process"),
    [
        (b"", None),
        (b"\0" * 5000, None),
        (b"-4\nconsole", None),
        ("٣\nconsole".encode(), None),
        (b"9" * 4000, None),
        (b"17", 17),
        (b"17\nserve http://127.0.0.1:1;reboot\n", 17),
        (b"17\nserve http://a/$(reboot)\n", 17),
        (b"17\nserve file:///etc/passwd\n", 17),
        (b"17\n\x1b]52;c;eA==\x07\x9b2J\xff\xfe\xe2\x80\xae\n", 17),
        (b"17\nconsole\r\x1b[2K" + b"x" * 100_000, 17),
    ],
)
def test_a_lock_with_foreign_text_is_harmless(tmp_path: Path, text: bytes, process: int | None) -> None:
    with held(tmp_path, "console"):
        (tmp_path / LOCK).write_bytes(text)
        problem = refused(tmp_path)
    assert problem.process == process
    for told in (problem.message, problem.holder, problem.remedy):
        assert told.isprintable()
        assert len(told) < 2000
    assert "reboot" not in problem.remedy
    assert "passwd" not in problem.remedy


def test_a_lock_that_is_a_pipe_says_nothing_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    fd = os.open(tmp_path / "pipe", os.O_RDWR)
    try:
        assert read_holder(fd) == Holder()
    finally:
        os.close(fd)
