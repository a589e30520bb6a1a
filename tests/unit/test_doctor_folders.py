"""The looks of `emtui doctor` at the workspace, the configuration and the remote ends; how all is bounded and told."""

import json
import os
import re
import signal
import tempfile
import threading
import time
from collections import namedtuple
from pathlib import Path

import pytest

from emtui.doctor import checks, configuration, remote, workspace
from emtui.doctor.bounds import within
from emtui.doctor.case import Case
from emtui.doctor.checks import Check, Step, taken
from emtui.doctor.examination import STEPS, examine
from emtui.doctor.folders import is_read_only
from emtui.doctor.report import Human, document
from emtui.errors import ConfigProblem
from emtui.local.workspace import Workspace
from emtui.profile import Profile, Remote
from tests.certificates import certificate
from tests.serving import served_here
from tests.unit.as_nobody import as_nobody


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(Profile(tmp_path / "ws"), tmp_path / "config.toml")


def _by_name(found: list[Check]) -> dict[str, Check]:
    assert all(check.todo for check in found if check.state != "ok"), found
    return {check.name: check for check in found}


# -------------------------------------------------------------------------------------------------- workspace


def test_a_workspace_that_will_be_made_is_not_made_now(case: Case) -> None:
    (check,) = workspace.look_at_folder(case)
    assert check == Check("workspace", "folder", "ok", f"{case.workspace} will be made")
    (disk,) = workspace.look_at_disk(case)
    assert str(case.workspace.parent) in disk.found
    assert not case.workspace.exists()


def test_a_workspace_that_is_free_and_one_that_is_in_use(case: Case) -> None:
    one = Workspace(case.workspace)
    before = sorted(case.workspace.rglob("*"))
    in_use = _by_name(workspace.look_at_folder(case))["in use"]
    assert in_use.state == "note"
    assert f"process {os.getpid()}" in in_use.found
    assert sorted(case.workspace.rglob("*")) == before
    one.close()
    found = _by_name(workspace.look_at_folder(case))
    assert [check.state for check in found.values()] == ["ok", "ok", "ok"]
    assert found["in use"].found == "no"
    assert found["database"].found == "emtui.db, schema 1"
    Workspace(case.workspace).close()  # its lock was not kept


def test_who_has_the_workspace_is_told_with_what_to_do(case: Case) -> None:
    one = Workspace(case.workspace, "serve http://127.0.0.1:8000")
    in_use = _by_name(workspace.look_at_folder(case))["in use"]
    one.close()
    assert f"by another emtui (process {os.getpid()}: serve http://127.0.0.1:8000)" in in_use.found
    assert "--em-url http://127.0.0.1:8000" in in_use.todo


