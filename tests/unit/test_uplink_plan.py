"""What an uplink will send, before a byte of it leaves."""

import errno
import os
import time
from pathlib import Path

import pytest

from emtui.backend import MAX_UPLINK_BYTES, MAX_UPLINK_FILES
from emtui.errors import BadRequest, LocalProblem
from emtui.files import UplinkPlan, plan_uplink
from emtui.local.handles import DirHandle


def sparse(path: Path, size_bytes: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(size_bytes)
    return path


def shape(plan: UplinkPlan) -> list[tuple[str, list[str]]]:
    return [(batch.dest_path, [source.name for source in batch.sources]) for batch in plan.batches]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "foo"
    for name, size_bytes in [("b.txt", 2), ("a.txt", 1), ("sub/deep/x", 3), ("sub/y", 4), ("zoo/z", 5)]:
        sparse(root / name, size_bytes)
    return root


def test_single_files_go_into_the_folder(tree: Path) -> None:
    plan = plan_uplink([tree / "b.txt", tree / "a.txt"], "dest/")
    assert shape(plan) == [("dest", ["b.txt", "a.txt"])]
    assert (plan.file_count, plan.size_bytes, plan.skipped) == (2, 3, ())
    assert plan.batches[0].size_bytes == 3


@pytest.mark.parametrize(
    ("dest", "prefix"), [("", "foo"), ("in", "in/foo"), ("in/deep/", "in/deep/foo"), ("/", "/foo")]
)
def test_a_folder_keeps_its_name_and_tree(tree: Path, dest: str, prefix: str) -> None:
    plan = plan_uplink([tree], dest)
    assert shape(plan) == [
        (prefix, ["a.txt", "b.txt"]),
        (f"{prefix}/sub", ["y"]),
        (f"{prefix}/sub/deep", ["x"]),
        (f"{prefix}/zoo", ["z"]),
    ]
    assert (plan.file_count, plan.size_bytes) == (5, 15)


def test_files_and_folders_together_and_one_twice(tree: Path) -> None:
    plan = plan_uplink([tree / "zoo", tree / "b.txt", tree / "zoo", tree / "b.txt"], "d")
    assert shape(plan) == [("d/zoo", ["z"]), ("d", ["b.txt"])]


def test_here_and_above_have_the_names_of_their_folders(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree / "sub")
    assert shape(plan_uplink([Path()], "")) == [("sub", ["y"]), ("sub/deep", ["x"])]
    assert plan_uplink([Path("..")], "").batches[0].dest_path == "foo"


def test_the_home_folder_is_known(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tree))
    assert shape(plan_uplink([Path("~/a.txt")], "")) == [("", ["a.txt"])]
    with pytest.raises(LocalProblem):
        plan_uplink([Path("~nobody-has-this-name/a.txt")], "")


def test_links_devices_and_empty_folders_are_left_out_and_told(tree: Path) -> None:
    (tree / "link-to-file").symlink_to("a.txt")
    (tree / "link-to-folder").symlink_to("/etc")
    (tree / "loop").symlink_to(".")
    os.mkfifo(tree / "fifo")
    (tree / "empty").mkdir()
    plan = plan_uplink([tree], "")
    assert plan.file_count == 5
    assert sorted(plan.skipped) == [
        f"{tree}/empty: an empty folder cannot be sent",
        f"{tree}/fifo: a device, FIFO or socket",
        f"{tree}/link-to-file: a link is not followed",
        f"{tree}/link-to-folder: a link is not followed",
        f"{tree}/loop: a link is not followed",
    ]


def test_a_link_that_was_named_is_followed_to_a_file_only(tree: Path) -> None:
    (tree / "link").symlink_to("b.txt")
    assert shape(plan_uplink([tree / "link"], "")) == [("", ["link"])]
    (tree / "folder-link").symlink_to("sub")
    plan = plan_uplink([tree / "a.txt", tree / "folder-link"], "")
    assert plan.file_count == 1
    assert plan.skipped == (f"{tree}/folder-link: a link to a folder is not followed",)


def test_a_call_carries_500_mb_at_most(tmp_path: Path) -> None:
    half = MAX_UPLINK_BYTES // 2
    for name, size_bytes in [("a", half), ("b", half), ("c", 1), ("d", MAX_UPLINK_BYTES), ("e", 0)]:
        sparse(tmp_path / "big" / name, size_bytes)
    plan = plan_uplink([tmp_path / "big"], "")
    assert shape(plan) == [("big", ["a", "b"]), ("big", ["c"]), ("big", ["d", "e"])]
    assert [batch.size_bytes for batch in plan.batches] == [MAX_UPLINK_BYTES, 1, MAX_UPLINK_BYTES]
    assert plan.size_bytes == 2 * MAX_UPLINK_BYTES + 1


