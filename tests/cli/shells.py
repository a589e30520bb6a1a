"""Real shells in a pseudo-terminal that complete emtui's words: bash, zsh and fish."""

import os
import re
import shutil
import sys
import time
from pathlib import Path

from tests.e2e.terminal import Terminal
from tests.missing import missing

_PROMPT = "ready>"
_START = {
    "bash": ("bash", "--norc", "--noprofile", "-i"),
    "zsh": ("zsh", "-f", "-i"),
    "fish": ("fish", "--no-config", "-i"),
}
_SET_UP = {
    "bash": f"PS1='{_PROMPT} '; bind 'set bell-style none'; bind 'set page-completions off'\n"
    "bind 'set show-all-if-ambiguous on'; bind 'set enable-bracketed-paste off'; HISTFILE=\n"
    'eval "$(emtui completion bash)"\n',
    "zsh": f"PROMPT='{_PROMPT} '; unsetopt beep; autoload -Uz compinit; compinit -D -u\n"
    'eval "$(emtui completion zsh)"\n',
    "fish": f"function fish_prompt; echo -n '{_PROMPT} '; end; function fish_greeting; end\n"
    "set fish_autosuggestion_enabled 0; emtui completion fish | source\n",
}
# So long nothing may come at all, and so long nothing more once something has come. emtui answers within 0.2 s.
_THINKING_S = 1.5
_SHOWING_S = 0.4

# Completes as emtui does, and tells the words that it was given in place of doing anything.
_TELLS = """#!/bin/sh
if [ -n "$_ARGCOMPLETE" ] || [ "$1" = completion ]; then exec {python} -m emtui "$@"; fi
for word; do printf '<%s>\\n' "$word"; done
echo "told $#"
"""


class Shell:
    """One shell in `folder`, which is its home too; end it with `close`.

    `emtui` in it completes, and tells its words when it is run.
    """

    def __init__(self, name: str, folder: Path) -> None:
        if shutil.which(name) is None:
            missing(f"no {name} here, whose completion is to be tried")
        self.name = name
        self.folder = folder
        programs = folder / ".programs"
        programs.mkdir(parents=True)
        (programs / "emtui").write_text(_TELLS.format(python=sys.executable))
        (programs / "emtui").chmod(0o755)
        env = {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "SHELL": name, "HOME": str(folder)}
        self.terminal = Terminal(_START[name], size=(140, 50), cwd=folder, env=env)
        self.terminal.wait_quiet(0.5)
        self.terminal.send(_SET_UP[name])
        self._clear()

    def complete(self, line: str) -> str:
        """Type a line and press tab. Returns the screen."""
        self.terminal.send(line)
        self.terminal.wait_quiet(0.15)
        before = len(self.terminal.raw)
        self.terminal.send("\t")
        deadline = time.monotonic() + _THINKING_S
        while len(self.terminal.raw) == before and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.terminal.wait_quiet(_SHOWING_S, 30)

    def words(self, line: str) -> list[str]:
        """Complete a line and run it. Returns the words that emtui was given."""
        self.complete(line)
        self.terminal.send("\r")
        told = self.terminal.wait_for(re.compile(r"^told \d+$", re.MULTILINE))
        self._clear()
        return re.findall(r"^<(.*)>$", told, re.MULTILINE)

    def offered(self, line: str) -> str:
        """Complete a line and leave it. Returns what the screen showed below it."""
        screen = self.complete(line)
        self.terminal.send("\x05\x15")  # to the end, and away with all before it
        self.terminal.wait_quiet(0.3)
        self._clear()
        return screen

    def _clear(self) -> None:
        self.terminal.wait_quiet(0.15)
        self.terminal.send("clear; echo wi''ped\r")
        self.terminal.wait_for(re.compile(rf"\A\s*wiped\s+{_PROMPT}\s*\Z"), 15)

    def close(self) -> None:
        """End the shell."""
        self.terminal.close()
