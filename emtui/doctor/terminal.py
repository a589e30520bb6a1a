"""The terminal: whether there is one, how large it is, how many colours and which letters it shows."""

import codecs
import os
import subprocess
from collections.abc import Mapping, Sequence

from emtui.doctor.case import Case
from emtui.doctor.checks import Check

SECTION = "terminal"

STREAMS = ("stdin", "stdout", "stderr")
LEAST_SIZE = (40, 10)
"""Columns and lines below which the console only says that it is too small."""

COMFORTABLE_SIZE = (100, 30)
"""Columns and lines from which on all panes are shown at once."""

_TMUX_S = 2.0


def look_at_terminal(case: Case) -> list[Check]:
    """All of it, by the environment and the three standard streams. Blocks for as long as tmux takes to answer."""
    terminals = [os.isatty(fd) for fd in range(len(STREAMS))]
    checks = [streams_check(terminals), term_check(case.environment)]
    if True in terminals:
        size = os.get_terminal_size(terminals.index(True))
        checks.append(size_check(size.columns, size.lines))
    checks += [colours_check(case.environment), letters_check(case.environment)]
    return checks + multiplexer_checks(case.environment)


def streams_check(terminals: Sequence[bool]) -> Check:
    """Which of stdin, stdout and stderr are terminals: the console needs all three."""
    others = [name for name, is_one in zip(STREAMS, terminals, strict=True) if not is_one]
    if not others:
        return Check(SECTION, "streams", "ok", "stdin, stdout and stderr are terminals")
    found = f"{', '.join(others)} {'is' if len(others) == 1 else 'are'} no terminal here"
    return Check(SECTION, "streams", "note", found, "Start the console itself without a pipe or a redirection.")


def term_check(environment: Mapping[str, str]) -> Check:
    """`TERM`."""
    term = environment.get("TERM", "")
    if term in ("", "dumb", "unknown"):
        return Check(
            SECTION,
            "TERM",
            "note",
            term or "not set",
            "Start it in a terminal, or set TERM=xterm-256color if it is one.",
        )
    return Check(SECTION, "TERM", "ok", term)


def size_check(columns: int, lines: int) -> Check:
    """How large the terminal is."""
    found = f"{columns} × {lines}"
    if columns <= 0 or lines <= 0:
        return Check(SECTION, "size", "note", "the terminal does not tell it", "Set it: stty columns 120 rows 40.")
    if columns < LEAST_SIZE[0] or lines < LEAST_SIZE[1]:
        todo = f"Make it {LEAST_SIZE[0]} × {LEAST_SIZE[1]} or larger."
        return Check(SECTION, "size", "note", f"{found} is too small for the console", todo)
    if columns < COMFORTABLE_SIZE[0] or lines < COMFORTABLE_SIZE[1]:
        todo = f"Make it {COMFORTABLE_SIZE[0]} × {COMFORTABLE_SIZE[1]} or larger to see all panes at once."
        return Check(SECTION, "size", "note", f"{found}: one pane at a time", todo)
    return Check(SECTION, "size", "ok", found)


def colours_check(environment: Mapping[str, str]) -> Check:
    """How many colours are used."""
    term = environment.get("TERM", "")
    if environment.get("NO_COLOR"):
        return Check(SECTION, "colours", "ok", "none, since NO_COLOR is set")
    if environment.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return Check(SECTION, "colours", "ok", "24 bit")
    todo = "If the terminal can show 24 bit: export COLORTERM=truecolor."
    if "256color" in term or term in ("xterm-kitty", "alacritty"):
        return Check(SECTION, "colours", "ok", "256", todo)
    return Check(SECTION, "colours", "note", "16 or fewer, by what TERM and COLORTERM say", todo)


def letters_check(environment: Mapping[str, str]) -> Check:
    """Whether the locale is UTF-8."""
    name = next((name for name in ("LC_ALL", "LC_CTYPE", "LANG") if environment.get(name)), "")
    locale = environment.get(name, "")
    codeset = locale.partition(".")[2].partition("@")[0]
    try:
        is_utf8 = codecs.lookup(codeset).name == "utf-8" if codeset else locale == "UTF-8"
    except LookupError:
        is_utf8 = False
    if is_utf8:
        return Check(SECTION, "letters", "ok", f"UTF-8 ({name}={locale})")
    found = f"{name}={locale}, which is not UTF-8" if name else "no locale is set"
    return Check(SECTION, "letters", "note", found, "export LANG=C.UTF-8, so that lines, marks and names are shown.")


def multiplexer_checks(environment: Mapping[str, str]) -> list[Check]:
    """tmux or screen, which stand between the console and the terminal. Nothing where there is none. Blocks."""
    if environment.get("TMUX"):
        features = _ask_tmux(environment, "display-message", "-p", "#{client_termfeatures} #{client_termname}")
        clipboard = _ask_tmux(environment, "show-options", "-sv", "set-clipboard")
        return tmux_checks(features, clipboard, has_colours=not environment.get("NO_COLOR"))
    if environment.get("STY"):
        found = "GNU screen: no 24-bit colour, and what y copies does not reach the terminal's clipboard"
        return [Check(SECTION, "screen", "note", found, "Use tmux, or no multiplexer.")]
    return []


def tmux_checks(features: str | None, clipboard: str | None, *, has_colours: bool) -> list[Check]:
    """What tmux passes on: `features` of its client, and its option set-clipboard; None where it does not tell."""
    if features is None or clipboard is None:
        found = "it does not tell what it passes on"
        return [Check(SECTION, "tmux", "note", found, "See that it has set-clipboard on, and RGB for 24-bit colour.")]
    checks: list[Check] = []
    if "RGB" in features.partition(" ")[0].split(","):
        checks.append(Check(SECTION, "tmux colours", "ok", "24 bit is passed on"))
    elif has_colours:
        todo = "If the terminal can: set -as terminal-features ',*:RGB' in ~/.tmux.conf (tmux 3.2), and attach anew."
        checks.append(Check(SECTION, "tmux colours", "note", "24-bit colours are not passed on", todo))
    if clipboard == "on":
        return [*checks, Check(SECTION, "tmux clipboard", "ok", "what y copies reaches the terminal")]
    found = f"set-clipboard is {clipboard}: what y copies does not reach the terminal"
    todo = "tmux set -s set-clipboard on; and the same in ~/.tmux.conf."
    return [*checks, Check(SECTION, "tmux clipboard", "note", found, todo)]


def _ask_tmux(environment: Mapping[str, str], *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["tmux", *words], capture_output=True, text=True, errors="replace", timeout=_TMUX_S, check=True,
            stdin=subprocess.DEVNULL, env=dict(environment),
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
