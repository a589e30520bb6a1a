"""Whether a Docker Engine can be used, and why not: each reason in words, with what to do."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from emtui.errors import ConfigProblem
from emtui.local.engines.choice import remembered_engine
from emtui.local.engines.choose import choose_engine
from emtui.local.engines.docker import daemon, probe
from emtui.local.engines.docker.places import Place, places
from emtui.local.engines.docker.probe import probe_places
from emtui.local.stopping import Stop, StopRequested
from emtui.local.workspace import Workspace
from tests.engines.docker_here import DOCKER_PLACE, need_docker
from tests.engines.fake_engine import INFO, VERSION, listening


def python(script: str, *arguments: str, before: tuple[str, ...] = ()) -> str:
    """What a script prints, in a process of its own; `before` goes in front of its command."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folder for folder in sys.path if folder)}
    command = [*before, sys.executable, "-c", script, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True).stdout


def place(path: Path) -> Place:
    return Place(f"unix://{path}", str(path))


def test_one_that_works(workspace: Workspace) -> None:
    need_docker()
    found = probe_places([DOCKER_PLACE], workspace, ("busybox",), Stop())
    assert (found.reason, found.reservation) == ("", "")
    assert "API 1." in found.detail
    assert list((workspace.path / "staging").iterdir()) == []


def test_one_without_a_base_image(workspace: Workspace) -> None:
    need_docker()
    found = probe_places([DOCKER_PLACE], workspace, ("nowhere",), Stop())
    assert found.reservation == "none of the base images is on board (nowhere)"
    assert found.remedy == "Put one on board: docker pull nowhere; without a network: docker load -i FILE.tar."


def test_the_next_place_is_tried(workspace: Workspace, tmp_path: Path) -> None:
    need_docker()
    found = probe_places([place(tmp_path / "none"), DOCKER_PLACE], workspace, ("busybox",), Stop())
    assert found.reason == ""


