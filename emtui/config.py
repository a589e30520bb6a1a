"""Profiles in a TOML file: read, checked, and every error with its file, its line and what was meant.

    [profile.em]
    em_url = "https://em.example.org"
    grid_url = "https://grid.example.org"
    username = "client1"

`emtui -p em` opens it. Both ends are independent: one that is not named is absent, or local where `local` is given.
"""

import difflib
import os
import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from emtui import pod_limits
from emtui.errors import ConfigProblem
from emtui.profile import PodPolicy, Profile, Remote, remote_folder

# A file beyond this is not one that somebody wrote down.
_MOST_BYTES = 1 << 20

_Text = Annotated[str, Field(max_length=4096)]


class ProfileTable(BaseModel):
    """`[profile.NAME]`: one EM and one Grid Node."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    em_url: _Text = Field(default="", description="the EM's address")
    grid_url: _Text = Field(default="", description="the Grid Node's address")
    username: _Text = Field(default="", description="who signs in")
    api: Literal["auto", "2025-11", "2026-03"] = Field(default="auto", description="the dialect of the EM API")
    pvc_name: _Text = Field(default="", description="the volume, for dialect 2026-03")
    pod_name: _Text = Field(default="", description="the pod, for dialect 2026-03")
    ca_file: _Text = Field(default="", description="certificates to trust instead of the system's")
    insecure: bool = Field(default=False, description="allow plain http to another machine")
    read_only: bool = Field(default=False, description="change nothing over there")
    local: _Text = Field(default="", description="the workspace of the ends that are not remote")
    engine: Literal["", "docker", "sandbox", "simulated"] = Field(default="", description="what runs the local images")
    base_images: tuple[_Text, ...] = Field(default=(), description="the local base images on board")
    pod_network: bool = Field(default=False, description="local pods and builds reach the network")
    pod_read_only: bool = Field(default=False, description="local pods write to the volume and to /tmp only")
    pod_memory: Annotated[int, BeforeValidator(pod_limits.memory_bytes)] | None = Field(
        default=None, description="the most memory of a local pod: 512M, 2G"
    )
    pod_cpus: Annotated[float, BeforeValidator(pod_limits.cpus)] | None = Field(
        default=None, description="the most processors of a local pod: 1.5"
    )
    pod_processes: Annotated[int, BeforeValidator(pod_limits.processes)] | None = Field(
        default=None, description="the most processes of a local pod"
    )


class Config(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    profile: dict[str, ProfileTable] = {}


def config_path() -> Path:
    """`EMTUI_CONFIG`, else `config.toml` in the user's configuration directory."""
    named = os.environ.get("EMTUI_CONFIG")
    if named:
        return Path(named)
    from platformdirs import user_config_path

    return user_config_path("emtui") / "config.toml"


