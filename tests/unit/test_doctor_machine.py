"""The looks of `emtui doctor` at the machine: versions, terminal, clock, limits, disks, tokens."""

import errno
import os
import platform
from collections import namedtuple
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from emtui.console.screens import main as screen
from emtui.doctor import clock, disks, keeping, machine, remote, terminal, versions
from emtui.doctor.case import Case
from emtui.doctor.checks import Check
from emtui.local.engines.docker.daemon import Facts, Found
from emtui.local.engines.docker.places import Place
from emtui.profile import PodPolicy, Profile

GIB = 1 << 30


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(Profile(tmp_path / "ws"), tmp_path / "config.toml")


def _told(check: Check, state: str, *words: str) -> None:
    """It says so, and what to do where it is not well."""
    assert check.state == state, check
    assert check.todo or state == "ok", check
    for word in words:
        assert word in f"{check.found} {check.todo}", check


# --------------------------------------------------------------------------------------------------- versions


def test_every_version_is_told_and_the_extra_is_the_one_of_the_package(case: Case) -> None:
    import tomllib

    checks = {check.name: check for check in versions.look_at_versions(case)}
    assert {check.state for check in checks.values()} == {"ok"}
    assert set(versions.LIBRARIES) < set(checks)
    package = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    extra = {line.split(">")[0] for line in package["optional-dependencies"]["serve"]}
    assert extra == set(versions.SERVE)
    assert {line.split(">")[0] for line in package["dependencies"]} >= set(versions.LIBRARIES)


