"""Taking a directory into use: one line where it cannot be, and nothing half made."""

import os
import stat
import subprocess
from pathlib import Path

import pytest
from local_limits import mounted, without_rights

from emtui.errors import WorkspaceProblem
from emtui.local.workspace import Workspace


def everything_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def refused(path: Path) -> WorkspaceProblem:
    """The problem of a workspace that cannot be opened: one line, with a remedy, and nothing made."""
    with pytest.raises(WorkspaceProblem) as caught:
        Workspace(path)
    assert "\n" not in caught.value.message
    assert caught.value.remedy
    return caught.value


def test_a_new_workspace_is_made_with_its_parents(tmp_path: Path) -> None:
    Workspace(tmp_path / "a/b/workspace").close()

    names = everything_in(tmp_path / "a/b/workspace")
    assert {"volume", "staging", "blobs", "blobs/images", "blobs/pods", "blobs/models", "emtui.db", "lock"} <= set(
        names
    )


def test_a_new_workspace_is_closed_to_others_and_nothing_else_is_changed(tmp_path: Path) -> None:
    (tmp_path / "given").mkdir(mode=0o755)
    for path in (tmp_path / "given", tmp_path / "parent/made"):
        Workspace(path).close()

    modes = {path: stat.S_IMODE((tmp_path / path).stat().st_mode) for path in ("given", "parent", "parent/made")}
    assert modes["parent/made"] == 0o700
    assert modes["given"] == 0o755
    assert modes["parent"] & 0o055 == 0o055


def test_it_opens_again_and_keeps_the_volume(tmp_path: Path) -> None:
    Workspace(tmp_path / "w").close()
    (tmp_path / "w/volume/a.txt").write_bytes(b"kept")
    (tmp_path / "w/staging/left").mkdir()
    (tmp_path / "w/staging/left/half").write_bytes(b"half")

    Workspace(tmp_path / "w").close()

    assert (tmp_path / "w/volume/a.txt").read_bytes() == b"kept"
    assert list((tmp_path / "w/staging").iterdir()) == []


def test_a_relative_path_and_the_home_are_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for path in (Path("here"), Path("~/there")):
        Workspace(path).close()

    assert (tmp_path / "here/volume").is_dir()
    assert (tmp_path / "home/there/volume").is_dir()


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")

    assert "a file, not a directory" in refused(tmp_path / "file").message
    assert "a file, not a directory" in refused(tmp_path / "file/below").message
    assert everything_in(tmp_path) == ["file"]


def test_a_file_in_the_way_of_a_folder_of_ours(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "w/staging").write_bytes(b"mine")

    refused(tmp_path / "w")

    assert everything_in(tmp_path) == ["w", "w/staging"]


def test_a_directory_that_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_bytes(b"mine")

    assert "not a workspace" in refused(tmp_path).message
    assert everything_in(tmp_path) == ["thesis.tex"]


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b""])
def test_a_database_that_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w/volume").mkdir(parents=True)
    (tmp_path / "w/emtui.db").write_bytes(content)

    if content:
        refused(tmp_path / "w")
        assert everything_in(tmp_path) == ["w", "w/emtui.db", "w/volume"]
    else:
        Workspace(tmp_path / "w").close()  # SQLite's own empty file
    assert (tmp_path / "w/emtui.db").read_bytes().startswith(content)


def test_a_database_of_a_newer_emtui(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "w")
    with workspace.store.change() as db:
        db.execute("PRAGMA user_version = 999")
    workspace.close()

    assert "newer" in refused(tmp_path / "w").message


def test_a_second_emtui_is_told(tmp_path: Path) -> None:
    first = Workspace(tmp_path / "w")

    problem = refused(tmp_path / "w")
    first.close()

    assert f"in use by another emtui (process {os.getpid()})" in problem.message
    Workspace(tmp_path / "w").close()


def test_a_link_is_not_taken_for_a_lock(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "elsewhere").write_bytes(b"kept")
    (tmp_path / "w/lock").symlink_to(tmp_path / "elsewhere")

    refused(tmp_path / "w")

    assert (tmp_path / "elsewhere").read_bytes() == b"kept"


@pytest.mark.parametrize("path", ["a\0b", "~no-such-user-at-all/w"])
def test_what_is_no_path(path: str) -> None:
    refused(Path(path))


def test_a_directory_without_rights(common_folder: Path) -> None:
    folder = common_folder

    def work() -> None:
        (folder / "closed").mkdir(mode=0o500)
        for path in (folder / "closed", folder / "closed/new/deep"):
            assert "Permission denied" in refused(path).message
        assert everything_in(folder) == ["closed"]

    without_rights(work)


def test_a_read_only_disk(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=1m") as disk:
        Workspace(disk / "made").close()
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)

        assert "Read-only file system" in refused(disk / "new").message
        refused(disk / "made")


def test_a_full_disk(full_disk: Path) -> None:
    with (full_disk / "filler").open("wb", buffering=0) as filler:
        while True:
            try:
                filler.write(bytes(4096))
            except OSError:
                break

    refused(full_disk / "w/deep")

    assert everything_in(full_disk) == ["filler"]


def test_a_disk_that_is_full_before_the_database_is_made(full_disk: Path) -> None:
    (full_disk / "filler").write_bytes(bytes(256 * 1024 - 60 * 1024))

    refused(full_disk / "w")

    assert everything_in(full_disk) == ["filler"]


def test_volume_and_staging_on_different_disks(tmp_path: Path) -> None:
    (tmp_path / "w/volume").mkdir(parents=True)
    with mounted(tmp_path / "w/volume", "size=1m"):
        assert "different disks" in refused(tmp_path / "w").message


def test_folders_without_rights_in_staging_do_not_keep_it_closed(common_folder: Path) -> None:
    folder = common_folder / "w"

    def work() -> None:
        Workspace(folder).close()
        inner = folder / "staging/left/inner"
        inner.mkdir(parents=True)
        (inner / "file").write_bytes(b"x")
        (inner / "deeper").mkdir(mode=0)
        inner.chmod(0o500)
        inner.parent.chmod(0)
        Workspace(folder).close()
        assert list((folder / "staging").iterdir()) == []

    without_rights(work)
