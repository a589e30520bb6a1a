"""The build context and its `.dockerignore`."""

import os

import pytest

from emtui.errors import Forbidden
from emtui.local.engines.context import BuildContext, Ignore, check_copyable, check_link, wildcard_matches
from emtui.local.engines.problems import BuildProblem
from emtui.local.handles import DirHandle


def write(folder: DirHandle, path: str, text: str = "x") -> None:
    *folders, name = path.split("/")
    with folder.open_dir(tuple(folders), create=True) as parent, os.fdopen(parent.create_file(name), "w") as file:
        file.write(text)


@pytest.mark.parametrize(
    ("patterns", "path", "is_hidden"),
    [
        ("a", "a", True),
        ("a", "a/b", True),
        ("a", "b/a", False),
        ("**/a", "b/a", True),
        ("*.txt", "x.txt", True),
        ("*.txt", "d/x.txt", False),
        ("/d/", "d", True),
        ("*\n!keep", "keep", False),
        ("d\n!d/keep", "d/keep", False),
        ("d\n!d/keep", "d/other", True),
        ("# a comment\n\n.\n", "a", False),
        ("./a/../b", "b", True),
    ],
)
def test_ignore(patterns: str, path: str, is_hidden: bool) -> None:
    assert Ignore(patterns).hides(path) is is_hidden


def test_context(folder: DirHandle) -> None:
    for path in ("a.txt", "d/b.txt", "d/keep", "e/f/g"):
        write(folder, path, path)
    write(folder, ".dockerignore", "d\n!d/keep\ne/f\n")
    context = BuildContext(folder)
    assert list(context.entries) == [".dockerignore", "a.txt", "d/keep", "e"]
    assert context.matches("*.txt") == ["a.txt"]
    assert context.matches("./a.txt") == ["a.txt"]
    assert context.matches(".") == [""]
    assert context.matches("d") == ["d"]
    assert context.type_of("d") == "directory"
    assert [entry.path for entry in context.below("d")] == ["d/keep"]
    for missing in ("d/b.txt", "../a.txt/x", "nope*", "e/f"):
        with pytest.raises(BuildProblem, match="not found"):
            context.matches(missing)


def test_leaving_paths_stay_inside(folder: DirHandle) -> None:
    write(folder, "a")
    assert BuildContext(folder).matches("../../a") == ["a"]


def test_refused_entries(folder: DirHandle) -> None:
    write(folder, "a")
    os.link("a", "hard", src_dir_fd=folder.fd, dst_dir_fd=folder.fd)
    os.mkfifo("fifo", dir_fd=folder.fd)
    context = BuildContext(folder)
    with pytest.raises(BuildProblem, match="hard link"):
        check_copyable(context.entries["hard"])
    with pytest.raises(BuildProblem, match="FIFO"):
        check_copyable(context.entries["fifo"])


@pytest.mark.parametrize("target", ["/etc/passwd", "..", "../x", "d/../../../x"])
def test_link_to_the_outside(target: str) -> None:
    with pytest.raises(BuildProblem, match="outside"):
        check_link("link", target)


def test_link_inside() -> None:
    check_link("d/link", "../a")
    with pytest.raises(BuildProblem, match="outside"):
        check_link("d/link", "../../a")


def test_ignore_file_that_is_a_link_or_huge(folder: DirHandle) -> None:
    os.symlink("/etc/passwd", ".dockerignore", dir_fd=folder.fd)
    with pytest.raises(Forbidden):
        BuildContext(folder)
    folder.remove(".dockerignore")
    write(folder, ".dockerignore", "x\n" * 600_000)
    with pytest.raises(BuildProblem, match="larger"):
        BuildContext(folder)


def test_wildcards() -> None:
    assert wildcard_matches("d/a.c", "d/*.c")
    assert wildcard_matches("ab", "a[^c]")
    assert not wildcard_matches("d/a.c", "*.c")
