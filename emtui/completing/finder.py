"""argcomplete's finder with the quoting of each shell, and without what would act on a terminal.

A name is completed so that the shell takes it as it is, or left out. One with characters that do not print (a line
feed, ESC, bytes that are not UTF-8) is left out: shells show what they offer.
"""

import os
import re
from argparse import ArgumentParser, Namespace

from argcomplete.finders import CompletionFinder

from emtui.text import safe_str

LOCAL_FILES = "\x1ffiles"
LOCAL_FOLDERS = "\x1ffolders"
"""Instead of names: the shell itself completes files, or folders, of this machine. No name can be so."""

# What no shell takes for anything else, wherever it stands in a word.
_SAFE_ASCII = re.compile(r"[A-Za-z0-9_@%+:,./-]")


class Finder(CompletionFinder):
    """As its base, but for the quoting, and for what follows a `--`: with `has_ended_options` no word is an option."""

    has_ended_options = False

    def collect_completions(
        self, active_parsers: list[ArgumentParser], parsed_args: Namespace, cword_prefix: str
    ) -> list[str]:
        """What completes the word; the words before it have been parsed."""
        if self.has_ended_options:
            active_parsers[-1].prefix_chars = ""
        return super().collect_completions(active_parsers, parsed_args, cword_prefix)

    def filter_completions(self, completions: list[str]) -> list[str]:
        """Each once, and only what can be shown; a request to the shell goes alone."""
        wishes = [completion for completion in completions if "\x1f" in completion]
        if wishes:
            return [wishes[0][wishes[0].index("\x1f") :]]
        return [completion for completion in dict.fromkeys(completions) if safe_str(completion) == completion]

    def quote_completions(
        self, completions: list[str], cword_prequote: str, last_wordbreak_pos: int | None
    ) -> list[str]:
        """`completions` as the shell wants them, their descriptions with them."""
        if completions and completions[0].startswith("\x1f"):
            return completions
        shell = os.environ.get("_ARGCOMPLETE_SHELL", "bash")
        if shell == "fish":
            quoted = completions  # it quotes by itself
        elif shell == "zsh":
            quoted = [_for_zsh(completion) for completion in completions]
        else:
            # bash has taken off what stands before a : or = of an unquoted word.
            cut = 0 if cword_prequote or last_wordbreak_pos is None else last_wordbreak_pos + 1
            quoted = [_for_bash(completion, cut, cword_prequote) for completion in completions]
        shown = self.get_display_completions()
        shown |= {new: shown.get(old) or "" for old, new in zip(completions, quoted, strict=True)}
        if self.append_space and len(quoted) == 1 and not cword_prequote and quoted[0][-1:] not in "/:=":
            return [f"{quoted[0]} "]
        return quoted


def _for_zsh(completion: str) -> str:
    """`_describe` takes a `:` for the end, and one backslash away; zsh then quotes by itself."""
    return completion.replace("\\", "\\\\").replace(":", "\\:")


def _for_bash(completion: str, cut: int, quote: str) -> str:
    rest = completion[cut:]
    if quote == "'":
        return rest.replace("'", "'\\''")
    if quote == '"':
        # A ! stays special between these, with a backslash too: it goes between two pairs of them.
        return re.sub(r'["\\$`]', lambda found: f"\\{found.group()}", rest).replace("!", '"\\!"')
    return "".join(
        character if _SAFE_ASCII.match(character) or not character.isascii() else _escaped(character, at + cut)
        for at, character in enumerate(rest)
    )


def _escaped(character: str, at: int) -> str:
    """A character of a word without quotes; `--option=` is left as it is, which a shell takes so."""
    return character if character == "=" and at else f"\\{character}"
