"""`DIR/grid.toml`: the datasets and encrypted models of local mode's Grid Node.

The Grid Node API can only ask for them. An operator writes them down once, in a file beside the volume:

    [[dataset]]
    name = "digits"
    tags = ["mnist", "grey"]

    [[encrypted_model]]
    id = "mnist-shares"
    workers = ["alice", "bob"]
    crypto_provider = ["carol"]

It is read at every start; what is in it is registered, what is no longer in it stays known.
"""

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from emtui.errors import ConfigProblem
from emtui.local.grid import LocalGrid

# A file beyond this is not one that somebody wrote down.
_MOST_BYTES = 1 << 20

_Word = Annotated[str, Field(min_length=1, max_length=4096)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Dataset(_Strict):
    name: _Word
    tags: Annotated[tuple[_Word, ...], Field(min_length=1)]


class _Encrypted(_Strict):
    id: _Word
    workers: tuple[_Word, ...] = ()
    crypto_provider: tuple[_Word, ...] = ()


class GridRegistry(_Strict):
    """What `grid.toml` may hold."""

    dataset: tuple[_Dataset, ...] = ()
    encrypted_model: tuple[_Encrypted, ...] = ()


def read_registry(path: Path) -> GridRegistry:
    """The registry in `path`; an empty one where there is no such file. Blocks.

    Raises:
        ConfigProblem: it cannot be read, or is not as above; the file, the key and the remedy are named.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        return GridRegistry()
    except OSError as error:
        raise ConfigProblem(f"{path}: {error.strerror}", remedy="Make it readable, or move it away.") from error
    if len(text) > _MOST_BYTES:
        raise ConfigProblem(f"{path}: over 1 MiB", remedy="Move it away.")
    try:
        return GridRegistry.model_validate(tomllib.loads(text.decode("utf-8")))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigProblem(f"{path}: {error}", remedy="Mend it, or move it away.") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigProblem(f"{path}: {key}: {first['msg']}", remedy="Mend it, or move it away.") from error


async def register(grid: LocalGrid, registry: GridRegistry) -> None:
    """Let the node host what the registry names. Doing it again changes nothing."""
    for dataset in registry.dataset:
        await grid.register_dataset(dataset.name, dataset.tags)
    for model in registry.encrypted_model:
        await grid.register_encrypted_model(model.id, model.workers, model.crypto_provider)
