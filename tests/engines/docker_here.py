"""The Docker Engine of this machine, for tests. Where there is none they are skipped; in CI that is a failure.

`EMTUI_TEST_DOCKER_HOST` names another one than /var/run/docker.sock. All other tests find none: see tests/conftest.py.
"""

import asyncio
import fcntl
import io
import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path

from emtui.local.engines.docker.daemon import Daemon, Found
from emtui.local.engines.docker.names import LABEL_WORKSPACE, names_of
from emtui.local.engines.docker.places import Place
from emtui.local.engines.docker.problems import DaemonProblem, daemon_problems
from emtui.local.workspace import Workspace
from tests.missing import missing

DOCKER_PLACE = Place(os.environ.get("EMTUI_TEST_DOCKER_HOST", "") or "unix:///var/run/docker.sock", "the tests")
BASE = "busybox:latest"

_LOCK = Path(tempfile.gettempdir()) / f"emtui-tests-docker-{os.getuid()}.lock"
_BUSYBOX = (Path("/bin/busybox"), Path("/usr/bin/busybox"))
_PASSWD = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def need_docker() -> Found:
    """The engine, with `busybox:latest` on board. Skips the test where there is none, and fails it in CI."""
    found, reason = _look()
    if found is None:
        missing(f"no Docker Engine: {reason}")
    return found


@cache
def _look() -> tuple[Found | None, str]:
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            # In a thread, since a test may have a loop of its own at work here.
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(1) as pool:
                return pool.submit(lambda: asyncio.run(_prepare())).result(), ""
        except (DaemonProblem, OSError, subprocess.SubprocessError) as error:
            return None, str(error)


async def _prepare() -> Found:
    daemon = Daemon(DOCKER_PLACE)
    try:
        facts = await daemon.facts()
        await make_base(daemon)
        return Found(DOCKER_PLACE, facts)
    finally:
        await daemon.aclose()


async def make_base(daemon: Daemon) -> None:
    """`busybox:latest` of Debian's busybox-static, where it is not on board: no registry is asked."""
    try:
        with daemon_problems():
            await daemon.docker.images.inspect(BASE)
        return
    except DaemonProblem as problem:
        if problem.status != 404:
            raise
    tar = base_tar()

    async def body() -> AsyncIterator[bytes]:
        yield tar

    params = {"fromSrc": "-", "repo": "busybox", "tag": "latest"}
    changes = [("changes", f"ENV {_PATH}"), ("changes", 'CMD ["sh"]')]
    query = "&".join(f"{name}={_quoted(value)}" for name, value in [*params.items(), *changes])
    async for line in daemon.stream(f"images/create?{query}", params={}, body=body()):
        if "error" in line:
            raise DaemonProblem(str(line["error"]), 500)


async def remove_all(workspace: Workspace) -> None:
    """Remove a test's images from the engine, once its pods are gone. Fails where a container was left behind."""
    names = names_of(workspace.blobs)
    daemon = Daemon(DOCKER_PLACE)
    try:
        with daemon_problems():
            left = await daemon.docker.containers.list(
                all=True, filters=json.dumps({"label": [f"{LABEL_WORKSPACE}={names.workspace_id}"]})
            )
            for image in await daemon.docker.images.list():
                for tag in image.get("RepoTags") or ():
                    if names.here(tag) is not None:
                        await daemon.docker.images.delete(tag)
        assert [container.id for container in left] == []
    finally:
        await daemon.aclose()


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")


def base_tar() -> bytes:
    """The files of a base image: busybox with all of its names. Raises OSError where it is not static or missing."""
    program = next((path for path in _BUSYBOX if path.is_file()), None)
    if program is None:
        raise FileNotFoundError("busybox-static is not installed, of which the tests make their base image")
    names = subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout.split()
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for folder, mode in (("bin", 0o755), ("etc", 0o755), ("root", 0o700), ("tmp", 0o1777), ("usr/bin", 0o755)):
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, mode
            tar.addfile(info)
        files = (("bin/busybox", program.read_bytes(), 0o755), ("etc/passwd", _PASSWD.encode(), 0o644),
                 ("etc/group", b"root:x:0:\nnobody:x:65534:\n", 0o644))  # fmt: skip
        for name, content, mode in files:
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), mode
            tar.addfile(info, io.BytesIO(content))
        for name in names:
            if name != "busybox":
                info = tarfile.TarInfo(f"bin/{name}")
                info.type, info.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(info)
        for name in ("env", "id"):
            info = tarfile.TarInfo(f"usr/bin/{name}")
            info.type, info.linkname = tarfile.SYMTYPE, "../../bin/busybox"
            tar.addfile(info)
    return made.getvalue()
