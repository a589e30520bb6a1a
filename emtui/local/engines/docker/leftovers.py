"""What of our images may be left in a Docker Engine without a name: written down before it can happen.

Labels cannot tell: whoever builds an image of one of ours, or runs a container of it, inherits them.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Leftovers:
    """What may be there.

    Attributes:
        builds: the numbers of builds that were begun (their images bear `LABEL_BUILD`).
        images: the ids of images that were replaced.
    """

    builds: set[str] = field(default_factory=set)
    images: set[str] = field(default_factory=set)


class LeftoverFile:
    """`blobs/docker-leftovers.json`. Every call blocks and may raise OSError."""

    def __init__(self, blobs: Path) -> None:
        self._path = blobs / "docker-leftovers.json"

    def read(self) -> Leftovers:
        with contextlib.suppress(FileNotFoundError, ValueError, TypeError, KeyError):
            document = json.loads(self._path.read_text(encoding="ascii"))
            return Leftovers(set(map(str, document["builds"])), set(map(str, document["images"])))
        return Leftovers()

    @contextlib.contextmanager
    def changed(self) -> Iterator[Leftovers]:
        """What is written down, to be changed; written again where that has happened."""
        found = self.read()
        before = (set(found.builds), set(found.images))
        yield found
        if (found.builds, found.images) == before:
            return
        temporary = self._path.with_name(f".{self._path.name}.new")
        with temporary.open("w", encoding="ascii") as file:
            json.dump({"builds": sorted(found.builds), "images": sorted(found.images)}, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)

    def add(self, *, build: str = "", image: str = "") -> None:
        with self.changed() as found:
            found.builds |= {build} - {""}
            found.images |= {image} - {""}

    def drop(self, *, build: str = "", image: str = "") -> None:
        with self.changed() as found:
            found.builds -= {build}
            found.images -= {image}
