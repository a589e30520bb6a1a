"""Every wire and domain type, frozen.

Names of files, images and models are foreign bytes held as `str` in the file system's encoding with
`surrogateescape`: they round-trip, and may hold anything but NUL. They are for `emtui.text` to show.

What the first frame and the first listing need is in `emtui.plain`, without pydantic.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AliasChoices,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    model_validator,
)

from emtui.plain import FileNode, FileType


def _foreign_str(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("is not text")
    return value


def _wire_time(value: object) -> object:
    """`YYYY-MM-DD-HH-MM` in UTC (EM API §2)."""
    if isinstance(value, str):
        return datetime.strptime(value, "%Y-%m-%d-%H-%M").replace(tzinfo=UTC)
    return value


def _wire_time_text(value: datetime) -> str:
    return value.strftime("%Y-%m-%d-%H-%M")


# A pydantic `str` refuses lone surrogates, and with them the names that are not UTF-8.
ForeignStr = Annotated[str, PlainValidator(_foreign_str), PlainSerializer(lambda value: value)]
WireTime = Annotated[datetime, BeforeValidator(_wire_time), PlainSerializer(_wire_time_text)]
WireSize = Annotated[int, Field(ge=0), PlainSerializer(str)]


class Frozen(BaseModel):
    """Base of the small types: frozen, unknown keys of the wire ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


# ---------------------------------------------------------------------------------------------------- files


@dataclass(frozen=True, slots=True)
class WireNode(FileNode):
    """A `FileNode` as it comes and goes on the wire: `TypeAdapter(WireNode)` reads and writes it."""

    type: FileType
    name: ForeignStr
    size: WireSize
    time: WireTime
    hash: int | None = None
    contents: "tuple[WireNode, ...] | None" = None


class UplinkResult(Frozen):
    """The `data` of an uplink's answer (EM API §1). `total_size_kb` is in units of 1,024 bytes."""

    file_count: int
    total_size_kb: float


# ---------------------------------------------------------------------------------------------------- images


def _loose_text(value: object) -> object:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


# More than any disk; Python refuses to read thousands of digits.
_MOST_SIZE_DIGITS = 20


class Image(Frozen):
    """An item of the image list (EM API §7, whose items are not specified: strings and objects are accepted).

    `created` and `size` are text as the remote gives them (`size` in bytes where it is digits only).
    """

    repository: ForeignStr = Field(validation_alias=AliasChoices("repository", "Repository", "name"))
    tag: ForeignStr = Field(default="latest", validation_alias=AliasChoices("tag", "Tag"))
    id: ForeignStr = Field(default="", validation_alias=AliasChoices("id", "ID"))
    created: Annotated[ForeignStr, BeforeValidator(_loose_text)] = Field(
        default="", validation_alias=AliasChoices("created", "CreatedAt")
    )
    size: Annotated[ForeignStr, BeforeValidator(_loose_text)] = Field(
        default="", validation_alias=AliasChoices("size", "Size")
    )

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if isinstance(value, str):
            return _name_and_tag(value)
        if isinstance(value, Mapping):
            given = {key: item for key, item in value.items() if item is not None}
            name = given.get("name")
            if isinstance(name, str) and not given.keys() & {"repository", "Repository", "tag", "Tag"}:
                return given | _name_and_tag(name)
            return given
        return value

    @property
    def reference(self) -> str:
        return f"{self.repository}:{self.tag}"

    @property
    def size_bytes(self) -> int | None:
        is_number = self.size.isascii() and self.size.isdigit() and len(self.size) <= _MOST_SIZE_DIGITS
        return int(self.size) if is_number else None


def _name_and_tag(text: str) -> dict[str, str]:
    repository, colon, tag = text.rpartition(":")
    return {"repository": repository, "tag": tag} if colon and "/" not in tag else {"repository": text}


# ------------------------------------------------------------------------------------------------------ pods


NODES = ("FPGA", "GPU", "MPU")
"""The kinds of node on CG2."""


class _State(Frozen):
    """One of the states: null means "not given"."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: item for key, item in value.items() if item is not None}
        return value


class Waiting(_State):
    """The pod is not running yet. `reason` as Kubernetes has it: `ContainerCreating`, `ImagePullBackOff`, …"""

    reason: ForeignStr = ""
    message: ForeignStr = ""


class Running(_State):
    """The pod runs. `message` is local mode's: what is special about this run (a simulated engine, say)."""

    started_at: AwareDatetime = Field(alias="startedAt")
    message: ForeignStr = ""


class Terminated(_State):
    """The pod has ended. `reason`: `Completed`, `Error`, `OOMKilled`, `DeadlineExceeded`, …"""

    exit_code: int = Field(alias="exitCode")
    reason: ForeignStr = ""
    message: ForeignStr = ""
    started_at: AwareDatetime | None = Field(default=None, alias="startedAt")
    finished_at: AwareDatetime | None = Field(default=None, alias="finishedAt")


class PodState(Frozen):
    """A Kubernetes `ContainerState`: exactly one of the three is set, or none before any run."""

    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None

    @property
    def is_active(self) -> bool:
        """Waiting for something that can still come, or running."""
        return self.waiting is not None or self.running is not None


class PodStatus(Frozen):
    """The `data` of a status answer (EM API §9). On the wire an empty `state` means that nothing ever ran."""

    state: Annotated[PodState, BeforeValidator(lambda value: {} if value is None else value)] = PodState()

    def to_wire(self) -> dict[str, Any]:
        """The specification's shape: only what is set, names in camel case, times as `…Z`."""
        dumped = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        for state in dumped["state"].values():
            for key in [key for key, value in state.items() if value == ""]:
                del state[key]
        return dumped


class PodSpec(Frozen):
    """What is to run (EM API §8).

    Attributes:
        docker_image: the image's name, with or without the user's prefix.
        max_duration: minutes, more than 0; a fraction is accepted.
        node: one of `NODES`.
        scheduled_time: when to start, None for now.
        command: what `/bin/sh -c` runs instead of the image's own command; empty for the image's own.
    """

    docker_image: ForeignStr
    max_duration: float
    node: ForeignStr
    scheduled_time: AwareDatetime | None = None
    command: ForeignStr = ""

    @property
    def max_duration_s(self) -> float:
        return self.max_duration * 60


# ------------------------------------------------------------------------------------------------------ grid


class HostedModel(Frozen):
    """A model on the Grid Node, as far as it is known.

    `is_copy_allowed` is None until asked (`/is_model_copy_allowed/<id>`); `size_bytes` is None where the node
    does not say, since the specification has no size.
    """

    model_id: ForeignStr
    is_copy_allowed: bool | None = None
    size_bytes: int | None = None


class EncryptedModel(Frozen):
    """Where an encrypted model is shared (`/search-encrypted-models`). Each entry a string or `id address`."""

    workers: tuple[ForeignStr, ...] = ()
    crypto_provider: tuple[ForeignStr, ...] = ()


def without_empty(values: Mapping[str, Any]) -> dict[str, Any]:
    """Drop what clients mean by "not given": a missing field, `""` and null are the same (wire contract)."""
    return {key: value for key, value in values.items() if value is not None and value != ""}
