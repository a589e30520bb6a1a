"""A workspace of its own for each test of the command line."""

from pathlib import Path

import pytest

from tests.cli.harness import Cli


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONFIG", "DATA", "CACHE", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / f"xdg-{name.lower()}"))


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return tmp_path / "ws"


@pytest.fixture
def emtui(monkeypatch: pytest.MonkeyPatch, workspace: Path) -> Cli:
    """emtui on a workspace whose engine executes nothing."""
    return Cli(monkeypatch, "--local", workspace, "--engine", "simulated")


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> Cli:
    """emtui without any option."""
    return Cli(monkeypatch)
