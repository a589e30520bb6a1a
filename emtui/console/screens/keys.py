"""The rows of the help: every key of the console, with the keys that are in force."""

from emtui.console.screens.help import Row
from emtui.keys.keymap import KEYS, PANES, Group, Key, KeyMap

# A row without a key would be something to know.
_NO_KEY = "–"
_ELSEWHERE = "Elsewhere"


def help_rows(keys: KeyMap, pane: str) -> list[Row]:
    """Group, key and meaning of each key: first those of `pane` alone, then all others that work there, then the
    rest, with where they work."""
    told = [key for key in KEYS.values() if key.is_in_help]
    here = sorted((key for key in told if pane in key.places), key=lambda key: key.places != {pane})
    elsewhere = [key for key in told if pane not in key.places]
    return [
        *((key.group.value, _shown(key, keys), key.meaning) for key in here),
        *((_ELSEWHERE, _shown(key, keys), f"{key.meaning}  ({_where(key)})") for key in elsewhere),
    ]


def _shown(key: Key, keys: KeyMap) -> str:
    return keys.all_shown(key.id) or _NO_KEY


def _where(key: Key) -> str:
    """`Files, Images, Grid`; `in a dialog`."""
    if key.group in (Group.DIALOG, Group.PICKER):
        return key.group.value.replace("In", "in", 1)
    return ", ".join(place.title() for place in PANES if place in key.places)
