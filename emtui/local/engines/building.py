"""A build as the sandbox and the simulated engine do it: read, plan; the worker does, or only checks, each step."""

import hashlib
import os
from collections.abc import Sequence
from typing import Protocol

from emtui.errors import EmtuiError
from emtui.local.engines.base import BuildRequest
from emtui.local.engines.buildlog import Emit, Step
from emtui.local.engines.context import BuildContext, check_copyable, check_link
from emtui.local.engines.dockerfile import parse_dockerfile
from emtui.local.engines.plan import CopyStep, ImageLookup, RunStep, Stage, WorkdirStep, make_plan, needed
from emtui.local.engines.problems import BuildProblem
from emtui.local.engines.sandbox.rootfs import RootfsProblem
from emtui.local.engines.talk import Talk, canonical, from_title, step_title
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
    return _Build(request, Talk(request, emit), worker, base_images, lookup).run()


class _Build:
    def __init__(
        self, request: BuildRequest, talk: Talk, worker: Worker, base_images: tuple[str, ...], lookup: ImageLookup
    ) -> None:
        self._request = request
        self._talk = talk
        self._worker = worker
        self._base_images = base_images
        self._lookup = lookup

    def run(self) -> Image | None:
        try:
            return self._run()
        except RootfsProblem as problem:
            self._talk.fail(str(problem))
        except (BuildProblem, EmtuiError, OSError) as error:
            self._talk.fail_with(error)
        return None

    def _run(self) -> Image:
        talk = self._talk
        talk.definition()
        talk.dockerfile = parse_dockerfile(self._request.dockerfile)
        stages = make_plan(talk.dockerfile, self._base_images, self._lookup)
        wanted = needed(stages)
        talk.metadata(stages, wanted)
        context = self._load_context(any(stages[number].takes_context for number in wanted))
        for number in wanted:
            self._stage(number, stages, context)
        talk.at = None
        step = talk.begin("exporting to image")
        image = self._worker.finish(stages[-1], step)
        step.note(f"writing image {image.id} done")
        step.note(f"naming to {canonical(self._request.reference)} done")
        step.done()
        return image

    def _load_context(self, is_needed: bool) -> BuildContext:
        self._talk.begin_ignore_file()
        context = BuildContext(self._request.context)
        self._talk.ignore_file(context)
        if is_needed:
            self._talk.begin_context()
            self._talk.context(context)
        return context

    def _stage(self, number: int, stages: list[Stage], context: BuildContext) -> None:
        stage = stages[number]
        self._talk.at = stage.instruction
        step = self._talk.begin(from_title(stages, number))
        self._worker.begin(number, stage)
        for note in stage.notes:
            step.note(f"note: {note}")
        step.done()
        for place, item in enumerate(stage.steps):
            self._talk.at = item.instruction
            step = self._talk.begin(step_title(stages, number, place))
            if isinstance(item, CopyStep):
                self._worker.copy(item, context, step)
            elif isinstance(item, RunStep):
                self._worker.run(item, step)
            else:
                self._worker.workdir(item)
            step.done()


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
