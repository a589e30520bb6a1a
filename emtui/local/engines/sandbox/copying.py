"""COPY and ADD into an image's root: everything is opened by handles, on both sides."""

import os
import stat

from emtui.local.engines.building import checked_sources, read_link
from emtui.local.engines.context import BuildContext, wildcard_matches
from emtui.local.engines.plan import CopyStep
from emtui.local.engines.problems import BuildProblem
from emtui.local.engines.sandbox.rootfs import HOST, Found, Rootfs
from emtui.local.engines.sandbox.tree import Check, copy_bytes, open_folder, remove_tree
from emtui.local.engines.sandbox.unpack import is_archive, unpack
from emtui.local.handles import DirHandle


class Copier:
    """Copies into one root. `check` is called before each file and now and then within one."""

    def __init__(self, root: Rootfs, check: Check) -> None:
        self._root = root
        self._check = check

    # --------------------------------------------------------------------------------------- from the context

    def from_context(self, step: CopyStep, context: BuildContext) -> None:
        """COPY or ADD of the context.

        Raises:
            BuildProblem: no such source, or one that cannot be copied.
        """
        paths = checked_sources(step, context)
        into_folder = step.into_folder or len(paths) > 1 or self._is_folder(step.target)
        for path in paths:
            if context.type_of(path) == "directory":
                self._folder(path, step, context)
            elif step.unpacks and self._unpacked(path, step, context):
                continue
            else:
                self._file(path, _target(step.target, path, into_folder), step, context)

    def _is_folder(self, path: str) -> bool:
        found = self._root.find(path)
        return found is not None and found.is_folder

    def _folder(self, path: str, step: CopyStep, context: BuildContext) -> None:
        self._root.open_dir(step.target).close()
        for entry in context.below(path):
            inside = entry.path[len(path) :].lstrip("/")
            target = f"{step.target.rstrip('/')}/{inside}"
            if entry.type == "directory":
                with self._root.open_dir(target) as made:
                    os.fchmod(made.fd, entry.mode if step.mode is None else step.mode)
            else:
                self._file(entry.path, target, step, context)

    def _file(self, path: str, target: str, step: CopyStep, context: BuildContext) -> None:
        self._check()
        folder, _, name = target.rpartition("/")
        if not name or name in (".", ".."):
            raise BuildProblem(f"cannot copy to {target}: not a file name")
        with self._root.open_dir(folder) as parent:
            if context.type_of(path) == "link":
                make_way(parent, name, target)
                os.symlink(read_link(context, path), name, dir_fd=parent.fd)
                return
            source = context.folder.open_file(tuple(path.split("/")))
            try:
                mode = stat.S_IMODE(os.fstat(source).st_mode) & 0o777 if step.mode is None else step.mode
                self.put(source, parent, name, mode, target)
            finally:
                os.close(source)

    def put(self, source: int, parent: DirHandle, name: str, mode: int, shown: str) -> None:
        """A file of an open descriptor, in the place of a file or link of that name."""
        make_way(parent, name, shown)
        with os.fdopen(parent.create_file(name, 0o600), "wb", 0) as made:
            copy_bytes(source, made.fileno(), self._check)
            os.fchmod(made.fileno(), mode)

    def _unpacked(self, path: str, step: CopyStep, context: BuildContext) -> bool:
        """ADD of a local tar: its contents go into the target, which is a folder then."""
        source = context.folder.open_file(tuple(path.split("/")))
        with os.fdopen(source, "rb") as file:
            if not is_archive(file):
                return False
            unpack(file, self._root, step.target, self._check)
            return True

    # ------------------------------------------------------------------------------------------ from a stage

    def from_root(self, step: CopyStep, origin: Rootfs) -> None:
        """COPY --from: of another root. What there is a link into the userland, is one here too."""
        found: list[tuple[str, Found]] = []
        for source in step.sources:
            found += _sources(origin, source)
        into_folder = step.into_folder or len(found) > 1 or self._is_folder(step.target)
        for path, item in found:
            if item.is_folder and not item.host_path:
                with self._root.open_dir(step.target) as target, origin.open_found(item) as folder:
                    self._merge(folder, target, step)
            else:
                target_path = _target(step.target, path, into_folder and not item.is_folder)
                parent_path, _, name = target_path.rstrip("/").rpartition("/")
                with self._root.open_dir(parent_path) as parent:
                    if item.host_path:
                        make_way(parent, name, target_path)
                        os.symlink(f"/{HOST}{item.host_path}", name, dir_fd=parent.fd)
                    else:
                        with origin.open_parent(item) as folder:
                            self._entry(folder, item.names[-1], parent, name, step)

    def _merge(self, source: DirHandle, target: DirHandle, step: CopyStep) -> None:
        for entry in list(source.scan()):
            if entry.type == "directory":
                with open_folder(source, entry.name) as inner, self._merge_target(target, entry.name) as made:
                    self._merge(inner, made, step)
                    os.fchmod(made.fd, stat.S_IMODE(entry.stat.st_mode) if step.mode is None else step.mode)
            elif entry.type in ("file", "link"):
                self._entry(source, entry.name, target, entry.name, step)

    def _merge_target(self, target: DirHandle, name: str) -> DirHandle:
        try:
            status = target.lstat(name)
        except FileNotFoundError:
            return target.open_dir((name,), create=True)
        if stat.S_ISLNK(status.st_mode):
            link = os.readlink(name, dir_fd=target.fd)
            if link.startswith(f"/{HOST}/"):
                self._root.unfold(target, name, link)
            else:
                raise BuildProblem(f"cannot copy a folder to {name}: a link is in the way")
        return target.open_dir((name,))

    def _entry(self, source: DirHandle, name: str, target: DirHandle, new_name: str, step: CopyStep) -> None:
        self._check()
        status = source.lstat(name)
        if stat.S_ISLNK(status.st_mode):
            make_way(target, new_name, new_name)
            os.symlink(os.readlink(name, dir_fd=source.fd), new_name, dir_fd=target.fd)
            return
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=source.fd)
        try:
            self.put(fd, target, new_name, stat.S_IMODE(status.st_mode) if step.mode is None else step.mode, new_name)
        finally:
            os.close(fd)


def make_way(parent: DirHandle, name: str, shown: str) -> None:
    """Remove a file or link that is to be replaced.

    Raises:
        BuildProblem: a folder is in the way.
    """
    try:
        status = parent.lstat(name)
    except FileNotFoundError:
        return
    if stat.S_ISDIR(status.st_mode):
        raise BuildProblem(f"cannot copy to non-directory: {shown}: a directory is in the way")
    remove_tree(parent, name)


def _target(target: str, source: str, into_folder: bool) -> str:
    return f"{target.rstrip('/')}/{source.rpartition('/')[2]}" if into_folder else target


def _sources(origin: Rootfs, source: str) -> list[tuple[str, Found]]:
    path = "/" + source.strip("/")
    folder, _, pattern = path.rpartition("/")
    names = [pattern]
    if any(mark in pattern for mark in "*?["):
        found = origin.find(folder or "/")
        names = []
        if found is not None and found.is_folder and not found.host_path:
            with origin.open_found(found) as handle:
                names = sorted(entry.name for entry in handle.scan() if wildcard_matches(entry.name, pattern))
    made = [(f"{folder}/{name}", item) for name in names if (item := origin.find(f"{folder}/{name}")) is not None]
    if not made:
        raise BuildProblem(f'failed to compute cache key: failed to calculate checksum of ref: "{path}": not found')
    return made
