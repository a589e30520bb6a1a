"""`emtui doctor`: what works here, what does not, and what to do about it."""

import argparse
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import TextIO

from emtui.cli.exit_codes import Exit
from emtui.cli.output import can_write, write_what_can_be_shown
from emtui.cli.profile_options import profile_from
from emtui.cli.verb import Verb
from emtui.doctor.bounds import Failed, NoEnd, within
from emtui.doctor.case import Case
from emtui.doctor.checks import Check
from emtui.doctor.examination import STEPS, examine
from emtui.doctor.report import Human, document
from emtui.errors import ConfigProblem
from emtui.profile import Profile, default_workspace

_COLUMNS = 80
_CONFIG_S = 5.0


class _Ended(BaseException):
    """A signal has ended it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _run(options: argparse.Namespace) -> int:
    for stream in (sys.stdout, sys.stderr):
        write_what_can_be_shown(stream)
    try:
        with _signals_raise():
            code, is_held_up = _examined(options)
    except _Ended as ended:
        code, is_held_up = 128 + ended.number, True
    if is_held_up:
        # Python would wait for the thread of a look that does not end.
        sys.stderr.flush()
        os._exit(code)
    return code


def _examined(options: argparse.Namespace) -> tuple[int, bool]:
    """Examine and tell. Returns the exit code, and whether a thread may still be at work."""
    case = _case(options)
    try:
        checks = _told_as_document(case) if options.json else _told_as_lines(case)
        sys.stdout.flush()
    finally:
        case.scratch.remove()  # once more, where a signal has ended the wait for it
    return Exit.CONFIG if any(check.state == "fail" for check in checks) else Exit.OK, case.is_held_up


@contextlib.contextmanager
def _signals_raise() -> Iterator[None]:
    """The first signal ends it by an exception, so that nothing is left behind. Later ones do not hinder that."""
    is_ended = False

    def end(number: int, _frame: FrameType | None) -> None:
        nonlocal is_ended
        if not is_ended:
            is_ended = True
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


def _case(options: argparse.Namespace) -> Case:
    """What the options name. Options that are wrong are a finding, not the end."""
    from emtui.config import config_path

    config = options.config or config_path()
    is_named = options.config is not None or options.profile is not None or bool(os.environ.get("EMTUI_CONFIG"))
    workspace = options.local or default_workspace(demo=options.demo)
    usual = Profile(workspace, engine=options.engine)
    try:
        answer = within(_CONFIG_S, "doctor options", lambda: profile_from(options))
    except NoEnd:
        problem = ConfigProblem(f"{config}: no end within {_CONFIG_S:g} s", remedy="Name another file by --config.")
        return Case(usual, config, is_named, problem, is_held_up=True)
    if not isinstance(answer, Failed):
        return Case(answer, config, is_named)
    if isinstance(answer.error, ConfigProblem):
        return Case(usual, config, is_named, answer.error)
    remedy = "A fault of emtui itself; please report this line."
    return Case(usual, config, is_named, ConfigProblem(f"{type(answer.error).__name__}: {answer.error}", remedy=remedy))


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
        has_shapes=is_terminal and can_write(sys.stdout, "●■▼→"),
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


class _Progress:
    """What is being looked at, on a terminal's last line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._dots = "…" if can_write(stream, "…") else "..."
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
            self._stream.write(f"looking at the {STEPS[number].name} {self._dots}")
            self._stream.flush()

    def clear(self) -> None:
        if self._is_shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


VERBS = (
    Verb(
        "doctor",
        "",
        "Tell what works here, what does not, and what to do about it",
        _run,
        description="Engines, workspace, versions, terminal, clock, limits; and a profile's remote ends, to which\n"
        "nothing secret is sent. It changes nothing. Exit code 3 where what the options name cannot be used.",
        runs_images=True,
    ),
)
