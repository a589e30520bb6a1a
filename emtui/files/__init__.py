"""The operator's own disk: what is read from it and written to it, verified and whole or not at all."""

from emtui.files.names import are_one_file, collisions, local_name, told_apart
from emtui.files.plan import UplinkBatch, UplinkPlan, plan_uplink
from emtui.files.problems import disk_problem
from emtui.files.source import FileSource, MemorySource
from emtui.files.writing import existing, sweep, sync_folder, write_verified

__all__ = [
    "FileSource",
    "MemorySource",
    "UplinkBatch",
    "UplinkPlan",
    "are_one_file",
    "collisions",
    "disk_problem",
    "existing",
    "local_name",
    "plan_uplink",
    "sweep",
    "sync_folder",
    "told_apart",
    "write_verified",
]
