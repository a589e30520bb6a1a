"""Each state-changing action as data, in one registry.

Footer, help, palette, command line, read-only mode and journal read `REGISTRY`. A command is a frozen dataclass:
made by a dialog or by the command line, written to the journal before its request leaves, and carried out by the
Link. Paths and names in it are foreign text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, cast

from emtui import arguments
from emtui.text import timestamp

if TYPE_CHECKING:
    from emtui.models import PodSpec


Endpoint = Literal["em", "grid"]

LOCAL_USER = "client1"
"""The name of local mode's one user, as in the specification's examples."""


class Significance(StrEnum):
    """How much a command can hurt: critical ones are asked about, and all that change anything are off when
    read-only."""

    NONE = "none"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Command:
    """Base of the commands. A field takes what is alike too: a `str` for a `Path`, a list for a tuple.

    Raises:
        TypeError: a field of another kind; it is named. A single `str` is no tuple of names.
        ValueError: an empty path of this machine, or a pod that cannot be one.

    Class attributes:
        name: what the command line and the journal call it.
        title: what the footer, the help and the palette show.
        key: its default key in the console.
        help: one sentence for help and palette.
        endpoint: which link carries it.
        changes_remote: whether it changes the EM or the Grid Node (read-only mode refuses those).
        significance: how much it can hurt as a kind; an instance may be worse (see `Downlink.overwrite`).
    """

    name: ClassVar[str]
    title: ClassVar[str]
    key: ClassVar[str]
    help: ClassVar[str]
    endpoint: ClassVar[Endpoint] = "em"
    changes_remote: ClassVar[bool] = True
    significance: ClassVar[Significance] = Significance.NONE

    def __post_init__(self) -> None:
        for item in fields(self):
            name = f"{type(self).__name__}.{item.name}"
            object.__setattr__(self, item.name, _TAKEN[str(item.type)](name, getattr(self, item.name)))

    def describe(self) -> str:
        """One line that says what this very command does. It may hold foreign text."""
        raise NotImplementedError

    @property
    def can_be_repeated(self) -> bool:
        """Whether it can be done again later, by somebody else."""
        return True

    def to_json(self) -> str:
        """For the journal. Lone surrogates (names that are not UTF-8) survive as `\\udcXX` escapes."""
        return json.dumps({item.name: _plain(getattr(self, item.name)) for item in fields(self)})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The inverse of `to_json`. Raises ValueError or TypeError for anything else."""
        values = json.loads(text)
        if not isinstance(values, dict):
            raise TypeError(f"not the fields of a command: {type(values).__name__}")
        return cls(**values)


def _spec(name: str, given: Any) -> PodSpec:
    """A `PodSpec`, or its fields. What only tells of one, as the journal's readers have it, is left as it is."""
    if isinstance(given, Mapping):
        from emtui.models import PodSpec

        return PodSpec(**given)
    if not hasattr(given, "docker_image"):
        raise TypeError(f"{name}: PodSpec is needed, not {type(given).__name__}")
    return cast("PodSpec", given)


# By a field's type, as it is written.
_TAKEN: Mapping[str, arguments.Take[Any]] = {
    "str": arguments.text,
    "bool": arguments.flag,
    "Path": arguments.path,
    "tuple[str, ...]": arguments.several(arguments.text),
    "tuple[Path, ...]": arguments.several(arguments.path),
    "PodSpec": _spec,
}


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "model_dump"):
        dumped = value.model_dump(exclude={"scheduled_time"})
        dumped["scheduled_time"] = value.scheduled_time.isoformat() if value.scheduled_time else None
        return dumped
    return value


def _several(names: tuple[str, ...], noun: str = "files") -> str:
    return names[0] if len(names) == 1 else f"{len(names)} {noun}"


@dataclass(frozen=True, slots=True)
class Uplink(Command):
    """Files and folders of the operator's disk into a folder of the volume.

    Attributes:
        sources: files and folders of this machine; a folder goes with its name and all that is in it.
        dest_path: a folder of the volume, which is made where it is missing; empty is the volume itself.
    """

    sources: tuple[Path, ...]
    dest_path: str = ""

    name = "uplink"
    title = "Uplink"
    key = "u"
    help = "Send files or whole folders to the volume"
    significance = Significance.WARNING

    def describe(self) -> str:
        return f"uplink {_several(tuple(str(path.name or path) for path in self.sources))} → /{self.dest_path}"


