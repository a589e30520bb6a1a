"""What holds for every test: its own home, no colours or sizes from outside, a fixed terminal, no Docker Engine.

Local mode takes the first engine that works, and what a test says must not depend on the machine. Tests of the docker
engine name theirs (tests/engines/docker_here.py).
"""

import os
from pathlib import Path

import pytest

# What would change what a test sees: the terminal it happens to run in, and the user's own settings.
_FROM_OUTSIDE = (
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "NO_COLOR",
    "FORCE_COLOR",
    "CLICOLOR",
    "COLUMNS",
    "LINES",
    "TEXTUAL_THEME",
    "TEXTUAL_DRIVER",
    "TMUX",
)

_NO_DOCKER = "unix:///nonexistent/docker.sock"
os.environ["DOCKER_HOST"] = _NO_DOCKER


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for every test, in the environment of the programs that it starts too."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    for name, folder in (
        ("XDG_DATA_HOME", ".local/share"),
        ("XDG_CONFIG_HOME", ".config"),
        ("XDG_CACHE_HOME", ".cache"),
        ("XDG_STATE_HOME", ".local/state"),
    ):
        monkeypatch.setenv(name, str(home / folder))
    for name in [*_FROM_OUTSIDE, *(name for name in os.environ if name.startswith("EMTUI_"))]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_HOST", _NO_DOCKER)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
    return home


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for all tests that need a Docker Engine where there is none, and one for all others that did not run."""
    skipped = [str(report.longrepr[-1]) for report in terminalreporter.stats.get("skipped", ())]
    reasons = [reason for _, is_ours, reason in (text.partition("no Docker Engine: ") for text in skipped) if is_ours]
    if reasons:
        from emtui.doctor.sockets import without_user
        from tests.engines.docker_here import DOCKER_PLACE

        terminalreporter.write_line(
            f"{len(reasons)} tests of the docker engine were skipped ({without_user(DOCKER_PLACE.url)}): "
            f"{'; '.join(dict.fromkeys(' '.join(reason.split()) for reason in reasons))}. "
            "Start one, and install busybox-static."
        )
    others = [text.removeprefix("Skipped: ") for text in skipped if "no Docker Engine: " not in text]
    if others:
        told = "; ".join(dict.fromkeys(" ".join(reason.split()) for reason in others))
        terminalreporter.write_line(f"{len(others)} other tests were skipped: {told}.")