def test_a_library_that_is_missing_fails_and_an_extra_is_noted(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    _told(versions.library_check("no-such-package-of-ours"), "fail", "not installed", "pip install")
    monkeypatch.setattr(versions, "SERVE", ("starlette", "no-such-package-of-ours"))
    _told(versions.look_at_versions(case)[-1], "note", "no-such-package-of-ours is missing", "emtui[serve]")


# --------------------------------------------------------------------------------------------------- terminal


def test_the_sizes_are_those_of_the_console() -> None:
    assert terminal.LEAST_SIZE == (screen.LEAST_COLUMNS, screen.LEAST_LINES)
    assert terminal.COMFORTABLE_SIZE == (screen.COMPACT_COLUMNS, screen.COMPACT_LINES)


@pytest.mark.parametrize(
    ("check", "state", "words"),
    [
        (terminal.streams_check([True, True, True]), "ok", ("stdin, stdout and stderr",)),
        (terminal.streams_check([True, False, True]), "note", ("stdout is no terminal", "without a pipe")),
        (terminal.term_check({"TERM": "xterm"}), "ok", ("xterm",)),
        (terminal.term_check({}), "note", ("not set", "TERM=xterm-256color")),
        (terminal.term_check({"TERM": "dumb"}), "note", ("dumb",)),
        (terminal.size_check(120, 40), "ok", ("120 × 40",)),
        (terminal.size_check(80, 24), "note", ("one pane at a time", "100 × 30")),
        (terminal.size_check(120, 29), "note", ("one pane at a time",)),
        (terminal.size_check(39, 24), "note", ("too small", "40 × 10")),
        (terminal.size_check(0, 0), "note", ("does not tell", "stty")),
        (terminal.colours_check({"TERM": "xterm", "COLORTERM": "truecolor"}), "ok", ("24 bit",)),
        (terminal.colours_check({"TERM": "xterm-256color"}), "ok", ("256", "COLORTERM=truecolor")),
        (terminal.colours_check({"TERM": "linux"}), "note", ("16 or fewer",)),
        (terminal.colours_check({"COLORTERM": "truecolor", "NO_COLOR": "1"}), "ok", ("none", "NO_COLOR")),
        (terminal.letters_check({"LANG": "de_DE.UTF-8"}), "ok", ("UTF-8",)),
        (terminal.letters_check({"LANG": "C.utf8", "LC_ALL": ""}), "ok", ("LANG=C.utf8",)),
        (terminal.letters_check({"LC_CTYPE": "UTF-8"}), "ok", ("UTF-8",)),
        (terminal.letters_check({"LANG": "C.UTF-8", "LC_ALL": "de_DE.ISO-8859-1"}), "note", ("LC_ALL", "LANG=C.UTF-8")),
        (terminal.letters_check({"LANG": "C"}), "note", ("not UTF-8",)),
        (terminal.letters_check({"LANG": "x.nonsense"}), "note", ("not UTF-8",)),
        (terminal.letters_check({}), "note", ("no locale",)),
    ],
)
def test_what_the_terminal_can_do(check: Check, state: str, words: tuple[str, ...]) -> None:
    _told(check, state, *words)


def test_what_stands_between_the_console_and_the_terminal(tmp_path: Path) -> None:
    assert terminal.multiplexer_checks({}) == []
    (of_screen,) = terminal.multiplexer_checks({"STY": "1.pts-0"})
    _told(of_screen, "note", "screen", "tmux")

    colours, copying = terminal.tmux_checks("bpaste,RGB,title xterm", "on", has_colours=True)
    assert (colours.state, copying.state) == ("ok", "ok")
    colours, copying = terminal.tmux_checks("bpaste xterm", "external", has_colours=True)
    _told(colours, "note", "24-bit", "terminal-features")
    _told(copying, "note", "set-clipboard is external", "set-clipboard on")
    (copying,) = terminal.tmux_checks("", "off", has_colours=False)
    _told(copying, "note", "set-clipboard is off")

    # A tmux that has gone, and none at all.
    (gone,) = terminal.multiplexer_checks({**os.environ, "TMUX": "/nonexistent,1,0"})
    assert terminal.multiplexer_checks({"TMUX": "/nonexistent,1,0", "PATH": str(tmp_path)}) == [gone]
    _told(gone, "note", "does not tell", "set-clipboard")


def test_a_tmux_that_hangs_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "tmux"
    program.write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setattr(terminal, "_TMUX_S", 0.1)
    (gone,) = terminal.multiplexer_checks({"TMUX": "x", "PATH": str(tmp_path)})
    _told(gone, "note", "does not tell")


# ------------------------------------------------------------------------------------------------------ clock


def test_the_clock(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [check.name for check in clock.look_at_clock(case)] == ["UTC", "local zone", "synchronised"]
    _told(clock.now_check(datetime(2026, 11, 25, 1, 2, 3, tzinfo=UTC)), "ok", "2026-11-25T01:02:03Z")
    _told(clock.now_check(datetime(1970, 1, 1, tzinfo=UTC)), "fail", "1970-01-01", "timedatectl")
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    import time

    time.tzset()
    try:
        _told(clock.zone_check(), "ok", "UTC+05:30")
        monkeypatch.setenv("TZ", "NST3:30")
        time.tzset()
        _told(clock.zone_check(), "ok", "NST, UTC-03:30")
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()


def test_whether_the_clock_is_kept_right(tmp_path: Path) -> None:
    marker = tmp_path / "synchronized"
    assert clock.is_synchronised(marker) in (True, False, None)
    marker.touch()
    assert clock.is_synchronised(marker) is True
    _told(clock.synchronised_check(True), "ok", "yes")
    _told(clock.synchronised_check(False), "note", "time server", "timedatectl")
    _told(clock.synchronised_check(None), "ok", "not known")


@pytest.mark.parametrize(
    ("skew_s", "state", "words"),
    [
        (None, "ok", ("not known",)),
        (0.0, "ok", ("as this machine's",)),
        (-3.0, "ok", ("-3.0 s",)),
        (3600.0, "note", ("3,600 s ahead of",)),
        (-60.0, "note", ("60 s behind",)),
    ],
)
def test_how_far_the_other_clock_is_off(skew_s: float | None, state: str, words: tuple[str, ...]) -> None:
    _told(remote.skew_check("EM", skew_s), state, *words)


# ----------------------------------------------------------------------------------------------------- limits


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A kernel that allows user namespaces."""
    for name, text in (("sys/user/max_user_namespaces", "100"), ("self/ns/user", "")):
        path = tmp_path / "proc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "proc/sys/kernel").mkdir()
    (tmp_path / "proc/sys/fs/binfmt_misc").mkdir(parents=True)
    return tmp_path / "proc"


def test_user_namespaces(proc: Path) -> None:
    def look(uid: int = 1000) -> Check:
        return machine.namespaces_check(uid, proc)

    _told(look(), "ok", "may be made")
    (proc / "sys/kernel/apparmor_restrict_unprivileged_userns").write_text("1\n")
    _told(look(), "note", "AppArmor", "apparmor_restrict_unprivileged_userns=0")
    (proc / "sys/kernel/unprivileged_userns_clone").write_text("0\n")
    _told(look(), "note", "for root only", "unprivileged_userns_clone=1")
    _told(look(0), "ok")
    (proc / "sys/user/max_user_namespaces").write_text("0\n")
    _told(look(0), "note", "max_user_namespaces is 0", "sysctl -w")
    (proc / "self/ns/user").unlink()
    _told(look(), "note", "has none")


def test_who_runs_it() -> None:
    _told(machine.user_check(0), "note", "root", "ordinary user")
    _told(machine.user_check(4_000_000), "ok", "without a name (uid 4000000)")


def test_what_bounds_a_pod_as_a_whole() -> None:
    for engine, memory, processes, state in (
        ("sandbox", True, True, "ok"),
        ("sandbox", False, True, "note"),
        ("sandbox", False, False, "note"),
        ("docker", False, False, "ok"),
        ("simulated", False, False, "ok"),
    ):
        check = machine.cgroups_check(engine, bounds_memory=memory, binds_processes=processes)
        _told(check, state, *(("docker engine",) if state == "note" else ()))


def test_what_pods_may_use(case: Case) -> None:
    case.engine = "docker"
    _told(machine.pods_check(case), "ok", "512 processes", "no network")
    case.profile = Profile(case.profile.workspace, pods=PodPolicy(True, True, 64 << 20, 1.0, 9))
    _told(machine.pods_check(case), "ok", "64 MiB of ", " 1 of ", "9 processes; the network; a read-only root")
    case.engine = "sandbox"
    _told(machine.pods_check(case), "note", "docker engine")
    case.profile = Profile(case.profile.workspace, pods=PodPolicy(memory_bytes=1 << 60))
    _told(machine.pods_check(case), "note", "--pod-memory")


def test_what_pods_may_use_is_what_their_engine_has(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = Facts("Docker", "27", "1.47", "amd64", "linux", "/", platform.release(), 64, False, False, True, True, True)
    case.engine = "docker"
    case.docker = Found(Place("unix:///run/docker.sock", "x"), facts)
    _told(machine.pods_check(case), "ok", "64 of 64 processors", "512 processes; no network", " of ")
    bare = replace(facts, limits_memory=False, limits_processes=False, kernel="another")
    case.docker = Found(Place("unix:///run/docker.sock", "x"), bare)
    check = machine.pods_check(case)
    _told(check, "note", "64 of 64 processors; no limit on memory, processes, which this engine", "Delegate=")
    assert "512" not in check.found
    assert "memory," in check.found
    case.docker = Found(Place("unix:///run/docker.sock", "x"), replace(facts, kernel="another"))
    check = machine.pods_check(case)
    _told(check, "ok", "iB memory, 64 of 64 processors")  # not how much memory this machine has
    case.engine = "sandbox"
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    _told(machine.pods_check(case), "ok", "3 of 3 processors")


def test_images_for_what_flies(proc: Path) -> None:
    _told(machine.architecture_check("aarch64", proc), "ok", "own")
    _told(machine.architecture_check("x86_64", proc), "note", "x86_64", "qemu-user-static")
    emulator = proc / "sys/fs/binfmt_misc/qemu-aarch64"
    emulator.write_text("disabled\n")
    _told(machine.architecture_check("x86_64", proc), "note")
    emulator.write_text("enabled\ninterpreter /usr/bin/qemu-aarch64\n")
    _told(machine.architecture_check("x86_64", proc), "ok", "qemu-aarch64")


def test_nothing_of_pods_is_told_where_none_is_run(tmp_path: Path) -> None:
    from emtui.profile import Remote

    remote_only = Profile(tmp_path, em=Remote("https://em.example.org"), has_local=False)
    assert machine.look_at_machine(Case(remote_only, tmp_path / "config.toml")) == []


# ------------------------------------------------------------------------------------------------------ disks


@pytest.mark.parametrize(
    ("free", "state"), [(GIB, "ok"), (GIB - 1, "note"), (16 << 20, "note"), ((16 << 20) - 1, "fail"), (0, "fail")]
)
def test_how_full_a_disk_may_be(free: int, state: str, tmp_path: Path) -> None:
    _told(disks.room_check("workspace", "disk", tmp_path, free, "Free some space."), state, str(tmp_path))


def test_a_disk_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status = namedtuple("status", "f_bavail f_frsize")(5, 4096)
    monkeypatch.setattr("os.statvfs", lambda _path: status)
    _told(disks.disk_check("workspace", "disk", tmp_path, "Free some space."), "fail", "20 KiB free")
    monkeypatch.undo()
    _told(disks.disk_check("workspace", "disk", tmp_path / "none", "x"), "note", "No such file", "mounted")


# ----------------------------------------------------------------------------------------------------- tokens


def test_where_tokens_are_kept(tmp_path: Path, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMTUI_NO_KEYRING", "1")
    (check,) = keeping.look_at_keeping(case)
    _told(check, "ok", "EMTUI_NO_KEYRING", "tokens.json, mode 0600")


def test_a_keyring_is_named_and_not_asked(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ring:
        """Any question would raise: it has no method."""

    monkeypatch.setattr("emtui.client.http.token_store.system_keyring", Ring)
    (check,) = keeping.look_at_keeping(case)
    _told(check, "ok", "keeps the tokens")
    monkeypatch.setattr("emtui.client.http.token_store.system_keyring", lambda: None)
    (check,) = keeping.look_at_keeping(case)
    _told(check, "ok", "there is none")

    def refuse() -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "/root/keyringrc.cfg")

    monkeypatch.setattr("emtui.client.http.token_store.system_keyring", refuse)
    (check,) = keeping.look_at_keeping(case)
    _told(check, "note", "cannot be used", "keyringrc.cfg", "tokens.json", "EMTUI_NO_KEYRING=1")


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda file: file.chmod(0o644), "others can read it"),
        (lambda file: (file.unlink(), file.mkdir()), "not a regular file"),
        (lambda file: (file.unlink(), file.symlink_to("x")), "not a regular file"),
    ],
)
def test_a_file_of_tokens_that_is_not_read(tmp_path: Path, make: Callable[[Path], object], word: str) -> None:
    file = tmp_path / "tokens.json"
    file.touch(0o600)
    assert keeping.file_checks(file) == []
    make(file)
    (check,) = keeping.file_checks(file)
    _told(check, "note", word, "rm ")
