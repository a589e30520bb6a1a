"""The configuration's file: whether it is there, is right, and which profiles are in it."""

from emtui.doctor.case import Case
from emtui.doctor.checks import Check

SECTION = "configuration"


def look_at_configuration(case: Case) -> list[Check]:
    """The file, and what the options make of it. Blocks."""
    from emtui.config import read_config
    from emtui.config.environment import unknown_ones
    from emtui.config.loading import absent
    from emtui.errors import ConfigProblem

    checks: list[Check] = []
    told = ""
    gone = None if case.is_config_named else absent(case.config)
    if gone is not None:
        checks += [Check(SECTION, "file", "note", what, remedy) for what, remedy in gone.odd]
        if not checks:
            checks.append(Check(SECTION, "file", "ok", f"{case.config}: there is none, and none is needed"))
    else:
        try:
            loaded = read_config(case.config)
        except ConfigProblem as problem:
            told = problem.message
            checks.append(Check(SECTION, "file", "fail", problem.message, problem.remedy))
        else:
            profiles = ", ".join(loaded.profiles) or "none"
            checks.append(Check(SECTION, "file", "ok", f"{case.config}; profiles: {profiles}"))
            checks += [Check(SECTION, "console", "fail", one.text, one.remedy) for one in loaded.for_console]
            # What is odd about the very profile that is to be opened is told below.
            below = case.problem.message if case.problem is not None else ""
            checks += [Check(SECTION, "key", "note", what, remedy) for what, remedy in loaded.odd if what != below]
    unknown = unknown_ones(case.environment)
    checks += [Check(SECTION, "variable", "note", what, "Unset it, or mend its name.") for what in unknown]
    if case.problem is not None and case.problem.message != told:
        checks.append(Check(SECTION, "options", "fail", case.problem.message, case.problem.remedy))
    return checks
