"""How this package starts itself again as another process: no site packages, no user settings, a bare environment."""

import sys
from pathlib import Path

# The folder that holds the package, wherever it is installed.
_PACKAGE_HOME = str(Path(__file__).resolve().parents[4])


def python_command(module: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """The command that runs a module of this package, and its whole environment."""
    command = [sys.executable, "-S", "-s", "-P", "-B", "-m", module, *arguments]
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return command, {"PYTHONPATH": _PACKAGE_HOME, "PATH": path, "LC_ALL": "C.UTF-8"}
