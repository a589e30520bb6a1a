"""A configuration of an older version, written anew: only where the operator asks for it, and never without a copy."""

import codecs
import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from emtui.config.document import Source, parse, read_source, stamp_of
from emtui.config.migrations import STEPS, Step, migrated_text, newest
from emtui.errors import ConfigProblem, LocalProblem

_MOST_COPIES = 100
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What was done to a file: from which version to which, and where the old one is now."""

    file: Path
    backup: Path
    version: int
    newest: int


def rewrite(file: Path, steps: Mapping[int, Step] = STEPS) -> Rewritten | None:
    """Write the file in the newest version, beside a copy of what it was. None where it is of that version already.

    The new file appears whole or not at all, with the mode of the old one; a link goes on leading to it. Blocks.

    Raises:
        ConfigProblem: it cannot be read, or the new text would not say the same: nothing is changed.
        LocalProblem: it or its copy cannot be written, or it has changed meanwhile: nothing is changed.
    """
    target = Path(os.path.realpath(file))
    source = read_source(target)
    before = parse(source, steps)
    if before.version == newest(steps):
        return None
    text = migrated_text(source.text, before.version, steps)
    after = parse(Source(target, text, source.stamp), steps)
    if after.values != before.values or after.version != newest(steps):
        raise ConfigProblem(
            f"{file}: the new text would not say what the old one does",
            remedy=f"Write it by hand: {'; '.join(step.change for step in steps.values())}.",
        )
    try:
        raw = target.read_bytes()
        status = target.stat()
        if stamp_of(status) != source.stamp:
            raise LocalProblem(f"{file}: it has changed in these moments", remedy="Try again.")
        backup = _copied(target, raw, before.version, status)
        mark = codecs.BOM_UTF8 if raw.startswith(codecs.BOM_UTF8) else b""
        _replaced(target, mark + text.encode(), status)
    except OSError as error:
        where = error.filename or file
        raise LocalProblem(
            f"{where}: {error.strerror}", remedy="Make the folder writable; nothing was changed."
        ) from error
    return Rewritten(file, backup, before.version, newest(steps))


def _copied(target: Path, raw: bytes, version: int, status: os.stat_result) -> Path:
    """A copy that replaces none: `config.toml.bak-0`, or with a number behind where there is one of another content."""
    for number in range(_MOST_COPIES):
        backup = target.with_name(f"{target.name}.bak-{version}{f'-{number}' if number else ''}")
        try:
            _written(backup, raw, status)
        except FileExistsError:
            if not backup.is_symlink() and backup.is_file() and backup.read_bytes() == raw:
                return backup
            continue
        return backup
    raise LocalProblem(f"{target}: there are {_MOST_COPIES} copies of it already", remedy="Remove some of them.")


def _replaced(target: Path, data: bytes, status: os.stat_result) -> None:
    part = target.with_name(f".{target.name}.{secrets.token_hex(8)}.part")
    try:
        _written(part, data, status)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _written(path: Path, data: bytes, status: os.stat_result) -> None:
    """A new file with the mode of the old one, synced."""
    with os.fdopen(os.open(path, _CREATE, 0o600), "wb") as opened:
        opened.write(data)
        os.fchmod(opened.fileno(), stat.S_IMODE(status.st_mode))
        opened.flush()
        os.fsync(opened.fileno())
