"""What a pod has written as root is told with what opens it again, and that does."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_limits import NOBODY, without_rights

from emtui.errors import BadRequest, EmtuiError, LocalProblem
from emtui.local import volume as volume_module
from emtui.local.handles import DirHandle
from emtui.local.stopping import disk_errors
from emtui.local.workspace import Workspace


@pytest.fixture
def theirs(workspace: Workspace, volume: Path) -> Iterator[Workspace]:
    """A workspace of a user without rights, with a folder in it that a pod has written as root."""
    if os.geteuid() != 0:
        pytest.skip("only root can write what another user may not read")
    for path in (workspace.path, volume, workspace.path / "staging"):
        os.chown(path, NOBODY, NOBODY)
    inner = volume / "it's here" / "inner"
    inner.mkdir(parents=True)
    (inner / "file").write_bytes(b"x")
    for path in (inner.parent, inner, inner / "file"):
        path.chmod(0o700)
    yield workspace
    subprocess.run(["chmod", "-R", "u+rwX", str(volume)], check=True)


def open_file(volume: DirHandle, *parts: str) -> None:
    with disk_errors("downlink", "/".join(parts)):
        os.close(volume.open_file(parts))


def command_of(error: EmtuiError) -> str:
    """The pod's command that the remedy names."""
    return error.remedy.partition("run one with the command ")[2]


def as_a_pod(command: str, volume: Path) -> None:
    assert command.count("/data/") == 1
    subprocess.run(["/bin/sh", "-c", command.replace("/data/", f"{volume}/")], check=True)


def test_it_can_be_read_and_deleted_once_a_pod_has_opened_it(theirs: Workspace, volume: Path) -> None:
    reading, writing = os.pipe()
    parts = ("it's here", "inner", "file")

    def refused() -> None:
        with pytest.raises(BadRequest, match="File delete failed") as caught:
            volume_module._delete(theirs.staging, theirs.volume, parts[:1])
        denied = [command_of(caught.value)]
        with pytest.raises(LocalProblem, match="Permission denied") as other:
            open_file(theirs.volume, *parts)
        denied.append(command_of(other.value))
        os.write(writing, "\n".join(denied).encode())

    without_rights(refused)
    commands = set(os.read(reading, 4096).decode().splitlines())
    os.close(reading)
    os.close(writing)
    assert commands == {"""chmod -R a+rwX '/data/it'"'"'s here'"""}
    as_a_pod(commands.pop(), volume)

    def allowed() -> None:
        open_file(theirs.volume, *parts)
        volume_module._delete(theirs.staging, theirs.volume, parts[:1])

    without_rights(allowed)
    assert not (volume / "it's here").exists()


def test_a_file_that_may_not_be_read_is_told_with_the_same_words(theirs: Workspace, volume: Path) -> None:
    (volume / "secret").write_bytes(b"x")
    (volume / "secret").chmod(0o600)

    def refused() -> None:
        with pytest.raises(LocalProblem, match="secret: Permission denied") as caught:
            open_file(theirs.volume, "secret")
        assert command_of(caught.value) == "chmod -R a+rwX /data/secret"

    without_rights(refused)


def test_where_it_is_not_known_which_folder_the_remedy_has_a_gap_for_it() -> None:
    with pytest.raises(LocalProblem) as caught, disk_errors("list"):
        raise PermissionError(1, "Operation not permitted")

    assert command_of(caught.value) == "chmod -R a+rwX /data/<folder>"
