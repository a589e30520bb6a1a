"""Runs the console in the terminal, and says in one line why it could not."""

import sys
from typing import TYPE_CHECKING

from emtui.console.app import CANNOT_OPEN_EXIT, EmtuiApp
from emtui.console.hangup import signals_leave, terminal_may_go
from emtui.errors import ConfigProblem, EmtuiError
from emtui.settings import ConsoleSettings
from emtui.text import safe_str
from emtui.theme_files import read_theme

if TYPE_CHECKING:
    from emtui.profile import Profile


def run_console(profile: "Profile", settings: ConsoleSettings | None = None) -> int:
    """Run the console until the operator leaves. Returns the exit code; a failure is one line on stderr."""
    try:
        app = EmtuiApp(profile, settings)
        read_theme(app.settings.theme)
    except ConfigProblem as error:
        return _fail(error)
    with terminal_may_go(), signals_leave(app.leave):
        app.run()
    return _fail(app.failure, app.exit_code) if app.failure is not None else app.exit_code


def _fail(error: EmtuiError, exit_code: int = CANNOT_OPEN_EXIT) -> int:
    remedy = f" {safe_str(error.remedy)}" if error.remedy else ""
    print(f"emtui: {safe_str(error.message.rstrip('.'))}.{remedy}", file=sys.stderr)  # noqa: T201 - its one line
    return exit_code
