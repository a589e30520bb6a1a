"""What is to be known of a path's folders, also where some of them may not be looked into. Nothing here raises."""

import os
from pathlib import Path


def nearest_folder(path: Path) -> Path:
    """`path`, or the nearest folder above it that can be seen. Blocks."""
    while not os.path.isdir(path) and path != path.parent:  # noqa: PTH112 - Path.is_dir raises where it is denied
        path = path.parent
    return path


def denied_folder(path: Path) -> Path:
    """The folder on the way to `path`, which cannot be reached, that may not be looked into. Blocks."""
    ways = (folder for folder in reversed(path.parents) if not os.access(folder, os.X_OK))
    return next(ways, path.parent)


def is_read_only(folder: Path) -> bool:
    """Whether nobody can write to its file system. Blocks."""
    try:
        return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    except OSError:
        return False