@dataclass(frozen=True, slots=True)
class Downlink(Command):
    """Files of the volume into a folder of the operator's disk, or one file to a name there.

    Attributes:
        paths: files and folders of the volume.
        target: a folder where `is_folder` says so (it is made where it is missing), where there is one, and for
            several files and for folders; else the new name of the one file.
        overwrite: whether a file that is there already is replaced.
        is_folder: whether `target` is a folder in any case.
        is_for_stdout: it is a temporary file, whose content goes to a script.
    """

    paths: tuple[str, ...]
    target: Path
    overwrite: bool = False
    is_folder: bool = False
    is_for_stdout: bool = False

    name = "downlink"
    title = "Downlink"
    key = "d"
    help = "Fetch files from the volume"
    changes_remote = False

    def describe(self) -> str:
        return f"downlink {_several(self.paths)} → {'stdout' if self.is_for_stdout else self.target}"

    @property
    def can_be_repeated(self) -> bool:
        return not self.is_for_stdout


@dataclass(frozen=True, slots=True)
class Delete(Command):
    """Files and folders of the volume, for good.

    Attributes:
        paths: of the volume. A folder goes with all that is in it.
    """

    paths: tuple[str, ...]

    name = "delete"
    title = "Delete"
    key = "x"
    help = "Remove files or folders from the volume"
    significance = Significance.CRITICAL

    def describe(self) -> str:
        return f"delete {_several(self.paths, 'entries')}"


@dataclass(frozen=True, slots=True)
class BuildImage(Command):
    """An image of a folder of the volume.

    Attributes:
        dockerfile: a file of the volume, by its path from the volume's top.
        context: a folder of the volume, of which the image is built.
        image_name: the image's name; the EM puts the user's before it.
    """

    dockerfile: str
    context: str
    image_name: str

    name = "build"
    title = "Build"
    key = "b"
    help = "Build an image of a folder of the volume"
    significance = Significance.WARNING

    def describe(self) -> str:
        return f"build {self.image_name} of /{self.context.strip('/')}"


@dataclass(frozen=True, slots=True)
class LoadImage(Command):
    """An image out of a tar file of the volume.

    Attributes:
        tarfile: a file of the volume, as `docker save` writes it.
        image: the name that it holds (`name:tag`).
    """

    tarfile: str
    image: str

    name = "load"
    title = "Load"
    key = "l"
    help = "Load an image from a tar file of the volume"
    significance = Significance.WARNING

    def describe(self) -> str:
        return f"load {self.image} from /{self.tarfile}"


@dataclass(frozen=True, slots=True)
class RunPod(Command):
    """A pod, in the place of the one before.

    Attributes:
        spec: what is to run: a `PodSpec`, or its fields as a mapping.
    """

    spec: PodSpec

    name = "run"
    title = "Run"
    key = "r"
    help = "Run an image as a pod, now or at a set time"
    significance = Significance.WARNING

    def describe(self) -> str:
        when = f" at {timestamp(self.spec.scheduled_time)}" if self.spec.scheduled_time else ""
        return f"run {self.spec.docker_image} on {self.spec.node} for {self.spec.max_duration:g} min{when}"


@dataclass(frozen=True, slots=True)
class ServeModel(Command):
    """A model of the operator's disk, hosted on the Grid Node.

    Attributes:
        source: a file of this machine.
        model_id: what the node calls it.
        allow_download: whether it may be fetched from the node.
        encoding: the character set in which the wire carries the file's bytes.
    """

    source: Path
    model_id: str
    allow_download: bool = False
    encoding: str = "ISO-8859-1"

    name = "serve_model"
    title = "Serve model"
    key = "m"
    help = "Host a model on the Grid Node"
    endpoint = "grid"
    significance = Significance.WARNING

    def describe(self) -> str:
        return f"serve model {self.model_id} from {self.source.name}"


@dataclass(frozen=True, slots=True)
class GetModel(Command):
    """A model of the Grid Node into a file of the operator's disk.

    Attributes:
        model_id: what the node calls it.
        target: the file.
        overwrite: whether a file that is there already is replaced.
        is_for_stdout: as in `Downlink`.
    """

    model_id: str
    target: Path
    overwrite: bool = False
    is_for_stdout: bool = False

    name = "get_model"
    title = "Get model"
    key = "g"
    help = "Fetch a model from the Grid Node"
    endpoint = "grid"
    changes_remote = False

    def describe(self) -> str:
        return f"get model {self.model_id} → {'stdout' if self.is_for_stdout else self.target}"

    @property
    def can_be_repeated(self) -> bool:
        return not self.is_for_stdout


REGISTRY: dict[str, type[Command]] = {
    command.name: command for command in (Uplink, Downlink, Delete, BuildImage, LoadImage, RunPod, ServeModel, GetModel)
}
"""Every command by its name, in the order of the footer."""


def restore(name: str, text: str) -> Command:
    """A command out of the journal. Raises KeyError for a name that is not in the registry."""
    return REGISTRY[name].from_json(text)
