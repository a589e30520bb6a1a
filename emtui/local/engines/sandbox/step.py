"""One RUN of a build, in a process of its own: contained, and over as soon as the builder is gone.

Started as `python -m …`; the first line of stdin is `{"isolation", "jail"}`. The command's output is this process's
stdout. stdin stays open as long as the builder lives: its end ends everything, also when the builder was killed. The
last line of stderr is JSON: `{"exit_code", "error"}`, `error` only where the command could not be executed.
"""

import json
import os
import select
import sys

from emtui.local.engines.disk import DiskWatch
from emtui.local.engines.sandbox.isolation import isolation_by_name
from emtui.local.engines.sandbox.jail import Jail, close_quietly, exit_code
from emtui.local.engines.sandbox.run import TICK_S

_TAIL_BYTES = 4096


def main() -> None:
    """Run it and tell how it ended."""
    order = json.loads(_first_line())
    jail = Jail.from_json(order["jail"])
    output = os.dup(1)
    read, write = os.pipe()
    try:
        contained = isolation_by_name(order["isolation"]).start(jail, write, write)
    except OSError as error:
        _tell(126, f"sandbox: {error}")
        return
    finally:
        close_quietly(write)
    disk = DiskWatch(jail.root, jail.limits.keep_free_bytes)
    why = ""
    tail = b""
    ended = os.pidfd_open(contained.process.pid)
    sources = [read, 0, ended]
    while read in sources or contained.process.poll() is None:
        ready, _, _ = select.select(sources, [], [], TICK_S)
        if read in ready:
            chunk = os.read(read, 65_536)
            tail = (tail + chunk)[-_TAIL_BYTES:]
            _write(output, chunk)
            if not chunk:
                sources.remove(read)
        elif ended in ready and contained.process.poll() is not None:
            break  # everything in it is dead, and the pipe is empty
        if 0 in ready and not os.read(0, 4096):
            contained.kill()
            sources.remove(0)
        if disk.is_too_full() and not why:
            why = "no space left on device"
            contained.kill()
    contained.process.wait()
    why = why or contained.start_error(tail.decode("utf-8", "replace"))
    contained.close()
    _tell(exit_code(contained.process), why)


def _first_line() -> bytes:
    line = bytearray()
    while not line.endswith(b"\n"):
        chunk = os.read(0, 65_536)  # the builder writes nothing behind the line
        if not chunk:
            raise SystemExit("no order")
        line += chunk
    return bytes(line)


def _write(output: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(output, view) :]


def _tell(code: int, error: str) -> None:
    sys.stderr.write(json.dumps({"exit_code": code, "error": error}) + "\n")


if __name__ == "__main__":
    main()
