"""Which image of a Docker Engine a reference means: one of our own, or a base image that is really on board.

A base image is on board where its name is one of the base images and the engine has it with that very tag. Nothing is
ever pulled.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from emtui.local.engines.config import DEFAULT_SHELL, ImageConfig
from emtui.local.engines.docker.daemon import Daemon
from emtui.local.engines.docker.names import Names
from emtui.local.engines.docker.problems import DaemonProblem, daemon_problems
from emtui.local.engines.loading import architecture_name
from emtui.local.engines.references import on_board, parse_reference


async def resolve(daemon: Daemon, names: Names, base_images: Sequence[str], reference: str) -> str | None:
    """The engine's name for what `reference` means: our own image first, then a base image. None where there is none.

    A digest in the reference must be that of the image.

    Raises:
        DaemonProblem: the engine did not answer.
    """
    digest = reference.partition("@")[2]
    for name in candidates(names, base_images, reference):
        found = await inspect_image(daemon, name)
        if found is not None and (not digest or digest in digests_of(found)):
            return name
    return None


def candidates(names: Names, base_images: Sequence[str], reference: str) -> list[str]:
    """The names in the engine that `reference` may stand for, in the order in which they are tried."""
    taken = parse_reference(reference)
    if taken is None:
        return []
    found = [names.there(reference)]
    base = on_board(reference, base_images)
    if base is not None:
        # Put there with `docker pull NAME:TAG`, or with the onboard registry still in front of it.
        found += [f"{base}:{taken.tag}", taken.familiar if taken.registry else None]
    return list(dict.fromkeys(name for name in found if name is not None))


async def inspect_image(daemon: Daemon, name: str) -> Mapping[str, Any] | None:
    """What the engine knows of an image, None where there is none.

    Raises:
        DaemonProblem: the engine did not answer.
    """
    try:
        with daemon_problems():
            return await daemon.docker.images.inspect(name)
    except DaemonProblem as problem:
        if problem.status == 404:
            return None
        raise


def config_of(document: Mapping[str, Any]) -> ImageConfig:
    """The configuration in an inspected image."""
    config = document.get("Config") or {}
    env = dict(item.partition("=")[::2] for item in config.get("Env") or ())
    return ImageConfig(
        entrypoint=_words(config.get("Entrypoint")),
        cmd=_words(config.get("Cmd")),
        env=env,
        workdir=str(config.get("WorkingDir") or "/"),
        user=str(config.get("User") or ""),
        labels={str(name): str(value) for name, value in (config.get("Labels") or {}).items()},
        ports=tuple(config.get("ExposedPorts") or ()),
        volumes=tuple(config.get("Volumes") or ()),
        architecture=architecture_name(str(document.get("Architecture") or "")),
        onbuild=tuple(config.get("OnBuild") or ()),
        shell=_words(config.get("Shell")) or DEFAULT_SHELL,
    )


def platform_of(document: Mapping[str, Any]) -> str:
    """For which machines an inspected image is: `linux/arm64`, `linux/arm/v7`."""
    parts = (document.get("Os") or "linux", document.get("Architecture"), document.get("Variant"))
    return "/".join(str(part) for part in parts if part)


def digests_of(document: Mapping[str, Any]) -> set[str]:
    """What an inspected image may be named with behind `@`: its registries' digests, and its id."""
    named = {str(item).partition("@")[2] for item in document.get("RepoDigests") or ()}
    return {*named, str(document.get("Id"))}


def _words(value: Any) -> tuple[str, ...] | None:
    return tuple(str(item) for item in value) if value else None