def test_a_file_over_500_mb_is_refused(tmp_path: Path) -> None:
    sparse(tmp_path / "d" / "small", 1)
    big = sparse(tmp_path / "d" / "zbig", MAX_UPLINK_BYTES + 1)
    for sources in ([big], [tmp_path / "d"]):
        with pytest.raises(BadRequest, match="500,000,001 bytes") as caught:
            plan_uplink(sources, "")
        assert caught.value.code == "MAX_UPLINK_SIZE_EXCEEDED"
        assert "Split it" in caught.value.remedy


def test_nothing_to_send(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="No files were provided for uplink!") as caught:
        plan_uplink([], "")
    assert caught.value.code == "NO_FILES"
    with pytest.raises(BadRequest, match="an empty folder cannot be sent") as caught:
        plan_uplink([tmp_path], "")
    assert caught.value.code == "NO_FILES"


def test_what_cannot_be_read_is_told_by_name(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tree / "fifo")
    for path, reason in [
        (tree / "missing", "No such file"),
        (tree / "a.txt" / "x", "Not a directory"),
        (tree / "fifo", "FIFO"),
        (Path("nul\0"), "no path of this system"),
    ]:
        with pytest.raises(LocalProblem, match=reason):
            plan_uplink([tree / "b.txt", path], "")
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda *_: False)
        with pytest.raises(LocalProblem, match=r"a\.txt: Permission denied"):
            plan_uplink([tree], "")

    def denied(folder: Path) -> None:
        raise OSError(errno.EACCES, "")

    monkeypatch.setattr(os, "scandir", denied)
    with pytest.raises(LocalProblem, match="foo: Permission denied"):
        plan_uplink([tree], "")


def test_two_files_that_would_be_one_are_refused(tmp_path: Path) -> None:
    one, other = sparse(tmp_path / "1" / "x", 1), sparse(tmp_path / "2" / "x", 1)
    with pytest.raises(BadRequest, match="would be one file in /d"):
        plan_uplink([one, other], "d")
    with pytest.raises(BadRequest, match="would be one file"):
        plan_uplink([tmp_path / "1", sparse(tmp_path / "3" / "1" / "x", 1).parent], "")
    sparse(tmp_path / "4" / "x" / "in" / "y", 1)
    for sources in ([one, tmp_path / "4" / "x"], [tmp_path / "4" / "x", one]):
        with pytest.raises(BadRequest, match="a file and a folder in /"):
            plan_uplink(sources, "")


def test_two_folders_of_one_name_become_one(tmp_path: Path) -> None:
    sparse(tmp_path / "1" / "foo" / "a", 1)
    sparse(tmp_path / "2" / "foo" / "b", 1)
    assert shape(plan_uplink([tmp_path / "1" / "foo", tmp_path / "2" / "foo"], "")) == [("foo", ["a", "b"])]


def test_hostile_names_are_names(tmp_path: Path) -> None:
    names = ["caf\udce9", "[red]", "a\nb", "-rf", "$(x)", "x" * 255, "\x1b]52;c;aGk=\x07"]
    for name in names:
        sparse(tmp_path / "d\x1b" / name, 1)
    plan = plan_uplink([tmp_path / "d\x1b"], "")
    assert shape(plan) == [("d\x1b", sorted(names))]


def test_a_deep_tree_needs_no_recursion(tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(1000):
        deep = deep / "d"
        deep.mkdir()
    (deep / "x").touch()
    try:
        assert plan_uplink([tmp_path / "d"], "").batches[0].dest_path == "/".join("d" * 1000)
    finally:
        with DirHandle.open_trusted(tmp_path) as made:  # pytest's own way to remove it would recurse too deep
            made.empty()


def test_300_files_are_planned_at_once(tmp_path: Path) -> None:
    for number in range(300):
        sparse(tmp_path / "d" / f"{number:03}", number)
    begin = time.perf_counter()
    plan = plan_uplink([tmp_path / "d"], "")
    assert time.perf_counter() - begin < 1
    assert [len(batch.sources) for batch in plan.batches] == [MAX_UPLINK_FILES] * 3
    assert plan.file_count == 300


def test_a_name_that_the_volume_refuses_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/%2e%2e%2fz").write_bytes(b"x")
    with pytest.raises(BadRequest, match="takes no such name") as caught:
        plan_uplink([tmp_path / "d"], "")
    assert caught.value.remedy == "Rename it."
