"""An image's root: resolved as from inside, unfolded, copied, measured, removed."""

import os
import stat
from pathlib import Path

import pytest

from emtui.local.engines.sandbox.farm import find_program, make_farm, make_scratch
from emtui.local.engines.sandbox.lookup import StartProblem, User, find_command, find_user, has_known_format
from emtui.local.engines.sandbox.rootfs import Rootfs, RootfsProblem
from emtui.local.engines.sandbox.tree import copy_tree, digest_tree, open_folder, remove_tree
from emtui.local.handles import DirHandle


@pytest.fixture
def farm(folder: DirHandle) -> Rootfs:
    make_farm(folder, "alpine")
    return Rootfs(folder)


def names_in(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def put(root: Rootfs, path: str, text: str = "x", mode: int = 0o755) -> None:
    parent, _, name = path.rpartition("/")
    with root.open_dir(parent) as made, os.fdopen(made.create_file(name, mode), "w") as file:
        file.write(text)


def test_farm_stands_for_the_userland(farm: Rootfs) -> None:
    found = farm.find("/bin/sh")
    assert found is not None
    assert Path(found.host_path).samefile("/bin/sh")
    assert find_program(farm, "ash") == "/usr/bin/ash"
    assert find_program(farm, "no-such-program") == ""
    for secret in ("/etc/shadow", "/.host/etc/shadow", "/.host/root", "/.host/etc/../etc/shadow", "/root/.ssh"):
        assert farm.find(secret) is None
    assert "root:x:0:0" in farm.read_text("/etc/passwd")
    assert farm.read_text("/etc") == ""


def test_links_never_lead_to_this_machine(farm: Rootfs, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("s")
    for name, target in (("abs", str(outside)), ("up", "../../../../../../" + str(outside)), ("loop", "loop")):
        os.symlink(target, name, dir_fd=farm.folder.fd)
    assert farm.find("/abs/secret") is None
    assert farm.find("/up/secret") is None
    assert farm.find("/loop") is None
    put(farm, "/abs/new")
    assert names_in(outside) == ["secret"]
    assert farm.find(f"{outside}/new") is not None
    with pytest.raises(RootfsProblem, match="too many levels"):
        farm.open_dir("/loop/x")


def test_writing_unfolds(farm: Rootfs) -> None:
    assert stat.S_ISLNK(farm.folder.open_dir(("usr",)).lstat("share").st_mode)
    put(farm, "/usr/share/emtui/x")
    found = farm.find("/usr/share/emtui/x")
    assert found is not None
    assert found.host_path == ""
    neighbour = next(name for name in names_in(Path("/usr/share")) if name != "emtui")
    assert farm.find(f"/usr/share/{neighbour}") is not None
    assert not Path("/usr/share/emtui").exists()


@pytest.mark.parametrize("path", ["/.host/usr/x", "/etc/passwd/x", "/usr/bin/sh/x"])
def test_not_to_be_written(farm: Rootfs, path: str) -> None:
    with pytest.raises(RootfsProblem):
        farm.open_dir(path)


def test_paths_up(farm: Rootfs) -> None:
    farm.open_dir("/a/../../b").close()
    assert farm.find("/b") is not None
    found = farm.find("/b/../..")
    assert found is not None
    assert found.names == ()


def test_mountpoints_are_made_real(folder: DirHandle, tmp_path: Path) -> None:
    make_scratch(folder)
    root = Rootfs(folder)
    remove_tree(folder, "data")
    remove_tree(folder, ".host")
    os.symlink(str(tmp_path), "data", dir_fd=folder.fd)
    os.symlink(str(tmp_path), ".host", dir_fd=folder.fd)
    before = names_in(tmp_path)
    root.ensure_mountpoints(("/data",))
    assert stat.S_ISDIR(folder.lstat("data").st_mode)
    assert stat.S_ISDIR(folder.lstat(".host").st_mode)
    assert names_in(tmp_path) == before


def test_commands(farm: Rootfs) -> None:
    put(farm, "/run-me")
    put(farm, "/text", mode=0o644)
    farm.open_dir("/box").close()
    put(farm, "/box/here")
    assert find_command(farm, "/run-me", "", "/") == "/run-me"
    assert find_command(farm, "./here", "", "/box") == "/box/./here"
    assert find_command(farm, "sh", "/nowhere:/usr/bin", "/") == "/usr/bin/sh"
    for name, said in (
        ("/nope", "no such file"),
        ("/box", "is a directory"),
        ("/text", "permission denied"),
        ("nope", "not found in $PATH"),
        ("", "not found in $PATH"),
    ):
        with pytest.raises(StartProblem) as caught:
            find_command(farm, name, "/usr/bin", "/")
        assert said in str(caught.value)


def test_formats(farm: Rootfs) -> None:
    own = Path(os.path.realpath("/bin/sh")).read_bytes()[:64]
    other = own[:18] + b"\xff\x7f" + own[20:]
    for name, data, is_known in (
        ("script", b"#!/bin/sh\r\n", True),
        ("own", own, True),
        ("other", other, False),
        ("short", own[:20], False),
        ("text", b"echo", False),
        ("empty", b"", False),
    ):
        with os.fdopen(farm.folder.create_file(name, 0o755), "wb") as file:
            file.write(data)
        assert has_known_format(farm, f"/{name}") is is_known
    assert has_known_format(farm, "/bin/sh")
    assert not has_known_format(farm, "/usr")
    assert not has_known_format(farm, "/missing")


def test_users(farm: Rootfs) -> None:
    assert find_user(farm, "") == User(0, 0, "/root")
    assert find_user(farm, "nobody") == User(65534, 65534, "/nonexistent")
    assert find_user(farm, "1000") == User(1000, 0, "/")
    assert find_user(farm, "1000:tty") == User(1000, 5, "/")
    assert find_user(farm, "root:7") == User(0, 7, "/root")
    for text in ("nope", "root:nope", "99999999999"):
        with pytest.raises(StartProblem):
            find_user(farm, text)


def test_tree(folder: DirHandle, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "d" / "e").mkdir(parents=True)
    (source / "d" / "file").write_bytes(b"abc" * 100_000)
    (source / "d" / "file").chmod(0o640)
    (source / "link").symlink_to("/etc/passwd")
    os.mkfifo(source / "fifo")
    (source / "d" / "e").chmod(0o000)
    (source / "closed").write_text("x")
    (source / "closed").chmod(0o000)
    with DirHandle.open_trusted(source) as handle:
        copy_tree(handle, folder)
        assert digest_tree(folder)[1] == 300_001
    with folder.open_dir(("d",)) as copied:
        assert stat.S_IMODE(copied.lstat("file").st_mode) == 0o640
        assert stat.S_IMODE(copied.lstat("e").st_mode) == 0o000
    assert os.readlink("link", dir_fd=folder.fd) == "/etc/passwd"
    before = digest_tree(folder)[0]
    with open_folder(folder, "d") as copied:
        os.close(copied.create_file("new"))
    assert digest_tree(folder)[0] != before
    remove_tree(folder, "d")
    remove_tree(folder, "d")
    assert "d" not in [entry.name for entry in folder.scan()]


def test_too_deep(folder: DirHandle, tmp_path: Path) -> None:
    deep = tmp_path / "deep"
    deep.mkdir()
    with DirHandle.open_trusted(deep) as handle:
        handle.open_dir(("d",) * 250, create=True).close()
        with pytest.raises(OSError, match="deeper"):
            copy_tree(handle, folder)
        with pytest.raises(OSError, match="deeper"):
            digest_tree(handle)
    with DirHandle.open_trusted(tmp_path) as parent:
        remove_tree(parent, "deep")
    assert not deep.exists()
