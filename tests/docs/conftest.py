"""The site, built once for all tests that look at it."""

from pathlib import Path

import pytest

from tests.docs.blocks import ROOT
from tests.docs.building import build


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, where nobody has said at which address it is published."""
    folder = tmp_path_factory.mktemp("built") / "site"
    done = build(ROOT, folder, SITE_URL="")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder
