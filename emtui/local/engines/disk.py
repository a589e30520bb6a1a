"""How much of the workspace's disk is left, so that a pod that fills it is ended before the disk is full."""

import os


class DiskWatch:
    """Keeps `keep_free_bytes` of the disk, or half of what is free at the start where that is less already."""

    def __init__(self, path: str, keep_free_bytes: int) -> None:
        self._path = path
        self._least = min(keep_free_bytes, _free(path) // 2)

    def is_too_full(self) -> bool:
        return _free(self._path) < self._least


def _free(path: str) -> int:
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize
