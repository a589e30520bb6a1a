"""COPY and ADD into a root, and a local tar that is unpacked."""

import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from emtui.local.engines.context import BuildContext
from emtui.local.engines.dockerfile import parse_dockerfile
from emtui.local.engines.plan import CopyStep, make_plan
from emtui.local.engines.problems import BuildProblem
from emtui.local.engines.sandbox import unpack as unpack_module
from emtui.local.engines.sandbox.copying import Copier
from emtui.local.engines.sandbox.farm import make_farm
from emtui.local.engines.sandbox.rootfs import Rootfs
from emtui.local.engines.sandbox.tree import nothing
from emtui.local.handles import DirHandle
from tests.unit.engines.tars import link, write_tar


@pytest.fixture
def root(folder: DirHandle) -> Rootfs:
    make_farm(folder, "alpine")
    return Rootfs(folder)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "context"
    (path / "d" / "sub").mkdir(parents=True)
    (path / "a.txt").write_text("a")
    (path / "b.txt").write_text("b")
    (path / "d" / "sub" / "c").write_text("c")
    (path / "d" / "link").symlink_to("sub/c")
    return path


@pytest.fixture
def context(source: Path) -> Iterator[DirHandle]:
    with DirHandle.open_trusted(source) as handle:
        yield handle


def copy(line: str, context: DirHandle, root: Rootfs) -> None:
    (stage,) = make_plan(parse_dockerfile(f"FROM alpine\nWORKDIR /app\n{line}\n"), ("alpine",), lambda _: None)
    step = stage.steps[-1]
    assert isinstance(step, CopyStep)
    Copier(root, nothing).from_context(step, BuildContext(context))


@pytest.mark.parametrize(
    ("line", "path", "text"),
    [
        ("COPY a.txt /", "/a.txt", "a"),
        ("COPY a.txt /x/y", "/x/y", "a"),
        ("COPY a.txt x/", "/app/x/a.txt", "a"),
        ("COPY a.txt .", "/app/a.txt", "a"),
        ("COPY *.txt /t/", "/t/b.txt", "b"),
        ("COPY a.txt b.txt /t/", "/t/a.txt", "a"),
        ("COPY d /x", "/x/sub/c", "c"),
        ("COPY . /all", "/all/d/sub/c", "c"),
        ("COPY d /x", "/x/link", "c"),
        ("COPY a.txt /usr", "/usr/a.txt", "a"),
        ("COPY a.txt /bin/sh", "/usr/bin/sh", "a"),
        ("COPY a.txt /usr/lib/deep/x", "/usr/lib/deep/x", "a"),
    ],
)
def test_copy(line: str, path: str, text: str, context: DirHandle, root: Rootfs) -> None:
    copy(line, context, root)
    found = root.find(path)
    assert found is not None
    assert found.host_path == ""
    assert root.read_text(path) == text


def test_modes(source: Path, context: DirHandle, root: Rootfs) -> None:
    (source / "a.txt").chmod(0o4755)
    copy("COPY a.txt /kept", context, root)
    copy("COPY --chmod=0600 a.txt /given", context, root)
    kept, given = root.find("/kept"), root.find("/given")
    assert kept is not None
    assert given is not None
    assert (stat.S_IMODE(kept.stat.st_mode), stat.S_IMODE(given.stat.st_mode)) == (0o755, 0o600)


@pytest.mark.parametrize("name", ["out", "abs", "hard", "fifo"])
def test_refused_sources(name: str, source: Path, context: DirHandle, root: Rootfs) -> None:
    (source / "out").symlink_to("../../secret")
    (source / "abs").symlink_to("/etc/shadow")
    os.link(source / "a.txt", source / "hard")
    os.mkfifo(source / "fifo")
    for what in (name, "."):
        with pytest.raises(BuildProblem, match="cannot be copied"):
            copy(f"COPY {what} /x/", context, root)


def test_a_folder_is_in_the_way(context: DirHandle, root: Rootfs) -> None:
    copy("COPY d /x/a.txt", context, root)
    with pytest.raises(BuildProblem, match="a directory is in the way"):
        copy("COPY a.txt /x/", context, root)


