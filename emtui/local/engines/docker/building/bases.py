"""The images that a Dockerfile starts from or copies from, found in a Docker Engine before anything is sent.

Nothing is ever pulled: a builder that is given an image's exact name and its own platform takes what it has.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from emtui.local.engines.config import ImageConfig
from emtui.local.engines.dialect import Dialect
from emtui.local.engines.docker.daemon import Daemon, Facts
from emtui.local.engines.docker.lookup import config_of, digests_of, inspect_image, platform_of, resolve
from emtui.local.engines.docker.names import Names
from emtui.local.engines.dockerfile import Dockerfile
from emtui.local.engines.loading import architecture_name
from emtui.local.engines.plan import make_plan
from emtui.local.engines.problems import BuildProblem
from emtui.local.engines.references import on_board, parse_reference
from emtui.local.engines.steps import CopyStep, Stage
from emtui.local.engines.talk import canonical
from emtui.threads import in_thread

_DEFAULT_VARIANTS = {"arm64": "v8", "arm": "v7"}


@dataclass(frozen=True, slots=True)
class Base:
    """An image that is there: the engine's name of it, what it says, and for which machines it is."""

    name: str
    config: ImageConfig
    platform: str


class _NotLookedUp(Exception):
    """The plan wants an image that was not looked for yet."""

    def __init__(self, reference: str) -> None:
        super().__init__(reference)
        self.reference = reference


class Bases:
    """Finds them.

    Attributes:
        missing: how the image that is not there would come on board, empty where it is not for us to say.
    """

    def __init__(self, daemon: Daemon, names: Names, base_images: Sequence[str]) -> None:
        self._daemon = daemon
        self._names = names
        self._base_images = base_images
        self._found: dict[str, Base | None] = {}
        self.missing = ""

    def __getitem__(self, reference: str) -> Base:
        found = self._found[reference]
        if found is None:
            raise KeyError(reference)
        return found

    @property
    def names(self) -> dict[str, str]:
        """The engine's names, by the references in the plan."""
        return {reference: base.name for reference, base in self._found.items() if base is not None}

    async def plan(self, dockerfile: Dockerfile, dialect: Dialect) -> list[Stage]:
        """The plan of a Dockerfile, every image of it looked up.

        Raises:
            BuildProblem: as `make_plan` has it.
            DaemonProblem: the engine did not answer.
        """
        while True:
            try:
                return await in_thread(make_plan, dockerfile, (), self._lookup, dialect)
            except _NotLookedUp as wanted:
                await self._find(wanted.reference)

    def _lookup(self, reference: str) -> ImageConfig | None:
        if reference not in self._found:
            raise _NotLookedUp(reference)
        found = self._found[reference]
        return found.config if found is not None else None

    async def _find(self, reference: str) -> None:
        name = await resolve(self._daemon, self._names, self._base_images, reference)
        document = await inspect_image(self._daemon, name) if name is not None else None
        if name is not None and document is not None:
            self._found[reference] = Base(name, config_of(document), platform_of(document))
            return
        self._found[reference] = None
        self.missing = await self._why_missing(reference)

    async def _why_missing(self, reference: str) -> str:
        """What would bring an image on board, empty where nobody can tell."""
        plain, _, digest = reference.partition("@")
        taken = parse_reference(plain)
        if taken is None:
            return ""
        if digest and (name := await resolve(self._daemon, self._names, self._base_images, plain)) is not None:
            found = await inspect_image(self._daemon, name)
            has = ", ".join(sorted(digests_of(found))) if found is not None else ""
            return f"the digest differs: {taken.familiar} is on board, with {has}"
        base = on_board(plain, self._base_images)
        if base is not None:
            return (
                f"`docker pull {base}:{taken.tag}` where there is a network, or `docker load`, puts {base}:{taken.tag} "
                "on board of this Docker Engine"
            )
        repository = on_board(plain, [taken.repository])
        # What other workspaces have is not told.
        if repository is None or repository.startswith("emtui-"):
            return ""
        there = f"{repository}:{taken.tag}"
        if await inspect_image(self._daemon, there) is None:
            return ""
        return (
            f"the Docker Engine has {there}, but it is none of the base images; "
            f"`--base-images {','.join((*self._base_images, repository))}` makes it one"
        )

    def platforms(self, stages: Sequence[Stage], facts: Facts) -> dict[int, str]:
        """What FROM has to say as `--platform` so that the builder takes the image that is there, by the stage.

        Raises:
            BuildProblem: an image is for another machine than the Dockerfile asks for.
        """
        own = f"{facts.operating_system}/{facts.architecture}"
        given = {}
        for number, stage in enumerate(stages):
            self._check_copied(stage, own)
            if not isinstance(stage.parent, str):
                continue
            has = self[stage.parent].platform
            if stage.platform and not _is_same(stage.platform, has, own):
                raise BuildProblem(
                    f"{stage.base}: the image on board is for {has}, not for {stage.platform}",
                    line=stage.instruction.first_line,
                    step=f"[internal] load metadata for {canonical(stage.base)}",
                )
            if not _is_same(own, has, own):
                given[number] = has
        return given

    def _check_copied(self, stage: Stage, own: str) -> None:
        for step in stage.steps:
            if not isinstance(step, CopyStep) or not isinstance(step.origin, str):
                continue
            has = self[step.origin].platform
            if not _is_same(own, has, own):
                raise BuildProblem(
                    f"COPY --from={step.origin}: the image on board is for {has}, the Docker Engine for {own}; "
                    f"name it with FROM {step.origin} AS a-name, and write --from=a-name",
                    line=step.instruction.first_line,
                )


def _is_same(first: str, second: str, own: str) -> bool:
    return _parts(first, own) == _parts(second, own)


def _parts(platform: str, own: str) -> tuple[str, str, str]:
    """A platform's system, architecture and variant. What is not said is that of `own`."""
    words = platform.lower().split("/")
    own_system, _, own_architecture = own.partition("/")
    if len(words) == 1:
        words = [words[0], own_architecture] if words[0] in ("linux", "windows") else [own_system, words[0]]
    architecture = architecture_name(words[1])
    variant = words[2] if len(words) > 2 else ""
    return words[0], architecture, variant or _DEFAULT_VARIANTS.get(architecture, "")
