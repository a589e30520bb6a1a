"""What a test needs and this machine has not: skipped with the reason, but in CI, which has to bring it, a failure."""

import os
from typing import NoReturn

import pytest


def missing(reason: str) -> NoReturn:
    """Skip the test at work; fail it where `CI=true`."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}; CI has to bring it")
    pytest.skip(reason)
