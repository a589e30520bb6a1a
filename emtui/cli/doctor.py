"""`emtui doctor`: what works here, what does not, and what to do about it."""

import argparse
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import TextIO

from emtui.cli.exit_codes import Exit
from emtui.cli.profile_options import add_profile_options, profile_from
from emtui.doctor.case import Case
from emtui.doctor.checks import Check
from emtui.doctor.examination import STEPS, examine
from emtui.doctor.report import Human, document
from emtui.errors import ConfigProblem
from emtui.profile import Profile, default_workspace

_COLUMNS = 80


class _Ended(BaseException):
    """A signal has ended it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def main(arguments: Sequence[str]) -> int:
    """Run `emtui doctor` with its options. Returns its exit code."""
    options = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a locale that has no such letter is no reason to end
            stream.reconfigure(errors="backslashreplace")
    case = _case(options)
    code, is_held_up = int(Exit.OK), False
    try:
        with _signals_raise():
            checks = _told_as_document(case) if options.json else _told_as_lines(case)
            sys.stdout.flush()
    except _Ended as ended:
        code, is_held_up = 128 + ended.number, True
    except BrokenPipeError:  # somebody has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        is_held_up = case.is_held_up
    else:
        code = Exit.CONFIG if any(check.state == "fail" for check in checks) else Exit.OK
        is_held_up = case.is_held_up
    if is_held_up:
        # Python would wait for the thread of a look that does not end.
        sys.stderr.flush()
        os._exit(code)
    return code


@contextlib.contextmanager
def _signals_raise() -> Iterator[None]:
    """A signal ends it by an exception, so that nothing that was made to try things in is left behind."""

    def end(number: int, _frame: FrameType | None) -> None:
        raise _Ended(number)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:
            signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="emtui doctor",
        description="Tell what works here, what does not, and what to do about it: engines, workspace, versions, "
        "terminal, clock, limits; and the remote ends of a profile, to which nothing secret is sent. It takes the "
        "options of emtui and changes nothing. Exit code 3 where what they name cannot be used.",
        allow_abbrev=False,
    )
    add_profile_options(parser)
    parser.add_argument("--json", action="store_true", help="write one JSON document")
    return parser


def _case(options: argparse.Namespace) -> Case:
    """What the options name. Options that are wrong are a finding, not the end."""
    from emtui.config import config_path

    config = options.config or config_path()
    is_named = options.config is not None or options.profile is not None
    if not (options.profile or options.em_url or options.grid_url):
        options.config = None  # it is only looked at
    try:
        return Case(profile_from(options), config, is_named)
    except ConfigProblem as problem:
        workspace = options.local or default_workspace(demo=options.demo)
        return Case(Profile(workspace, engine=options.engine), config, is_named, problem)


def _told_as_document(case: Case) -> list[Check]:
    checks: list[Check] = []
    with _Progress(sys.stderr) as progress, contextlib.closing(examine(case)) as looks:
        for number, found in enumerate(looks, 1):
            checks += found
            progress.show(number)
    sys.stdout.write(f"{document(checks, case.engine)}\n")
    return checks


def _told_as_lines(case: Case) -> list[Check]:
    is_terminal = sys.stdout.isatty()
    human = Human(
        columns=shutil.get_terminal_size((_COLUMNS, 24)).columns if is_terminal else _COLUMNS,
        has_shapes=is_terminal and _can_write("●■▼→"),
        has_colour=is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb",
    )
    checks: list[Check] = []
    with _Progress(sys.stderr) as progress, contextlib.closing(examine(case)) as looks:
        for number, found in enumerate(looks, 1):
            checks += found
            progress.clear()
            sys.stdout.writelines(f"{line}\n" for line in human.lines(found))
            sys.stdout.flush()
            progress.show(number)
    lines = human.summary(checks, is_local=case.profile.em_kind == "local", engine=case.engine)
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return checks


def _can_write(letters: str) -> bool:
    try:
        letters.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


class _Progress:
    """What is being looked at, on a terminal's last line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_shown = stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"

    def __enter__(self) -> "_Progress":
        self.show(0)
        return self

    def __exit__(self, *_error: object) -> None:
        with contextlib.suppress(OSError):
            self.clear()

    def show(self, number: int) -> None:
        """The step at `number` is next."""
        if self._is_shown and number < len(STEPS):
            self._stream.write(f"looking at the {STEPS[number].name} …")
            self._stream.flush()

    def clear(self) -> None:
        if self._is_shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
