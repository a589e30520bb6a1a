"""No test of a client asks the machine's keyring."""

import pytest


@pytest.fixture(autouse=True)
def no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMTUI_NO_KEYRING", "1")
