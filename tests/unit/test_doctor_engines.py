"""The looks of `emtui doctor` at engines: real sockets with real rights, and engines that are really tried."""

import asyncio
import errno
import os
import pwd
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from emtui.doctor import engines, onboard, sockets
from emtui.doctor.case import Case
from emtui.doctor.checks import Check
from emtui.local.engines import choose
from emtui.local.engines.choice import Finding, remember_engine
from emtui.local.workspace import Workspace
from emtui.profile import Profile, Remote
from tests.engines.docker_here import DOCKER_PLACE, need_docker
from tests.unit.as_nobody import NOBODY, as_nobody


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    made = Case(Profile(tmp_path / "ws"), tmp_path / "config.toml")
    yield made
    made.scratch.remove()


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder for sockets, whose paths have at most 107 bytes; everybody may look into it."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def listening(short: Path) -> Iterator[Path]:
    """A socket behind which somebody listens and never answers."""
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(short / "docker.sock"))
        one.listen(8)
        yield short / "docker.sock"


def _as_nobody(look: Callable[[], Check]) -> Check:
    (check,) = as_nobody(lambda: [look()])
    return check


# ---------------------------------------------------------------------------------------------------- sockets


def test_a_socket_that_may_be_used(listening: Path) -> None:
    listening.chmod(0o660)
    check = sockets.look_at_socket(listening)
    assert (check.state, check.todo) == ("ok", "")
    assert check.found.startswith(f"{listening}: ")
    assert check.found.endswith(" 0660; you may use it")


def test_a_socket_that_is_denied(listening: Path) -> None:
    listening.chmod(0o600 if os.geteuid() == 0 else 0o000)
    check = _as_nobody(lambda: sockets.look_at_socket(listening))
    assert check.state == "note"
    assert "you may not use it" in check.found
    assert "rootless" in check.todo


def test_a_socket_of_a_group_is_denied_with_the_group_to_join(listening: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a socket to another group")
    import grp

    group = next(entry for entry in grp.getgrall() if entry.gr_gid not in (0, NOBODY))
    os.chown(listening, 0, group.gr_gid)
    listening.chmod(0o660)
    check = _as_nobody(lambda: sockets.look_at_socket(listening))
    assert check.state == "note"
    assert f"root:{group.gr_name} 0660; you may not use it" in check.found
    assert f"usermod -aG {group.gr_name} " in check.todo


def test_a_socket_behind_a_folder_that_may_not_be_looked_into(short: Path) -> None:
    own = short / ".docker"
    (own / "run").mkdir(parents=True)
    path = own / "run/docker.sock"
    own.chmod(0o700 if os.geteuid() == 0 else 0o000)
    environments: list[tuple[dict[str, str], str]] = [
        ({"HOME": str(short)}, f"sudo chown -R {pwd.getpwuid(_somebody()).pw_name} {own}."),
        ({"HOME": str(path.parent)}, "Set HOME"),
        (
            {"HOME": str(own), "XDG_RUNTIME_DIR": str(own)},
            f"Set XDG_RUNTIME_DIR to your own folder (/run/user/{_somebody()})",
        ),
        ({}, f"rights to {own}."),
    ]
    try:
        for environment, words in environments:
            check = _as_nobody(lambda environment=environment: sockets.look_at_socket(path, environment))  # type: ignore[misc]
            assert check.state == "note"
            assert f"behind {own}, which you may not look into" in check.found
            assert words in check.todo
        named = _as_nobody(lambda: sockets.look_at_socket(path, {}, is_named=True))
        podman = _as_nobody(lambda: sockets.look_at_socket(own / "podman.sock", {}))
    finally:
        own.chmod(0o755)
    assert "Set DOCKER_HOST" in named.todo
    assert "podman.socket" in podman.todo


def _somebody() -> int:
    return NOBODY if os.geteuid() == 0 else os.geteuid()


def test_what_is_no_socket_and_one_that_nobody_listens_at(short: Path) -> None:
    (short / "file").touch()
    (short / "folder").mkdir()
    (short / "link").symlink_to("nowhere")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(short / "left"))
    found = {name: sockets.look_at_socket(short / name) for name in ("file", "folder", "link", "left")}
    assert {check.state for check in found.values()} == {"note"}
    assert all(check.todo for check in found.values())
    assert "a file, not a socket" in found["file"].found
    assert "a folder, not a socket" in found["folder"].found
    assert "a link that leads nowhere" in found["link"].found
    assert "move that away" in found["file"].todo
    too_long = short / ("x" * 110)
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(short / "s"))
        (short / "s").rename(too_long)
    assert "over 107 bytes" in sockets.look_at_socket(too_long).todo
    assert "nothing answers behind it (Connection refused)" in found["left"].found


