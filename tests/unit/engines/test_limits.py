"""Limits, cgroups of both versions (on a folder that looks like them), and copying where the kernel does not help."""

import os
import resource
from pathlib import Path

import pytest

from emtui.local.engines.bounds import Limits
from emtui.local.engines.sandbox import limits as module
from emtui.local.engines.sandbox.bwrap import BwrapRun
from emtui.local.engines.sandbox.limits import Cgroup, binds_processes, bounds_memory_together, lower, rlimits, sweep
from emtui.local.engines.sandbox.tree import copy_bytes

LIMITS = Limits(processes=7, memory_bytes=1 << 30)


@pytest.fixture
def cgroups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "_CGROUPS", tmp_path)
    monkeypatch.setattr(module, "_REMOVE_TRIES", 2)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return tmp_path


def test_version_2(cgroups: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cgroups / "cgroup.subtree_control").write_text("cpu memory pids\n")
    real_mkdir = Path.mkdir

    def mkdir(path: Path) -> None:
        real_mkdir(path)
        (path / "memory.max").write_text("max")
        (path / "cgroup.procs").write_text("")

    monkeypatch.setattr(Path, "mkdir", mkdir)
    assert bounds_memory_together()
    cgroup = Cgroup(LIMITS)
    assert cgroup.path is not None
    assert (cgroup.path / "pids.max").read_text() == "7"
    assert (cgroup.path / "memory.max").read_text() == str(1 << 30)
    cgroup.join()
    assert (cgroup.path / "cgroup.procs").read_text() == "0"
    assert not cgroup.was_out_of_memory()
    (cgroup.path / "memory.events").write_text("low 0\noom 1\noom_kill 1\n")
    assert cgroup.was_out_of_memory()
    cgroup.remove()
    assert cgroup.path.exists(), "its processes are not gone"


def test_version_1_and_none(cgroups: Path) -> None:
    assert Cgroup(LIMITS).path is None
    assert not binds_processes()
    assert not bounds_memory_together()
    (cgroups / "cgroup.subtree_control").write_text("cpu\n")
    assert Cgroup(LIMITS).path is None
    assert not bounds_memory_together()
    (cgroups / "pids").mkdir()
    Cgroup(LIMITS).remove()


def test_the_ones_of_makers_that_are_gone(cgroups: Path) -> None:
    (cgroups / "cgroup.subtree_control").write_text("pids\n")
    for name in ("emtui-999999999-a", f"emtui-{os.getpid()}-b", "emtui-x", "other"):
        (cgroups / name).mkdir()
    sweep()
    assert sorted(path.name for path in cgroups.glob("*") if path.is_dir()) == [
        f"emtui-{os.getpid()}-b",
        "emtui-x",
        "other",
    ]


def test_an_ordinary_user_needs_no_cgroup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert Cgroup(LIMITS).path is None
    assert binds_processes()
    sweep()


def test_limits_are_only_lowered(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, tuple[int, int]]] = []

    def prlimit(pid: int, kind: int, value: tuple[int, int] | None = None) -> tuple[int, int]:
        if value is not None:
            asked.append((kind, value))
        return (3, 5) if kind == resource.RLIMIT_NPROC else (resource.RLIM_INFINITY, resource.RLIM_INFINITY)

    monkeypatch.setattr(resource, "prlimit", prlimit)
    lower(0, LIMITS)
    assert dict(asked)[resource.RLIMIT_NPROC] == (5, 5)
    assert dict(asked)[resource.RLIMIT_DATA] == (1 << 30, 1 << 30)
    assert resource.RLIMIT_DATA not in rlimits(Limits())


def test_an_old_kernel_counts_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.platform, "release", lambda: "5.4.0-generic")
    assert rlimits(LIMITS)[resource.RLIMIT_NPROC] > 7
    monkeypatch.setattr(module.platform, "release", lambda: "6.1")
    assert rlimits(LIMITS)[resource.RLIMIT_NPROC] == 7


@pytest.mark.parametrize("kind", ["refused", "nothing", "missing"])
def test_copy_without_the_kernels_help(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def copy_file_range(_source: int, _target: int, _count: int) -> int:
        if kind == "refused":
            raise OSError(18, "Invalid cross-device link")
        return 0

    if kind == "missing":
        monkeypatch.delattr(os, "copy_file_range")
    else:
        monkeypatch.setattr(os, "copy_file_range", copy_file_range)
    data = os.urandom(3_000_000)
    (tmp_path / "a").write_bytes(data)
    with (tmp_path / "a").open("rb", 0) as source, (tmp_path / "b").open("wb", 0) as target:
        assert copy_bytes(source.fileno(), target.fileno()) == len(data)
    assert (tmp_path / "b").read_bytes() == data


class _Ended:
    def __init__(self, returncode: int) -> None:
        self.returncode = returncode


@pytest.mark.parametrize(
    ("code", "init", "tail", "said"),
    [
        (0, 5, "bwrap: execvp /x: No such file or directory", ""),
        (1, 5, "out\nbwrap: execvp /x: No such file or directory\n", "exec /x: no such file or directory"),
        (1, 5, "bwrap: execvp /x: Nope\nand the program's own words", ""),
        (1, 0, "bwrap: No permissions to create new namespace\n", "sandbox: No permissions to create new namespace"),
        (1, 5, "bwrap: Can't mount proc\n", "sandbox: Can't mount proc"),
        (1, 5, "the program's own words", ""),
    ],
)
def test_what_bwrap_says(code: int, init: int, tail: str, said: str) -> None:
    run = BwrapRun.__new__(BwrapRun)
    run.process = _Ended(code)  # type: ignore[assignment] # all that is asked of it
    run._init_pid = init
    assert run.start_error(tail) == said
