"""The steps of a build, really done: each stage is a root folder in `staging/`, the last one becomes the image."""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from emtui.local.engines.bounds import Limits
from emtui.local.engines.building import image_id
from emtui.local.engines.buildlog import Step
from emtui.local.engines.config import joined
from emtui.local.engines.context import BuildContext
from emtui.local.engines.images import ImageTable
from emtui.local.engines.plan import CopyStep, RunStep, Stage, WorkdirStep
from emtui.local.engines.problems import BuildProblem
from emtui.local.engines.sandbox.copying import Copier
from emtui.local.engines.sandbox.farm import make_farm, make_scratch
from emtui.local.engines.sandbox.jail import Jail
from emtui.local.engines.sandbox.lookup import StartProblem, find_command, find_user, has_known_format
from emtui.local.engines.sandbox.rootfs import Rootfs
from emtui.local.engines.sandbox.runstep import run_step
from emtui.local.engines.sandbox.tree import Check, copy_tree, digest_tree, remove_tree
from emtui.local.handles import DirHandle
from emtui.local.workspace import Workspace
from emtui.models import Image

MOUNTPOINTS = ("/proc", "/dev", "/data")


class SandboxWorker:
    """Does a build in a folder of `staging/`. Use it as a context manager: what is not an image at the end is gone."""

    def __init__(
        self, workspace: Workspace, images: ImageTable, reference: str, *, isolation: str, limits: Limits, check: Check
    ) -> None:
        self._workspace = workspace
        self._images = images
        self._reference = reference
        self._isolation = isolation
        self._limits = limits
        self._check = check
        self._name = f"build-{secrets.token_hex(6)}"
        self._path = workspace.path / "staging" / self._name
        self._number = 0

    def __enter__(self) -> "SandboxWorker":
        self._path.mkdir(mode=0o700)
        (self._path / "shm").mkdir()
        return self

    def __exit__(self, *_: object) -> None:
        remove_tree(self._workspace.staging, self._name)

    def _root_path(self, number: int) -> Path:
        return self._path / f"stage-{number}" / "rootfs"

    @contextlib.contextmanager
    def _root(self, number: int) -> Iterator[Rootfs]:
        with DirHandle.open_trusted(self._root_path(number)) as folder:
            yield Rootfs(folder)

    def begin(self, number: int, stage: Stage) -> None:
        self._number = number
        self._fill(self._root_path(number), stage.parent)

    def _fill(self, path: Path, parent: int | str | None) -> None:
        path.mkdir(parents=True, mode=0o755)
        with DirHandle.open_trusted(path) as root:
            if parent is None:
                make_scratch(root)
            elif isinstance(parent, int):
                with DirHandle.open_trusted(self._root_path(parent)) as source:
                    copy_tree(source, root, self._check)
            elif parent.startswith("base:"):
                make_farm(root, parent.removeprefix("base:"))
            else:
                self._copy_image(parent, root)

    def _copy_image(self, reference: str, root: DirHandle) -> None:
        stored = self._images.get(reference)
        if stored is None or stored.root is None:
            origin = (
                "loaded from a tar" if stored is not None and stored.origin == "loaded" else "made by another engine"
            )
            raise BuildProblem(
                f"{reference}: its files are not unpacked here, since it was {origin}; it cannot be a base"
            )
        with self._images.kept(stored.root) as path, DirHandle.open_trusted(path / "rootfs") as source:
            copy_tree(source, root, self._check)

    def copy(self, step: CopyStep, context: BuildContext, log: Step) -> None:
        del log  # a copy says nothing
        with self._root(self._number) as root:
            copier = Copier(root, self._check)
            if step.origin is None:
                copier.from_context(step, context)
                return
            if isinstance(step.origin, int):
                with self._root(step.origin) as origin:
                    copier.from_root(step, origin)
                return
            path = self._path / f"from-{secrets.token_hex(4)}"
            self._fill(path, step.origin)
            with DirHandle.open_trusted(path) as folder:
                copier.from_root(step, Rootfs(folder))

    def workdir(self, step: WorkdirStep) -> None:
        with self._root(self._number) as root:
            root.open_dir(step.workdir).close()

    def run(self, step: RunStep, log: Step) -> None:
        shown = joined(step.argv)
        with self._root(self._number) as root:
            root.ensure_mountpoints(MOUNTPOINTS)
            root.open_dir(step.workdir).close()
            try:
                user = find_user(root, step.user)
                program = find_command(root, step.argv[0], step.env.get("PATH", ""), step.workdir)
                if not has_known_format(root, program):
                    raise StartProblem(f"exec {program}: exec format error")
            except StartProblem as problem:
                raise BuildProblem(f'process "{shown}" did not complete successfully: {problem}') from problem
        jail = Jail(
            root=str(self._root_path(self._number)),
            argv=[program, *step.argv[1:]],
            env={"HOME": user.home, **step.env},
            cwd=step.workdir,
            hostname="buildkitsandbox",
            shm=str(self._path / "shm"),
            uid=user.uid,
            gid=user.gid,
            limits=self._limits,
        )
        ended = run_step(self._isolation, jail, log, self._check)
        if ended.error:
            log.output(ended.error)
        if ended.exit_code or ended.error:
            code = 127 if ended.error.startswith("exec ") else ended.exit_code
            raise BuildProblem(f'process "{shown}" did not complete successfully: exit code: {code}')

    def finish(self, stage: Stage, log: Step) -> Image:
        """Rename the root into `blobs/images`, then record it. Killed in between, the folder is swept at next start."""
        log.note("exporting layers done")
        with DirHandle.open_trusted(self._root_path(self._number)) as root:
            content, size = digest_tree(root, self._check)
        identity = image_id(content, stage.config.to_json())
        name = f"{identity.removeprefix('sha256:')[:16]}-{secrets.token_hex(4)}"
        folder = self._root_path(self._number).parent
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_SH)
            self._check()
            folder.rename(self._images.path_of(name))
            stored = self._images.put(
                self._reference, identity, origin="built", size_bytes=size, config=stage.config, root=name
            )
        finally:
            os.close(fd)
        return stored.to_image()
