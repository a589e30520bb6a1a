"""The Grid Node of local mode: every event of the Grid Node API on the workspace's disk.

Models are bytes here. That a serialized model travels as ISO-8859-1 text is the wire's business.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from emtui.backend import CHUNK_BYTES, Download, Source
from emtui.errors import BadRequest, Conflict, ContractViolation, Forbidden, InvalidField, LocalProblem, NotFound
from emtui.local.grid_incoming import IncomingModel
from emtui.local.grid_store import GridStore, ModelRow
from emtui.local.workspace import Workspace
from emtui.plain import EndpointInfo
from emtui.threads import in_thread
from emtui.wire.grid import (
    COPIES_NOT_ALLOWED_REMEDY,
    ENCRYPTED_NOT_FOUND,
    ID_TAKEN,
    INVALID_PAYLOAD,
    MODEL_NOT_FOUND,
    NOT_ALLOWED_TO_DOWNLOAD,
    check_encoding,
)

if TYPE_CHECKING:
    from emtui.models import EncryptedModel

MAX_ID_BYTES = 4096
"""Ids are free text, but no longer than a path: a pasted file is no id."""


class LocalGrid:
    """A Grid Node (`GridNode`) in a workspace. It may be called from many tasks at once.

    Besides what `GridNode` names, every call may raise `WorkspaceProblem` (the database) and `serve_model`
    `LocalProblem` (disk full).
    """

    def __init__(self, workspace: Workspace) -> None:
        """Open it, and remove what a killed emtui has left. Blocks for some milliseconds."""
        self._store = GridStore(workspace)
        self._path = workspace.path

    async def models(self) -> Sequence[str]:
        """The ids of the hosted models (`/models`), in the order in which they were saved."""
        return await asyncio.to_thread(self._store.ids)

    async def is_model_copy_allowed(self, model_id: str) -> bool:
        """Whether the model may be downloaded (`/is_model_copy_allowed/<model_id>`)."""
        return (await self._find(model_id)).allow_download

    @asynccontextmanager
    async def get_model(self, model_id: str) -> AsyncIterator[Download]:
        """Download a model (`/get_model/<model_id>`). A model that is replaced or removed meanwhile is read on.

        Raises:
            Forbidden: `You're not allowed to download this model.`
            NotFound: `Model not found.`
            RemoteFailed: its file is missing or damaged.
        """
        row = await self._find(model_id)
        if not row.allow_download:
            raise Forbidden(NOT_ALLOWED_TO_DOWNLOAD, remedy=COPIES_NOT_ALLOWED_REMEDY)
        opened: list[int] = []  # so that a cancelled caller finds what the thread has opened
        try:
            await in_thread(lambda: opened.append(self._store.open_model(row)))
            yield Download(model_id, row.size_bytes, _chunks(opened[0], row))
        finally:
            for fd in opened:
                await in_thread(os.close, fd)

    async def serve_model(
        self, source: Source, model_id: str, *, allow_download: bool, encoding: str = "ISO-8859-1"
    ) -> str:
        """Host a model (`/serve_model`). Whole or not at all: staged, synced, then named in one transaction.

        Of two at once with one id, exactly one is saved.

        Raises:
            Conflict: `Model id already exists.`
            InvalidField: the id is empty or over `MAX_ID_BYTES`, or `encoding` is no name.
            LocalProblem: the source cannot be read or is not of its size, or the disk is full. Nothing is kept.
        """
        await self.check_free(model_id, encoding)  # before a large model is read for nothing
        async with self.incoming() as taken:
            async with source.open() as chunks:
                async for chunk in chunks:
                    await taken.write(chunk)
                    if taken.count > source.size_bytes:
                        break
            if taken.count != source.size_bytes:
                raise LocalProblem(
                    f"{source.name}: it gave {'more' if taken.count > source.size_bytes else taken.count} bytes,"
                    f" not {source.size_bytes}",
                    remedy="Wait until nothing writes to it any more, then serve it again.",
                )
            return await taken.commit(model_id, allow_download=allow_download, encoding=encoding)

    async def check_free(self, model_id: str, encoding: str) -> None:
        """Local mode's own: whether a model could be served so now.

        Raises:
            Conflict: `Model id already exists.`
            InvalidField: the id is empty or over `MAX_ID_BYTES`, or `encoding` is no name.
        """
        _check_id(model_id)
        check_encoding(encoding)
        if await asyncio.to_thread(self._store.find, model_id) is not None:
            raise Conflict(ID_TAKEN)

    @asynccontextmanager
    async def incoming(self) -> AsyncIterator[IncomingModel]:
        """Local mode's own: a model that comes piece by piece, and whose id may be told last, as a form has it."""
        taken = IncomingModel(self._store, self.check_free)
        try:
            await in_thread(taken.make)
            yield taken
        finally:
            await in_thread(taken.drop)

    async def dataset_tags(self) -> Sequence[str]:
        """The tags of the node's datasets (`/dataset-tags`), each once, the oldest first."""
        return await asyncio.to_thread(self._store.tags)

    async def search(self, query: str) -> bool:
        """Whether a dataset bears the tag (`/search`).

        Raises:
            BadRequest: no tag. The specification gives it no text.
        """
        if not isinstance(query, str) or not query:
            raise BadRequest("")
        return await asyncio.to_thread(self._store.has_tag, query)

    async def search_encrypted_models(self, model_id: str) -> EncryptedModel:
        """Where an encrypted model is shared (`/search-encrypted-models`).

        Raises:
            BadRequest: `Invalid payload format`: no id.
            NotFound: `Model ID not found!`
        """
        if not isinstance(model_id, str) or not model_id:
            raise BadRequest(INVALID_PAYLOAD, remedy="Give the id of an encrypted model.")
        found = await asyncio.to_thread(self._store.find_encrypted, model_id)
        if found is None:
            raise NotFound(ENCRYPTED_NOT_FOUND)
        return found

    async def model_sizes(self) -> dict[str, int]:
        """Bytes of every model, by id."""
        return await asyncio.to_thread(self._store.sizes)

    async def register_dataset(self, name: str, tags: Sequence[str]) -> None:
        """Local mode's own: let the node host a dataset with these tags. Doing it again changes nothing.

        Raises:
            InvalidField: the name or a tag is empty.
        """
        if not name:
            raise InvalidField("name", "a dataset needs a name")
        if not tags or not all(tags):
            raise InvalidField("tags", "a dataset needs tags, none of them empty")
        await in_thread(self._store.add_dataset, name, tuple(tags))

    async def register_encrypted_model(
        self, model_id: str, workers: Sequence[str], crypto_provider: Sequence[str]
    ) -> None:
        """Local mode's own: let the node know where an encrypted model is shared. A later call replaces the first.

        Raises:
            InvalidField: the id is empty, or over `MAX_ID_BYTES`.
        """
        _check_id(model_id)
        from emtui.models import EncryptedModel

        model = EncryptedModel(workers=tuple(workers), crypto_provider=tuple(crypto_provider))
        await in_thread(self._store.add_encrypted, model_id, model)

    async def info(self) -> EndpointInfo:
        """Who answers."""
        return EndpointInfo(label="local", user="", details={"workspace": str(self._path)})

    async def aclose(self) -> None:
        """Let go of the folder of models. The workspace stays its owner's."""
        self._store.close()

    async def _find(self, model_id: str) -> ModelRow:
        row = await asyncio.to_thread(self._store.find, model_id)
        if row is None:
            raise NotFound(MODEL_NOT_FOUND)
        return row


def _check_id(model_id: str) -> None:
    if not model_id:
        raise InvalidField("model_id", "a model needs an id", remedy="Give it one; any text will do.")
    if len(model_id.encode("utf-8", "surrogatepass")) > MAX_ID_BYTES:
        raise InvalidField("model_id", f"over {MAX_ID_BYTES:,} bytes", remedy="Shorten it.")


async def _chunks(fd: int, row: ModelRow) -> AsyncIterator[bytes]:
    count = 0
    while chunk := await in_thread(os.read, fd, CHUNK_BYTES):
        count += len(chunk)
        yield chunk
    if count != row.size_bytes:
        raise ContractViolation(f"model {row.model_id} has changed on disk: {count:,} bytes, not {row.size_bytes:,}")
