"""The configuration's file: whether it is there, is right, and which profiles are in it."""

from pathlib import Path

from emtui.doctor.case import Case
from emtui.doctor.checks import Check, State

SECTION = "configuration"


def look_at_configuration(case: Case) -> list[Check]:
    """The file, and what the options make of it. Blocks."""
    from emtui.config import read_config
    from emtui.errors import ConfigProblem

    checks: list[Check] = []
    told = ""
    if not case.is_config_named and _is_missing(case.config):
        checks.append(Check(SECTION, "file", "ok", f"{case.config}: there is none, and none is needed"))
    else:
        try:
            config, warnings = read_config(case.config)
        except ConfigProblem as problem:
            told = problem.message
            state: State = "fail" if case.is_config_named else "note"
            checks.append(Check(SECTION, "file", state, problem.message, problem.remedy))
        else:
            profiles = ", ".join(config.profile) or "none"
            checks.append(Check(SECTION, "file", "ok", f"{case.config}; profiles: {profiles}"))
            checks += [Check(SECTION, "key", "note", warning, "Remove it, or mend its name.") for warning in warnings]
    if case.problem is not None and case.problem.message != told:
        checks.append(Check(SECTION, "options", "fail", case.problem.message, case.problem.remedy))
    return checks


def _is_missing(file: Path) -> bool:
    """It is not there; one that may not be looked for is there, since who reads it will be told why that fails."""
    try:
        file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
