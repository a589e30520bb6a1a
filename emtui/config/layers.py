"""What is in force: options over the environment, over the profile, over `[local]`, over what is built in.

What to open is named together: an option that names it (`-p`, `--local`, `--demo`, `--em-url`, `--grid-url`) makes
the variables that do so (`EMTUI_PROFILE`, `EMTUI_LOCAL`, `EMTUI_EM_URL`, `EMTUI_GRID_URL`) count for nothing, so that
`EMTUI_PROFILE=em emtui --local DIR` opens DIR alone. Where neither names anything, `default_profile` does; where that
is not given either, it is the workspace of local mode. All other variables are defaults for whatever they fit: one
for pods says nothing where no pod is run here.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from emtui import config
from emtui.config.environment import given, unknown_ones
from emtui.config.kinds import Wrong
from emtui.config.loading import Loaded, absent, profile_named
from emtui.config.model import keys_of
from emtui.config.problems import key_of
from emtui.errors import ConfigProblem
from emtui.profile import PodPolicy, Profile, Remote, default_workspace, remote_folder
from emtui.settings import ConsoleSettings

OPENERS = ("profile", "local", "demo", "em_url", "grid_url")
"""The options that name what to open."""

_OPENING_KEYS = ("default_profile", "local", "em_url", "grid_url")
_REMOTE = ("username", "api", "pvc_name", "pod_name", "ca_file", "insecure")
_NEEDS_ADDRESS = ("username", "api", "ca_file")
_ENGINE = ("engine", "base_images")
_PODS = ("pod_network", "pod_read_only", "pod_memory", "pod_cpus", "pod_processes")

OriginKind = Literal["option", "environment", "file", "built-in"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value comes from. `name` is the option or variable; `path` is the key in the file."""

    kind: OriginKind
    name: str = ""
    path: tuple[str, ...] = ()


BUILT_IN = Origin("built-in")


@dataclass(frozen=True, slots=True)
class InForce:
    """A value that is in force. None, empty and false are what they are in the model: the built-in way."""

    key: str
    value: Any
    origin: Origin = BUILT_IN


@dataclass(frozen=True, slots=True)
class Resolved:
    """What the options, the environment and the file come to.

    Attributes:
        profile: what to open; the warnings are in its notices too.
        console: how the console looks and behaves.
        timeout_s: how long to wait for a busy or absent other side; 0 is without an end, None where nothing says it.
        settings: each value that has a meaning for this profile, and where it comes from.
        loaded: the configuration's file.
        warnings: what is odd about the file and the environment, for people.
    """

    profile: Profile
    console: ConsoleSettings
    timeout_s: float | None
    settings: tuple[InForce, ...]
    loaded: Loaded
    warnings: tuple[str, ...]

    @property
    def sources(self) -> Mapping[str, Origin]:
        """Where each value comes from, by its key."""
        return {one.key: one.origin for one in self.settings}


def resolve(
    options: Mapping[str, object],
    environment: Mapping[str, str] | None = None,
    *,
    openers: tuple[str, ...] = OPENERS,
    uses_default: bool = True,
) -> Resolved:
    """What is in force with these options. Blocks where there is a file to be read.

    `options` are by the names that the command line's parser gives them (`em_url`, `pod_memory`, `config`, …); one that
    is None, false or not there is not given. `openers` are those that can name what to open: variables for others
    count for nothing. `default_profile` counts where `uses_default` says so.

    Raises:
        ConfigProblem: an option, a variable or the file is wrong, there is no such profile, or it names nothing.
    """
    environment = os.environ if environment is None else environment
    variables = given(environment)
    loaded = _loaded(options, variables, environment)
    warnings = (*loaded.warnings, *unknown_ones(environment))
    return _Layers(options, variables, loaded, openers, warnings, uses_default=uses_default).resolved()


def config_named(options: Mapping[str, object], environment: Mapping[str, str]) -> Path | None:
    """The file that an option or a variable names, None for the usual one."""
    if options.get("config"):
        return Path(str(options["config"]))
    return Path(environment["EMTUI_CONFIG"]) if environment.get("EMTUI_CONFIG") else None


def _loaded(
    options: Mapping[str, object], variables: Mapping[str, tuple[Any, str]], environment: Mapping[str, str]
) -> Loaded:
    named = config_named(options, environment)
    if named is not None:
        return config.read_config(named)
    usual = config.usual_path()
    # A variable names a profile only where no option names something else to open.
    is_named = any(options.get(opener) for opener in OPENERS)
    is_needed = bool(options.get("profile")) or ("default_profile" in variables and not is_named)
    return (None if is_needed else absent(usual)) or config.read_config(usual)


