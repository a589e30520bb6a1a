"""The Dockerfile as it is sent to a Docker Engine: what was planned, in the engine's names.

It is written anew out of what was read here, one line for each instruction, so that the engine cannot read it in
another way than emtui has checked it. Variables stay, but in FROM and in the sources of COPY and ADD. Each instruction
stays on its lines, so that the line numbers of the builder hold. Comments go, and with them `# syntax=`: that would
have another builder pulled and run.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from emtui.local.engines.dockerfile import Dockerfile, Instruction, split_lines
from emtui.local.engines.lines import is_heredoc
from emtui.local.engines.mounts import parse_mount
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


@dataclass(frozen=True, slots=True)
class Layout:
    """What the sent Dockerfile refers to.

    Attributes:
        images: the engine's name of each image, by the reference in the plan.
        platforms: what FROM gets as `--platform`, by the stage's number.
        folder: where the context lies, empty for the root.
    """

    images: Mapping[str, str]
    platforms: Mapping[int, str]
    folder: str


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


def rewrite(text: str, dockerfile: Dockerfile, stages: Sequence[Stage], layout: Layout) -> str:
    """The Dockerfile to send.

    Raises:
        BuildProblem: what a builder would refuse in FROM, an instruction that is too long, or a trigger of a base
            image that takes files from another image.
    """
    return _Writer(text, dockerfile, stages, layout).write()


class _Writer:
    def __init__(self, text: str, dockerfile: Dockerfile, stages: Sequence[Stage], layout: Layout) -> None:
        self._lines = text.removeprefix("\ufeff").split("\n")
        self._dockerfile = dockerfile
        self._escape = dockerfile.escape
        self._stages = stages
        self._layout = layout
        self._steps: dict[int, Step] = {}
        for stage in stages:
            for step in stage.steps:
                if step.instruction.is_trigger:
                    self._check_trigger(step)
                else:
                    self._steps[step.instruction.first_line] = step

    def _check_trigger(self, step: Step) -> None:
        if any(isinstance(origin, str) for origin in step.origins):
            raise BuildProblem(
                f"ONBUILD {step.instruction.shown}: a trigger of the base image takes files from another image",
                line=step.instruction.first_line,
            )

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
            words.append("scratch" if stage.parent is None else self._stages[stage.parent].name)
        if stage.name:
            if not _STAGE_NAME.fullmatch(stage.name):
                raise BuildProblem(
                    f'invalid name for build stage: "{stage.name}", name can\'t start with a number or contain symbols',
                    line=stage.instruction.first_line,
                )
            words += ["AS", stage.name]
        return " ".join(words)

    def _other(self, item: Instruction) -> str:
        step = self._steps.get(item.first_line)
        flags = list(item.given_flags)
        rest = item.value
        if isinstance(step, CopyStep):
            flags = [(name, value if name != "from" else self._origin(step)) for name, value in flags]
            if step.takes_context and self._layout.folder:
                rest = self._arguments(step)
        elif isinstance(step, RunStep) and step.takes_context and self._layout.folder:
            flags = [(name, self._mount(value) if name == "mount" else value) for name, value in flags]
        words = [f"--{name}={value}" if value else f"--{name}" for name, value in flags]
        return " ".join((item.keyword, *words, rest))

    def _origin(self, step: CopyStep) -> str:
        if isinstance(step.origin, str):
            return self._layout.images[step.origin]
        return str(step.origin)

    def _mount(self, text: str) -> str:
        mount = parse_mount(text, self._escape)
        return mount.below(self._layout.folder) if mount.takes_context else text

    def _arguments(self, step: CopyStep) -> str:
        keeps_parents = "parents" in step.instruction.flags
        sources = [_below(self._layout.folder, source, keeps_parents=keeps_parents) for source in step.sources]
        words = [
            _SPECIAL.sub(lambda found: f"{self._escape}{found[0]}", word) for word in (*sources, step.given_target)
        ]
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
