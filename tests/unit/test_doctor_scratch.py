"""The folder in which `emtui doctor` tries things: it goes at the end, whoever is at work in it, and stays away."""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from emtui.doctor import scratch
from emtui.doctor.scratch import PREFIX, Scratch, remove_leftovers


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Scratch]:
    made = Scratch(tmp_path / "ws")
    yield made
    made.remove()


def test_it_is_beside_the_workspace_and_goes_again(one: Scratch, tmp_path: Path) -> None:
    folder = one.folder()
    assert folder.parent == tmp_path
    assert one.folder() == folder
    (folder / "x").mkdir()
    one.remove()
    assert list(tmp_path.iterdir()) == []
    elsewhere = Scratch(Path("/nonexistent/ws"))
    try:
        assert elsewhere.folder().parent != Path("/")
    finally:
        elsewhere.remove()


def test_it_cannot_be_made_once_it_is_over(one: Scratch, tmp_path: Path) -> None:
    one.remove()
    with pytest.raises(OSError, match="over"):
        one.folder()
    with pytest.raises(OSError, match="over"), one.used(lambda: None):
        pass
    assert list(tmp_path.iterdir()) == []


def test_who_works_in_it_is_told_to_stop_and_waited_for(one: Scratch, tmp_path: Path) -> None:
    told, ended = threading.Event(), threading.Event()
    ready = threading.Event()

    def work() -> None:
        with one.used(told.set) as folder:
            ready.set()
            assert told.wait(10)
            time.sleep(0.2)  # as long as a probe takes to end its children
            (folder / "last").touch()
            ended.set()

    thread = threading.Thread(target=work)
    thread.start()
    assert ready.wait(10)
    one.remove()
    assert ended.is_set()
    thread.join(10)
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_made_while_it_is_removed_do_not_keep_it(
    one: Scratch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "_USERS_S", 0.05)
    ready, is_over = threading.Event(), threading.Event()

    def work() -> None:
        """What does not heed that it is to stop, and makes one file after the other."""
        with one.used(lambda: None) as folder:
            (folder / "staging").mkdir()
            for number in range(10**9):
                try:
                    (folder / "staging" / str(number)).mkdir()
                    (folder / str(number)).touch()
                except OSError:  # it is gone
                    break
                ready.set()
        is_over.set()

    threading.Thread(target=work).start()
    assert ready.wait(10)
    one.remove()
    assert list(tmp_path.iterdir()) == []
    assert is_over.wait(10)
    assert list(tmp_path.iterdir()) == []


def test_a_wait_that_was_interrupted_is_made_good(
    one: Scratch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("threading.Thread.join", lambda _thread, _timeout: (_ for _ in ()).throw(KeyboardInterrupt))
    (one.folder() / "x").touch()
    with pytest.raises(KeyboardInterrupt):
        one.remove()
    monkeypatch.undo()
    one.remove()
    assert list(tmp_path.iterdir()) == []


# --------------------------------------------------------------------------------------- what others have left


def _left(parent: Path, name: str, age_s: float = 3600) -> Path:
    folder = parent / f"{PREFIX}{name}"
    (folder / "workspace").mkdir(parents=True)
    (folder / "workspace/emtui.db").touch()
    then = time.time() - age_s
    os.utime(folder, (then, then))
    return folder


def test_what_a_killed_one_has_left_is_removed_by_the_next(one: Scratch, tmp_path: Path) -> None:
    left = _left(tmp_path, "left")
    young = _left(tmp_path, "young", 60)
    assert one.folder().is_dir()
    assert not left.exists()
    assert (young / "workspace/emtui.db").exists()


def test_only_what_is_ours_and_in_nobody_s_hands_is_removed(tmp_path: Path) -> None:
    used = _left(tmp_path, "used")
    elsewhere = _left(tmp_path, "x").rename(tmp_path / "elsewhere")
    (tmp_path / f"{PREFIX}link").symlink_to(elsewhere)
    (tmp_path / f"{PREFIX}file").touch()
    os.utime(tmp_path / f"{PREFIX}file", (0, 0))
    others = _left(tmp_path, "others")
    if os.geteuid() == 0:
        os.chown(others, 65_534, 65_534)
    before = sorted(tmp_path.rglob("*"))
    fd = os.open(used, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        remove_leftovers(tmp_path)
        after = sorted(tmp_path.rglob("*"))
    finally:
        os.close(fd)
    if os.geteuid() == 0:
        assert after == before
    assert used.exists()
    assert (elsewhere / "workspace/emtui.db").exists()
    remove_leftovers(tmp_path)
    assert not used.exists()
    remove_leftovers(tmp_path / "none")


def test_one_that_is_at_work_for_long_is_not_taken_for_left(one: Scratch, tmp_path: Path) -> None:
    folder = one.folder()
    os.utime(folder, (0, 0))
    remove_leftovers(tmp_path)
    assert folder.exists()
