"""What a run of the tests says at its end of those that did not run."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.conftest import pytest_terminal_summary
from tests.engines.docker_here import DOCKER_PLACE


def _summary(*reasons: str) -> list[str]:
    lines: list[str] = []
    reports = [SimpleNamespace(longrepr=("tests/x.py", 1, reason)) for reason in reasons]
    reporter: Any = SimpleNamespace(stats={"skipped": reports} if reports else {}, write_line=lines.append)
    pytest_terminal_summary(cast("pytest.TerminalReporter", reporter))
    return lines


def test_all_reasons_and_the_socket_are_in_one_line() -> None:
    refused, root = "Skipped: no Docker Engine: refused ('x')", "Skipped: no Docker Engine: dockerd\nneeds root"
    line, other = _summary(refused, root, refused, "Skipped: needs a unicorn")
    assert other == "1 other tests were skipped: needs a unicorn."
    assert line == (
        f"3 tests of the docker engine were skipped ({DOCKER_PLACE.url}): refused ('x'); dockerd needs root. "
        "Start one, and install busybox-static."
    )


def test_nothing_is_said_where_all_ran() -> None:
    assert _summary() == []


def test_every_other_reason_is_told_once() -> None:
    assert _summary("Skipped: no\nwings", "Skipped: no wings", "Skipped: no horn") == [
        "3 other tests were skipped: no wings; no horn."
    ]
