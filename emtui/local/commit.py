"""The last step of an uplink: staged files are moved to their final names, all or none.

A batch is a folder of `staging/`: the files `0`, `1`, … whole and synced. Where more than one step follows (several
files, or folders to be made), a plan is written beside them first. Killed after that, the next start carries the plan
out; killed before it, the next start drops the batch. Blocks.
"""

import contextlib
import json
import os
import stat

from emtui.errors import BadRequest, EmtuiError, NotFound
from emtui.local.handles import DirHandle

_PLAN = "plan.json"
_BATCH_PREFIX = "uplink-"


def batch_name(token: str) -> str:
    """The name of a batch in `staging/`."""
    return f"{_BATCH_PREFIX}{token}"


def check_target(volume: DirHandle, parts: tuple[str, ...], names: list[str]) -> None:
    """Refuse what `commit` would have to refuse, before a byte is read. Nothing is made.

    Raises:
        BadRequest: a file is in the way of a folder, or a folder in the way of a file.
        Forbidden: a link is in the way of a folder.
    """
    with contextlib.suppress(NotFound), volume.open_dir(parts) as target:
        _refuse_folders(target, names)


def commit(batch: DirHandle, volume: DirHandle, parts: tuple[str, ...], names: list[str]) -> None:
    """Move the batch's files into the folder `parts`, which is made where it is missing, under `names`.

    A file there is replaced. When one of them cannot be moved, those before it are moved back.

    Raises OSError, and:
        BadRequest, Forbidden: as `check_target`.
    """
    check_target(volume, parts, names)
    made: list[tuple[str, ...]] = []
    moved: list[int] = []
    is_many = len(names) > 1
    if is_many or not _exists(volume, parts):
        _write_plan(batch, parts, names)
    try:
        with _open_target(volume, parts, made) as target:
            try:
                for index, name in enumerate(names):
                    if is_many:
                        _keep_old(target, name, batch, index)
                    batch.rename_to(str(index), target, name)
                    moved.append(index)
                target.sync()
            except BaseException:
                _move_back(batch, target, names, moved)
                raise
    except BaseException:
        _unmake(volume, made)
        raise


def finish_batches(staging: DirHandle, volume: DirHandle) -> None:
    """Carry out the plans that a killed emtui has left in `staging/`. Raises OSError."""
    for entry in list(staging.scan()):
        if entry.name.startswith(_BATCH_PREFIX) and entry.type == "directory":
            # Without a plan nothing was accepted; where a file or a link is in the way of a folder, it stays.
            with contextlib.suppress(EmtuiError), staging.open_dir((entry.name,)) as batch:
                _finish(batch, volume)


def _finish(batch: DirHandle, volume: DirHandle) -> None:
    fd = batch.open_file((_PLAN,))
    with open(fd, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
        plan = json.loads(file.read())
    with _open_target(volume, tuple(plan["parts"]), []) as target:
        for index, name in enumerate(plan["names"]):
            # Moved before the kill, or something is in the way now: that was put there later, and stays.
            with contextlib.suppress(OSError):
                batch.rename_to(str(index), target, name)
        target.sync()


def _exists(volume: DirHandle, parts: tuple[str, ...]) -> bool:
    try:
        volume.open_dir(parts).close()
    except NotFound:
        return False
    return True


def _write_plan(batch: DirHandle, parts: tuple[str, ...], names: list[str]) -> None:
    # json escapes lone surrogates, so that names which are not UTF-8 survive.
    text = json.dumps({"parts": parts, "names": names}).encode("ascii")
    fd = batch.create_file("plan.new", 0o600)
    try:
        view = memoryview(text)
        while view:
            view = view[os.write(fd, view) :]
        os.fsync(fd)
    finally:
        os.close(fd)
    batch.rename_to("plan.new", batch, _PLAN)
    batch.sync()


def _open_target(volume: DirHandle, parts: tuple[str, ...], made: list[tuple[str, ...]]) -> DirHandle:
    """The folder `parts`, made where it is missing; what was made is added to `made`, the uppermost first."""
    current = volume.duplicate()
    try:
        for depth, part in enumerate(parts):
            try:
                following = current.open_dir((part,))
            except NotFound:
                os.mkdir(part, 0o777, dir_fd=current.fd)
                made.append(parts[: depth + 1])
                current.sync()
                following = current.open_dir((part,))
            current.close()
            current = following
    except BaseException:
        current.close()
        raise
    return current


def _refuse_folders(target: DirHandle, names: list[str]) -> None:
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISDIR(target.lstat(name).st_mode):
                raise BadRequest(
                    f"a folder of this name is in the way: {name}", remedy="Delete it, or choose another dest_path."
                )


def _keep_old(target: DirHandle, name: str, batch: DirHandle, index: int) -> None:
    """A second name for the file that is about to be replaced; without one (no hard links here) it cannot come back."""
    with contextlib.suppress(OSError):
        os.link(name, f"old-{index}", src_dir_fd=target.fd, dst_dir_fd=batch.fd, follow_symlinks=False)


def _move_back(batch: DirHandle, target: DirHandle, names: list[str], moved: list[int]) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_PLAN, dir_fd=batch.fd)
    for index in reversed(moved):
        with contextlib.suppress(OSError):  # the first failure is raised; as many as possible go back
            try:
                batch.rename_to(f"old-{index}", target, names[index])
            except FileNotFoundError:
                target.rename_to(names[index], batch, str(index))


def _unmake(volume: DirHandle, made: list[tuple[str, ...]]) -> None:
    for parts in reversed(made):
        with contextlib.suppress(OSError, EmtuiError), volume.open_dir(parts[:-1]) as parent:
            os.rmdir(parts[-1], dir_fd=parent.fd)
