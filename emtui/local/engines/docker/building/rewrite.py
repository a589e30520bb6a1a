"""The Dockerfile as it is sent to a Docker Engine: what was planned, in the engine's names.

It is written anew out of what was read here, one line for each instruction, so that the engine cannot read it in
another way than emtui has checked it. Variables stay, but in FROM, in mounts, and in the sources of COPY and ADD. Each
instruction stays on its lines, so that the line numbers of the builder hold. Comments go, and with them `# syntax=`:
that would have another builder pulled and run.
"""

import json
import posixpath
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from emtui.local.engines.dockerfile import Dockerfile, Instruction, split_lines
from emtui.local.engines.lines import is_heredoc
from emtui.local.engines.mounts import Mount
from emtui.local.engines.problems import BuildProblem
from emtui.local.engines.steps import CopyStep, RunStep, Stage, Step
from emtui.local.engines.substitution import split_words

CONTEXT_FOLDER = ".emtui-context"
"""Where the context lies in what is sent."""

FLAT_DOCKERFILE = ".emtui.Dockerfile"
"""The Dockerfile's name where the context has to lie at the root beside it."""

# A builder reads lines of up to 64 KiB.
_MAX_LINE_BYTES = 60_000
_SYNTAX = re.compile(r"\s*#\s*syntax\s*=\s*(.*?)\s*", re.IGNORECASE)
_STAGE_NAME = re.compile(r"[a-z][a-z0-9-_.]*")
_PLATFORM = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+){0,2}")
_SPECIAL = re.compile(r"[\\`$'\"]")
_BLANK = re.compile(r"\s")
# What a builder calls a stage without a name.
_NAMELESS = re.compile(r"stage-\d+")
_AMBIGUOUS = re.compile(r"[\\`'\"]")


@dataclass(frozen=True, slots=True)
class Layout:
    """What the sent Dockerfile refers to.

    Attributes:
        images: the engine's name of each image, by the reference in the plan.
        platforms: what FROM gets as `--platform`, by the stage's number.
        folder: where the context lies, empty for the root.
        caches: what the names of the caches begin with, which no other workspace has.
        with_network: whether RUN has the network.
        network_problem: why a RUN cannot be without it then, empty where it can.
    """

    images: Mapping[str, str]
    platforms: Mapping[int, str]
    folder: str
    caches: str
    with_network: bool = False
    network_problem: str = ""


def syntax_of(text: str) -> str:
    """The builder that a `# syntax=` asks for, empty for none."""
    for line in split_lines(text):
        if line.strip() and not line.lstrip().startswith("#"):
            break
        if matched := _SYNTAX.fullmatch(line):
            return matched[1]
    return ""


def must_be_flat(stages: Sequence[Stage]) -> bool:
    """Whether a trigger of a base image takes the context: its paths cannot be rewritten."""
    return any(step.instruction.is_trigger and step.takes_context for stage in stages for step in stage.steps)


def sent_names(stages: Sequence[Stage]) -> list[str]:
    """The name of each stage in what is sent, empty for none. No two are the same, and none is `stage-1`.

    A builder takes the last of two stages with one name for it, and a name that it does not know for an image.
    """
    count = Counter(stage.name for stage in stages)
    made: list[str] = []
    for number, stage in enumerate(stages):
        name = stage.name
        if name and (count[name] > 1 or _NAMELESS.fullmatch(name)):
            name = f"emtui-{number}-{name}"
            while name in count or name in made:
                name += "-"
        made.append(name)
    return made


def left_out(item: Instruction, *, with_network: bool) -> list[str]:
    """The flags of a RUN that are not sent, since they ask for what holds anyway. Older builders do not know them."""
    if item.keyword != "RUN":
        return []
    return [
        f"--{name}={value}"
        for name, value in item.given_flags
        if name == "security" or (name == "network" and (value.lower() == "default" or not with_network))
    ]


def rewrite(text: str, dockerfile: Dockerfile, stages: Sequence[Stage], layout: Layout) -> str:
    """The Dockerfile to send.

    Raises:
        BuildProblem: what a builder would refuse in FROM, an instruction that is too long, a RUN that this builder
            cannot keep off the network, or a trigger of a base image that would have to be written anew.
    """
    return _Writer(text, dockerfile, stages, layout).write()


