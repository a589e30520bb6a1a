"""The configuration as one model: its validator, its documentation and its JSON Schema are made of these classes.

Every key says what it means, gives an example, and names the option that says the same; the environment variable that
says the same follows from its name. They are plain dataclasses, and each key has its `Kind`, which reads and describes
it: to judge a file costs a start less than importing a library that would.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Annotated, Any

from emtui.config.kinds import (
    CPUS,
    MEMORY,
    PROCESSES,
    BaseImages,
    Choice,
    File,
    Flag,
    Kind,
    Seconds,
    Text,
    Url,
    Whole,
)
from emtui.profile import APIS, ENGINES
from emtui.settings import ACTIVE_POD_POLL_S, DEFAULT_THEME, POLL_S

VERSION = 1
"""The version of the form described here; see `emtui.config.migrations` for older ones."""

_PREFIX = "EMTUI_"


@dataclass(frozen=True)
class About:
    """What there is to know about a key besides its type and default.

    Attributes:
        meaning: what it does, in a few words.
        kind: how its values are read.
        example: a value as TOML has it.
        option: the option that says the same, empty where there is none.
        variable: the environment variable without `EMTUI_`, where it is not called as the key; None for none.
        without: what holds where it is not given, for documentation; empty where the default says it.
    """

    meaning: str
    kind: Kind
    example: str
    option: str = ""
    variable: str | None = ""
    without: str = ""


def _themes() -> tuple[str, ...]:
    from emtui.theme_files import theme_names

    return theme_names()


_Engine = Annotated[
    str,
    About(
        "what runs the local images",
        Choice(lambda: ENGINES),
        '"docker"',
        "--engine",
        without="the best that works here",
    ),
]
_BaseImages = Annotated[
    tuple[str, ...],
    About(
        "the local base images on board",
        BaseImages(),
        '["alpine", "python"]',
        "--base-images",
        without="the usual ones",
    ),
]
_PodNetwork = Annotated[bool, About("local pods and builds reach the network", Flag(), "true", "--pod-network")]
_PodReadOnly = Annotated[
    bool, About("local pods write to the volume and to /tmp only", Flag(), "true", "--pod-read-only")
]
_PodMemory = Annotated[
    float | None,
    About("the most memory of a local pod", MEMORY, '"2G"', "--pod-memory", without="half of the machine's"),
]
_PodCpus = Annotated[
    float | None, About("the most processors of a local pod", CPUS, "1.5", "--pod-cpus", without="all of them")
]
_PodProcesses = Annotated[
    float | None, About("the most processes of a local pod", PROCESSES, "256", "--pod-processes", without="512")
]
_Timeout = Annotated[
    float | None,
    About(
        "how long a command waits for a busy or absent other side, in seconds; 0 is without an end",
        Seconds(0.001, 31_536_000, has_end=False),
        "300",
        "--timeout",
        variable="TIMEOUT",
        without="60 on the command line, without an end in the console",
    ),
]


@dataclass(frozen=True)
class ConsoleTable:
    """How the console looks, and how often it asks."""

    theme: Annotated[
        str, About("the colours: a theme's name; emtui themes lists them", Choice(_themes, is_open=True), '"light"')
    ] = DEFAULT_THEME
    poll_s: Annotated[float, About("seconds between two polls of what changes seldom", Seconds(1, 3600), "10")] = POLL_S
    active_pod_poll_s: Annotated[
        float, About("seconds between two polls of a pod that waits or runs", Seconds(0.2, 3600), "2")
    ] = ACTIVE_POD_POLL_S


@dataclass(frozen=True)
class LocalTable:
    """What holds for local mode where neither an option, a variable nor the profile says it; `emtui serve` too."""

    directory: Annotated[
        str,
        About(
            "the workspace that is opened where nothing else is named",
            File(),
            '"~/emtui"',
            "--local",
            variable="LOCAL",
            without="the one in your data directory",
        ),
    ] = ""
    engine: _Engine = ""
    base_images: _BaseImages = ()
    pod_network: _PodNetwork = False
    pod_read_only: _PodReadOnly = False
    pod_memory: _PodMemory = None
    pod_cpus: _PodCpus = None
    pod_processes: _PodProcesses = None


@dataclass(frozen=True)
class CommandLineTable:
    """What holds for the commands of the command line, whatever they open."""

    timeout_s: _Timeout = None


@dataclass(frozen=True)
class ProfileTable:
    """One EM and one Grid Node: `emtui -p NAME` opens both. One without an address is absent, or local with `local`."""

    em_url: Annotated[str, About("the EM's address", Url(), '"https://em.example.org"', "--em-url")] = ""
    grid_url: Annotated[str, About("the Grid Node's address", Url(), '"https://grid.example.org"', "--grid-url")] = ""
    username: Annotated[str, About("who signs in", Text(), '"client1"', "--username")] = ""
    api: Annotated[
        str, About("the dialect of the EM API; auto asks in the first", Choice(lambda: APIS), '"2026-03"', "--api")
    ] = "auto"
    pvc_name: Annotated[str, About("the volume, for dialect 2026-03", Text(), '"client1-pvc"')] = ""
    pod_name: Annotated[str, About("the pod, for dialect 2026-03", Text(), '"client1-pod"')] = ""
    ca_file: Annotated[
        str,
        About("the certificates to trust, in place of the system's", File(), '"~/certs/em.pem"', "--ca-file"),
    ] = ""
    insecure: Annotated[bool, About("allow plain http to another machine", Flag(), "true", "--insecure")] = False
    read_only: Annotated[bool, About("change nothing on the EM and the Grid Node", Flag(), "true", "--read-only")] = (
        False
    )
    local: Annotated[str, About("the workspace of the ends that are not remote", File(), '"~/bench"', "--local")] = ""
    engine: _Engine = ""
    base_images: _BaseImages = ()
    pod_network: _PodNetwork = False
    pod_read_only: _PodReadOnly = False
    pod_memory: _PodMemory = None
    pod_cpus: _PodCpus = None
    pod_processes: _PodProcesses = None
    timeout_s: _Timeout = None


@dataclass(frozen=True)
class Config:
    """The whole file."""

    version: Annotated[
        int,
        About("the version of the form that this file has", Whole(), str(VERSION), variable=None),
    ] = VERSION
    default_profile: Annotated[
        str,
        About(
            "the profile that is opened where nothing else is named",
            Text(),
            '"em"',
            "--profile",
            variable="PROFILE",
            without="the workspace of local mode",
        ),
    ] = ""
    console: ConsoleTable = field(default_factory=ConsoleTable)
    keys: dict[str, str] = field(default_factory=dict)
    local: LocalTable = field(default_factory=LocalTable)
    command_line: CommandLineTable = field(default_factory=CommandLineTable)
    profile: dict[str, ProfileTable] = field(default_factory=dict)


SINGLE_TABLES = ("console", "local", "command_line")
"""The tables that there can be one of."""

TABLES: dict[str, type] = {
    "": Config,
    "console": ConsoleTable,
    "local": LocalTable,
    "command_line": CommandLineTable,
    "profile": ProfileTable,
}
"""The tables with keys of ours, by their names; `[profile.NAME]` may be there more than once. Keys of the file itself
stand under the empty name. In `[keys]` are the ids of `emtui.keys.keymap`."""


@dataclass(frozen=True)
class Setting:
    """One key of one table. `default` is what holds where nothing says it; None and empty are the built-in way."""

    table: str
    key: str
    about: About
    default: Any

    @property
    def name(self) -> str:
        """`console.theme`."""
        return f"{self.table}.{self.key}" if self.table else self.key

    @property
    def variable(self) -> str:
        """The environment variable that says the same; empty where there is none."""
        if self.about.variable is None:
            return ""
        return _PREFIX + (self.about.variable or self.key.upper())


def settings_of(table: str) -> Iterator[Setting]:
    """The keys of a table, in the order of the documentation."""
    for one in fields(TABLES[table]):
        about = next((more for more in getattr(one.type, "__metadata__", ()) if isinstance(more, About)), None)
        if about is not None:
            yield Setting(table, one.name, about, one.default)


def keys_of(table: str) -> dict[str, Setting]:
    """The keys of a table by name."""
    return {setting.key: setting for setting in settings_of(table)}
