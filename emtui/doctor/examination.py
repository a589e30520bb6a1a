"""The whole examination: every look in its order, each bounded in time."""

from collections.abc import Generator, Sequence

from emtui.doctor import (
    clock,
    configuration,
    engines,
    keeping,
    machine,
    onboard,
    remote,
    sockets,
    terminal,
    versions,
    workspace,
)
from emtui.doctor.case import Case
from emtui.doctor.checks import Check, Step, taken

# Four engines of which each has 20 s, and a workspace that is made for them on a slow disk.
_ENGINES_S = 100.0

STEPS: tuple[Step, ...] = (
    Step(engines.SECTION, "engines", engines.look_at_engines, _ENGINES_S),
    Step(sockets.SECTION, "sockets", sockets.look_at_sockets, 15.0),
    Step(onboard.SECTION, "base images", onboard.look_on_board, 20.0),
    Step(workspace.SECTION, "folder", workspace.look_at_folder),
    Step(workspace.SECTION, "disk", workspace.look_at_disk),
    Step(remote.SECTION, "ends", remote.look_at_remotes, 2 * remote.PATIENCE_S),
    Step(configuration.SECTION, "file", configuration.look_at_configuration),
    Step(versions.SECTION, "versions", versions.look_at_versions),
    Step(terminal.SECTION, "terminal", terminal.look_at_terminal, 10.0),
    Step(clock.SECTION, "clock", clock.look_at_clock),
    Step(machine.SECTION, "limits", machine.look_at_machine),
    # Importing a keyring's library may take longer than all the rest.
    Step(keeping.SECTION, "keyring", keeping.look_at_keeping, 10.0),
)


def examine(case: Case, steps: Sequence[Step] = STEPS) -> Generator[list[Check], None, None]:
    """What each step finds, as soon as it has. What was made to try things in is removed at the end. Blocks."""
    try:
        for step in steps:
            yield taken(step, case)
    finally:
        case.scratch.remove()