class _Layers:
    """The layers, from the strongest."""

    def __init__(
        self,
        options: Mapping[str, object],
        variables: Mapping[str, tuple[Any, str]],
        loaded: Loaded,
        openers: tuple[str, ...],
        warnings: tuple[str, ...],
        *,
        uses_default: bool,
    ) -> None:
        self.warnings = warnings
        self.options = options
        self.loaded = loaded
        self.uses_default = uses_default
        self.settings: list[InForce] = []
        self.given = _given_options(options)
        is_named = any(options.get(opener) for opener in openers)
        hidden = _OPENING_KEYS if is_named else tuple(_key_of(name) for name in OPENERS if name not in openers)
        self.variables = {
            key: InForce(key, value, Origin("environment", name))
            for key, (value, name) in variables.items()
            if key not in hidden
        }
        self.name = self._name(is_named=is_named)
        self.profile = (
            _of_file(profile_named(loaded, self.name), ("profile", self.name)) if self.name is not None else {}
        )
        self.local = _of_file(loaded.table("local"), ("local",))

    def _name(self, *, is_named: bool) -> str | None:
        layers: list[Mapping[str, InForce]] = [self.given, self.variables]
        opens_otherwise = is_named or any(key in self.variables for key in _OPENING_KEYS)
        if not opens_otherwise and self.uses_default and "default_profile" in self.loaded.tables:
            layers.append(_of_file(self.loaded.tables, ()))
        found = _first("default_profile", layers)
        if found is None or not found.value:
            return None
        self.settings.append(InForce("profile", found.value, found.origin))
        return str(found.value)

    def take(self, key: str, *more: Mapping[str, InForce], table: str = "profile", shown: str = "") -> Any:
        """The value of a key by all layers that there are for it, which is then one of those in force."""
        return self._note(key, _first(key, (self.given, self.variables, self.profile, *more)), table, shown)

    def _note(self, key: str, found: InForce | None, table: str, shown: str = "") -> Any:
        value = found.value if found is not None else keys_of(table)[key].default
        self.settings.append(InForce(shown or key, value, found.origin if found is not None else BUILT_IN))
        return value

    def resolved(self) -> Resolved:
        em_url, grid_url = self.take("em_url"), self.take("grid_url")
        local = self._workspace(is_alone=not (em_url or grid_url or self.name is not None))
        if not (em_url or grid_url or local):
            path = ("profile", self.name or "")
            raise ConfigProblem(
                f"{self._where(path)}: {key_of(path)}: it names neither em_url, grid_url nor local",
                remedy="Give at least one of them.",
            )
        profile = self._profile(em_url, grid_url, local)
        console = self._console()
        timeout = self.take("timeout_s", _of_file(self.loaded.table("command_line"), ("command_line",)))
        return Resolved(profile, console, timeout, tuple(self.settings), self.loaded, self.warnings)

    def _where(self, path: tuple[str, ...]) -> str:
        line = self.loaded.line(path)
        return f"{self.loaded.file}:{line}" if line is not None else f"{self.loaded.file}"

    def _workspace(self, *, is_alone: bool) -> Path | None:
        """The folder of local mode; None where there is no local end."""
        if self.options.get("demo") and not self.options.get("local"):
            found: InForce | None = InForce("local", default_workspace(demo=True), Origin("option", "--demo"))
        else:
            found = _first("local", (self.given, self.variables, self.profile))
            if is_alone and (found is None or not found.value):
                directory = self.local.get("directory")
                found = InForce("local", directory.value, directory.origin) if directory else None
                if found is None or not found.value:
                    found = InForce("local", default_workspace())
        if found is None or not found.value:
            self._note("local", None, "profile")
            return None
        value = found.value if isinstance(found.value, Path) else _expanded(found.value, found.origin)
        self.settings.append(InForce("local", str(value), found.origin))
        return value

    def _profile(self, em_url: str, grid_url: str, local: Path | None) -> Profile:
        is_remote, runs_pods = bool(em_url or grid_url), local is not None and not em_url
        self._refuse_what_does_not_fit(is_remote=is_remote, runs_pods=runs_pods)
        remote = {key: self.take(key) for key in _REMOTE} if is_remote else {}
        is_read_only = self.take("read_only")
        if not runs_pods:  # variables and [local] are for pods that are run here
            self.variables = {key: one for key, one in self.variables.items() if key not in (*_ENGINE, *_PODS)}
        here = {key: self.take(key, self.local) for key in (*_ENGINE, *_PODS)} if runs_pods else {}
        em, grid = (_remote(url, remote, self._origin("ca_file")) if url else None for url in (em_url, grid_url))
        name = self.name or ""
        return Profile(
            local if local is not None else remote_folder(name, em, grid),
            is_demo=bool(self.options.get("demo")),
            is_read_only=is_read_only,
            engine=here.get("engine") or None,
            base_images=here.get("base_images", ()),
            em=em,
            grid=grid,
            has_local=local is not None,
            label=name,
            notices=self.warnings,
            pods=_policy(here),
        )

    def _origin(self, key: str) -> Origin:
        return next((one.origin for one in self.settings if one.key == key), BUILT_IN)

    def _refuse_what_does_not_fit(self, *, is_remote: bool, runs_pods: bool) -> None:
        for key in _NEEDS_ADDRESS:
            if key in self.given and not is_remote:
                raise ConfigProblem(
                    f"{self.given[key].origin.name} is for a remote EM or Grid Node",
                    remedy="Give --em-url or --grid-url too, or a profile with -p.",
                )
        for key in _PODS:
            if key in self.given and not runs_pods:
                raise ConfigProblem(
                    f"{self.given[key].origin.name} is for pods of local mode, and this EM is not local",
                    remedy="Leave it out; or give --local, and no address of an EM.",
                )

    def _console(self) -> ConsoleSettings:
        console = _of_file(self.loaded.table("console"), ("console",))
        values = {
            key: self._note(key, _first(key, (self.variables, console)), "console", f"console.{key}")
            for key in keys_of("console")
        }
        keys = dict(self.loaded.table("keys"))
        self.settings += (
            InForce(f"keys.{name}", key, Origin("file", path=("keys", name))) for name, key in keys.items()
        )
        return ConsoleSettings(keys=keys, **values)


