"""The rows of the help: every key of the console, with the keys that are in force."""

from emtui.console.screens.help import Row
from emtui.keys.keymap import KEYS, KeyMap

# A row without a key would be something to know.
_NO_KEY = "–"


def help_rows(keys: KeyMap) -> list[Row]:
    """Group, key and meaning of each key."""
    return [
        (key.group.value, keys.all_shown(key.id) or _NO_KEY, key.meaning) for key in KEYS.values() if key.is_in_help
    ]