def test_every_socket_that_is_there_is_told_or_that_there_is_none(case: Case, short: Path) -> None:
    case.environment = {"HOME": str(short), "XDG_RUNTIME_DIR": str(short)}
    before = sockets.look_at_sockets(case)
    (short / "podman").mkdir()
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(short / "podman/podman.sock"))
        one.listen()
        after = sockets.look_at_sockets(case)
    assert all(str(short) not in check.found for check in before if check.state == "ok")
    assert [check.state for check in after if str(short / "podman/podman.sock") in check.found] == ["ok"]


def test_what_is_named_is_the_only_one(case: Case, listening: Path) -> None:
    case.environment = {"DOCKER_HOST": f"unix://{listening}"}
    host, one = sockets.look_at_sockets(case)
    assert (host.name, one.name) == ("DOCKER_HOST", "socket")
    assert str(listening) in host.found
    assert "only place" in host.found

    case.environment = {"DOCKER_HOST": f"unix://{listening}.not"}
    _, none = sockets.look_at_sockets(case)
    assert none.state == "note"
    assert f"{listening}.not" in none.found
    assert "Start Docker" in none.todo

    assert "unset it" in none.todo
    case.environment = {"DOCKER_CONTEXT": "bench"}
    (context,) = sockets.look_at_sockets(case)
    assert "the Docker context bench" in context.found


@pytest.mark.parametrize("scheme", ["unix://", "tcp://", "http://", "ssh://", "", "what://"])
@pytest.mark.parametrize("user", ["me:canary@", "canary@", "me:can/canary@", "me:can@canary@", "me:\ncanary@"])
def test_no_part_of_a_user_or_a_password_is_told(case: Case, scheme: str, user: str) -> None:
    case.environment = {"DOCKER_HOST": f"{scheme}{user}host.example:1"}
    (check,) = sockets.look_at_sockets(case)
    assert "can" not in f"{check.found} {check.todo}".replace("can be", "")
    assert f"{scheme}…@host.example:1" in check.found


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "nonsense: not an address"),
        ("UNIX:///run/docker.sock", "not an address"),
        ("fd://3", "not an address"),
        ("/run/docker.sock", "not an address"),
        ("tcp://", "without a host"),
        ("unix://", "without a path"),
        ("unix://docker.sock", "not an absolute path"),
    ],
)
def test_what_is_no_address_is_not_well(case: Case, url: str, words: str) -> None:
    case.environment = {"DOCKER_HOST": url}
    (check,) = sockets.look_at_sockets(case)
    assert (check.name, check.state) == ("DOCKER_HOST", "note")
    assert words in check.found
    assert check.todo.startswith("Set DOCKER_HOST to ")
    assert "unset it" in check.todo


@pytest.mark.parametrize("url", ["tcp://10.0.0.1:2375", "https://h", "ssh://h", "npipe:////./pipe/docker_engine"])
def test_an_address_is_only_told(url: str) -> None:
    check = sockets.named_check(url)
    assert (check.state, check.found.startswith(url)) == ("ok", True)


def test_what_somebody_names_and_is_no_socket_is_not_to_be_removed(case: Case, short: Path) -> None:
    (short / "passwd").touch()
    for path, kind in ((short / "passwd", "a file"), (short, "a folder")):
        case.environment = {"DOCKER_HOST": f"unix://{path}"}
        _, check = sockets.look_at_sockets(case)
        assert f"{path}: {kind}, not a socket" in check.found
        assert check.todo.startswith("Set DOCKER_HOST to ")
        assert not any(word in check.todo.lower() for word in ("remove", "move", "start"))


# ---------------------------------------------------------------------------------------------------- engines


def _only(monkeypatch: pytest.MonkeyPatch, *families: str) -> None:
    kept = tuple(candidate for candidate in choose.CANDIDATES if candidate.family in families)
    monkeypatch.setattr(choose, "CANDIDATES", kept)


def test_each_engine_is_tried_and_the_one_that_is_used_is_said(case: Case) -> None:
    checks = {check.name: check for check in engines.look_at_engines(case)}
    assert list(checks) == [candidate.name for candidate in choose.CANDIDATES]
    assert [check.name for check in checks.values() if "this one is used" in check.found] == [
        next(check.name for check in checks.values() if check.found.startswith(("it works", "this one")))
    ]
    assert checks["docker"].state == "note"
    assert checks["docker"].todo
    assert case.engine in ("sandbox", "simulated")
    assert not case.workspace.exists()