class _Writer:
    def __init__(self, text: str, dockerfile: Dockerfile, stages: Sequence[Stage], layout: Layout) -> None:
        self._lines = text.removeprefix("\ufeff").split("\n")
        self._dockerfile = dockerfile
        self._escape = dockerfile.escape
        self._stages = stages
        self._layout = layout
        self._names = sent_names(stages)
        self._steps: dict[int, Step] = {}
        for stage in stages:
            for step in stage.steps:
                if step.instruction.is_trigger:
                    self._check_trigger(step)
                else:
                    self._steps[step.instruction.first_line] = step

    def _check_trigger(self, step: Step) -> None:
        """Refuse what would have to be written anew: a trigger is in its image, and is taken as it is there."""
        why = ""
        if any(isinstance(origin, str) for origin in step.origins):
            why = "takes files from another image"
        elif any(self._names[origin] != name for origin, name in self._named_origins(step)):
            why = "names a stage in a way that can be read differently"
        elif isinstance(step, RunStep) and any(mount.type == "cache" for mount in step.mounts):
            why = "has a cache, which it would share with everybody"
        elif isinstance(step, CopyStep) and step.instruction.exec_form() is None:
            why = "has quotes in it, write a JSON list there" if _AMBIGUOUS.search(step.instruction.value) else ""
        if why:
            raise BuildProblem(
                f"ONBUILD {step.instruction.shown}: a trigger of the base image {why}",
                line=step.instruction.first_line,
            )

    def _named_origins(self, step: Step) -> list[tuple[int, str]]:
        """The stages that a trigger takes files from, each with the name that it has there."""
        if isinstance(step, RunStep):
            return [(mount.stage, mount.origin.lower()) for mount in step.mounts if mount.stage is not None]
        if isinstance(step, CopyStep) and isinstance(step.origin, int):
            given = step.instruction.flags["from"].lower()
            return [] if given == str(step.origin) else [(step.origin, given)]
        return []

    def write(self) -> str:
        made = [""] * len(self._lines)
        if self._escape != "\\":
            made[0] = f"# escape={self._escape}"
        stage = -1
        for item in self._dockerfile.instructions:
            if item.keyword == "FROM":
                stage += 1
                line = self._from(stage)
            else:
                line = self._other(item)
            # At the end of the file only: it continues nothing.
            while line.rstrip(" \t").endswith(self._escape):
                line = line.rstrip(" \t").removesuffix(self._escape)
            if len(line.encode()) > _MAX_LINE_BYTES:
                raise BuildProblem(
                    f"dockerfile parse error on line {item.first_line}: {item.keyword} is longer than "
                    f"{_MAX_LINE_BYTES} bytes; put it into a script and COPY that",
                    line=item.first_line,
                )
            # A here-document has to follow at once.
            made[(item.header_end if item.has_heredocs else item.first_line) - 1] = line
            if item.has_heredocs:
                made[item.header_end : item.last_line] = self._lines[item.header_end : item.last_line]
        return "\n".join(made)

    def _from(self, number: int) -> str:
        stage = self._stages[number]
        words = ["FROM"]
        platform = self._layout.platforms.get(number, stage.platform)
        if platform:
            if not _PLATFORM.fullmatch(platform):
                raise BuildProblem(f'failed to parse platform "{platform}"', line=stage.instruction.first_line)
            words.append(f"--platform={platform}")
        if isinstance(stage.parent, str):
            words.append(self._layout.images[stage.parent])
        else:
            words.append("scratch" if stage.parent is None else self._names[stage.parent])
        if stage.name:
            if not _STAGE_NAME.fullmatch(stage.name):
                raise BuildProblem(
                    f'invalid name for build stage: "{stage.name}", name can\'t start with a number or contain symbols',
                    line=stage.instruction.first_line,
                )
            words += ["AS", self._names[number]]
        return " ".join(words)

    def _other(self, item: Instruction) -> str:
        step = self._steps.get(item.first_line)
        flags = list(item.given_flags)
        rest = item.value
        if isinstance(step, CopyStep):
            flags = [(name, value if name != "from" else self._origin(step)) for name, value in flags]
            if step.takes_context:
                rest = self._arguments(step)
        elif isinstance(step, RunStep):
            flags = self._run_flags(step)
        words = [f"--{name}={value}" if value else f"--{name}" for name, value in flags]
        return " ".join((item.keyword, *words, rest))

    def _origin(self, step: CopyStep) -> str:
        if isinstance(step.origin, str):
            return self._layout.images[step.origin]
        return str(step.origin)

    def _run_flags(self, step: RunStep) -> list[tuple[str, str]]:
        item = step.instruction
        goes = left_out(item, with_network=self._layout.with_network)
        mounts = iter(step.mounts)
        flags = []
        for name, value in item.given_flags:
            if name == "mount":
                flags.append((name, self._mount(next(mounts))))
            elif f"--{name}={value}" not in goes:
                if name == "network" and self._layout.network_problem:
                    raise BuildProblem(
                        f"RUN --{name}={value} {self._layout.network_problem}; without --pod-network no RUN has the "
                        "network",
                        line=item.first_line,
                    )
                flags.append((name, value.lower()))
        return flags

    def _mount(self, mount: Mount) -> str:
        changes = {}
        if mount.stage is not None:
            changes["from"] = self._names[mount.stage]
        if mount.type == "cache":
            changes["id"] = f"{self._layout.caches}{mount.get('id') or posixpath.normpath(mount.get('target') or '/')}"
        elif mount.takes_context and self._layout.folder:
            changes["source"] = _below(self._layout.folder, mount.get("source"), keeps_parents=False).rstrip("/")
        return mount.written(**changes)

    def _arguments(self, step: CopyStep) -> str:
        keeps_parents = "parents" in step.instruction.flags
        sources = [_below(self._layout.folder, source, keeps_parents=keeps_parents) for source in step.sources]
        words = [
            _SPECIAL.sub(lambda found: f"{self._escape}{found[0]}", word) for word in (*sources, step.given_target)
        ]
        if step.instruction.has_heredocs and any(_BLANK.search(word) for word in words):
            raise BuildProblem(
                f"{step.instruction.keyword} with a here-document takes no name with a blank in it; copy that on a "
                "line of its own",
                line=step.instruction.first_line,
            )
        if not step.instruction.has_heredocs:
            return json.dumps(words, ensure_ascii=False)
        texts = [word for word in split_words(step.instruction.value, self._escape) if is_heredoc(word)]
        return " ".join((*words[:-1], *texts, words[-1]))


def _below(folder: str, source: str, *, keeps_parents: bool) -> str:
    """A source of COPY in a folder of the context. Nothing goes up from the context's root: it is the highest."""
    parts: list[str] = []
    for part in source.split("/"):
        if part == "..":
            parts[-1:] = []
        elif part or not parts or parts[-1]:
            parts.append(part)
    path = "/".join(parts).removeprefix("./").lstrip("/")
    # What stands before `/./` is no parent that --parents keeps.
    pivot = "./" if keeps_parents and "/./" not in path else ""
    return f"{folder}/{pivot}{path}"
