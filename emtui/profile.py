"""What an emtui works on: an EM and a Grid Node, each local, remote or absent.

No library is needed to make one: options become a profile before anything that costs time is imported.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

APIS = ("auto", "2025-11", "2026-03")
"""The dialects of the EM API (wire contract); `auto` tries the first and remembers what answered."""

ENGINES = ("docker", "sandbox", "simulated")
"""What can run local images, by the names that an operator chooses from."""

WITHOUT_READ_ONLY = "Start without read-only: emtui config show tells which option, variable or file says so."
"""What can be done about `Profile.is_read_only`."""

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME = 48

EndKind = Literal["local", "remote", "absent"]


@dataclass(frozen=True, slots=True)
class Remote:
    """An EM or a Grid Node at an address.

    Attributes:
        url: `https://host[:port][/path]`; plain `http` to this machine only, or with `is_insecure`.
        username: who signs in; empty for nobody.
        api: one of `APIS` (the EM only).
        ca_file: the certificates to trust instead of the system's.
        is_insecure: plain `http` to another machine is allowed.
        pvc_name, pod_name: which volume and pod, for dialect 2026-03.
        takes_secrets: `EMTUI_TOKEN` and `EMTUI_PASSWORD` are meant for it.
    """

    url: str
    username: str = ""
    api: str = "auto"
    ca_file: Path | None = None
    is_insecure: bool = False
    pvc_name: str = ""
    pod_name: str = ""
    takes_secrets: bool = True


@dataclass(frozen=True, slots=True)
class PodPolicy:
    """What pods of local mode may do and use. None is what suits this machine.

    Attributes:
        with_network: a network, which an air-gapped EM has not.
        has_read_only_root: nothing but the volume and `/tmp` can be written.
        memory_bytes: the most memory of a pod.
        cpus: the most processor time, in processors: 1.5 is one and a half.
        processes: the most processes and threads at one time.
    """

    with_network: bool = False
    has_read_only_root: bool = False
    memory_bytes: int | None = None
    cpus: float | None = None
    processes: int | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """What to open.

    Attributes:
        workspace: the folder of local mode; of a profile without a local end, where its journal is.
        is_demo: the local end is seeded with the demo.
        is_read_only: nothing on the EM or the Grid Node is changed.
        engine: the local engine's name, None for the best that works here.
        base_images: the local base images on board, none for the usual ones.
        em, grid: the remote ends. An end that is not remote is local where `has_local`, else absent.
        label: the profile's name in the configuration, empty where options made it.
        notices: what is odd about the configuration, to be told once.
        pods: what pods of local mode may do and use.
    """

    workspace: Path
    is_demo: bool = False
    is_read_only: bool = False
    engine: str | None = None
    base_images: tuple[str, ...] = ()
    em: Remote | None = None
    grid: Remote | None = None
    has_local: bool = True
    label: str = ""
    notices: tuple[str, ...] = ()
    pods: PodPolicy = PodPolicy()

    @property
    def name(self) -> str:
        """For the journal."""
        if self.label:
            return self.label
        remote = self.em or self.grid
        return f"local:{self.workspace}" if self.has_local or remote is None else remote.url

    @property
    def em_kind(self) -> EndKind:
        return "remote" if self.em else "local" if self.has_local else "absent"

    @property
    def grid_kind(self) -> EndKind:
        return "remote" if self.grid else "local" if self.has_local else "absent"


def default_workspace(*, demo: bool = False) -> Path:
    """The workspace in the user's data directory."""
    from platformdirs import user_data_path

    return user_data_path("emtui") / ("demo" if demo else "local")


def remote_folder(label: str, em: Remote | None, grid: Remote | None) -> Path:
    """Where the journal of a profile without a local end is: one folder for each pair of addresses and user."""
    from platformdirs import user_data_path

    ends = [f"{end.username}@{end.url}" for end in (em, grid) if end is not None]
    mark = hashlib.sha256("\n".join(ends).encode("utf-8", "surrogatepass")).hexdigest()[:8]
    shown = _NOT_IN_A_NAME.sub("-", label or ends[0].partition("://")[2])[:_LONGEST_NAME].strip("-.")
    return user_data_path("emtui") / "remote" / f"{shown}-{mark}"
