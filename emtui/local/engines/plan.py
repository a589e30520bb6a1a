"""What a build will do: the stages of a Dockerfile, with every variable substituted and every path made absolute.

Nothing in a Dockerfile depends on what RUN does, so the whole plan stands before the first step, and each engine
follows the same one: `sandbox` does it, `simulated` only checks what it needs.
"""

import posixpath
import re
from collections.abc import Callable
from dataclasses import replace

from emtui.local.engines.config import DEFAULT_PATH, ImageConfig, base_config, shell_form
from emtui.local.engines.dialect import PLAIN, Dialect
from emtui.local.engines.dockerfile import Dockerfile, Instruction, parse_dockerfile
from emtui.local.engines.lines import is_heredoc
from emtui.local.engines.mounts import check_rights, mounts_of
from emtui.local.engines.problems import BuildProblem
from emtui.local.engines.references import on_board, parse_reference
from emtui.local.engines.steps import CopyStep, RunStep, Stage, Step, WorkdirStep, needed
from emtui.local.engines.substitution import expand, split_words

__all__ = ["CopyStep", "ImageLookup", "RunStep", "Stage", "Step", "WorkdirStep", "make_plan", "needed"]

_MAX_STAGES = 100
# What ADD would fetch: an address, `user@host:path` of git, and the one host that a builder knows without either.
_REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|[A-Za-z0-9_-]+@[A-Za-z0-9.-]+:|github\.com/")
_PORT = re.compile(r"[0-9]+(-[0-9]+)?(/(tcp|udp|sctp))?", re.IGNORECASE)


ImageLookup = Callable[[str], ImageConfig | None]
"""The configuration of an image of our own by its reference `repository:tag`, None where there is none."""


def make_plan(
    dockerfile: Dockerfile, base_images: tuple[str, ...], lookup: ImageLookup, dialect: Dialect = PLAIN
) -> list[Stage]:
    """The stages, the last one being the image; stages that it does not need are left out by the one who builds.

    Raises:
        BuildProblem: what BuildKit would refuse, or a base image that is not on board.
    """
    return _Planner(dockerfile, base_images, lookup, dialect).plan()


