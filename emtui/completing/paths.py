"""Paths of the volume for the word that is being typed: one level at a time, folders with a `/` at their end."""

import re
from collections.abc import Iterable, Iterator

from emtui.completing.asking import known_names
from emtui.paths import split_path
from emtui.profile import Profile

# What may stand before a path and does not count.
_LEAD = re.compile(r"(?:\./|/)*")
# A folder with more is not looked through by pressing a key.
_MOST_ENTRIES = 20_000


def volume_paths(profile: Profile, word: str, *, folders_only: bool) -> Iterator[str]:
    """The paths that begin with `word`, to the next `/`; foreign text. Blocks as `known_names` does."""
    found = _LEAD.match(word)
    lead = found.group() if found else ""
    folder, slash, _ = word[len(lead) :].rpartition("/")
    entries = _in_workspace(profile, folder) if profile.em_kind == "local" else _listed(profile, f"{folder}{slash}")
    for name in entries:
        if folders_only and not name.endswith("/"):
            continue
        path = f"{lead}{folder}{slash}{name}"
        # It would be taken for an option.
        yield f"./{path}" if path.startswith("-") else path


def _in_workspace(profile: Profile, folder: str) -> Iterable[str]:
    from emtui.errors import EmtuiError
    from emtui.local.glance import entries_of

    try:
        parts = split_path(folder)
    except EmtuiError:
        return []
    entries = entries_of(profile.workspace, parts, _MOST_ENTRIES)
    return sorted(f"{name}/" if is_folder else name for name, is_folder in entries)


def _listed(profile: Profile, prefix: str) -> Iterable[str]:
    """The names directly below `prefix` (empty, or with a `/` at its end)."""
    for path in known_names(profile, "files"):
        if path.startswith(prefix):
            name = path[len(prefix) :]
            if name and "/" not in name[:-1]:
                yield name
