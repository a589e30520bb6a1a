"""Builds the site."""

import os
import subprocess
import sys
from pathlib import Path

# Not --quiet: a warning that is not written is not counted by --strict.
MKDOCS = [sys.executable, "-m", "mkdocs", "build", "--strict"]


def build(folder: Path, site: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Build the site of a checkout, as `make docs` does."""
    command = [*MKDOCS, "--config-file", str(folder / "mkdocs.yml"), "--site-dir", str(site)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", **variables}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environment)
