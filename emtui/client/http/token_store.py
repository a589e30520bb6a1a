"""Where tokens are kept between two starts: the system's keyring, or a file that only its owner can read.

Passwords are never written; one that the operator has put into the keyring is read.
"""

import asyncio
import contextlib
import json
import logging
import os
import secrets
import stat
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from emtui.errors import LocalProblem
from emtui.files.problems import disk_problem
from emtui.text import safe_str

T = TypeVar("T")

_log = logging.getLogger(__name__)

_TOKEN_SERVICE = "emtui-tokens"  # noqa: S105 - the keyring's name of the drawer
_PASSWORD_SERVICE = "emtui"  # noqa: S105
# A keyring may ask the operator to unlock it, on a screen that nobody sees.
_KEYRING_PATIENCE_S = 5.0
_MOST_FILE_BYTES = 1 << 20
_READ_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_CREATE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


@dataclass(frozen=True, slots=True)
class Tokens:
    """A pair of tokens; either may be empty."""

    access: str = field(default="", repr=False)
    refresh: str = field(default="", repr=False)


class Keyring(Protocol):
    """What is used of the package `keyring`. Both calls may block, and raise anything."""

    def get_password(self, service: str, key: str) -> str | None: ...

    def set_password(self, service: str, key: str, password: str) -> None: ...


class TokenStore:
    """Tokens by `user@address`. The keyring is tried first; where it fails, the file is used from then on."""

    def __init__(self, path: Path | None = None, keyring: Callable[[], Keyring | None] | None = None) -> None:
        """`path` is the file's, None for `tokens.json` in the user's state directory. `keyring` finds the keyring."""
        self._path = path
        self._find = keyring or system_keyring
        self._has_keyring = True
        self._turn = asyncio.Lock()

    async def load(self, key: str) -> Tokens:
        """The tokens kept under `key`, empty ones where there are none.

        Raises:
            LocalProblem: the file can be read by others, is a link, or is somebody else's.
        """
        async with self._turn:
            text = await self._ask(lambda ring: ring.get_password(_TOKEN_SERVICE, key))
            if self._has_keyring:
                return _tokens_of(text)
            kept = await asyncio.to_thread(self._read)
            return _tokens_of(json.dumps(kept.get(key)))

    async def save(self, key: str, tokens: Tokens) -> None:
        """Keep tokens. Where they cannot be kept, that is logged, and the operator signs in again next time."""
        text = json.dumps({"access": tokens.access, "refresh": tokens.refresh})
        async with self._turn:
            await self._ask(lambda ring: ring.set_password(_TOKEN_SERVICE, key, text))
            if self._has_keyring:
                return
            try:
                await asyncio.to_thread(self._write, key, tokens)
            except (OSError, LocalProblem) as error:
                problem = error if isinstance(error, LocalProblem) else disk_problem(error, self._file())
                told = f"{problem.message}. {problem.remedy}"
                _log.warning("emtui: the tokens could not be kept, the next start signs in anew: %s", safe_str(told))

    async def _ask(self, call: Callable[[Keyring], T]) -> T | None:
        if not self._has_keyring:
            return None
        answer = await _of_keyring(self._find, call)
        self._has_keyring = answer is not None
        return answer.value if answer is not None else None

    # -------------------------------------------------------------------------------------------------- the file

    def _file(self) -> Path:
        if self._path is None:
            from platformdirs import user_state_path

            self._path = user_state_path("emtui") / "tokens.json"
        return self._path

    def _read(self) -> dict[str, Any]:
        path = self._file()
        try:
            fd = os.open(path, _READ_FLAGS)
        except FileNotFoundError:
            return {}
        except OSError as error:
            if path.is_symlink():
                raise _refused(path, "a link") from error
            raise LocalProblem(f"{path}: {os.strerror(error.errno or 0)}", remedy=f"Remove {path}.") from error
        try:
            _check(path, os.fstat(fd))
        except LocalProblem:
            os.close(fd)
            raise
        with os.fdopen(fd, "rb") as file:
            try:
                kept = json.loads(file.read(_MOST_FILE_BYTES))
            except (ValueError, RecursionError):
                return {}  # torn or foreign: there are no tokens in it
        return kept if isinstance(kept, dict) else {}

    def _write(self, key: str, tokens: Tokens) -> None:
        kept = self._read() | {key: {"access": tokens.access, "refresh": tokens.refresh}}
        path = self._file()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
        try:
            with os.fdopen(os.open(part, _CREATE_FLAGS, 0o600), "w", encoding="utf-8") as file:
                json.dump(kept, file)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def _check(path: Path, status: os.stat_result) -> None:
    """Raise `LocalProblem` if what was opened is no file that only its owner, who is we, can read."""
    if not stat.S_ISREG(status.st_mode):
        raise _refused(path, "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file")
    if hasattr(os, "geteuid") and status.st_uid != os.geteuid():
        raise _refused(path, "of another owner")
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise LocalProblem(
            f"{path}: the tokens in it can be read by others",
            remedy=f"Remove it and sign in again; or, if nobody has read it: chmod 600 {path}",
        )


def _refused(path: Path, what: str) -> LocalProblem:
    return LocalProblem(f"{path}: {what}, so that no token is read from it", remedy=f"Remove {path} and sign in again.")


def _tokens_of(text: str | None) -> Tokens:
    try:
        kept = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return Tokens()
    fields = kept if isinstance(kept, dict) else {}
    access, refresh = fields.get("access"), fields.get("refresh")
    return Tokens(access if isinstance(access, str) else "", refresh if isinstance(refresh, str) else "")


# ------------------------------------------------------------------------------------------------------ keyring


@dataclass(frozen=True, slots=True)
class _Given:
    value: Any = field(repr=False)


def system_keyring() -> Keyring | None:
    """The system's keyring, None where there is none or `EMTUI_NO_KEYRING` is set. Blocks."""
    if os.environ.get("EMTUI_NO_KEYRING"):
        return None
    import keyring
    from keyring.backends import fail, null

    found = keyring.get_keyring()
    return None if isinstance(found, fail.Keyring | null.Keyring) else found


async def keyring_password(username: str, address: str) -> str | None:
    """The password that the operator keeps in the keyring for `username@address` (service `emtui`), if there is one."""
    answer = await _of_keyring(
        system_keyring, lambda ring: ring.get_password(_PASSWORD_SERVICE, f"{username}@{address}")
    )
    return answer.value if answer is not None else None


async def _of_keyring(find: Callable[[], Keyring | None], call: Callable[[Keyring], T]) -> _Given | None:
    """What a keyring gives, None where there is none, it fails, or it does not answer in time.

    It is asked in a thread of its own that ends with the program: one that waits for an unlocking cannot be stopped.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_Given | None] = loop.create_future()

    def put(given: _Given | None) -> None:
        if not done.done():
            done.set_result(given)

    def ask() -> None:
        given: _Given | None = None
        try:
            ring = find()
            given = None if ring is None else _Given(call(ring))
        except Exception as error:  # noqa: BLE001 - a keyring's backend can raise anything
            _log.warning("emtui: the keyring cannot be used: %s", type(error).__name__)
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(put, given)

    threading.Thread(target=ask, name="keyring", daemon=True).start()
    with contextlib.suppress(TimeoutError):
        return await asyncio.wait_for(done, _KEYRING_PATIENCE_S)
    return None
