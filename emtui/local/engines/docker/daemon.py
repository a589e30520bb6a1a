"""A connection to one Docker Engine: which one it is, and its calls that stream both ways.

aiodocker finds the way (sockets, TLS, contexts, ssh), the API's version, and makes the small calls. A build and a load
go out here, since aiodocker knows neither BuildKit nor a body that is made as it is sent, and takes the end of a
connection for the end of the answer.
"""

import asyncio
import contextlib
import json
import platform
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiodocker import Docker, DockerError

from emtui.local.engines.docker.places import Place
from emtui.local.engines.docker.problems import ADDRESS, DaemonProblem, daemon_problems
from emtui.local.engines.loading import architecture_name

SAME_MACHINE = "Run emtui and the Docker Engine on one machine, with the workspace under the same path in both."

OLDEST_API = (1, 41)
"""Docker 20.10 and Podman 3: older ones lack BuildKit over the API, and are kept by nobody."""

# A daemon that is there answers in milliseconds; one that writes gigabytes to a slow disk may take its time.
_CONNECT_S = 5.0
_ANSWER_S = 60.0
_SCHEMES = ("unix", "tcp", "http", "https", "npipe")
_MAX_LINE_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Facts:
    """What a Docker Engine says of itself.

    Attributes:
        product: `Docker` or `Podman`.
        version, api_version: as they are written: `20.10.24`, `1.41`.
        architecture: as images name it: `amd64`.
        operating_system: `linux`, or what it cannot be used with.
        root_folder: where it keeps its images, as a path of its own machine.
        kernel: the release of the kernel that its containers run on.
        cpus: how many processors it has.
        is_rootless: its containers' root is the user who started it.
        has_selinux: it labels what containers may touch.
        limits_memory, limits_processes, limits_cpus: whether it can.
    """

    product: str
    version: str
    api_version: str
    architecture: str
    operating_system: str
    root_folder: str
    kernel: str
    cpus: int
    is_rootless: bool
    has_selinux: bool
    limits_memory: bool
    limits_processes: bool
    limits_cpus: bool

    @property
    def has_buildkit(self) -> bool:
        """Whether `POST /build?version=2` works. Podman builds with its own builder."""
        return self.product == "Docker" and self.operating_system == "linux"

    @property
    def is_too_old(self) -> bool:
        parts = self.api_version.split(".")
        return not all(part.isdigit() for part in parts) or tuple(map(int, parts)) < OLDEST_API


@dataclass(frozen=True, slots=True)
class Found:
    """A Docker Engine that was found to work."""

    place: Place
    facts: Facts

    @property
    def is_on_this_kernel(self) -> bool:
        """Whether its containers run on the kernel that runs this: not behind a network, nor in Docker Desktop's VM."""
        return self.place.socket is not None and self.facts.kernel == platform.release()


class Daemon:
    """One Docker Engine. Each call may raise `DaemonProblem`."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._docker: Docker | None = None
        self._facts: Facts | None = None

    @property
    def docker(self) -> Docker:
        """aiodocker's client; its calls go inside of `daemon_problems()`. Made on the running loop."""
        if self._docker is None:
            timeout = aiohttp.ClientTimeout(total=_ANSWER_S, sock_connect=_CONNECT_S)
            place = self.place
            if place.scheme == "ssh":
                raise DaemonProblem("over ssh it is on another machine, which has other files", remedy=SAME_MACHINE)
            if not place.context and place.scheme not in _SCHEMES:
                raise DaemonProblem("this is not an address", remedy=ADDRESS)
            with daemon_problems(), _context_problems():
                self._docker = (
                    Docker(context=place.context, timeout=timeout)
                    if place.context
                    else Docker(url=place.url, timeout=timeout)
                )
        return self._docker

    async def facts(self) -> Facts:
        """What it is; asked once."""
        if self._facts is None:
            with daemon_problems():
                async with asyncio.timeout(_CONNECT_S * 2):
                    version = await self.docker.version()
                    info = await self.docker.system.info()
                self._facts = _facts(version, info)
        return self._facts

    async def stream(
        self,
        path: str,
        *,
        params: Mapping[str, str],
        body: AsyncIterator[bytes],
        content_type: str = "application/x-tar",
    ) -> AsyncIterator[dict[str, Any]]:
        """POST `body` as it comes, and give the answer's JSON lines as they come.

        Cancelling, or leaving the loop early and closing it, ends the request; the daemon then stops what it does.

        Raises:
            DaemonProblem: refused with a status; or the connection was lost before the answer's end.
        """
        with daemon_problems():
            await self.docker._check_version()  # what every call of aiodocker does first
            async with self.docker.session.post(
                f"{self.docker.docker_host}/{self.docker.api_version}/{path}",
                params=dict(params),
                data=body,
                headers={"Content-Type": content_type},
                timeout=aiohttp.ClientTimeout(sock_connect=_CONNECT_S),
            ) as response:
                if response.status >= 400:
                    raise DaemonProblem(_message(await response.content.read(1 << 16)), response.status)
                async for line in _lines(response.content):
                    yield line

    async def aclose(self) -> None:
        """Close the connection."""
        if self._docker is not None:
            docker, self._docker = self._docker, None
            await docker.close()


@contextlib.contextmanager
def _context_problems() -> Iterator[None]:
    """A context of Docker's that is missing or broken: aiodocker's exceptions for that have no common base."""
    try:
        yield
    except Exception as error:
        if not type(error).__module__.startswith("aiodocker") or isinstance(error, DockerError):
            raise
        remedy = "docker context ls shows which there are; DOCKER_CONTEXT names another one."
        raise DaemonProblem(f"{error}", remedy=remedy) from error


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[dict[str, Any]]:
    pending = b""
    async for chunk in content.iter_any():
        *whole, pending = (pending + chunk).split(b"\n")
        for line in whole:
            if line.strip():
                yield _document(line)
        if len(pending) > _MAX_LINE_BYTES:
            raise DaemonProblem("the Docker Engine answers with a line that has no end")
    if pending.strip():
        yield _document(pending)


def _document(line: bytes) -> dict[str, Any]:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DaemonProblem(f"the Docker Engine answers with what is not JSON: {line[:80]!r}") from error
    return document if isinstance(document, dict) else {}


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return body.decode("utf-8", "replace").strip() or "an error without a text"


def _facts(version: Mapping[str, Any], info: Mapping[str, Any]) -> Facts:
    components = [str(item.get("Name", "")) for item in version.get("Components") or ()]
    return Facts(
        product="Podman" if any("podman" in name.lower() for name in components) else "Docker",
        version=str(version.get("Version", "")),
        api_version=str(version.get("ApiVersion", "")),
        architecture=architecture_name(str(version.get("Arch", ""))),
        operating_system=str(info.get("OSType") or version.get("Os", "")).lower(),
        root_folder=str(info.get("DockerRootDir", "")),
        kernel=str(info.get("KernelVersion", "")),
        cpus=int(info.get("NCPU") or 0),
        is_rootless=any("rootless" in str(option) for option in info.get("SecurityOptions") or ()),
        has_selinux=any("selinux" in str(option) for option in info.get("SecurityOptions") or ()),
        limits_memory=bool(info.get("MemoryLimit")),
        limits_processes=bool(info.get("PidsLimit")),
        limits_cpus=bool(info.get("CpuCfsQuota", info.get("CPUCfsQuota"))),
    )