class _Planner:
    def __init__(
        self, dockerfile: Dockerfile, base_images: tuple[str, ...], lookup: ImageLookup, dialect: Dialect
    ) -> None:
        self._dockerfile = dockerfile
        self._base_images = base_images
        self._lookup = lookup
        self._dialect = dialect
        self._stages: list[Stage] = []
        self._global_args: dict[str, str] = dict(dialect.platform_args)
        self._args: dict[str, str] = {}
        self._shell_set_cmd = False

    def plan(self) -> list[Stage]:
        for item in self._dockerfile.instructions:
            try:
                self._take(item)
            except BuildProblem as problem:
                if not problem.line:
                    problem.line = item.first_line
                raise
        if not self._stages:
            raise BuildProblem("dockerfile parse error: no build stage in current context (FROM is missing)")
        return self._stages

    @property
    def _stage(self) -> Stage:
        return self._stages[-1]

    @property
    def _config(self) -> ImageConfig:
        return self._stages[-1].config

    def _set(self, **changes: object) -> None:
        self._stage.config = replace(self._stage.config, **changes)  # type: ignore[arg-type] # field names are ours

    def _expand(self, text: str) -> str:
        return expand(text, {**self._args, **self._config.env}, self._dockerfile.escape)

    def _words(self, text: str) -> list[str]:
        return [self._expand(word) for word in split_words(text, self._dockerfile.escape)]

    def _take(self, item: Instruction) -> None:
        if item.keyword == "FROM":
            self._from(item)
        elif item.keyword == "ARG":
            self._arg(item)
        elif not self._stages:
            raise BuildProblem(f"dockerfile parse error on line {item.first_line}: no build stage in current context")
        elif item.keyword in ("COPY", "ADD"):
            self._copy(item)
        else:
            getattr(self, f"_{item.keyword.lower()}")(item)

    # ------------------------------------------------------------------------------------------------ stages

    def _from(self, item: Instruction) -> None:
        words = [expand(word, self._global_args, self._dockerfile.escape)
                 for word in split_words(item.value, self._dockerfile.escape)]  # fmt: skip
        if len(words) not in (1, 3) or (len(words) == 3 and words[1].lower() != "as"):
            raise BuildProblem(
                f"dockerfile parse error on line {item.first_line}: FROM requires either one or three arguments"
            )
        if len(self._stages) >= _MAX_STAGES:
            raise BuildProblem(f"more than {_MAX_STAGES} stages")
        parent, config = self._parent(words[0])
        name = words[2].lower() if len(words) == 3 else ""
        platform = expand(item.flags.get("platform", ""), self._global_args, self._dockerfile.escape)
        self._stages.append(Stage(item, name, parent, config, base=words[0], platform=platform))
        self._args = {}
        self._shell_set_cmd = False
        if config.onbuild:
            self._set(onbuild=())
            for trigger in config.onbuild:
                self._triggered(trigger, item)

    def _triggered(self, trigger: str, at: Instruction) -> None:
        for item in parse_dockerfile(trigger, self._dialect).instructions:
            if item.keyword in ("FROM", "ONBUILD"):
                raise BuildProblem(f"{item.keyword} isn't allowed as an ONBUILD trigger")
            self._take(replace(item, first_line=at.first_line, last_line=at.last_line, is_trigger=True))

    def _parent(self, base: str) -> tuple["int | str | None", ImageConfig]:
        if not base:
            raise BuildProblem("base name should not be blank")
        number = self._stage_number(base)
        if number is not None:
            return number, self._stages[number].config
        if base == "scratch":
            return None, ImageConfig(env={"PATH": DEFAULT_PATH})
        reference = parse_reference(base)
        if reference is None:
            raise BuildProblem(f'failed to parse stage name "{base}": invalid reference format')
        name = reference.familiar
        if self._dialect.is_whole:
            name += "".join(base.partition("@")[1:])
        own = self._lookup(name)
        if own is not None:
            return name, own
        on_board_name = on_board(base, self._base_images)
        if on_board_name is None:
            raise BuildProblem(
                f"{base}: failed to resolve source metadata for {reference.canonical}: failed to do request: "
                f'Head "{_manifest_address(reference.canonical)}": dial tcp: lookup {_host(reference.registry)}: '
                "no such host",
                step=f"[internal] load metadata for {reference.canonical}",
            )
        return f"base:{on_board_name}", base_config(on_board_name)

    def _stage_number(self, name: str) -> int | None:
        for number in range(len(self._stages) - 1, -1, -1):
            if self._stages[number].name and self._stages[number].name == name.lower():
                return number
        return None

    # -------------------------------------------------------------------------------------------- variables

    def _arg(self, item: Instruction) -> None:
        for word in split_words(item.value, self._dockerfile.escape):
            name, given, default = word.partition("=")
            if not self._stages:
                self._global_args[name] = expand(default, self._global_args, self._dockerfile.escape)
            elif given:
                self._args[name] = self._expand(default)
            elif name in self._global_args:
                self._args[name] = self._global_args[name]

    def _pairs(self, item: Instruction) -> dict[str, str]:
        words = split_words(item.value, self._dockerfile.escape)
        # The old form: ENV NAME the whole rest.
        if "=" not in words[0] and (item.keyword == "ENV" or (self._dialect.is_whole and len(words) > 1)):
            name, *rest = item.value.split(maxsplit=1)
            if not rest:
                raise BuildProblem(f"dockerfile parse error on line {item.first_line}: ENV must have two arguments")
            return {name: self._expand(rest[0].strip())}
        pairs = {}
        for word in words:
            name, given, value = word.partition("=")
            if not given or not name:
                raise BuildProblem(
                    f"dockerfile parse error on line {item.first_line}: Syntax error - can't find = in {word!r}. "
                    "Must be of the form: name=value"
                )
            pairs[self._expand(name)] = self._expand(value)
        return pairs

    def _onbuild(self, item: Instruction) -> None:
        if item.has_heredocs:
            raise BuildProblem("ONBUILD with a here-document (<<) is not supported here")
        self._set(onbuild=(*self._config.onbuild, item.value))

    def _env(self, item: Instruction) -> None:
        self._set(env={**self._config.env, **self._pairs(item)})

    def _label(self, item: Instruction) -> None:
        self._set(labels={**self._config.labels, **self._pairs(item)})

    def _maintainer(self, item: Instruction) -> None:
        self._set(labels={**self._config.labels, "maintainer": item.value})

    # ------------------------------------------------------------------------------------------------ steps

    def _copy(self, item: Instruction) -> None:
        listed = item.exec_form()
        words = [self._expand(word) for word in listed] if listed is not None else self._words(item.value)
        is_written_out = item.has_heredocs and len(words) > 1
        if item.has_heredocs:
            words = [word for word in words if not is_heredoc(word)]
        if len(words) < (1 if is_written_out else 2) or not all(words):
            raise BuildProblem(
                f"dockerfile parse error on line {item.first_line}: {item.keyword} requires at least two arguments, "
                f"but only one was provided. Destination could not be determined"
            )
        *sources, target = words
        into_folder = target.endswith(("/", "/.")) or target == "." or len(sources) > 1
        if len(sources) > 1 and not target.endswith(("/", "/.")) and target != ".":
            raise BuildProblem(
                f"dockerfile parse error on line {item.first_line}: When using {item.keyword} with more than one "
                "source file, the destination must be a directory and end with a /"
            )
        for source in sources if item.keyword == "ADD" else ():
            if _REMOTE.match(source):
                raise BuildProblem(f"ADD {source}: the EM is air-gapped; uplink the file and ADD it from the context")
        self._stage.steps.append(
            CopyStep(
                item,
                tuple(sources),
                target,
                _absolute(self._config.workdir, target),
                into_folder,
                self._config.workdir,
                self._chmod(item),
                item.keyword == "ADD",
                self._origin(item),
            )
        )
        if "chown" in item.flags and not self._dialect.is_whole:
            self._stage.notes.append(f"{item.keyword} --chown is ignored: every file belongs to the pod's one user")

    def _chmod(self, item: Instruction) -> int | None:
        if "chmod" not in item.flags or self._dialect.is_whole:
            return None
        return _mode(self._expand(item.flags["chmod"]))

    def _origin(self, item: Instruction) -> "int | str | None":
        if "from" not in item.flags:
            return None
        name = self._expand(item.flags["from"])
        number = self._stage_number(name)
        if number is None and name.isdigit() and int(name) < len(self._stages) - 1:
            number = int(name)
        if number is not None and number < len(self._stages) - 1:
            return number
        if number is not None or name.isdigit():
            raise BuildProblem(f"invalid from flag value {name}: no earlier stage of this name")
        parent, _ = self._parent(name)
        if parent is None:
            raise BuildProblem(f"invalid from flag value {name}: scratch has no files")
        return parent

    def _workdir(self, item: Instruction) -> None:
        workdir = _absolute(self._config.workdir, self._expand(item.value)).rstrip("/") or "/"
        self._set(workdir=workdir)
        self._stage.steps.append(WorkdirStep(item, workdir))

    def _run(self, item: Instruction) -> None:
        listed = item.exec_form()
        argv = tuple(listed) if listed else shell_form(self._config, item.value)
        env = {**self._args, **self._config.env}
        check_rights(item)
        mounts = tuple(
            replace(mount, stage=self._mounted(mount.origin)) if mount.origin else mount
            for mount in mounts_of(item, self._expand)
        )
        origins = tuple(mount.stage for mount in mounts if mount.stage is not None)
        self._stage.steps.append(
            RunStep(item, argv, env, self._config.workdir, self._config.user, origins,
                    any(mount.takes_context for mount in mounts), mounts)
        )  # fmt: skip

    def _mounted(self, name: str) -> int:
        number = self._stage_number(name)
        if number is None and parse_reference(name) is not None and not name.isdigit():
            self._parent(name)  # what is not on board cannot be named with FROM either
        if number is None or number >= len(self._stages) - 1:
            raise BuildProblem(f"RUN --mount from={name}: no earlier stage of this name; name the image with "
                               f"FROM {name} AS a-name, and write from=a-name")  # fmt: skip
        return number

    # ----------------------------------------------------------------------------------- configuration only

    def _command(self, item: Instruction) -> tuple[str, ...]:
        listed = item.exec_form()
        return tuple(listed) if listed is not None else shell_form(self._config, item.value)

    def _cmd(self, item: Instruction) -> None:
        self._set(cmd=self._command(item))
        self._shell_set_cmd = True

    def _entrypoint(self, item: Instruction) -> None:
        # As in Docker, a new entry point takes away the command that came with the base image.
        self._set(entrypoint=self._command(item), **({} if self._shell_set_cmd else {"cmd": None}))

    def _expose(self, item: Instruction) -> None:
        ports = self._words(item.value)
        for port in ports:
            if not _PORT.fullmatch(port):
                raise BuildProblem(f"invalid containerPort: {port}")
        self._set(ports=tuple(dict.fromkeys((*self._config.ports, *ports))))

    def _user(self, item: Instruction) -> None:
        self._set(user=self._expand(item.value))

    def _shell(self, item: Instruction) -> None:
        listed = item.exec_form()
        if not listed:
            raise BuildProblem(f"dockerfile parse error on line {item.first_line}: SHELL requires the arguments to be "
                               "in JSON form")  # fmt: skip
        self._set(shell=tuple(listed))

    def _volume(self, item: Instruction) -> None:
        listed = item.exec_form()
        self._set(volumes=(*self._config.volumes, *(listed if listed is not None else self._words(item.value))))

    def _stopsignal(self, item: Instruction) -> None:
        self._set(stop_signal=self._expand(item.value))
        self._stage.notes.append("STOPSIGNAL is ignored: a pod is stopped with SIGTERM")

    def _healthcheck(self, item: Instruction) -> None:
        self._stage.notes.append(f"{item.keyword} is ignored: a pod is not probed")


def _absolute(workdir: str, path: str) -> str:
    joined = posixpath.normpath(path if path.startswith("/") else f"{workdir.rstrip('/')}/{path}")
    # A leading double slash has a meaning of its own in POSIX, and none here; `dir/` says that it is a folder.
    return f"/{joined.lstrip('/')}{'/' if path.endswith('/') and joined.strip('/') else ''}"


def _mode(text: str) -> int:
    try:
        mode = int(text, 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o7777:
        raise BuildProblem(f"invalid chmod parameter: '{text}'. it should be octal string and between 0 and 07777")
    return mode


def _host(registry: str) -> str:
    return registry.partition(":")[0] or "registry-1.docker.io"


def _manifest_address(canonical: str) -> str:
    host, _, rest = canonical.partition("/")
    name, _, tag = rest.rpartition(":")
    return f"https://{'registry-1.docker.io' if host == 'docker.io' else host}/v2/{name}/manifests/{tag}"
