"""Each test of the suite on a backend of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from em_bench import BACKENDS, FILE_BACKENDS, Bench
from em_sources import free

from emtui.backend import EM


@pytest.fixture(params=FILE_BACKENDS)
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    async with BACKENDS[request.param](tmp_path) as made:
        yield made
        # Whatever a test did: what was not finished has left nothing behind.
        await free(made.em)
        assert list(made.staging.iterdir()) == []


@pytest.fixture
def em(bench: Bench) -> EM:
    return bench.em


@pytest.fixture
def volume_root(bench: Bench) -> Path:
    return bench.volume


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A file outside the volume that must be neither read nor written."""
    path = tmp_path / "outside.txt"
    path.write_bytes(b"secret")
    return path
