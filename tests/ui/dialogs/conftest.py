"""A disk as an operator has it, and a place that is not on UTC."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from dialogs_harness import make_disk


@pytest.fixture(autouse=True)
def local_time(clean_environment: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is that of Zurich."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Zurich")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def work(clean_environment: None, tmp_path: Path) -> Path:
    """The folder `~/desk`."""
    return make_disk(tmp_path / "home")
