"""An environment that holds one wheel and what it declares to need, and nothing else.

The dependencies are not fetched again: the environment the tests run in has them, pinned. Only the distributions that
the wheel asks for, and those that they ask for, are linked; one that is used but not declared is missing here.
"""

import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def _wanted(requirements: Iterable[str], extras: Iterable[str]) -> list[Requirement]:
    environments = [{"extra": extra} for extra in ("", *extras)]
    parsed = [Requirement(text) for text in requirements]
    return [
        requirement
        for requirement in parsed
        if requirement.marker is None or any(requirement.marker.evaluate(values) for values in environments)
    ]


def needed(requirements: Iterable[str], extras: Iterable[str] = ()) -> list[Distribution]:
    """The distributions that satisfy `requirements`, those of `extras` too, and what they need in turn."""
    found: dict[str, Distribution] = {}
    done: set[tuple[str, frozenset[str]]] = set()
    waiting = _wanted(requirements, extras)
    while waiting:
        requirement = waiting.pop()
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key not in done:
            done.add(key)
            found[key[0]] = distribution(requirement.name)
            assert requirement.specifier.contains(found[key[0]].version, prereleases=True), requirement
            waiting += _wanted(found[key[0]].requires or [], requirement.extras)
    return list(found.values())


def make(directory: Path, wheel: Path, requirements: Iterable[str], extras: Iterable[str] = ()) -> Path:
    """Make the environment with `wheel` and `extras` of it installed. Returns its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", directory], check=True)
    python = directory / "bin/python"
    install = ["-m", "pip", "--python", str(python), "install", "--quiet", "--no-index", "--no-deps", str(wheel)]
    subprocess.run([sys.executable, *install], check=True)
    (packages,) = directory.glob("lib/python*/site-packages")
    for package in needed(requirements, extras):
        for top in {file.parts[0] for file in package.files or [] if file.parts[0] not in ("..", "__pycache__")}:
            if not (packages / top).exists():
                (packages / top).symlink_to(Path(str(package.locate_file(top))))
    return python
