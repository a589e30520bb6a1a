"""What a container's inspection means, as a Kubernetes `ContainerState` (EM API §9)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from emtui.local.engines.records import State, terminated

# The runtime's only words where the command could not be executed after all: the container has started by then.
_EXEC_FAILED = re.compile(r"(?:no such file or directory|exec format error|permission denied)")
_OLDER_RUNTIME = re.compile(r"standard_init_linux\.go:\d+: exec user process caused: .*")
_EXEC_CODES = (1, 126, 127, 255)


@dataclass(frozen=True, slots=True)
class Inspected:
    """The `State` of a container, with times in seconds since the epoch (0 for never), and what it executes."""

    status: str
    exit_code: int
    error: str
    is_out_of_memory: bool
    started_at: float
    finished_at: float
    program: str = ""

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Inspected":
        state = document.get("State") or {}
        return cls(
            status=str(state.get("Status", "")),
            exit_code=int(state.get("ExitCode") or 0),
            error=str(state.get("Error") or ""),
            is_out_of_memory=bool(state.get("OOMKilled")),
            started_at=moment(state.get("StartedAt")),
            finished_at=moment(state.get("FinishedAt")),
            program=str(document.get("Path") or ""),
        )

    @property
    def has_started(self) -> bool:
        return self.started_at > 0

    @property
    def has_ended(self) -> bool:
        return self.status in ("exited", "dead", "removing", "stopped")


def moment(text: Any) -> float:
    """A time of the engine's as seconds since the epoch; 0 for none (the year 1)."""
    try:
        made = datetime.fromisoformat(str(text))
        return made.timestamp() if made.year > 1 and made.tzinfo is not None else 0.0
    except (ValueError, OverflowError):
        return 0.0


def ended(found: Inspected, last_words: str, *, overdue: str, evicted: str, asked: bool, note: str, told: str) -> State:
    """The last state of a container that ran.

    Args:
        found: how it ended.
        last_words: the line that it printed, where it is the only one.
        overdue, evicted: why it was stopped; empty for neither.
        asked: it was stopped as somebody asked.
        note: what is special about this run.
        told: what happened meanwhile: the engine was away.
    """
    times = {"started_at": found.started_at, "finished_at": found.finished_at or None}
    code = found.exit_code
    if evicted:
        return terminated(code, "Evicted", evicted, told, note, **times)
    if overdue:
        return terminated(code, "DeadlineExceeded", overdue, told, note, **times)
    if code == 0:
        return terminated(0, "Completed", told, note, **times)
    if found.is_out_of_memory and code == 137:
        return terminated(137, "OOMKilled", told, note, **times)
    if asked:
        return terminated(code, "Error", "stopped as asked", told, note, **times)
    said = last_words if code in _EXEC_CODES and _is_the_runtimes(last_words, found.program) else ""
    # Older runtimes end with 1 where newer ones do with 255.
    return terminated(255 if said else code, "Error", said, told, note, **times)


def _is_the_runtimes(line: str, program: str) -> bool:
    """Whether a line is the runtime's complaint about the command that it was to execute, and not the command's own."""
    said = line.removeprefix(f"exec {program}: ")
    return bool(_OLDER_RUNTIME.fullmatch(line) or (said != line and _EXEC_FAILED.fullmatch(said)))


def cannot_start(why: str, note: str) -> State:
    """A container that the engine could not make or start, as Kubernetes words it."""
    why = why.removesuffix(": unknown").removesuffix(".")
    return terminated(128, "StartError", f"failed to create containerd task: {why}", note)