def test_the_folder_of_remote_ends_is_nobodys_alone(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    case = Case(Profile(tmp_path / "state", em=Remote("https://em.example.org"), has_local=False), tmp_path / "c")
    assert list(_by_name(workspace.look_at_folder(case))) == ["folder"]


def test_an_empty_folder_is_a_workspace_to_be(case: Case) -> None:
    case.workspace.mkdir()
    found = _by_name(workspace.look_at_folder(case))
    assert [check.state for check in found.values()] == ["ok", "ok"]
    (case.workspace / "emtui.db").touch()
    assert "database" not in _by_name(workspace.look_at_folder(case))


def test_what_is_no_workspace(case: Case, tmp_path: Path) -> None:
    case.workspace.mkdir()
    (case.workspace / "letter.txt").touch()
    (check,) = workspace.look_at_folder(case)
    assert check.state == "fail"
    assert "letter.txt" in check.found

    (tmp_path / "file").touch()
    for path, word in ((tmp_path / "file", "a file, not a directory"), (tmp_path / "file/ws", "in the way")):
        (check,) = workspace.look_at_folder(Case(Profile(path), tmp_path))
        assert (check.state, word in check.found) == ("fail", True)
        assert check.todo
    (check,) = workspace.look_at_folder(Case(Profile(tmp_path / "a\0b"), tmp_path))
    assert check.state == "fail"


def test_a_folder_without_rights(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda _path, _mode: False)  # root has every right
    (check,) = workspace.look_at_folder(case)
    assert check.state == "fail"
    assert "no rights" in check.found
    case.workspace.mkdir()
    (check,) = workspace.look_at_folder(case)
    assert (check.state, "no rights" in check.found, "--local" in check.todo) == ("fail", True, True)


def test_a_database_that_cannot_be_opened(case: Case) -> None:
    Workspace(case.workspace).close()
    path = case.workspace / "emtui.db"
    whole = path.read_bytes()
    path.write_bytes(whole[:60] + (99).to_bytes(4, "big") + whole[64:])
    check = _by_name(workspace.look_at_folder(case))["database"]
    assert check.state == "fail"
    assert "newer emtui (schema 99" in check.found
    path.write_bytes(b"a letter to somebody")
    assert "not a database" in _by_name(workspace.look_at_folder(case))["database"].found


def test_a_folder_that_may_not_be_looked_for(case: Case) -> None:
    with tempfile.TemporaryDirectory() as name:
        denied = Path(name) / "denied"
        (denied / "ws").mkdir(parents=True)
        Path(name).chmod(0o755)
        denied.chmod(0o700 if os.geteuid() == 0 else 0o000)
        case = Case(Profile(denied / "ws/new"), denied / "config.toml")
        folder, disk = as_nobody(lambda: workspace.look_at_folder(case) + workspace.look_at_disk(case))
        (config,) = as_nobody(lambda: configuration.look_at_configuration(case))
        case.is_config_named = True
        (named,) = as_nobody(lambda: configuration.look_at_configuration(case))
        denied.chmod(0o700)
    assert (folder.state, f"no rights to {denied}" in folder.found, "--local" in folder.todo) == ("fail", True, True)
    assert (disk.name, disk.state) == ("disk", "ok")
    # Without a profile emtui does not read it, and starts.
    assert (config.state, "Permission denied" in config.found, bool(config.todo)) == ("note", True, True)
    assert named.state == "fail"


def test_a_file_system_that_is_read_only_says_so(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda _path, _mode: False)
    monkeypatch.setattr(workspace, "is_read_only", lambda _folder: True)
    for _ in range(2):
        (check,) = workspace.look_at_folder(case)
        assert (check.state, "read-only" in check.found) == ("fail", True)
        assert check.todo == "Choose a directory that can be written to with --local."
        case.workspace.mkdir(exist_ok=True)


def test_whether_a_file_system_is_read_only_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_read_only(tmp_path)
    assert not is_read_only(tmp_path / "none")
    monkeypatch.setattr("os.statvfs", lambda _path: namedtuple("status", "f_flag")(os.ST_RDONLY | os.ST_NOSUID))
    assert is_read_only(tmp_path)


def test_a_link_that_leads_nowhere_is_no_workspace(case: Case) -> None:
    case.workspace.symlink_to("nowhere")
    (check,) = workspace.look_at_folder(case)
    assert (check.state, "a link that leads nowhere" in check.found, bool(check.todo)) == ("fail", True, True)


# ---------------------------------------------------------------------------------------------- configuration


def test_no_configuration_is_no_fault_unless_it_was_named(case: Case) -> None:
    (check,) = configuration.look_at_configuration(case)
    assert (check.state, "none is needed" in check.found) == ("ok", True)
    case.is_config_named = True
    (check,) = configuration.look_at_configuration(case)
    assert (check.state, "no such file" in check.found, bool(check.todo)) == ("fail", True, True)


def test_a_configuration_with_its_profiles_and_its_faults(case: Case) -> None:
    case.config.write_text('[profile.em]\nem_url = "https://x"\n[profile.bench]\nlocal = "b"\nengin = "docker"\n')
    file, key = configuration.look_at_configuration(case)
    assert file.found == f"{case.config}; profiles: em, bench"
    assert (key.state, ":5: profile.bench.engin" in key.found) == ("note", True)

    case.config.write_text("[profile.em]\napi = 7\n")
    (file,) = configuration.look_at_configuration(case)
    # A wrong value stops every start, also one that names nothing of the file.
    assert (file.state, f"{case.config}:2: profile.em.api" in file.found) == ("fail", True)
    case.problem = ConfigProblem(file.found, remedy=file.todo)
    (file,) = configuration.look_at_configuration(case)
    assert file.state == "fail"
    case.config.write_text("[profile.em]\n")
    case.problem = ConfigProblem("no profile is called nix", remedy="There are: em.")
    file, key, options = configuration.look_at_configuration(case)
    assert (file.state, options.state, options.todo) == ("ok", "fail", "There are: em.")
    assert (key.state, "names neither em_url, grid_url nor local" in key.found) == ("note", True)
    case.problem = ConfigProblem(key.found, remedy=key.todo)
    assert [check.name for check in configuration.look_at_configuration(case)] == ["file", "options"]


def test_a_variable_that_is_not_known_is_told(case: Case) -> None:
    case.environment = {"EMTUI_REED_ONLY": "1", "EMTUI_TOKEN": "x", "EMTUI_TEST_HOST": "x"}
    file, variable = configuration.look_at_configuration(case)
    assert (file.state, variable.state) == ("ok", "note")
    assert "Did you mean EMTUI_READ_ONLY?" in variable.found


# ------------------------------------------------------------------------------------------------ remote ends


def _remote(tmp_path: Path, em: Remote | None = None, grid: Remote | None = None) -> dict[str, Check]:
    profile = Profile(tmp_path / "j", em=em, grid=grid, has_local=False)
    return _by_name(remote.look_at_remotes(Case(profile, tmp_path / "c")))


def test_ends_that_answer_with_their_clock(tmp_path: Path) -> None:
    with served_here(tmp_path / "served") as server:
        found = _remote(tmp_path, Remote(server.url), Remote(server.url))
    assert list(found) == ["EM", "EM's clock", "Grid Node", "Grid Node's clock"]
    assert {check.state for check in found.values()} == {"ok"}
    assert re.fullmatch(rf"{server.url} answers in \d+ ms", found["EM"].found), "a server need have nothing there"
    assert "this machine's" in found["EM's clock"].found


def test_ends_that_do_not_answer_say_why(tmp_path: Path) -> None:
    assert _remote(tmp_path) == {}
    found = _remote(tmp_path, Remote("http://127.0.0.1:1"), Remote("http://em.example.org"))
    assert found["EM"].state == "fail"
    assert "Connection refused" in found["EM"].found
    assert "by itself" not in found["EM"].todo
    assert "plain http" in found["Grid Node"].found
    assert "user or a password" in _remote(tmp_path, Remote("https://me:canary@x"))["EM"].found


def test_a_certificate_that_does_not_fit_is_named(tmp_path: Path) -> None:
    made = certificate(tmp_path)
    with served_here(tmp_path / "served", tls_cert=made.pem, tls_key=tmp_path / "key.pem") as server:
        refused = _remote(tmp_path, Remote(server.url))["EM"]
        trusted = _remote(tmp_path, Remote(server.url, ca_file=made.pem))["EM"]
        missing = _remote(tmp_path, Remote(server.url, ca_file=tmp_path / "none.pem"))["EM"]
    assert (refused.state, "self-signed" in refused.found) == ("fail", True)
    assert trusted.state == "ok"
    assert (missing.state, "none.pem" in missing.found) == ("fail", True)


# ------------------------------------------------------------------------------------------------- the bounds


def test_a_look_that_fails_unforeseen_is_a_line_and_not_the_end(case: Case) -> None:
    def fail(_case: Case) -> list[Check]:
        raise ZeroDivisionError("by nothing")

    def refuse(_case: Case) -> list[Check]:
        raise ConfigProblem("it is wrong", remedy="Mend it.")

    def lose(_case: Case) -> list[Check]:
        raise PermissionError(13, "Permission denied", "/some/where")

    steps = [Step("clock", name, look) for name, look in (("a", fail), ("b", refuse), ("c", lose))]
    found = [check for one in examine(case, steps) for check in one]
    assert [(check.name, check.state, check.found) for check in found] == [
        ("a", "fail", "ZeroDivisionError: by nothing"),
        ("b", "fail", "it is wrong"),
        ("c", "fail", "/some/where: Permission denied"),
    ]
    assert all(check.todo for check in found)
    assert not case.is_held_up


def test_a_look_that_does_not_end_is_a_line_and_not_waited_for(case: Case) -> None:
    release = threading.Event()

    def hang(_case: Case) -> list[Check]:
        release.wait(30)
        return []

    began = time.monotonic()
    (check,) = taken(Step("workspace", "disk", hang, 0.1), case)
    release.set()
    assert time.monotonic() - began < 5
    assert (check.state, check.name) == ("fail", "disk")
    assert "0.1 s" in check.found
    assert case.is_held_up


def test_a_signal_that_does_not_interrupt_the_wait_is_heeded_soon() -> None:
    release = threading.Event()

    def be_ended(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    def work() -> None:
        release.wait(0.3)  # until it is waited for
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)  # the kernel tells this thread, and not who waits
        release.wait(30)

    before = signal.signal(signal.SIGUSR1, be_ended)
    began = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            within(20, "x", work)
    finally:
        signal.signal(signal.SIGUSR1, before)
        release.set()
    assert time.monotonic() - began < 5


def test_what_was_made_to_try_things_in_goes_also_where_nobody_reads_on(case: Case) -> None:
    def make(case: Case) -> list[Check]:
        case.scratch.folder()
        return []

    looks = examine(case, [Step("engine", "x", make), Step("engine", "y", make)])
    next(looks)
    folder = case.scratch.folder()
    assert folder.is_dir()
    looks.close()
    assert not folder.exists()


def test_every_step_has_a_bound_and_a_name() -> None:
    assert all(0 < step.patience_s <= 100 and step.name and step.section for step in STEPS)
    assert checks.State.__args__ == ("ok", "note", "fail")


# ------------------------------------------------------------------------------------------------- the report

HOSTILE = "a\x1b[2J\nb\u202e[red]\x9b31m\udc80"
LINES = [
    Check("engine", "docker", "ok", "this one is used: " + "x" * 30 + " " + "y" * 40),
    Check("engine", "a name that is longer than its column", "note", "found", "Do this and that. " * 10),
    Check("clock", HOSTILE, "fail", HOSTILE, HOSTILE),
]


@pytest.mark.parametrize("columns", [1, 40, 80, 120, 500])
def test_the_lines_fit_and_no_foreign_byte_gets_through(columns: int) -> None:
    lines = Human(columns=columns, has_shapes=True, has_colour=False).lines(LINES)
    text = "\n".join(lines)
    assert all(character == "\n" or character.isprintable() for character in text)
    # Words that are longer than a line, such as paths, are broken.
    assert max(map(len, lines)) <= max(40, min(columns, 120))
    assert "\\x1b[2J\\nb\\u202e[red]" in text.replace("\n" + " " * 21, "")


def test_marks_are_shapes_or_words_and_colour_is_left_out_where_it_is_not_wanted() -> None:
    shapes = "\n".join(Human(columns=80, has_shapes=True, has_colour=False).lines(LINES))
    words = "\n".join(Human(columns=80, has_shapes=False, has_colour=False).lines(LINES))
    painted = "\n".join(Human(columns=80, has_shapes=True, has_colour=True).lines(LINES))
    assert [mark for mark in shapes if mark in "●■▼"] == ["●", "■", "▼"]
    assert "  ok   docker           this one" in words
    assert "  note a name that is longer than its column\n" in words
    assert words.isascii()
    assert "\x1b" not in shapes + words
    assert "\x1b[32m  ● \x1b[0mdocker" in painted


def test_a_section_that_comes_in_two_parts_has_one_head() -> None:
    human = Human(columns=80, has_shapes=False, has_colour=False)
    lines = human.lines(LINES[:1]) + human.lines(LINES[1:])
    assert [line for line in lines if line and not line.startswith(" ")] == ["engine", "clock"]


def test_the_summary_says_whether_it_can_be_used() -> None:
    human = Human(columns=200, has_shapes=False, has_colour=False)
    _, *said = human.summary(LINES, is_local=True, engine="")
    again = said[2:]
    assert " ".join(said[:2]) == (
        "Local mode cannot be used so: 1 line says what does not work. "
        "1 line says what could be better: a name that is longer than its column."
    )
    assert again == Human(columns=200, has_shapes=False, has_colour=False).lines(LINES[2:])[1:]
    assert human.summary(LINES[:2], is_local=True, engine="docker")[1:] == [
        "Local mode can be used, with the docker engine. "
        "1 line says what could be better: a name that is longer than its column."
    ]
    assert human.summary([], is_local=False, engine="")[-1] == "The profile can be used."


def test_the_document_has_every_line() -> None:
    text = document(LINES, "docker")
    assert text.isascii()
    told = json.loads(text)
    assert set(told) == {"version", "checks", "engine"}
    assert told["engine"] == "docker"
    assert [set(line) for line in told["checks"]] == [{"section", "name", "state", "found", "todo"}] * 3
    assert told["checks"][0]["found"] == LINES[0].found
    assert told["checks"][2]["found"].isprintable()
