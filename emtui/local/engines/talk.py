"""What every engine says while it builds.

The log has the lines of BuildKit's plain progress, and on a failure its excerpt and its `failed to solve: …`.
"""

import os
from collections.abc import Sequence

from emtui.errors import EmtuiError
from emtui.local.engines.base import BuildRequest
from emtui.local.engines.buildlog import BuildLog, Emit, Step
from emtui.local.engines.context import BuildContext
from emtui.local.engines.dockerfile import Dockerfile, Instruction, excerpt
from emtui.local.engines.problems import BuildProblem
from emtui.local.engines.references import parse_reference
from emtui.local.engines.steps import Stage


class Talk:
    """The log of one build.

    Attributes:
        dockerfile: once it has been read; the excerpt of a failure needs it.
        step: the step that is at work, and that a failure belongs to.
        at: the instruction that it does.
        context_step: the step in which the context's files are read, once it has begun.
    """

    def __init__(self, request: BuildRequest, emit: Emit) -> None:
        self._request = request
        self._log = BuildLog(emit)
        self.dockerfile: Dockerfile | None = None
        self.step: Step | None = None
        self.at: Instruction | None = None
        self.context_step: Step | None = None

    def begin(self, title: str) -> Step:
        """Begin a step."""
        self.step = self._log.step(title)
        return self.step

    def definition(self, notes: Sequence[str] = ()) -> None:
        """The Dockerfile, which the caller has."""
        step = self.begin(f"[internal] load build definition from {self._request.dockerfile_name}")
        step.note(f"transferring dockerfile: {len(os.fsencode(self._request.dockerfile))}B done")
        for note in notes:
            step.note(f"note: {note}")
        step.done()
        self.step = None

    def metadata(self, stages: Sequence[Stage], wanted: Sequence[int]) -> None:
        """The base images."""
        for name in dict.fromkeys(name for number in wanted if (name := metadata_name(stages[number]))):
            self.begin(f"[internal] load metadata for {name}").done()
        self.step = None

    def begin_ignore_file(self) -> None:
        """Reading the `.dockerignore` and all names of the context begins."""
        self.begin("[internal] load .dockerignore")

    def ignore_file(self, context: BuildContext) -> None:
        """It has been read."""
        if self.step is not None:
            self.step.note(transferred(context.ignore_bytes))
            self.step.done()
        self.step = None

    def begin_context(self, notes: Sequence[str] = ()) -> Step:
        """Reading the context's files begins."""
        step = self.context_step = self.begin("[internal] load build context")
        for note in notes:
            step.note(f"note: {note}")
        return step

    def context(self, context: BuildContext) -> None:
        """They have been read."""
        if self.context_step is not None:
            self.context_step.note(transferred(context.size_bytes))
            self.context_step.done()

    def fail_with(self, error: BuildProblem | EmtuiError | OSError, hint: str = "") -> None:
        """End the log with what went wrong, and with what would help where a step of its own failed."""
        if isinstance(error, BuildProblem):
            if error.step:
                step = self.begin(error.step)
                if hint:
                    step.note(f"note: {hint}")
            self.fail(error.message, error.line)
        elif isinstance(error, EmtuiError):
            self.fail(error.message)
        else:
            self.fail(f"{error.filename or 'build'}: {error.strerror or error}")

    def fail(self, message: str, line: int = 0) -> None:
        """End the log with a failure. `line` is the first one of the instruction to blame, 0 for the one at work."""
        if self.step is not None:
            self.step.error(message)
            self._log.line("------")
            self._log.line(f" > {self.step.title}:")
            for output in self.step.output_tail:
                self._log.line(output)
            self._log.line("------")
        first = line or (self.at.first_line if self.at is not None else 0)
        if first:
            instructions = self.dockerfile.instructions if self.dockerfile is not None else ()
            last = next((item.last_line for item in instructions if item.first_line == first), first)
            for text in excerpt(self._request.dockerfile, self._request.dockerfile_name, first, last):
                self._log.line(text)
        self._log.line(f"failed to solve: {message}")


def transferred(size_bytes: int) -> str:
    """The line that says how much of the context there was."""
    return f"transferring context: {size_bytes}B done"


def from_title(stages: Sequence[Stage], number: int) -> str:
    """The title of a stage's FROM: `[1/3] FROM docker.io/library/alpine:latest`."""
    stage = stages[number]
    return f"[{_place(stages, number, 1)}] FROM {metadata_name(stage) or stage.instruction.value}"


def step_title(stages: Sequence[Stage], number: int, place: int) -> str:
    """The title of one of its steps: `[2/3] COPY a /`."""
    return f"[{_place(stages, number, place + 2)}] {stages[number].steps[place].instruction.shown}"


def _place(stages: Sequence[Stage], number: int, place: int) -> str:
    label = (stages[number].name or f"stage-{number}") + " " if len(stages) > 1 else ""
    return f"{label}{place}/{len(stages[number].steps) + 1}"


def metadata_name(stage: Stage) -> str:
    """The canonical name of a stage's base image, empty for `scratch` and for an earlier stage."""
    if not isinstance(stage.parent, str):
        return ""
    return canonical(stage.base if stage.parent.startswith("base:") else stage.parent)


def canonical(text: str) -> str:
    """A reference as a builder writes it: `docker.io/library/alpine:latest`."""
    reference = parse_reference(text)
    return reference.canonical if reference is not None else text
