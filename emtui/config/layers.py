"""What is in force: options over the environment, over the profile, over `[local]`, over what is built in.

What to open is named together: an option that names it (`-p`, `--local`, `--demo`, `--em-url`, `--grid-url`) makes
the variables that do so (`EMTUI_PROFILE`, `EMTUI_LOCAL`, `EMTUI_EM_URL`, `EMTUI_GRID_URL`) count for nothing, so that
`EMTUI_PROFILE=em emtui --local DIR` opens DIR alone. What belongs to an address (`EMTUI_USERNAME`, `EMTUI_API`,
`EMTUI_CA_FILE`, …, and the secrets `EMTUI_TOKEN` and `EMTUI_PASSWORD`) then belongs to the one that a variable names,
and counts for nothing either: no user and no secret is taken to another address than the one it was given with. What
is not obeyed is told. Where neither names anything, `default_profile` does; where that is not given either, it is the
workspace of local mode. All other variables are defaults for whatever they fit: one for pods says nothing where no pod
is run here.

What is wrong with keys that only the console takes stops the console alone: `Resolved.check_console`.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from emtui import config
from emtui.config.environment import SECRETS, given, unknown_ones, wrong_ones
from emtui.config.kinds import Wrong
from emtui.config.loading import Loaded, absent, profile_named
from emtui.config.model import keys_of
from emtui.config.problems import first_of, key_of
from emtui.errors import ConfigProblem
from emtui.profile import PodPolicy, Profile, Remote, default_workspace, remote_folder
from emtui.settings import ConsoleSettings

OPENERS = ("profile", "local", "demo", "em_url", "grid_url")
"""The options that name what to open."""

_OPENING_KEYS = ("default_profile", "local", "em_url", "grid_url")
_WITH_ADDRESS = ("default_profile", "em_url", "grid_url")
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
        console_problems: why the console cannot start; what is in force in place of those values is what is built in.
    """

    profile: Profile
    console: ConsoleSettings
    timeout_s: float | None
    settings: tuple[InForce, ...]
    loaded: Loaded
    warnings: tuple[str, ...]
    console_problems: tuple[ConfigProblem, ...] = ()

    def check_console(self) -> None:
        """Raises ConfigProblem where the console cannot start with what the environment and the file say."""
        if self.console_problems:
            raise first_of(self.console_problems)

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
    resolved = _Layers(options, environment, variables, loaded, openers, uses_default=uses_default).resolved()
    in_file = (problem.as_error() for problem in loaded.for_console)
    return replace(resolved, console_problems=(*wrong_ones(environment, for_console=True), *in_file))


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
        environment: Mapping[str, str],
        variables: Mapping[str, tuple[Any, str]],
        loaded: Loaded,
        openers: tuple[str, ...],
        *,
        uses_default: bool,
    ) -> None:
        self.warnings = (*loaded.warnings, *unknown_ones(environment))
        self.options = options
        self.loaded = loaded
        self.uses_default = uses_default
        self.settings: list[InForce] = []
        self.given = _given_options(options)
        named_by = next((opener for opener in openers if options.get(opener)), "")
        self.takes_secrets = True
        hidden = (
            self._hidden_by(named_by, variables, environment)
            if named_by
            else tuple(_key_of(name) for name in OPENERS if name not in openers)
        )
        self.variables = {
            key: InForce(key, value, Origin("environment", name))
            for key, (value, name) in variables.items()
            if key not in hidden
        }
        self.name = self._name(is_named=bool(named_by))
        self.profile = (
            _of_file(profile_named(loaded, self.name), ("profile", self.name)) if self.name is not None else {}
        )
        self.local = _of_file(loaded.table("local"), ("local",))

    def _hidden_by(
        self, opener: str, variables: Mapping[str, tuple[Any, str]], environment: Mapping[str, str]
    ) -> tuple[str, ...]:
        """The keys of variables that count for nothing, since an option names what to open. It is told."""
        # One that says what an option says is no other.
        others = [key for key in _OPENING_KEYS if key in variables and not self._is_given(key, variables[key][0])]
        self.takes_secrets = not any(key in _WITH_ADDRESS for key in others)
        names = [variables[key][1] for key in others]
        if not self.takes_secrets:
            names += [variables[key][1] for key in _REMOTE if key in variables]
            names += [name for name in SECRETS if environment.get(name)]
        if names:
            are_not = "is not" if len(names) == 1 else "are not"
            self.warnings += (f"{', '.join(names)} {are_not} obeyed: --{opener.replace('_', '-')} names what to open",)
        return _OPENING_KEYS if self.takes_secrets else (*_OPENING_KEYS, *_REMOTE)

    def _is_given(self, key: str, value: object) -> bool:
        return key in self.given and str(self.given[key].value) == str(value)

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
            # A key that is not known may be the one that was meant.
            meant = [remedy for what, remedy in self.loaded.odd if f"{key_of(path)}." in what]
            raise ConfigProblem(
                f"{self._where(path)}: {key_of(path)}: it names neither em_url, grid_url nor local",
                remedy=next(iter(meant), "Give at least one of them."),
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
        em, grid = (self._remote(url, remote) if url else None for url in (em_url, grid_url))
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

    def _remote(self, url: str, values: Mapping[str, Any]) -> Remote:
        ca_file = values["ca_file"]
        if ca_file and not isinstance(ca_file, Path):
            ca_file = _expanded(ca_file, self._origin("ca_file"))
        return Remote(
            url,
            username=values["username"],
            api=values["api"],
            ca_file=ca_file or None,
            is_insecure=values["insecure"],
            pvc_name=values["pvc_name"],
            pod_name=values["pod_name"],
            takes_secrets=self.takes_secrets,
        )

    def _origin(self, key: str) -> Origin:
        return next((one.origin for one in self.settings if one.key == key), BUILT_IN)

    def _refuse_what_does_not_fit(self, *, is_remote: bool, runs_pods: bool) -> None:
        for key in _NEEDS_ADDRESS:
            if key in self.given and not is_remote:
                raise ConfigProblem(
                    f"{self.given[key].origin.name} is for a remote EM or Grid Node",
                    remedy="Give --em-url or --grid-url too, or name a profile.",
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
            raise ConfigProblem(
                f"{option}: {error}", remedy=remedy or "Leave it out, or give one that fits."
            ) from error
        found[setting.key] = InForce(setting.key, read, Origin("option", option))
    return found


def _read(kind: Any, value: object) -> Any:
    """An option's value, which its parser may have read already."""
    return kind.read_text(value) if isinstance(value, str) else kind.read(value)


def _of_file(table: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, InForce]:
    return {key: InForce(key, value, Origin("file", path=(*path, key))) for key, value in table.items()}


def _first(key: str, layers: "tuple[Mapping[str, InForce], ...] | list[Mapping[str, InForce]]") -> InForce | None:
    return next((layer[key] for layer in layers if key in layer), None)


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
