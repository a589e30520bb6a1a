"""A build as both engines do it: read, plan, log; the worker does, or only checks, each step.

The log has the lines of BuildKit's plain progress, and on a failure its excerpt and its `failed to solve: …`.
"""

import hashlib
import os
from collections.abc import Sequence
from typing import Protocol

from emtui.errors import EmtuiError
from emtui.local.engines.base import BuildRequest
from emtui.local.engines.buildlog import BuildLog, Emit, Step
from emtui.local.engines.context import BuildContext, check_copyable, check_link
from emtui.local.engines.dockerfile import Dockerfile, Instruction, excerpt, parse_dockerfile
from emtui.local.engines.plan import CopyStep, ImageLookup, RunStep, Stage, WorkdirStep, make_plan, needed
from emtui.local.engines.problems import BuildProblem
from emtui.local.engines.references import parse_reference
from emtui.local.engines.sandbox.rootfs import RootfsProblem
from emtui.models import Image


class Worker(Protocol):
    """Does a build's steps.

    Each may raise `BuildProblem`, `RootfsProblem`, `EmtuiError`, `OSError` or `StopRequested`.
    """

    def begin(self, number: int, stage: Stage) -> None:
        """Make the root of a stage of its parent."""
        ...

    def copy(self, step: CopyStep, context: BuildContext, log: Step) -> None: ...

    def run(self, step: RunStep, log: Step) -> None: ...

    def workdir(self, step: WorkdirStep) -> None: ...

    def finish(self, stage: Stage, log: Step) -> Image:
        """Make the image of the last stage, at once and whole."""
        ...


def build(
    request: BuildRequest, emit: Emit, worker: Worker, base_images: tuple[str, ...], lookup: ImageLookup
) -> Image | None:
    """Build. None after a failure: why is in the log."""
    return _Build(request, BuildLog(emit), worker, base_images, lookup).run()


class _Build:
    def __init__(
        self, request: BuildRequest, log: BuildLog, worker: Worker, base_images: tuple[str, ...], lookup: ImageLookup
    ) -> None:
        self._request = request
        self._log = log
        self._worker = worker
        self._base_images = base_images
        self._lookup = lookup
        self._dockerfile: Dockerfile | None = None
        self._step: Step | None = None
        self._at: Instruction | None = None

    def run(self) -> Image | None:
        try:
            return self._run()
        except BuildProblem as problem:
            if problem.step:
                self._begin(problem.step)
            self._fail(problem.message, problem.line)
        except RootfsProblem as problem:
            self._fail(str(problem), 0)
        except EmtuiError as error:
            self._fail(error.message, 0)
        except OSError as error:
            self._fail(f"{error.filename or 'build'}: {error.strerror or error}", 0)
        return None

    def _begin(self, title: str) -> Step:
        self._step = self._log.step(title)
        return self._step

    def _run(self) -> Image:
        step = self._begin(f"[internal] load build definition from {self._request.dockerfile_name}")
        step.note(f"transferring dockerfile: {len(os.fsencode(self._request.dockerfile))}B done")
        step.done()
        self._step = None
        self._dockerfile = parse_dockerfile(self._request.dockerfile)
        stages = make_plan(self._dockerfile, self._base_images, self._lookup)
        wanted = needed(stages)
        for name in dict.fromkeys(name for number in wanted if (name := _metadata_name(stages[number]))):
            self._begin(f"[internal] load metadata for {name}").done()
        context = self._load_context(any(_needs_context(stages[number]) for number in wanted))
        for number in wanted:
            self._stage(number, stages[number], context, len(stages) > 1)
        self._at = None
        step = self._begin("exporting to image")
        image = self._worker.finish(stages[-1], step)
        step.note(f"writing image {image.id} done")
        step.note(f"naming to {_canonical(self._request.reference)} done")
        step.done()
        return image

    def _load_context(self, is_needed: bool) -> BuildContext:
        step = self._begin("[internal] load .dockerignore")
        context = BuildContext(self._request.context)
        step.note(f"transferring context: {context.ignore_bytes}B done")
        step.done()
        if is_needed:
            step = self._begin("[internal] load build context")
            step.note(f"transferring context: {context.size_bytes}B done")
            step.done()
        return context

    def _stage(self, number: int, stage: Stage, context: BuildContext, has_several: bool) -> None:
        label = (stage.name or f"stage-{number}") + " " if has_several else ""
        count = len(stage.steps) + 1
        self._at = stage.instruction
        step = self._begin(f"[{label}1/{count}] FROM {_metadata_name(stage) or stage.instruction.value}")
        self._worker.begin(number, stage)
        for note in stage.notes:
            step.note(f"note: {note}")
        step.done()
        for place, item in enumerate(stage.steps, 2):
            self._at = item.instruction
            step = self._begin(f"[{label}{place}/{count}] {item.instruction.shown}")
            if isinstance(item, CopyStep):
                self._worker.copy(item, context, step)
            elif isinstance(item, RunStep):
                self._worker.run(item, step)
            else:
                self._worker.workdir(item)
            step.done()

    def _fail(self, message: str, line: int) -> None:
        if self._step is not None:
            self._step.error(message)
            self._log.line("------")
            self._log.line(f" > {self._step.title}:")
            for output in self._step.output_tail:
                self._log.line(output)
            self._log.line("------")
        first = line or (self._at.first_line if self._at is not None else 0)
        if first:
            instructions = self._dockerfile.instructions if self._dockerfile is not None else ()
            last = next((item.last_line for item in instructions if item.first_line == first), first)
            for text in excerpt(self._request.dockerfile, self._request.dockerfile_name, first, last):
                self._log.line(text)
        self._log.line(f"failed to solve: {message}")


def _needs_context(stage: Stage) -> bool:
    return any(isinstance(step, CopyStep) and step.origin is None for step in stage.steps)


def _metadata_name(stage: Stage) -> str:
    """The canonical name of a stage's base image, empty for `scratch` and for an earlier stage."""
    if not isinstance(stage.parent, str):
        return ""
    return _canonical(stage.instruction.value.split()[0] if stage.parent.startswith("base:") else stage.parent)


def _canonical(text: str) -> str:
    reference = parse_reference(text)
    return reference.canonical if reference is not None else text


def checked_sources(step: CopyStep, context: BuildContext) -> Sequence[str]:
    """The paths of the context that a COPY takes, everything below them checked too.

    Raises:
        BuildProblem: there is none, or one that cannot be copied.
    """
    paths = []
    for source in step.sources:
        for path in context.matches(source):
            paths.append(path)
            entries = [context.entries[path]] if path in context.entries else []
            if context.type_of(path) == "directory":
                entries += context.below(path)
            for entry in entries:
                check_copyable(entry)
                if entry.type == "link":
                    check_link(entry.path, read_link(context, entry.path))
    return paths


def read_link(context: BuildContext, path: str) -> str:
    *folders, name = path.split("/")
    with context.folder.open_dir(tuple(folders)) as parent:
        return os.readlink(name, dir_fd=parent.fd)


def image_id(content: str, config: str) -> str:
    """`sha256:…` of an image's content and configuration."""
    both = f"{content}\n{config}"
    return f"sha256:{hashlib.sha256(both.encode()).hexdigest()}"
