"""A build by a Docker Engine: read, plan and check as every engine does, then send it and tell how it goes."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, nullcontext, suppress
from typing import Any, cast

from emtui.backend import LogSink
from emtui.errors import BuildFailed, EmtuiError
from emtui.local.engines.base import BuildRequest
from emtui.local.engines.building import checked_sources
from emtui.local.engines.context import BuildContext
from emtui.local.engines.dialect import Dialect, whole
from emtui.local.engines.docker.building.bases import Bases
from emtui.local.engines.docker.building.classic import ClassicProgress
from emtui.local.engines.docker.building.context_tar import Body, Sendable, sendable, tar_blocks
from emtui.local.engines.docker.building.progress import Progress
from emtui.local.engines.docker.building.rewrite import (
    CONTEXT_FOLDER,
    FLAT_DOCKERFILE,
    Layout,
    must_be_flat,
    rewrite,
    syntax_of,
)
from emtui.local.engines.docker.building.upload import Upload
from emtui.local.engines.docker.building.vertexes import BuildKitProgress
from emtui.local.engines.docker.daemon import Daemon, Facts
from emtui.local.engines.docker.names import Names
from emtui.local.engines.docker.pods.containers import remove_nameless
from emtui.local.engines.docker.problems import DaemonProblem
from emtui.local.engines.dockerfile import parse_dockerfile
from emtui.local.engines.problems import BuildProblem
from emtui.local.engines.steps import CopyStep, Stage, needed
from emtui.local.engines.talk import Talk, canonical, step_title
from emtui.threads import in_thread

_LOST_REMEDY = "See whether the Docker Engine runs and may be used (emtui doctor), then build again."
# What one builder's here-documents begin with, and what its `RUN --network` does.
_HEREDOCS_SINCE = {"Docker": 23, "Podman": 5}
_NETWORK_SINCE = {"Docker": 23, "Podman": 4}


async def build_image(
    daemon: Daemon,
    names: Names,
    request: BuildRequest,
    log: LogSink,
    *,
    base_images: tuple[str, ...],
    with_network: bool,
    name_it: Callable[[str], Awaitable[None]],
) -> str:
    """Build, and give the new image's id (`sha256:…`).

    `name_it` is called with the id when the image is there; it gives it its name. Cancelling ends the build in the
    engine too.

    Raises:
        BuildFailed: why is in the log.
    """
    return await _Build(daemon, names, request, log, base_images, with_network=with_network).run(name_it)


class _Build:
    def __init__(
        self,
        daemon: Daemon,
        names: Names,
        request: BuildRequest,
        log: LogSink,
        base_images: tuple[str, ...],
        *,
        with_network: bool,
    ) -> None:
        self._daemon = daemon
        self._names = names
        self._request = request
        self._talk = Talk(request, log)
        self._bases = Bases(daemon, names, base_images)
        self._with_network = with_network
        self._remedy = ""

    async def run(self, name_it: Callable[[str], Awaitable[None]]) -> str:
        try:
            return await self._run(name_it)
        except (BuildProblem, EmtuiError, OSError) as error:
            self._talk.fail_with(error, self._bases.missing)
            missing = self._bases.missing
            remedy = f"{missing[0].upper()}{missing[1:]}." if missing else self._remedy
            raise BuildFailed(remedy=remedy or None) from error
        except DaemonProblem as problem:
            if problem.is_gone and self._talk.step is not None:
                # It is no fault of the step at work, so it is said once, at the end.
                if not self._talk.step.is_over:
                    self._talk.step.canceled()
                self._talk.step = None
            self._talk.fail(self._names.hide(problem.message))
            raise BuildFailed(remedy=_LOST_REMEDY if problem.is_gone else None) from problem

    async def _run(self, name_it: Callable[[str], Awaitable[None]]) -> str:
        talk, text = self._talk, self._request.dockerfile
        facts = await self._daemon.facts()
        syntax = syntax_of(text)
        talk.definition([f"# syntax={syntax} is ignored: the engine's own builder reads it"] if syntax else [])
        dialect = _dialect(facts)
        talk.dockerfile = await in_thread(parse_dockerfile, text, dialect)
        stages = await self._bases.plan(talk.dockerfile, dialect)
        platforms = self._bases.platforms(stages, facts)
        wanted = needed(stages)
        talk.metadata(stages, wanted)
        is_flat = must_be_flat(stages)
        layout = Layout(
            self._bases.names,
            platforms,
            "" if is_flat else CONTEXT_FOLDER,
            caches=f"emtui-{self._names.workspace_id}-",
            with_network=self._with_network,
            network_problem=_needs(_NETWORK_SINCE, facts),
        )
        sent = await in_thread(rewrite, text, talk.dockerfile, stages, layout)
        context, found = await self._context(stages, wanted)
        notes = [found.note()] if found is not None and found.note() else []
        if is_flat:
            notes.append(f"a trigger of the base image takes the context as it is, with {FLAT_DOCKERFILE} in it")
        step = talk.begin_context(notes) if context is not None else None
        name = FLAT_DOCKERFILE if is_flat else "Dockerfile"
        body = Body(tar_blocks(sent, name, context, found, layout.folder))
        upload = Upload(step, body, context.size_bytes) if step is not None and context is not None else None
        kind = BuildKitProgress if facts.has_buildkit else ClassicProgress
        progress = kind(talk, stages, self._names, with_network=self._with_network)
        image = await self._send(body, upload, progress, self._parameters(name, facts))
        await self._export(image, progress, name_it)
        return image

    async def _context(
        self, stages: Sequence[Stage], wanted: Sequence[int]
    ) -> tuple[BuildContext | None, Sendable | None]:
        self._talk.begin_ignore_file()
        context = await in_thread(BuildContext, self._request.context)
        self._talk.ignore_file(context)
        if not any(stages[number].takes_context for number in wanted):
            return None, None
        for number in wanted:
            for place, step in enumerate(stages[number].steps):
                if isinstance(step, CopyStep) and step.takes_context and _can_be_checked(step):
                    try:
                        await in_thread(checked_sources, step, context)
                    except BuildProblem:
                        self._talk.begin(step_title(stages, number, place))
                        self._talk.at = step.instruction
                        raise
        return context, await in_thread(sendable, context)

    def _parameters(self, name: str, facts: Facts) -> dict[str, str]:
        parameters = {
            "version": "2",
            "dockerfile": name,
            "labels": json.dumps(self._names.labels),
            "networkmode": "default" if self._with_network else "none",
        }
        if not facts.has_buildkit:
            parameters |= {"version": "1", "rm": "1", "forcerm": "1", "pull": "0"}
        return parameters

    async def _send(
        self,
        body: Body,
        upload: Upload | None,
        progress: BuildKitProgress | ClassicProgress,
        parameters: dict[str, str],
    ) -> str:
        image = ""
        if upload is not None:
            progress.unpacked = upload.unpacked
        try:
            stream = self._daemon.stream("build", params=parameters, body=aiter(body))
            async with (
                upload.told() if upload is not None else nullcontext(),
                aclosing(cast(AsyncGenerator[dict[str, Any], None], stream)) as documents,
            ):
                async for document in documents:
                    if "error" in document or "errorDetail" in document:
                        raise body.problem or self._failed(progress, document)
                    image = progress.take(document) or image
            progress.unpacked()
        except (DaemonProblem, BuildProblem, EmtuiError, OSError) as problem:
            if body.problem is None:
                raise
            self._talk.step = upload.step if upload is not None else None
            self._talk.at = None
            if problem is body.problem:
                raise
            raise body.problem from problem
        finally:
            await in_thread(body.close)
        if not image:
            raise DaemonProblem("the connection to the Docker Engine was lost: it ended before the build did")
        return image

    def _failed(self, progress: Progress, document: dict[str, Any]) -> BuildProblem:
        detail = document.get("errorDetail")
        said = detail.get("message") if isinstance(detail, dict) else None
        message, line = progress.fail(str(said or document.get("error") or "an error without a text"))
        self._remedy = progress.remedy
        return BuildProblem(message, line=line)

    async def _export(
        self,
        image: str,
        progress: BuildKitProgress | ClassicProgress,
        name_it: Callable[[str], Awaitable[None]],
    ) -> None:
        if isinstance(progress, ClassicProgress):
            progress.close()
        step = progress.begin_export()
        step.note("exporting layers done")
        step.note(f"writing image {image} done")
        try:
            await name_it(image)
        except BaseException:
            # Nothing names it, so that nobody would find it; what fails here goes with the next start's sweep.
            with suppress(DaemonProblem):
                await remove_nameless(self._daemon, image)
            raise
        step.note(f"naming to {canonical(self._request.reference)} done")
        step.done()


def _dialect(facts: Facts) -> Dialect:
    return whole(f"{facts.operating_system}/{facts.architecture}", _needs(_HEREDOCS_SINCE, facts))


def _needs(since: Mapping[str, int], facts: Facts) -> str:
    """`needs Docker 23 or newer, …` of a builder that is older; empty for another."""
    first = since[facts.product]
    major = facts.version.partition(".")[0]
    knows = major.isdigit() and int(major) >= first
    return "" if knows else f"needs {facts.product} {first} or newer, and this is {facts.version}"


def _can_be_checked(step: CopyStep) -> bool:
    """Whether its sources are what it takes: patterns in the flags change that."""
    return not {"parents", "exclude"} & step.instruction.flags.keys()