def test_an_engine_that_only_pretends_is_used_with_a_note(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    _only(monkeypatch, "docker", "simulated")
    checks = engines.look_at_engines(case)
    assert [(check.name, check.state) for check in checks] == [("docker", "note"), ("simulated", "note")]
    assert "nothing is executed" in checks[1].found
    assert case.engine == "simulated"


def test_an_engine_that_is_named_and_does_not_work_fails(case: Case) -> None:
    case.profile = Profile(case.profile.workspace, engine="docker")
    *_, check = engines.look_at_engines(case)
    assert (check.name, check.state) == ("--engine docker", "fail")
    assert check.todo
    assert case.engine == ""


def test_the_engine_that_is_named_is_the_one_that_is_used(case: Case) -> None:
    case.profile = Profile(case.profile.workspace, engine="simulated")
    checks = engines.look_at_engines(case)
    assert "this one is used" in checks[-1].found
    assert case.engine == "simulated"


def test_none_is_tried_where_none_is_needed(tmp_path: Path) -> None:
    case = Case(Profile(tmp_path / "ws", em=Remote("https://em.example.org"), has_local=False), tmp_path / "c")
    (check,) = engines.look_at_engines(case)
    assert check.state == "ok"
    assert sockets.look_at_sockets(case) == []
    assert onboard.look_on_board(case) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "is_beside", "state", "words"),
    [
        (errno.ENOSPC, True, "fail", ("Free some space on the disk of {beside}", "--local")),
        (errno.ENOSPC, False, "note", ("Free some space on the disk of {elsewhere}", "TMPDIR")),
        (errno.EACCES, True, "fail", ("rights to {beside}", "--local")),
        (errno.EROFS, False, "note", ("Set TMPDIR",)),
        (errno.EROFS, True, "fail", ("Choose another directory with --local",)),
    ],
)
def test_a_place_to_try_them_in_that_cannot_be_had(
    case: Case, number: int, is_beside: bool, state: str, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_options: object) -> str:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    if not is_beside:
        monkeypatch.setattr("os.access", lambda _path, _mode: False)
    (check,) = engines.look_at_engines(case)
    assert check.state == state
    assert os.strerror(number) in check.found
    for word in words:
        assert word.format(beside=case.workspace.parent, elsewhere=tempfile.gettempdir()) in check.todo
    assert ("TMPDIR" in check.todo) == (not is_beside)


def test_a_workspace_that_may_not_be_looked_for_does_not_hide_the_engines(short: Path) -> None:
    denied = short / "denied"
    (denied / "ws").mkdir(parents=True)
    denied.chmod(0o700 if os.geteuid() == 0 else 0o000)
    checks = as_nobody(lambda: _tried(Case(Profile(denied / "ws", engine="simulated"), short / "config.toml")))
    denied.chmod(0o700)
    assert [check.name for check in checks] == [candidate.name for candidate in choose.CANDIDATES]


def _tried(case: Case) -> list[Check]:
    try:
        return engines.look_at_engines(case)
    finally:
        case.scratch.remove()