def test_copy_from_a_stage(tmp_path: Path, context: DirHandle, root: Rootfs) -> None:
    path = tmp_path / "stage"
    path.mkdir()
    with DirHandle.open_trusted(path) as folder:
        make_farm(folder, "alpine")
        origin = Rootfs(folder)
        copy("COPY . /out", context, origin)
        text = "FROM alpine AS one\nFROM alpine\nCOPY --from=one /out/*.txt /t/\nCOPY --from=one /out /usr/share\n"
        text += (
            "COPY --from=one /usr/bin/env /env\nCOPY --from=one --chmod=700 /out/a.txt /one\nCOPY --from=one /no /x\n"
        )
        *steps, missing = make_plan(parse_dockerfile(text), ("alpine",), lambda _: None)[1].steps
        copier = Copier(root, nothing)
        for step in steps:
            assert isinstance(step, CopyStep)
            copier.from_root(step, origin)
        assert isinstance(missing, CopyStep)
        with pytest.raises(BuildProblem, match="not found"):
            copier.from_root(missing, origin)
    assert [root.read_text(name) for name in ("/t/a.txt", "/t/b.txt", "/one")] == ["a", "b", "a"]
    assert root.read_text("/usr/share/d/sub/c") == "c"
    found = root.find("/env")
    assert found is not None
    assert found.host_path == "/usr/bin/env"


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_add_unpacks_a_tar(mode: str, source: Path, context: DirHandle, root: Rootfs) -> None:
    directory = tarfile.TarInfo("d")
    directory.type, directory.mode = tarfile.DIRTYPE, 0o755
    members = [(directory, b""), ("d/a", b"aa"), link("d/l", "a"), link("d/h", "d/a", tarfile.LNKTYPE), ("d/a", b"bb")]
    write_tar(source / "t.tar", members, mode)
    copy("ADD t.tar /x", context, root)
    assert [root.read_text(f"/x/d/{name}") for name in ("a", "l", "h")] == ["bb", "bb", "aa"]
    copy("COPY t.tar /y", context, root)
    found = root.find("/y")
    assert found is not None
    assert stat.S_ISREG(found.stat.st_mode)
    copy("ADD a.txt /z", context, root)
    assert root.read_text("/z") == "a"


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ([("../x", b"")], "leads out"),
        ([("/x", b"")], "leads out"),
        ([link("d", "", tarfile.CHRTYPE)], "device"),
        ([link("h", "../../etc/shadow", tarfile.LNKTYPE)], "leads out"),
        ([link("h", "missing", tarfile.LNKTYPE)], "not in it"),
        ([link("l", "/"), link("h", "l/usr/bin/sh", tarfile.LNKTYPE)], "not in it"),
        ([("d/a", b""), ("d", b"")], "where a folder is"),
    ],
)
def test_hostile_archives(
    members: list[tuple[str | tarfile.TarInfo, bytes]], named: str, source: Path, context: DirHandle, root: Rootfs
) -> None:
    write_tar(source / "t.tar", members)
    with pytest.raises(BuildProblem, match=named):
        copy("ADD t.tar /x/", context, root)


def test_an_archive_writes_inside_only(source: Path, context: DirHandle, root: Rootfs, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    write_tar(source / "t.tar", [link("l", str(outside)), ("l/planted", b"x"), link("u", "../../.."), ("u/up", b"y")])
    copy("ADD t.tar /x/", context, root)
    assert list(outside.iterdir()) == []
    assert root.read_text(f"{outside}/planted") == "x"
    assert root.read_text("/up") == "y"


def test_archive_bounds(source: Path, context: DirHandle, root: Rootfs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack_module, "_MAX_ENTRIES", 1)
    write_tar(source / "t.tar", [("a", b""), ("b", b"")])
    with pytest.raises(BuildProblem, match="more than"):
        copy("ADD t.tar /x/", context, root)
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, 6 << 30
    (source / "p.tar").write_bytes(info.tobuf() + b"\0" * 2048)
    with pytest.raises(BuildProblem, match="too large"):
        copy("ADD p.tar /x/", context, root)
    monkeypatch.undo()
    whole = write_tar(source / "c.tar", [("a", os.urandom(100_000))]).read_bytes()
    (source / "c.tar").write_bytes(whole[:50_000])
    with pytest.raises(BuildProblem, match="cannot be read"):
        copy("ADD c.tar /x/", context, root)
