"""What a build does, as data: stages, and the steps of each that need more than its configuration."""

from dataclasses import dataclass, field

from emtui.local.engines.config import ImageConfig
from emtui.local.engines.dockerfile import Instruction
from emtui.local.engines.mounts import Mount


@dataclass(frozen=True, slots=True)
class CopyStep:
    """COPY or ADD. `sources` are relative to the context, or to the root of `origin` (a stage or an image).

    `given_target` is the target as it is written, variables substituted, and `target` the absolute path that it means.
    Here-documents are no sources.
    """

    instruction: Instruction
    sources: tuple[str, ...]
    given_target: str
    target: str
    into_folder: bool
    workdir: str
    mode: int | None
    unpacks: bool
    origin: "int | str | None"

    @property
    def takes_context(self) -> bool:
        return self.origin is None and bool(self.sources)

    @property
    def origins(self) -> tuple["int | str", ...]:
        """The stage or the image that it copies from."""
        return () if self.origin is None else (self.origin,)


@dataclass(frozen=True, slots=True)
class RunStep:
    """RUN. `origins` are the stages that its mounts show, `takes_context` whether one of them shows the context.

    `mounts` are in the order of its flags, variables substituted.
    """

    instruction: Instruction
    argv: tuple[str, ...]
    env: dict[str, str]
    workdir: str
    user: str
    origins: tuple[int, ...] = ()
    takes_context: bool = False
    mounts: tuple[Mount, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkdirStep:
    instruction: Instruction
    workdir: str
    origins: tuple[int, ...] = ()
    takes_context: bool = False


Step = CopyStep | RunStep | WorkdirStep


@dataclass(slots=True)
class Stage:
    """From one FROM to the next.

    Attributes:
        parent: the number of an earlier stage, the reference of an image of our own, `base:NAME` for a base image
            on board, or None for `scratch`.
        base: the parent as it is written, variables substituted.
        platform: its `--platform`, variables substituted; empty for none.
    """

    instruction: Instruction
    name: str
    parent: "int | str | None"
    config: ImageConfig
    steps: list[Step] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    base: str = ""
    platform: str = ""

    @property
    def takes_context(self) -> bool:
        return any(step.takes_context for step in self.steps)


def needed(stages: list[Stage]) -> list[int]:
    """The stages that the last one needs, in order."""
    wanted = set()
    waiting = [len(stages) - 1]
    while waiting:
        number = waiting.pop()
        if number in wanted:
            continue
        wanted.add(number)
        stage = stages[number]
        origins = (stage.parent, *(origin for step in stage.steps for origin in step.origins))
        waiting.extend(origin for origin in origins if isinstance(origin, int))
    return sorted(wanted)