def test_a_socket_that_never_answers_is_not_waited_for(
    case: Case, listening: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{listening}")
    monkeypatch.setattr("emtui.local.engines.docker.daemon._CONNECT_S", 0.3)
    _only(monkeypatch, "docker", "simulated")
    began = time.monotonic()
    docker, simulated = engines.look_at_engines(case)
    assert time.monotonic() - began < 5
    assert docker.state == "note"
    assert "does not answer" in docker.found
    assert docker.todo
    assert "this one is used" in simulated.found


FINDINGS = {
    "works": Finding("docker", True, detail="Docker 27"),
    "bare": Finding("docker", True, remedy="docker pull busybox", detail="Docker 27", reservation="nothing on board"),
    "away": Finding("docker", False, "it is away", "Start it."),
    "bwrap": Finding("sandbox(bwrap)", True),
    "simulated": Finding("simulated", True, reservation="nothing is executed"),
}


@pytest.mark.parametrize(
    ("docker", "wanted", "before", "words"),
    [
        ("works", "simulated", "", "Leave out --engine simulated (engine, in a profile)"),
        ("works", None, "simulated", "--engine docker takes one that works here"),
        ("away", None, "", "Make one of those above work"),
        ("away", "simulated", "", "Make one of those above work"),
    ],
)
def test_how_to_have_pods_that_are_executed(
    case: Case, docker: str, wanted: str | None, before: str, words: str
) -> None:
    case.profile = Profile(case.profile.workspace, engine=wanted)
    candidates = [candidate for candidate in choose.CANDIDATES if candidate.family != "sandbox"]
    *_, check = engines.told(case, candidates, [FINDINGS[docker], FINDINGS["simulated"]], before)
    assert "nothing is executed" in check.found
    assert words in check.todo


@pytest.mark.parametrize(
    ("docker", "wanted", "before", "used", "words"),
    [
        ("works", None, "", "docker", "this one is used: Docker 27"),
        ("bare", None, "", "sandbox", "not taken by itself: nothing on board"),
        ("bare", "docker", "", "docker", "this one is used: Docker 27"),
        ("bare", None, "docker", "docker", "this one is used, as before: Docker 27"),
        ("works", None, "sandbox", "sandbox", "it works: Docker 27"),
        ("works", None, "simulated", "simulated", "it works: Docker 27"),
        ("away", None, "docker", "sandbox", "it is away; this workspace had it before"),
        ("away", "docker", "", "", "it is away"),
    ],
)
def test_the_one_that_is_used_is_the_one_that_would_be_chosen(
    case: Case, docker: str, wanted: str | None, before: str, used: str, words: str
) -> None:
    case.profile = Profile(case.profile.workspace, engine=wanted)
    candidates = [candidate for candidate in choose.CANDIDATES if candidate.name != "sandbox(unshare)"]
    checks = engines.told(case, candidates, [FINDINGS[name] for name in (docker, "bwrap", "simulated")], before)
    assert case.engine == used
    assert words in checks[0].found
    assert [check.name.partition("(")[0] for check in checks if "this one is used" in check.found] == [used][
        : bool(used)
    ]
    assert all(check.todo for check in checks if check.state != "ok")
    assert (checks[-1].state == "fail") == (not used)


async def test_it_says_what_the_choice_does(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    _only(monkeypatch, "docker", "simulated")
    workspace = Workspace(case.workspace)
    remember_engine(workspace.path, "simulated")
    engine = await choose.choose_engine(workspace, candidates=choose.CANDIDATES)
    await engine.aclose()
    workspace.close()
    await asyncio.to_thread(engines.look_at_engines, case)
    assert case.engine == engine.name == "simulated"


def test_a_workspace_of_before_with_images_keeps_the_sandbox(case: Case) -> None:
    workspace = Workspace(case.workspace)
    with workspace.store.change() as database:
        database.execute("INSERT INTO images VALUES ('a:b', 'sha256:0', 'built', '2026', 1, '{}', 'folder')")
    workspace.close()
    assert engines._had_before(case.workspace) == "sandbox"
    before = sorted(case.workspace.rglob("*"))
    remember_engine(case.workspace, "docker")
    assert engines._had_before(case.workspace) == "docker"
    (case.workspace / "blobs/engine").unlink()
    assert sorted(case.workspace.rglob("*")) == before
    (case.workspace / "emtui.db").write_bytes(b"rubbish")
    assert engines._had_before(case.workspace) == ""


# ----------------------------------------------------------------------------------------------- a real engine


def test_a_real_engine_with_its_version_its_images_and_its_disk(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    found = need_docker()
    monkeypatch.setenv("DOCKER_HOST", DOCKER_PLACE.url)
    case.profile = Profile(case.profile.workspace, engine="docker", base_images=("busybox",))
    docker, *_ = engines.look_at_engines(case)
    assert docker.state == "ok"
    assert docker.found.startswith(f"this one is used: {found.facts.product} {found.facts.version}, API ")
    assert case.engine == "docker"
    images, *disk = onboard.look_on_board(case)
    assert images.state == "ok"
    assert "busybox:latest" in images.found.split(", ")
    assert [check.name for check in disk] in ([f"disk of {found.facts.product}"], [])

    assert case.docker is not None
    assert (case.docker.place.url, case.docker.facts.cpus) == (DOCKER_PLACE.url, found.facts.cpus)

    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent.sock")  # the place that was chosen is asked, and no other
    assert "busybox:latest" in onboard.look_on_board(case)[0].found.split(", ")
    case.profile = Profile(case.profile.workspace, engine="docker", base_images=("no-such-base",))
    images, *_ = onboard.look_on_board(case)
    assert images.state == "note"
    assert "no-such-base" in images.found
    assert "pull no-such-base" in images.todo


def test_nothing_is_left_in_a_real_engine(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    need_docker()
    monkeypatch.setenv("DOCKER_HOST", DOCKER_PLACE.url)
    engines.look_at_engines(case)

    async def sources() -> list[str]:
        from emtui.local.engines.docker.daemon import Daemon

        daemon = Daemon(DOCKER_PLACE)
        try:
            containers = await daemon.docker.containers.list(all=True)
            return [mount["Source"] for container in containers for mount in container._container["Mounts"]]
        finally:
            await daemon.aclose()

    ours = str(case.scratch.folder())
    assert [source for source in asyncio.run(sources()) if source.startswith(ours)] == []
