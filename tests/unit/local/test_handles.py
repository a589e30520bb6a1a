"""Paths taken apart, and steps from one open directory to the next."""

import os
from pathlib import Path

import pytest
from local_limits import without_rights

from emtui.errors import BadRequest, Forbidden, NotFound
from emtui.local.handles import DirHandle
from emtui.paths import join_path, split_path


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("", ()),
        (".", ()),
        ("./", ()),
        ("a", ("a",)),
        ("a//b/./c/", ("a", "b", "c")),
        ("..a/b..", ("..a", "b..")),
        ("100%", ("100%",)),
        ("%41", ("%41",)),
        (os.fsdecode(b"\xff"), (os.fsdecode(b"\xff"),)),
        ("x" * 255, ("x" * 255,)),
    ],
)
def test_a_path_is_split(path: str, parts: tuple[str, ...]) -> None:
    assert split_path(path) == parts


@pytest.mark.parametrize("path", ["/a", "..", "a/..", " .. ", "..\\x", "%2e%2E", "%25252e%25252e", "C:\\x", "a/%2e./b"])
def test_a_path_that_leads_out_is_forbidden(path: str) -> None:
    with pytest.raises(Forbidden, match="dest_path"):
        split_path(path, what="dest_path")


@pytest.mark.parametrize("path", ["\0", "a\0", "x" * 256, "ä" * 128, "\ud800", "a/" * 5000])
def test_what_is_no_path_is_a_bad_request(path: str) -> None:
    with pytest.raises(BadRequest, match="filepath"):
        split_path(path, what="filepath")


def test_parts_are_joined() -> None:
    assert join_path("", "a", "", "b/c") == "a/b/c"


@pytest.fixture
def root(tmp_path: Path) -> DirHandle:
    return DirHandle.open_trusted(tmp_path)


def test_folders_are_opened_and_made_step_by_step(root: DirHandle, tmp_path: Path) -> None:
    with root.open_dir(("a", "b"), create=True) as folder, root.open_dir(()) as same:
        os.close(folder.create_file("file"))
        assert os.path.samestat(os.fstat(same.fd), tmp_path.stat())

    assert (tmp_path / "a/b/file").is_file()
    with pytest.raises(NotFound):
        root.open_dir(("a", "c"))
    with pytest.raises(BadRequest):
        root.open_dir(("a", "b", "file"))


def test_a_closed_handle_may_be_closed_again(root: DirHandle) -> None:
    root.close()
    root.close()
    assert root.fd == -1


def test_two_scans_do_not_disturb_each_other(root: DirHandle, tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"{number}").touch()
    first = root.scan()
    next(first)
    with root.duplicate() as other:
        assert len(list(other.scan())) == 50
    assert len(list(first)) == 49


def test_an_entry_that_was_swapped_while_it_was_opened(
    root: DirHandle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "entry").symlink_to("/etc")

    def swapped(self: DirHandle, name: str) -> os.stat_result:
        (tmp_path / name).unlink()
        (tmp_path / name).mkdir()
        return os.stat(name, dir_fd=self.fd, follow_symlinks=False)

    monkeypatch.setattr(DirHandle, "lstat", swapped)
    with pytest.raises(Forbidden):
        root.open_dir(("entry",))


def test_a_file_that_becomes_a_link_between_look_and_open(
    root: DirHandle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "entry").write_bytes(b"inside")
    lstat = DirHandle.lstat

    def swapped(self: DirHandle, name: str) -> os.stat_result:
        status = lstat(self, name)
        (tmp_path / name).unlink()
        (tmp_path / name).symlink_to("/etc/passwd")
        return status

    monkeypatch.setattr(DirHandle, "lstat", swapped)
    with pytest.raises(Forbidden):
        root.open_file(("entry",))


def test_a_file_that_becomes_a_fifo_between_look_and_open(
    root: DirHandle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "entry").write_bytes(b"inside")
    lstat = DirHandle.lstat

    def swapped(self: DirHandle, name: str) -> os.stat_result:
        status = lstat(self, name)
        (tmp_path / name).unlink()
        os.mkfifo(tmp_path / name)
        return status

    monkeypatch.setattr(DirHandle, "lstat", swapped)
    with pytest.raises(Forbidden):
        root.open_file(("entry",))


def test_a_file_that_goes_between_look_and_open(
    root: DirHandle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "entry").write_bytes(b"inside")
    lstat = DirHandle.lstat

    def gone(self: DirHandle, name: str) -> os.stat_result:
        status = lstat(self, name)
        (tmp_path / name).unlink()
        return status

    monkeypatch.setattr(DirHandle, "lstat", gone)
    with pytest.raises(NotFound):
        root.open_file(("entry",))


def test_a_wide_and_deep_tree_is_removed_without_following_links(root: DirHandle, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_bytes(b"kept")
    for number in range(30):
        folder = tmp_path / "tree" / f"{number}" / "below" / ".emtui-removed-0"
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(b"x")
        (folder / "link").symlink_to(kept)
        os.mkfifo(folder / "fifo")

    root.remove("tree")
    (tmp_path / "link").symlink_to(kept)
    root.remove("link")

    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (kept / "file").read_bytes() == b"kept"


def test_folders_that_took_away_their_own_rights_are_removed(common_folder: Path) -> None:
    folder = common_folder

    def work() -> None:
        inner = folder / "tree/closed/inner"
        inner.mkdir(parents=True)
        (inner / "file").write_bytes(b"x")
        inner.chmod(0o400)
        inner.parent.chmod(0)
        inner.parent.parent.chmod(0o500)
        with DirHandle.open_trusted(folder) as root:
            root.remove("tree")
        assert list(folder.iterdir()) == []

    without_rights(work)
