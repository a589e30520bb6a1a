"""Names of keys as Textual has them, told without importing it: read as an operator writes them, shown as one reads
them.

A letter, digit or sign that is typed is a key; so is its name in Unicode (`question_mark`), and each of `SPECIAL`.
Before it may stand `ctrl+`, `alt+`, `shift+` and, where the terminal can tell them, `super+`, `hyper+`, `meta+`.
"""

import contextlib
import difflib
import unicodedata

MODIFIERS = ("alt", "ctrl", "hyper", "meta", "shift", "super")

FUNCTION_KEYS = tuple(f"f{number}" for number in range(1, 25))

SPECIAL = (
    "escape", "enter", "tab", "space", "backspace", "delete", "insert",
    "up", "down", "left", "right", "home", "end", "pageup", "pagedown", *FUNCTION_KEYS,
)  # fmt: skip
"""The keys that type nothing, and the space."""

_OTHERWISE = {
    "esc": "escape",
    "return": "enter",
    "del": "delete",
    "ins": "insert",
    "pgup": "pageup",
    "pgdn": "pagedown",
}
_MODIFIERS_OTHERWISE = {"control": "ctrl", "option": "alt", "cmd": "super", "command": "super", "win": "super"}

# Where a sign's common name is not its name in Unicode.
_COMMON_NAMES = {
    "solidus": "slash",
    "reverse_solidus": "backslash",
    "commercial_at": "at",
    "hyphen_minus": "minus",
    "plus_sign": "plus",
    "low_line": "underscore",
}
_SIGNS = {"slash": "/", "backslash": "\\", "at": "@", "minus": "-", "hyphen_minus": "-", "plus": "+", "underscore": "_"}

# What a terminal sends for the two is one and the same byte.
_SAME_BYTE = {"ctrl+i": "tab", "ctrl+m": "enter", "ctrl+h": "backspace", "ctrl+left_square_bracket": "escape"}


# Of signs, these alone have a byte with ctrl.
_SENT_WITH_CTRL = ("backslash", "circumflex_accent", "right_square_bracket", "underscore")
_SENT_WITH_ANY = (
    "up",
    "down",
    "left",
    "right",
    "home",
    "end",
    "pageup",
    "pagedown",
    "delete",
    "insert",
    *FUNCTION_KEYS,
)


class NotAKey(ValueError):
    """No key is called so. `remedy` says how it is called, as far as that can be guessed."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


def name_of(character: str) -> str:
    """What Textual calls the key that types `character`: `?` is `question_mark`, `a` is `a`."""
    if character.isalnum():
        return character
    name = unicodedata.name(character, character).lower().replace("-", "_").replace(" ", "_")
    return _COMMON_NAMES.get(name, name)


def character_of(name: str) -> str:
    """What the key `name` types; empty for one that types nothing, and for the space."""
    if len(name) == 1:
        return name
    if name in SPECIAL:
        return ""
    character = _SIGNS.get(name) or _looked_up(name)
    return character if len(character) == 1 and character.isprintable() and not character.isspace() else ""


def _looked_up(name: str) -> str:
    """The sign of that name in Unicode, in which a few words have a hyphen between them: LESS-THAN SIGN."""
    words = name.split("_")
    hyphenated = (f"{' '.join(words[:place])}-{' '.join(words[place:])}" for place in range(1, len(words)))
    for unicode_name in (" ".join(words), *hyphenated):
        with contextlib.suppress(KeyError):
            return unicodedata.lookup(unicode_name)
    return ""


def canonical(text: str) -> str:
    """The key that `text` names, as Textual calls it. Raises NotAKey."""
    written = text.strip()
    if not written:
        raise NotAKey("an empty name is no key", "Write space for the space bar, comma for the comma.")
    words = written.split("+")
    if written == "+" or written.endswith("++"):
        words = [*written[:-1].rstrip("+").split("+"), "+"] if len(written) > 1 else ["+"]
    modifiers = sorted({_modifier(word.strip()) for word in words[:-1]})
    base = _base(words[-1].strip(), written)
    if modifiers and len(base) == 1:
        if modifiers == ["shift"]:
            raise NotAKey(f"{written}: a terminal sends the sign itself", f"Write {base.upper()!r}.")
        base = base.lower()
    elif modifiers == ["shift"] and character_of(base):
        raise NotAKey(f"{written}: a terminal sends another sign for it", "Write that sign.")
    key = "+".join([*modifiers, base])
    if key in _SAME_BYTE:
        raise NotAKey(f"{written}: a terminal cannot tell it from {_SAME_BYTE[key]}", "Choose another key.")
    return key


def _modifier(word: str) -> str:
    lower = word.lower()
    if lower in MODIFIERS:
        return lower
    known = _MODIFIERS_OTHERWISE.get(lower) or next(iter(difflib.get_close_matches(lower, MODIFIERS, n=1)), "")
    meant = f"Did you mean {known!r}?" if known else f"It is one of {', '.join(MODIFIERS)}."
    raise NotAKey(f"{word!r} is not held down with a key", meant)


def _base(word: str, written: str) -> str:
    if len(word) == 1 and word.isprintable() and not word.isspace():
        return name_of(word)
    lower = _OTHERWISE.get(word.lower(), word.lower())
    if lower in SPECIAL:
        return lower
    character = character_of(lower) if len(word) > 1 else ""
    if character:
        return name_of(character)
    if len(word) == 2 and word[0] == "^":
        raise NotAKey(f"{written!r} is not a key", f"Did you mean 'ctrl+{word[1].lower()}'?")
    close = difflib.get_close_matches(lower, (*SPECIAL, "question_mark", *_SIGNS), n=1)
    remedy = f"Did you mean {close[0]!r}?" if close else "Write a sign, a name such as f5, or ctrl+ and a letter."
    raise NotAKey(f"{written!r} is not a key", remedy)


def shown(key: str) -> str:
    """A key of Textual's as it is read: `question_mark` is `?`, `escape` is `esc`."""
    *modifiers, base = key.split("+")
    return "+".join([*modifiers, "esc" if base == "escape" else character_of(base) or base])


def shown_briefly(key: str) -> str:
    """The same where room is scarce: `ctrl+p` is `^p`."""
    told = shown(key)
    return f"^{told.removeprefix('ctrl+')}" if told.startswith("ctrl+") and len(told) == 6 else told


def is_seldom_sent(key: str) -> bool:
    """Whether most terminals do not send a key of Textual's: only those with the keyboard protocol of kitty do."""
    *modifiers, base = key.split("+")
    if not modifiers or key == "shift+tab":
        return False
    if base in _SENT_WITH_ANY:
        return not {"alt", "ctrl", "shift"}.issuperset(modifiers)
    is_letter = len(base) == 1 and base.isascii() and base.isalpha()
    if modifiers == ["ctrl"]:
        return not is_letter and base not in _SENT_WITH_CTRL
    return modifiers != ["alt"] or not is_letter


def types_something(key: str) -> bool:
    """Whether a field that is typed into has a use for the key: it writes, deletes, moves or goes on."""
    return not key.startswith(("alt+", "ctrl+", "hyper+", "meta+", "super+")) and key not in FUNCTION_KEYS
