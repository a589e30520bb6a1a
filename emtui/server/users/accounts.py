"""Who may sign in: argon2id hashes in `DIR/serve/accounts.db`, with the key that signs the tokens.

The first user ever has DIR itself, each other one a workspace in `DIR/users/NAME`. Calls block.
"""

import hashlib
import os
import secrets
import stat
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from emtui.errors import ConfigProblem, WorkspaceProblem
from emtui.local.em import check_user
from emtui.server.users.passwords import made_password
from emtui.storage.sqlite import Database

_MIGRATIONS = (
    """
    CREATE TABLE accounts (
        number INTEGER PRIMARY KEY AUTOINCREMENT,  -- the lowest has DIR itself
        username TEXT NOT NULL UNIQUE,
        password TEXT NOT NULL,                    -- argon2id, with its parameters and salt
        changed_at TEXT NOT NULL                   -- ISO 8601, UTC
    ) STRICT;
    CREATE TABLE keys (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
    """,
)
_APPLICATION_ID = 0x656D7473  # "emts"

_KEY_BYTES = 64

# RFC 9106 with less memory and more passes (OWASP): each sign-in at work costs the server this much.
_MEMORY_KIB = 19_456
_PASSES = 2

MAX_PASSWORD_CHARS = 1024
"""What is longer is no password; hashing it would only cost time."""


class Accounts:
    """The accounts of one served directory.

    Raises:
        WorkspaceProblem: the folder or the file cannot be used, or is another's. Every call may raise it.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._hasher = PasswordHasher(time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=1)
        folder = directory / "serve"
        _private_folder(folder)
        path = folder / "accounts.db"
        _private_file(path)
        self._db = Database(
            path,
            _MIGRATIONS,
            application_id=_APPLICATION_ID,
            problem=WorkspaceProblem,
            check=True,
            remedy="Move it aside: the accounts are then made anew, and the volumes are not touched.",
        )
        self._hashes = {
            row["username"]: row["password"] for row in self._db.read("SELECT * FROM accounts ORDER BY number")
        }
        # What the password of a user who does not exist is compared with, so that it takes as long.
        self._nobody = self._hasher.hash(secrets.token_hex(16))

    @property
    def usernames(self) -> tuple[str, ...]:
        """All users, the first one first."""
        return tuple(self._hashes)

    def workspace_of(self, username: str) -> Path:
        """Where the workspace of a user lies."""
        first = next(iter(self._hashes))
        return self._directory if username == first else self._directory / "users" / username

    def settle(self, usernames: Sequence[str], passwords: Mapping[str, str], password: str | None) -> dict[str, str]:
        """Make sure that each of `usernames` can sign in, and return the passwords that were made for it.

        A user's password is the one in `passwords`, else `password`, else the one of an earlier start, else a new
        one.

        Raises:
            ConfigProblem: a user's name or password cannot be one. Nothing was changed.
        """
        made: dict[str, str] = {}
        for username in usernames:
            check_user(username)
            wanted = passwords.get(username, password)
            if wanted is not None and len(wanted) > MAX_PASSWORD_CHARS:
                raise ConfigProblem(
                    f"the password of {username} has over {MAX_PASSWORD_CHARS:,} characters",
                    remedy="Give a shorter one in the --password-file or in EMTUI_PASSWORD.",
                )
        for username in usernames:
            given = passwords.get(username, password)
            if given is None:
                if username in self._hashes:
                    continue
                given = made[username] = made_password()
            if not self.is_password(username, given):
                self._set(username, given)
        return made

    def _set(self, username: str, password: str) -> None:
        digest = self._hasher.hash(_encoded(password))
        now = datetime.now(UTC).isoformat()
        with self._db.change() as db:
            db.execute(
                "INSERT INTO accounts (username, password, changed_at) VALUES (?, ?, ?) "
                "ON CONFLICT (username) DO UPDATE SET password = excluded.password, changed_at = excluded.changed_at",
                (username, digest, now),
            )
        self._hashes[username] = digest

    def is_password(self, username: str, password: str) -> bool:
        """Whether the user may sign in with it. Takes as long for a user who does not exist."""
        known = self._hashes.get(username)
        fits = len(password) <= MAX_PASSWORD_CHARS
        try:
            is_right = self._hasher.verify(known or self._nobody, _encoded(password) if fits else b"")
        except (VerificationError, InvalidHashError):
            return False
        return is_right and fits and known is not None

    def mark_of(self, username: str) -> str | None:
        """What changes when the user's password does; None for a user who does not exist. Does not block."""
        known = self._hashes.get(username)
        return None if known is None else hashlib.sha256(known.encode()).hexdigest()[:16]

    def signing_key(self) -> bytes:
        """The key of this directory's tokens, made once."""
        with self._db.change() as db:
            db.execute("INSERT OR IGNORE INTO keys VALUES ('tokens', ?)", (secrets.token_bytes(_KEY_BYTES),))
            (key,) = db.execute("SELECT value FROM keys WHERE name = 'tokens'").fetchone()
        return bytes(key)

    def close(self) -> None:
        self._db.close()


def _encoded(password: str) -> bytes:
    """Of any text, lone surrogates too."""
    return password.encode("utf-8", "surrogatepass")


def _private_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise WorkspaceProblem(f"{folder}: not a folder of yours", remedy="Move it aside; it is made anew.")
        folder.chmod(0o700)
    except OSError as error:
        raise WorkspaceProblem(
            f"{folder}: {os.strerror(error.errno or 0)}", remedy="Give yourself the rights to it, or move it aside."
        ) from error


def _private_file(path: Path) -> None:
    """Make it 0600 before anything is in it: SQLite would use the umask, and its side files follow it."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.fchmod(fd, 0o600)
        finally:
            os.close(fd)
    except OSError as error:
        raise WorkspaceProblem(
            f"{path}: {os.strerror(error.errno or 0)}", remedy="Give yourself the rights to it, or move it aside."
        ) from error
