"""A model on its way to the local Grid Node: staged while it comes, named when it is whole."""

from __future__ import annotations

import codecs
import os
from collections.abc import Awaitable, Callable

from emtui.backend import CHUNK_BYTES
from emtui.local.grid_store import GridStore, StagedModel
from emtui.threads import in_thread
from emtui.wire.grid import saved


class IncomingModel:
    """A model in `staging/`. What is not committed is gone when its context ends.

    Raises:
        LocalProblem: disk full, I/O error. Every call may raise it.
    """

    def __init__(self, store: GridStore, check_free: Callable[[str, str], Awaitable[None]]) -> None:
        self._store = store
        self._check_free = check_free
        self._staged = store.stage()
        self._left: list[StagedModel] = []

    @property
    def count(self) -> int:
        """Bytes so far."""
        return self._staged.count

    def make(self) -> None:
        self._staged.open()

    def drop(self) -> None:
        for staged in (self._staged, *self._left):
            staged.discard()

    async def write(self, chunk: bytes) -> None:
        """More of it."""
        await in_thread(self._staged.write, chunk)

    async def recode(self, encoding: str) -> None:
        """What came was the model as text, in UTF-8: make the bytes of it that it is in `encoding`.

        Raises:
            UnicodeError: it is no UTF-8, or `encoding` has not all of its characters.
        """
        target = self._store.stage()
        self._left.append(target)
        await in_thread(target.open)
        await in_thread(_recode, self._staged, target, encoding)
        self._staged, self._left = target, [self._staged]

    async def commit(self, model_id: str, *, allow_download: bool, encoding: str) -> str:
        """Host it. Of two at once with one id, exactly one is saved.

        Returns: the message, `Model saved with id: <model_id>`.

        Raises:
            Conflict: `Model id already exists.`
            InvalidField: the id is empty or too long, or `encoding` is no name.
        """
        await self._check_free(model_id, encoding)
        await in_thread(self._store.save, self._staged, model_id, allow_download=allow_download, encoding=encoding)
        return saved(model_id)


def _recode(source: StagedModel, target: StagedModel, encoding: str) -> None:
    decode = codecs.getincrementaldecoder("utf-8")().decode
    encode = codecs.getincrementalencoder(encoding)().encode
    fd = source.read_again()
    try:
        while chunk := os.read(fd, CHUNK_BYTES):
            target.write(encode(decode(chunk)))
        target.write(encode(decode(b"", True), True))
    finally:
        os.close(fd)
