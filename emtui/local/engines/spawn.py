"""How this package starts itself again as another process: no user settings, a bare environment."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

# The folder that holds the package, wherever it is installed.
_PACKAGE_HOME = str(Path(__file__).resolve().parents[3])


def python_command(module: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """The command that runs a module of this package, and its whole environment. It has no site packages."""
    command = [sys.executable, "-S", "-s", "-P", "-B", "-m", module, *arguments]
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return command, {"PYTHONPATH": _PACKAGE_HOME, "PATH": path, "LC_ALL": "C.UTF-8"}


def command_with_libraries(
    module: str, *arguments: str, passed_on: Sequence[str] = ()
) -> tuple[list[str], dict[str, str]]:
    """The same for a module that needs what this process can import. `passed_on` names variables that it gets too."""
    command, env = python_command(module, *arguments)
    folders = [folder for folder in sys.path if folder]
    env["PYTHONPATH"] = os.pathsep.join(dict.fromkeys((_PACKAGE_HOME, *folders)))
    return command, {**env, **{name: os.environ[name] for name in passed_on if name in os.environ}}
