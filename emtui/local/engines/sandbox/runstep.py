"""RUN from the builder's side: starts `step`, hands its output on line by line, and ends it when nobody waits."""

import json
import os
import select
import subprocess
from dataclasses import dataclass

from emtui.local.engines.buildlog import MAX_LINE, Step
from emtui.local.engines.sandbox.jail import Jail
from emtui.local.engines.sandbox.tree import Check
from emtui.local.engines.spawn import python_command

_MODULE = "emtui.local.engines.sandbox.step"
# How soon a cancelled build is noticed.
_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class RunEnded:
    """How a RUN ended; `error` says why its command could not be executed."""

    exit_code: int
    error: str


def run_step(isolation: str, jail: Jail, log: Step | None, check: Check) -> RunEnded:
    """Run a command contained, to its end. What `check` raises ends it.

    Raises:
        OSError: this package could not start itself.
    """
    command, env = python_command(_MODULE)
    with subprocess.Popen(
        command, env=env, cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None  # noqa: S101, PT018 - they are pipes
        try:
            order = json.dumps({"isolation": isolation, "jail": jail.to_json()})
            process.stdin.write(order.encode() + b"\n")
            process.stdin.flush()
            _read_output(process.stdout.fileno(), log, check)
            told = process.stderr.read(65_536).decode("utf-8", "replace").strip()
        except BaseException:
            # Everything in it dies with it.
            process.kill()
            raise
    try:
        ended = json.loads(told.splitlines()[-1])
        return RunEnded(int(ended["exit_code"]), str(ended["error"]))
    except (ValueError, KeyError, IndexError, TypeError):
        return RunEnded(126, f"sandbox: {told or 'its process was ended from outside'}")


def _read_output(source: int, log: Step | None, check: Check) -> None:
    pending = b""
    while True:
        check()
        ready, _, _ = select.select([source], [], [], _POLL_S)
        if not ready:
            continue
        chunk = os.read(source, 65_536)
        *lines, pending = (pending + chunk).split(b"\n")
        if not chunk and pending:
            lines, pending = [pending], b""
        while len(pending) > MAX_LINE:
            lines.append(pending[:MAX_LINE])
            pending = pending[MAX_LINE:]
        for line in lines:
            if log is not None:
                log.output(line[:MAX_LINE].decode("utf-8", "surrogateescape"))
        if not chunk:
            return
