"""What an image says about running it: entry point, command, environment. Kept as JSON in the workspace's database."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEFAULT_SHELL = ("/bin/sh", "-c")


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """The configuration of an image.

    Attributes:
        entrypoint, cmd: None where the image has none.
        env: in the order in which the image sets it, PATH included.
        workdir: absolute, `/` by default.
        user: as written, empty for root.
        shell: what the shell form of an instruction goes to.
        architecture: as the tar of a loaded image says, empty where nothing says it.
        base: the base image on board at the bottom of it; empty for `scratch` and for a loaded image.
        onbuild: what a build that starts from it does first.
    """

    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    env: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    shell: tuple[str, ...] = DEFAULT_SHELL
    stop_signal: str = ""
    architecture: str = ""
    base: str = ""
    onbuild: tuple[str, ...] = ()

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "ImageConfig":
        values: dict[str, Any] = json.loads(text)
        for name in ("entrypoint", "cmd", "ports", "volumes", "shell", "onbuild"):
            if values.get(name) is not None:
                values[name] = tuple(values[name])
        return cls(**values)

    def argv(self, command: str) -> tuple[str, ...]:
        """What a pod runs: `command` through `/bin/sh -c`, else the image's own; empty where there is none."""
        if command:
            return (*DEFAULT_SHELL, command)
        return (*(self.entrypoint or ()), *(self.cmd or ()))


# What the base images on board run by themselves, as the real ones do.
_BASE_COMMANDS = {"python": "python3", "debian": "bash", "ubuntu": "bash", "busybox": "sh"}


def base_config(name: str) -> ImageConfig:
    """The configuration of a base image on board."""
    return ImageConfig(cmd=(_BASE_COMMANDS.get(name, "/bin/sh"),), env={"PATH": DEFAULT_PATH}, base=name)


def shell_form(config: ImageConfig, text: str) -> tuple[str, ...]:
    return (*config.shell, text)


def joined(words: Sequence[str]) -> str:
    """A command as one line for a log."""
    return " ".join(words)
