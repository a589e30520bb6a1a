"""Questions to whoever sits at the terminal. Without one nothing is ever asked: `--yes`, or a refusal."""

import asyncio
import signal
import sys

from emtui.cli.output import Output
from emtui.errors import Cancelled, Unconfirmed
from emtui.text import safe_str

# A list of names that does not fit on a screen is no help.
_MOST_NAMED = 10


async def agree(out: Output, question: str, *, yes: bool, names: tuple[str, ...] = ()) -> None:
    """Go on only if somebody wants it. `names` are what it is about; question and names may hold foreign text.

    Raises:
        Unconfirmed: nobody can be asked, and `--yes` was not given.
        Cancelled: the answer was no.
    """
    if yes:
        return
    for name in names[:_MOST_NAMED] if len(names) > 1 else ():  # the question itself names a single one
        out.say(f"  {name}")
    if len(names) > _MOST_NAMED:
        out.say(f"  and {len(names) - _MOST_NAMED} more")
    if not (sys.stdin.isatty() and out.stderr.isatty()):
        raise Unconfirmed(f"{question} Nobody can be asked: this is not a terminal")
    out.clear()
    out.stderr.write(f"{safe_str(question)} [y/N] ")
    out.stderr.flush()
    answer = await _line(out)
    if not answer.endswith("\n"):  # Ctrl+D
        out.stderr.write("\n")
    if answer.strip().lower() not in ("y", "yes"):
        raise Cancelled("not agreed to, nothing was done", remedy="")


async def secret(out: Output, prompt: str) -> str:
    """What is typed without being shown; empty where nothing was. Stdin is a terminal; `prompt` may be foreign."""
    import termios

    out.clear()
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    silent = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]

    def begin() -> None:
        termios.tcsetattr(terminal, termios.TCSAFLUSH, silent)
        out.stderr.write(safe_str(prompt))
        out.stderr.flush()

    loop = asyncio.get_running_loop()
    # The shell that had the terminal between Ctrl+Z and `fg` leaves it as it likes it.
    loop.add_signal_handler(signal.SIGCONT, begin)
    try:
        begin()
        typed = await _line(out)
    finally:
        loop.remove_signal_handler(signal.SIGCONT)
        termios.tcsetattr(terminal, termios.TCSAFLUSH, before)
    out.stderr.write("\n")
    return typed.rstrip("\n")


async def _line(out: Output) -> str:
    """A line of the terminal. A thread that reads could not be stopped, and Ctrl+C would have to wait for it."""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ready.set)
    try:
        await ready.wait()
    except asyncio.CancelledError:
        out.stderr.write("\n")
        raise
    finally:
        loop.remove_reader(sys.stdin.fileno())
    return sys.stdin.readline()