def read_config(path: Path) -> tuple[Config, tuple[str, ...]]:
    """The configuration in `path`, and warnings: keys that are not known are told, not obeyed. Blocks.

    Raises:
        ConfigProblem: it is missing, cannot be read, or a value is wrong; file, line, key and remedy are named.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe could keep whoever opens it waiting without end
            raise ConfigProblem(f"{path}: not a regular file", remedy="Name the file that holds the profiles.")
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except FileNotFoundError as error:
        raise ConfigProblem(
            f"{path}: there is no such file", remedy="Write one with a table [profile.NAME] and an em_url in it."
        ) from error
    except OSError as error:
        raise ConfigProblem(f"{path}: {error.strerror}", remedy="Make it readable, or name another one.") from error
    if len(data) > _MOST_BYTES:
        raise ConfigProblem(f"{path}: over 1 MiB", remedy="Name another file.")
    try:
        text = data.decode("utf-8-sig")
        values = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigProblem(f"{path}: not TOML: {error}", remedy="Mend that place.") from error
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        raise _problem(path, text, error) from error
    return config, tuple(_unknown(path, text, values))


def configured_profile(name: str | None, path: Path | None, given: Mapping[str, Any]) -> Profile:
    """The profile `name` of the configuration in `path`, or one of options alone; `given` goes over the file. Blocks.

    `path` None is the usual file. `given` holds fields of `ProfileTable`. Warnings are in the profile's notices.

    Raises:
        ConfigProblem: there is no such profile, an option is wrong, or as `read_config`.
    """
    table = ProfileTable()
    warnings: tuple[str, ...] = ()
    if name is not None or path is not None:
        file = path or config_path()
        config, warnings = read_config(file)
        if name is not None:
            table = _named(config, file, name)
    try:
        table = ProfileTable.model_validate(table.model_dump() | dict(given))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        option = str(first["loc"][0]).replace("_", "-")
        raise ConfigProblem(f"--{option}: {_what(first)}", remedy="See emtui --help.") from error
    return profile_of(table, name or "", warnings)


def _named(config: Config, path: Path, name: str) -> ProfileTable:
    table = config.profile.get(name)
    if table is None:
        known = ", ".join(config.profile) or "none"
        raise ConfigProblem(
            f"{path}: no profile is called {name}", remedy=f"{_meant(name, config.profile)}There are: {known}."
        )
    return table


def profile_of(table: ProfileTable, name: str, notices: tuple[str, ...] = ()) -> Profile:
    """The profile that a table describes; `name` is empty for options alone.

    Raises:
        ConfigProblem: it names nothing to open.
    """
    if not (table.em_url or table.grid_url or table.local):
        raise ConfigProblem(
            f"profile {name or 'without a name'}: it names neither em_url, grid_url nor local",
            remedy="Give at least one of them.",
        )
    ends = [
        Remote(
            url,
            username=table.username,
            api=table.api,
            ca_file=Path(table.ca_file).expanduser() if table.ca_file else None,
            is_insecure=table.insecure,
            pvc_name=table.pvc_name,
            pod_name=table.pod_name,
        )
        if url
        else None
        for url in (table.em_url, table.grid_url)
    ]
    em, grid = ends
    has_local = bool(table.local)
    workspace = Path(table.local).expanduser() if has_local else remote_folder(name, em, grid)
    return Profile(
        workspace,
        is_read_only=table.read_only,
        engine=table.engine or None,
        base_images=table.base_images,
        em=em,
        grid=grid,
        has_local=has_local,
        label=name,
        notices=notices,
        pods=PodPolicy(
            with_network=table.pod_network,
            has_read_only_root=table.pod_read_only,
            memory_bytes=table.pod_memory,
            cpus=table.pod_cpus,
            processes=table.pod_processes,
        ),
    )


def _problem(path: Path, text: str, error: ValidationError) -> ConfigProblem:
    first = error.errors(include_url=False)[0]
    where = [str(part) for part in first["loc"]]
    key = ".".join(where)
    meant = _meant(str(first["input"]), re.findall(r"'([^']+)'", str(first.get("ctx", {}).get("expected", ""))))
    return ConfigProblem(f"{path}{_line(text, where)}: {key}: {_what(first)}", remedy=f"{meant}Mend it there.")


def _what(error: Mapping[str, Any]) -> str:
    """What is wrong with a value, in our words where pydantic's say less."""
    if error["type"] == "literal_error":
        return f"one of {error['ctx']['expected']} is expected, not {error['input']!r}"
    return str(error["ctx"]["error"] if error["type"] == "value_error" else error["msg"])


def _unknown(path: Path, text: str, values: dict[str, Any]) -> list[str]:
    found = [
        f"{path}{_line(text, [key])}: {key} is not known and not obeyed. {_meant(key, Config.model_fields)}".rstrip()
        for key in values
        if key not in Config.model_fields
    ]
    for name, table in values.get("profile", {}).items():
        found += [
            f"{path}{_line(text, ['profile', name, key])}: profile.{name}.{key} is not known and not obeyed. "
            f"{_meant(key, ProfileTable.model_fields)}".rstrip()
            for key in table
            if key not in ProfileTable.model_fields
        ]
    return found


def _meant(word: str, known: Any) -> str:
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"Did you mean {close[0]}? " if close else ""


def _line(text: str, where: list[str]) -> str:
    """`:12` for the line in which a key stands, as far as it can be found; TOML's reader does not tell."""
    if not where:
        return ""
    *tables, key = where
    table, found = "", ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]", line):
            table = header[1].replace('"', "").replace("'", "")
            if table == ".".join(where):
                return f":{number}"
        elif table == ".".join(tables) and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
            found = found or f":{number}"
    return found
