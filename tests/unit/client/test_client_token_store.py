"""Where tokens are kept: the keyring where there is one, else a file that only its owner can read (B16)."""

import errno
import json
import os
import threading
import time
from pathlib import Path

import pytest

from emtui.client.http import token_store
from emtui.client.http.token_store import Tokens, TokenStore, keyring_password, system_keyring
from emtui.errors import LocalProblem

KEY = "me@https://em.example.org"
TOKENS = Tokens("access-1", "refresh-1")


class Ring:
    """A keyring in memory."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, key: str) -> str | None:
        return self.kept.get((service, key))

    def set_password(self, service: str, key: str, password: str) -> None:
        self.kept[service, key] = password


class BrokenRing(Ring):
    def get_password(self, service: str, key: str) -> str | None:
        raise RuntimeError("locked: canary")


class SlowRing(Ring):
    """Waits for an unlocking that never comes."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Event()

    def get_password(self, service: str, key: str) -> str | None:
        self.asked.set()
        threading.Event().wait(30)
        return None


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "emtui" / "tokens.json"


async def test_the_keyring_is_preferred_and_no_file_is_written(path: Path) -> None:
    ring = Ring()
    store = TokenStore(path, lambda: ring)
    assert await store.load(KEY) == Tokens()
    await store.save(KEY, TOKENS)

    assert await TokenStore(path, lambda: ring).load(KEY) == TOKENS
    assert list(ring.kept) == [("emtui-tokens", KEY)]
    assert not path.exists()


async def test_without_a_keyring_a_file_of_its_owner_keeps_them(path: Path) -> None:
    os.umask(0o000)
    try:
        store = TokenStore(path)
        await store.save(KEY, TOKENS)
        await store.save("you@there", Tokens("a", ""))
    finally:
        os.umask(0o022)

    assert await TokenStore(path).load(KEY) == TOKENS
    assert await TokenStore(path).load("you@there") == Tokens("a", "")
    assert await TokenStore(path).load("nobody") == Tokens()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o077 == 0
    assert [entry.name for entry in path.parent.iterdir()] == ["tokens.json"]


async def test_the_file_is_in_the_state_directory(own_home: Path) -> None:
    await TokenStore().save(KEY, TOKENS)

    assert json.loads((own_home / ".local/state/emtui/tokens.json").read_text())[KEY]["access"] == "access-1"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
async def test_a_file_that_others_can_read_is_refused_with_the_remedy(path: Path, mode: int) -> None:
    await TokenStore(path).save(KEY, TOKENS)
    path.chmod(mode)

    with pytest.raises(LocalProblem, match="read by others") as caught:
        await TokenStore(path).load(KEY)

    assert f"chmod 600 {path}" in caught.value.remedy
    await TokenStore(path).save(KEY, Tokens("new", ""))
    assert "access-1" in path.read_text()  # nor is it written to


async def test_a_link_is_refused_and_what_it_leads_to_left_alone(path: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("{}")
    outside.chmod(0o600)
    path.parent.mkdir(parents=True)
    path.symlink_to(outside)

    with pytest.raises(LocalProblem, match="a link"):
        await TokenStore(path).load(KEY)
    await TokenStore(path).save(KEY, TOKENS)

    assert outside.read_text() == "{}"


async def test_a_file_of_another_owner_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await TokenStore(path).save(KEY, TOKENS)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)

    with pytest.raises(LocalProblem, match="of another owner"):
        await TokenStore(path).load(KEY)


async def test_a_folder_in_its_place_is_refused_with_the_remedy(path: Path) -> None:
    path.mkdir(parents=True)

    with pytest.raises(LocalProblem, match="a folder") as caught:
        await TokenStore(path, lambda: None).load("me@x")

    assert f"Remove {path}" in caught.value.remedy


async def test_what_is_no_file_is_refused_without_waiting(path: Path) -> None:
    path.parent.mkdir(parents=True)
    os.mkfifo(path, 0o600)

    with pytest.raises(LocalProblem):
        await TokenStore(path).load(KEY)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"me@https://em.example.org": 3}', "[" * 100_000, "\0"])
async def test_a_torn_file_holds_no_tokens_and_is_written_anew(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True)
    path.touch(0o600)
    path.write_text(text)

    assert await TokenStore(path).load(KEY) == Tokens()
    await TokenStore(path).save(KEY, TOKENS)
    assert await TokenStore(path).load(KEY) == TOKENS


async def test_a_keyring_that_fails_is_the_same_as_none(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = TokenStore(path, BrokenRing)
    assert await store.load(KEY) == Tokens()
    await store.save(KEY, TOKENS)

    assert await TokenStore(path).load(KEY) == TOKENS
    assert "canary" not in caplog.text


async def test_a_keyring_that_never_answers_is_not_waited_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_store, "_KEYRING_PATIENCE_S", 0.1)
    ring = SlowRing()
    began = time.monotonic()

    assert await TokenStore(path, lambda: ring).load(KEY) == Tokens()

    assert ring.asked.is_set()
    assert time.monotonic() - began < 5


async def test_a_disk_that_cannot_be_written_to_costs_only_the_next_sign_in(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.parent.mkdir()
    path.parent.write_text("a file in the way of the folder")

    await TokenStore(path).save(KEY, TOKENS)

    [record] = caplog.records
    assert record.getMessage() == (
        f"emtui: the tokens could not be kept, the next start signs in anew: {path}: Not a directory. Remove {path}."
    )
    assert "access-1" not in caplog.text


async def test_a_full_disk_says_where_and_what_to_do(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(_fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    await TokenStore(path).save(KEY, TOKENS)

    [record] = caplog.records
    assert record.getMessage().startswith("emtui: the tokens could not be kept")
    assert f"{path}: No space left on device. Free some space" in record.getMessage()
    assert list(path.parent.iterdir()) == []


async def test_a_password_is_read_from_the_keyring_by_user_and_address(monkeypatch: pytest.MonkeyPatch) -> None:
    ring = Ring()
    ring.kept["emtui", KEY] = "secret"
    monkeypatch.setattr(token_store, "system_keyring", lambda: ring)

    assert await keyring_password("me", "https://em.example.org") == "secret"
    assert await keyring_password("you", "https://em.example.org") is None
    monkeypatch.setattr(token_store, "system_keyring", lambda: None)
    assert await keyring_password("me", "https://em.example.org") is None


def test_keyrings_that_keep_nothing_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert system_keyring() is None  # by EMTUI_NO_KEYRING
    monkeypatch.delenv("EMTUI_NO_KEYRING")
    for name in ("fail", "null"):
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", f"keyring.backends.{name}.Keyring")
        import keyring

        monkeypatch.setattr(keyring.core, "_keyring_backend", None)
        assert system_keyring() is None
