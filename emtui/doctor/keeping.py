"""Where tokens are kept between two starts. Nothing is asked of the keyring: it could ask back."""

import stat
from pathlib import Path

from emtui.doctor.case import Case
from emtui.doctor.checks import Check

SECTION = "sign-in"


def look_at_keeping(case: Case) -> list[Check]:
    """The keyring, or the file in its place. Blocks: its library looks around when it is imported."""
    from platformdirs import user_state_path

    file = user_state_path("emtui") / "tokens.json"
    return [_keyring(case, file), *file_checks(file)]


def _keyring(case: Case, file: Path) -> Check:
    instead = f"tokens are kept in {file}, mode 0600"
    if case.environment.get("EMTUI_NO_KEYRING"):
        return Check(SECTION, "keyring", "ok", f"not used, since EMTUI_NO_KEYRING is set: {instead}")
    from emtui.client.http.token_store import system_keyring

    try:
        found = system_keyring()
    except Exception as error:  # noqa: BLE001 - of whichever library; the console then does without it
        said = f"it cannot be used ({type(error).__name__}: {error}): {instead}"
        return Check(SECTION, "keyring", "note", said, "Mend its configuration, or set EMTUI_NO_KEYRING=1.")
    if found is None:
        return Check(SECTION, "keyring", "ok", f"there is none: {instead}")
    return Check(SECTION, "keyring", "ok", f"{type(found).__module__} keeps the tokens")


def file_checks(file: Path) -> list[Check]:
    """Whether the tokens' file, where there is one, can be read by its owner alone. Blocks."""
    try:
        status = file.lstat()
    except OSError:
        return []
    if not stat.S_ISREG(status.st_mode):
        return [Check(SECTION, "tokens", "note", f"{file}: not a regular file, so that it is not read", f"rm {file}")]
    if stat.S_IMODE(status.st_mode) & 0o077:
        found = f"{file}: others can read it, so that it is not read"
        return [Check(SECTION, "tokens", "note", found, f"rm {file}, and sign in again.")]
    return []
