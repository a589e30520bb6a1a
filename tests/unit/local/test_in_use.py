"""A workspace that another process has: it is waited for, for as long as is wanted, and never had by two."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from local_limits import mounted, without_rights

from emtui.errors import WorkspaceInUse, WorkspaceProblem
from emtui.local.opening import open_workspace
from emtui.local.workspace import Workspace
from emtui.opening import open_ends
from emtui.profile import Profile

DEADLINE_S = 30

HOLDER = """
import sys
from pathlib import Path
from emtui.local.workspace import Workspace
workspace = Workspace(Path(sys.argv[1]), sys.argv[2])
print("held", flush=True)
sys.stdin.read()
workspace.close()
"""

COUNTER = """
import asyncio, sys
from pathlib import Path
from emtui.local.opening import open_workspace

async def main(folder, count):
    for _ in range(10):
        async with open_workspace(folder, "counter", None):
            number = int(count.read_text())
            await asyncio.sleep(0.002)
            count.write_text(str(number + 1))

print("ready", flush=True)
sys.stdin.read(1)
asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
"""


@contextmanager
def held(folder: Path, what: str = "console") -> Iterator["subprocess.Popen[str]"]:
    """A process that has the workspace until its stdin ends."""
    command = [sys.executable, "-c", HOLDER, str(folder), what]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def let_go(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.close()


async def test_nobody_waits_who_does_not_want_to(tmp_path: Path) -> None:
    told: list[WorkspaceInUse] = []
    with held(tmp_path / "w", "files list") as other:
        with pytest.raises(WorkspaceInUse) as caught:
            async with open_ends(Profile(tmp_path / "w"), on_wait=told.append):
                raise AssertionError("it must not be had by two")
        assert (caught.value.process, caught.value.holder) == (other.pid, "files list")
    assert told == []


async def test_it_is_waited_for_until_it_is_free(tmp_path: Path) -> None:
    told: list[WorkspaceInUse] = []
    with held(tmp_path / "w", "serve http://127.0.0.1:1") as other:

        def hear(error: WorkspaceInUse) -> None:
            told.append(error)
            let_go(other)

        async with asyncio.timeout(DEADLINE_S):
            profile = Profile(tmp_path / "w", engine="simulated")
            async with open_ends(profile, holder="files list", wait_s=DEADLINE_S, on_wait=hear) as ends:
                assert await ends.backends.em.list_files()
                assert (tmp_path / "w/lock").read_text().splitlines()[1] == "files list"
    assert [(error.process, error.holder) for error in told] == [(other.pid, "serve http://127.0.0.1:1")]


async def test_it_is_given_up_when_the_time_is_over(tmp_path: Path) -> None:
    told: list[WorkspaceInUse] = []
    with held(tmp_path / "w"):
        began = time.monotonic()
        with pytest.raises(WorkspaceInUse):
            async with open_ends(Profile(tmp_path / "w"), wait_s=0.5, on_wait=told.append):
                raise AssertionError("it must not be had by two")
        assert 0.5 <= time.monotonic() - began < 5
    assert len(told) == 1  # once is enough


async def test_without_an_end_it_waits_for_each_that_has_it(tmp_path: Path) -> None:
    """Somebody else has it meanwhile: that is told too. Whoever waits gets it when that one is killed."""
    told: asyncio.Queue[WorkspaceInUse] = asyncio.Queue()

    async def wait() -> None:
        async with open_workspace(tmp_path / "w", "waits", None, told.put_nowait):
            pass

    async with asyncio.timeout(DEADLINE_S):
        with held(tmp_path / "w", "first") as first:
            waiting = asyncio.ensure_future(wait())
            assert (await told.get()).holder == "first"
            waiting_for_next = asyncio.ensure_future(told.get())
            # Who gets a lock that is free is chance, so the second one is there in writing only.
            (tmp_path / "w/lock").write_text(f"{first.pid}\nsecond\n")
            assert (await waiting_for_next).holder == "second"
            first.kill()
        await waiting


async def test_whoever_is_cancelled_while_it_waits_or_takes_does_not_keep_it(tmp_path: Path) -> None:

    async def take(was_had: list[bool]) -> None:
        async with open_workspace(tmp_path / "w"):
            was_had.append(True)

    for after_s in (0.0, 0.0005, 0.001, 0.002, 0.004, 0.008):
        taking = asyncio.ensure_future(take(was_had := []))
        await asyncio.sleep(after_s)
        taking.cancel()
        await asyncio.wait((taking,), timeout=DEADLINE_S)
        assert taking.cancelled() != bool(was_had)
        Workspace(tmp_path / "w").close()
    with held(tmp_path / "w"), pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3), open_workspace(tmp_path / "w", wait_s=None):
            raise AssertionError("it must not be had by two")
    Workspace(tmp_path / "w").close()


def test_many_that_wait_have_it_one_after_the_other(tmp_path: Path) -> None:
    count = tmp_path / "count"
    count.write_text("0")
    command = [sys.executable, "-c", COUNTER, str(tmp_path / "w"), str(count)]
    children = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(3)]
    try:
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
        for child in children:
            assert child.stdin is not None
            child.stdin.write(b".")
            child.stdin.flush()
        for child in children:
            child.communicate(timeout=2 * DEADLINE_S)
            assert child.returncode == 0
    finally:
        for child in children:
            child.kill()
            child.wait(DEADLINE_S)
    assert count.read_text() == "30"


# ------------------------------------------------------------------------------------- the folder of remote ends


def opened_remote(folder: Path) -> None:
    """Open a profile without a local end in `folder`, twice at once."""

    async def open_twice() -> None:
        profile = Profile(folder, has_local=False)
        async with open_ends(profile) as first, open_ends(profile) as second:
            assert first.folder == second.folder == folder

    asyncio.run(open_twice())


def test_the_folder_of_remote_ends_is_made_for_its_owner_and_belongs_to_all(tmp_path: Path) -> None:
    opened_remote(tmp_path / "made/deep")
    assert list((tmp_path / "made/deep").iterdir()) == []
    assert (tmp_path / "made/deep").stat().st_mode & 0o777 == 0o700


def test_a_folder_of_remote_ends_that_cannot_be_used_is_told(common_folder: Path) -> None:
    (common_folder / "file").touch()

    def work() -> None:
        (common_folder / "closed").mkdir(mode=0o500)
        for name, why in (
            ("file", "File exists"),
            ("closed", "Permission denied"),
            ("closed/new", "Permission denied"),
        ):
            with pytest.raises(WorkspaceProblem, match=f"{name}: {why}") as caught:
                opened_remote(common_folder / name)
            assert caught.value.remedy == "Give yourself the rights to it."

    without_rights(work)


def test_a_folder_of_remote_ends_on_a_read_only_disk_is_told(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=1m") as disk:
        opened_remote(disk / "made")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        for name in ("made", "new"):
            with pytest.raises(WorkspaceProblem, match="Read-only file system"):
                opened_remote(disk / name)
