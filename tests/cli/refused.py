"""What a verb that refuses something writes."""

from emtui.cli.exit_codes import Exit
from tests.cli.harness import Done


def is_refused(done: Done, code: Exit, told: str) -> None:
    """One line on stderr, and nothing on stdout."""
    assert done.code == code, done
    assert done.stdout == b""
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
