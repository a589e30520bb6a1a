"""Names of the profile for completion: from the cache, from the disk of local mode, or asked for with little patience.

Nothing here raises, asks a question, or keeps whoever types waiting for longer than `PATIENCE_S`.
"""

import asyncio
import threading
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from emtui.completing.cache import Kind, recall, remember, remember_failure
from emtui.profile import Profile

if TYPE_CHECKING:
    from emtui.models import Image

PATIENCE_S = 2.0
"""So long the other side is waited for."""

_LATEST = ":latest"


def known_names(profile: Profile, kind: Kind) -> tuple[str, ...]:
    """The names of that kind, as far as they are known or can be had quickly. Blocks for at most `PATIENCE_S`.

    Files of local mode are not among them: `emtui.local.glance` has those.
    """
    end = profile.em_kind if kind in ("files", "images") else profile.grid_kind
    if end == "absent":
        return ()
    known = recall(profile, kind)
    if end == "local":
        # A Docker Engine's images are not in the workspace: there is only what was kept, however old it is.
        more = (*known.names, *_base_images(profile)) if kind == "images" else ()
        return tuple(dict.fromkeys((*_of_workspace(profile, kind), *more)))
    if known.is_fresh:
        return known.names
    asked = _ask(profile, kind)
    if asked is None:
        remember_failure(profile, kind)
        return known.names
    remember(profile, kind, asked)
    return tuple(asked)


def _of_workspace(profile: Profile, kind: Kind) -> tuple[str, ...]:
    if kind == "files":
        return ()
    from emtui.commands import LOCAL_USER
    from emtui.local.glance import names_in

    names = names_in(profile.workspace, kind)
    return tuple(run_name(name, LOCAL_USER) for name in names) if kind == "images" else tuple(names)


def _base_images(profile: Profile) -> tuple[str, ...]:
    """Those on board can be run as they are."""
    from emtui.local.engines.base import DEFAULT_BASE_IMAGES

    return profile.base_images or DEFAULT_BASE_IMAGES


def remember_images(profile: Profile, images: "Iterable[Image]") -> None:
    """`remember` what the EM has listed, as a run names it."""
    from emtui.commands import LOCAL_USER

    user = profile.em.username if profile.em is not None else LOCAL_USER
    remember(profile, "images", _run_names(images, user))


def run_name(reference: str, user: str) -> str:
    """The short form of an image's name, which a run finds: `client1-echo-test:latest` is `echo-test`."""
    name, prefix = reference.removesuffix(_LATEST), f"{user}-"
    is_own = bool(user) and name.startswith(prefix) and len(name) > len(prefix)
    return name[len(prefix) :] if is_own else name


def _run_names(images: "Iterable[Image]", user: str) -> list[str]:
    return list(dict.fromkeys(run_name(f"{image.repository}:{image.tag}", user) for image in images))


def _ask(profile: Profile, kind: Kind) -> list[str] | None:
    """What the remote end lists; None where it does not answer in time, or with anything else."""
    answers: list[list[str]] = []

    def ask() -> None:
        try:
            answers.append(asyncio.run(asyncio.wait_for(_listed(profile, kind), PATIENCE_S)))
        except Exception:  # noqa: BLE001 - whoever types sees no error; the verb itself will tell it
            return

    # One that hangs ends with the process.
    asking = threading.Thread(target=ask, name="completion", daemon=True)
    asking.start()
    asking.join(PATIENCE_S)
    return answers[0] if answers else None


async def _listed(profile: Profile, kind: Kind) -> list[str]:
    from platformdirs import user_cache_path

    from emtui.opening import open_ends

    is_em = kind in ("files", "images")
    # The one end alone, and not in the folder of the profile's journal: nothing is written there.
    alone = replace(
        profile,
        workspace=user_cache_path("emtui") / "completion",
        em=profile.em if is_em else None,
        grid=None if is_em else profile.grid,
        has_local=False,
    )
    async with open_ends(alone) as ends:
        em, grid = ends.backends.em, ends.backends.grid
        if kind == "files":
            listing = await em.list_files()
            return [f"{path}/" if node.is_directory else path for path, node in listing.walk()]
        if kind == "images":
            return _run_names(await em.list_images(), ends.user)
        return list(await (grid.models() if kind == "models" else grid.dataset_tags()))
