"""Which versions are at work. Nothing is imported for it: what cannot be imported is told all the same."""

import platform
from importlib.metadata import PackageNotFoundError, version

from emtui import __version__
from emtui.doctor.case import Case
from emtui.doctor.checks import Check

SECTION = "versions"

LIBRARIES = ("textual", "httpx", "python-socketio", "pydantic", "aiodocker")
SERVE = ("starlette", "uvicorn", "wsproto", "python-multipart", "pyjwt", "argon2-cffi", "swagger-ui-bundle")
"""What the extra `serve` brings."""


def look_at_versions(_case: Case) -> list[Check]:
    """A line for emtui, Python, each library that decides, and the extra `serve`."""
    python = f"{platform.python_version()} ({platform.python_implementation()}, {platform.system()} "
    checks = [
        Check(SECTION, "emtui", "ok", __version__),
        Check(SECTION, "Python", "ok", f"{python}{platform.release()}, {platform.machine()})"),
        *(library_check(name) for name in LIBRARIES),
    ]
    missing = [name for name in SERVE if installed(name) is None]
    if missing:
        found = f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing, so that emtui serve cannot start"
        return [*checks, Check(SECTION, "extra serve", "note", found, "pip install 'emtui[serve]', if it is wanted.")]
    return [*checks, Check(SECTION, "extra serve", "ok", "it is there")]


def library_check(name: str) -> Check:
    """A library that emtui cannot do without."""
    found = installed(name)
    if found is None:
        return Check(SECTION, name, "fail", "it is not installed", "Install emtui anew: pip install --upgrade emtui.")
    return Check(SECTION, name, "ok", found)


def installed(name: str) -> str | None:
    """The version of a package, None where it is not there."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None
