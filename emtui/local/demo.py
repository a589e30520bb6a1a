"""The demo workspace: something real in every pane on its first open.

It is made by the calls that an operator's commands make, so it is a run through all of local mode.
"""

import asyncio

from emtui.backend import EM
from emtui.errors import Conflict, EmtuiError, NotFound
from emtui.files import MemorySource
from emtui.local import demo_files
from emtui.local.grid import LocalGrid

IMAGE = "echo-test"

# Registered last, and nothing in the API removes it: where it is known, the demo has been made whole.
_MARK = "mnist-cnn-shares"


async def seed(em: EM, grid: LocalGrid) -> tuple[str, ...]:
    """Fill a new workspace with files, an image, models, tags and an encrypted model.

    Once it has been done nothing is done any more, so that what the operator deletes stays deleted. After a kill in
    the middle, what is missing is added.

    Returns: what could not be done and does not keep the demo from opening (the build, where an engine cannot).

    Raises:
        EmtuiError: as the calls do (disk full, say).
    """
    try:
        await grid.search_encrypted_models(_MARK)
    except NotFound:
        pass
    else:
        return ()
    await _uplink(em)
    problems = await _build(em)
    await _serve(grid)
    await grid.register_dataset("mnist-train", ["mnist"])
    await grid.register_dataset("boston-housing", ["boston"])
    await grid.register_encrypted_model(_MARK, ["alice", "bob"], ["charlie"])
    return problems


async def _uplink(em: EM) -> None:
    listing = await em.list_files()
    for folder, files in (await asyncio.to_thread(demo_files.volume)).items():
        missing = [name for name in files if listing.find(f"{folder}/{name}" if folder else name) is None]
        if missing:
            await em.uplink([MemorySource(name, files[name]) for name in missing], folder)


async def _build(em: EM) -> tuple[str, ...]:
    if any(image.repository.endswith(IMAGE) for image in await em.list_images()):
        return ()
    try:
        await em.build_image(f"{IMAGE}/Dockerfile", IMAGE, IMAGE)
    except EmtuiError as error:
        return (f"the demo's image {IMAGE} was not built: {error.message}. {error.remedy}",)
    return ()


async def _serve(grid: LocalGrid) -> None:
    for model_id, (content, allow_download) in (await asyncio.to_thread(demo_files.models)).items():
        try:
            await grid.serve_model(
                MemorySource(f"{model_id}.safetensors", content), model_id, allow_download=allow_download
            )
        except Conflict:
            continue  # saved before a kill