def _key_of(option: str) -> str:
    return "default_profile" if option == "profile" else option


def _given_options(options: Mapping[str, object]) -> dict[str, InForce]:
    """The options that are given, by the keys of the model. Raises ConfigProblem."""
    found: dict[str, InForce] = {}
    for setting in (*keys_of("profile").values(), keys_of("")["default_profile"]):
        option = setting.about.option
        value = options.get(option.removeprefix("--").replace("-", "_")) if option else None
        if value is None or value is False:
            continue
        if value == "":
            # A variable of a script that is not set: something else would be opened than was meant.
            raise ConfigProblem(f"{option}: it is empty", remedy="Leave it out, or give a value.")
        try:
            read = value if isinstance(value, Path) else _read(setting.about.kind, value)
        except ValueError as error:
            remedy = error.remedy if isinstance(error, Wrong) else ""
            raise ConfigProblem(f"{option}: {error}", remedy=remedy or "See emtui --help.") from error
        found[setting.key] = InForce(setting.key, read, Origin("option", option))
    return found


def _read(kind: Any, value: object) -> Any:
    """An option's value, which its parser may have read already."""
    return kind.read_text(value) if isinstance(value, str) else kind.read(value)


def _of_file(table: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, InForce]:
    return {key: InForce(key, value, Origin("file", path=(*path, key))) for key, value in table.items()}


def _first(key: str, layers: "tuple[Mapping[str, InForce], ...] | list[Mapping[str, InForce]]") -> InForce | None:
    return next((layer[key] for layer in layers if key in layer), None)


def _remote(url: str, values: Mapping[str, Any], ca_origin: Origin) -> Remote:
    ca_file = values["ca_file"]
    return Remote(
        url,
        username=values["username"],
        api=values["api"],
        ca_file=(ca_file if isinstance(ca_file, Path) else _expanded(ca_file, ca_origin)) if ca_file else None,
        is_insecure=values["insecure"],
        pvc_name=values["pvc_name"],
        pod_name=values["pod_name"],
    )


def _expanded(path: str, origin: Origin) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        where = origin.name or ".".join(origin.path)
        raise ConfigProblem(f"{where}: {path}: there is no such home", remedy="Write the whole path.") from error


def _policy(here: Mapping[str, Any]) -> PodPolicy:
    return PodPolicy(
        with_network=here.get("pod_network", False),
        has_read_only_root=here.get("pod_read_only", False),
        memory_bytes=here.get("pod_memory"),
        cpus=here.get("pod_cpus"),
        processes=here.get("pod_processes"),
    )