def test_nobody_behind_the_socket(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as unused:
        unused.bind(str(path))
    found = probe_places([place(path)], workspace, (), Stop())
    assert found.reason == f"{path}: nothing answers there (connection refused)"
    assert found.remedy.startswith("Start the Docker Engine (systemctl start docker).")


def test_one_that_is_silent(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "_CONNECT_S", 0.3)
    with listening(tmp_path / "s") as path:
        found = probe_places([place(path)], workspace, (), Stop())
    assert "does not answer in time" in found.reason


def test_one_that_answers_and_does_nothing(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "_PROBE_S", 1.0)
    with listening(tmp_path / "s", VERSION, INFO, silent="/images/create") as path:
        found = probe_places([place(path)], workspace, (), Stop())
        assert found.reason == f"{path}: it answers, but does nothing in time"
        assert found.remedy.startswith("Restart the Docker Engine")
        monkeypatch.setattr(probe, "_PROBE_S", 60.0)
        stop = Stop()
        threading.Timer(0.5, stop.set).start()
        with pytest.raises(StopRequested):
            probe_places([place(path)], workspace, (), stop)


def test_no_password_is_told(workspace: Workspace) -> None:
    for host in ("tcp://user:sesame@nohost.invalid:1", "tcp://sesame@127.0.0.1:1"):
        found = probe_places([Place(host, "DOCKER_HOST")], workspace, (), Stop())
        assert found.reason.startswith("DOCKER_HOST: ")
        assert "sesame" not in found.reason + found.remedy


@pytest.mark.parametrize(
    ("version", "info", "said"),
    [
        ({"ApiVersion": "1.40", "Version": "19.03.1"}, {}, "Docker 19.03.1 is too old (API 1.40; 1.41 is needed)"),
        ({"ApiVersion": "1.x"}, {}, "is too old"),
        ({}, {"OSType": "windows"}, "it runs windows containers"),
        (
            {"Components": [{"Name": "Podman Engine"}], "ApiVersion": "1.24", "Version": "2.0"},
            {},
            "Podman 2.0 is too old",
        ),
    ],
)
def test_one_that_cannot_be_used(
    workspace: Workspace, tmp_path: Path, version: dict[str, object], info: dict[str, object], said: str
) -> None:
    with listening(tmp_path / "s", VERSION | version, INFO | info) as path:
        found = probe_places([place(path)], workspace, (), Stop())
    assert said in found.reason
    assert found.remedy


def test_what_answers_is_no_docker_engine(workspace: Workspace, tmp_path: Path) -> None:
    with listening(tmp_path / "s", {"x": 1}, {"y": 2}) as path:
        found = probe_places([place(path)], workspace, (), Stop())
    assert found.reason


# Somebody else may not read where Python lies, so everything is loaded before.
DENIED = """
import os
import sys
from pathlib import Path
from emtui.local.engines.docker.places import Place
from emtui.local.engines.docker.probe import probe_places
from emtui.local.stopping import Stop
from emtui.local.workspace import Workspace
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
found = probe_places([Place(sys.argv[1], sys.argv[1])], Workspace(Path(sys.argv[2])), (), Stop())
print(found.reason); print(found.remedy)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_a_socket_that_may_not_be_used() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        home = Path(folder)
        home.chmod(0o777)
        with listening(home / "s", VERSION, INFO) as path:
            path.chmod(0o660)
            reason, remedy = python(DENIED, f"unix://{path}", str(home / "ws")).splitlines()
    assert "its socket may not be used by this user (permission denied)" in reason
    assert "usermod -aG docker" in remedy


SEES = """
import sys
from pathlib import Path
from emtui.local.engines.docker.places import Place
from emtui.local.engines.docker.probe import probe_places
from emtui.local.stopping import Stop
from emtui.local.workspace import Workspace
print(probe_places([Place(sys.argv[1], "it")], Workspace(Path("/mnt/ws")), ("busybox",), Stop()).reason)
"""


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="only root can mount")
def test_an_engine_that_sees_other_files() -> None:
    need_docker()
    # As in a container that was given the machine's socket: the same path is another folder over there.
    script = 'mount -t tmpfs none /mnt && exec "$0" "$@"'
    told = python(SEES, DOCKER_PLACE.url, before=("unshare", "--mount", "sh", "-c", script))
    assert told.startswith("it: it does not see this machine's files (/mnt/ws)")


def test_where_it_is_looked_for(tmp_path: Path) -> None:
    (tmp_path / ".docker" / "run").mkdir(parents=True)
    home = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "run")}
    assert places({**home, "DOCKER_HOST": "tcp://10.0.0.1:1"}) == (Place("tcp://10.0.0.1:1", "DOCKER_HOST"),)
    named = Place("", "the Docker context far", "far")
    assert places({**home, "DOCKER_CONTEXT": "far"}) == (named,)
    (tmp_path / ".docker" / "config.json").write_text('{"currentContext": "far"}')
    assert places(home) == (named,)
    (tmp_path / ".docker" / "config.json").write_text("[")
    (tmp_path / "run" / "podman").mkdir(parents=True)
    with listening(tmp_path / "run" / "podman" / "podman.sock") as path:
        assert place(path) in places(home)


@pytest.mark.parametrize("host", ["nonsense", "tcp://", "ssh://", "unix://", "foo://x", "tcp://127.0.0.1:1"])
async def test_a_docker_host_that_is_nonsense(workspace: Workspace, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(ConfigProblem, match="--engine docker does not work here: docker: DOCKER_HOST: "):
        await choose_engine(workspace, "docker")


async def test_the_engine_of_before_is_kept(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    need_docker()
    monkeypatch.setenv("DOCKER_HOST", DOCKER_PLACE.url)
    first = await choose_engine(workspace, base_images=("busybox",))
    assert (first.name, remembered_engine(workspace.path)) == ("docker", "docker")
    await first.aclose()
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent")
    second = await choose_engine(workspace, base_images=("busybox",))
    assert second.name == "sandbox"
    assert second.warnings[0].startswith("docker, which this workspace had before, does not work now: DOCKER_HOST: ")
    assert remembered_engine(workspace.path) == "docker"
    await second.aclose()


async def test_an_engine_with_nothing_on_board_comes_behind(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_docker()
    monkeypatch.setenv("DOCKER_HOST", DOCKER_PLACE.url)
    engine = await choose_engine(workspace, base_images=("nowhere",))
    assert engine.name == "sandbox"
    await engine.aclose()
    named = await choose_engine(workspace, "docker", base_images=("nowhere",))
    assert named.name == "docker"
    await named.aclose()
