"""What is validated in a block that is not executed: configurations by emtui's reader, the others by their grammar."""

import json
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.docs.blocks import Block

INSTALLS = ("pip install", "python -m pip", "pipx install", "apt-get", "sudo ", "docker pull")
"""What brings something from elsewhere or changes the machine. These lines of a CI example are left out."""


@dataclass(frozen=True)
class Step:
    """What a step of a CI example runs, with the variables that it sets."""

    text: str
    environment: dict[str, str]


def validate(block: Block) -> None:
    """Read a block by its language. Raises AssertionError, with its place."""
    try:
        if block.language == "json":
            json.loads(block.text)
        elif block.language == "jsonl":
            for line in block.text.splitlines():
                json.loads(line)
        elif block.language == "yaml":
            yaml.safe_load(block.text)
        elif block.language == "toml":
            _toml(block)
    except Exception as error:
        raise AssertionError(f"{block.where}: {error}\n\n{block.text}") from error


def _toml(block: Block) -> None:
    name = Path(block.title).name
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / (name or "config.toml")
        path.write_text(block.text, encoding="utf-8")
        if name == "grid.toml":
            from emtui.local.grid_registry import read_registry

            read_registry(path)
        elif name in ("", "config.toml"):
            from emtui.config import read_config

            warnings = read_config(path).warnings
            assert not warnings, "; ".join(warnings)
        else:
            tomllib.loads(block.text)


def steps_of(block: Block) -> Iterator[Step]:
    """The steps of a CI example: `run:` of GitHub's jobs, `script:` of GitLab's. Nothing for other YAML."""
    document = yaml.safe_load(block.text)
    if not isinstance(document, dict):
        return
    jobs = document.get("jobs")
    if isinstance(jobs, dict):
        for job in jobs.values():
            for step in job.get("steps", ()):
                if "run" in step:
                    yield Step(_without_installs(step["run"]), _environment(document, job, step))
        return
    for job in document.values():
        if isinstance(job, dict) and "script" in job:
            lines = [*_lines(job.get("before_script")), *_lines(job["script"])]
            yield Step(_without_installs("\n".join(lines)), _environment(document, job))


def _lines(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(line) for line in value or ()]


def _without_installs(text: str) -> str:
    return "".join(f"{line}\n" for line in text.splitlines() if not line.strip().startswith(INSTALLS))


def _environment(*owners: dict[str, Any]) -> dict[str, str]:
    """What they set; a secret of the CI comes from the page's own set-up."""
    found = {
        name: str(value)
        for owner in owners
        for name, value in (owner.get("env") or owner.get("variables") or {}).items()
    }
    return {name: value for name, value in found.items() if "${{" not in value and not value.startswith("$")}
