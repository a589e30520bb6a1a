"""The console with two probes: when a listing was answered, and how long the event loop stood still.

    python benchmarks/probe.py NOTES --local DIR

Writes JSON lines to NOTES: `{"answered": t}` for each listing, `{"blocked_s": s, "at": t}` for each time the loop
stood still for more than `LEAST_S`. Times are of the monotonic clock, which all processes share.
"""

import asyncio
import json
import sys
import time
from typing import Any

LEAST_S = 0.002
TICK_S = 0.001


def install(path: str) -> None:
    from emtui.local.em import LocalEM

    notes = open(path, "a", buffering=1, encoding="utf-8")  # noqa: PTH123, SIM115 - open until the process ends
    list_files = LocalEM.list_files
    watching: list[asyncio.Task[None]] = []

    async def watch() -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(TICK_S)
            now = time.monotonic()
            if now - last - TICK_S > LEAST_S:
                notes.write(json.dumps({"blocked_s": now - last - TICK_S, "at": now}) + "\n")
            last = now

    async def noted(self: LocalEM) -> Any:
        if not watching:
            watching.append(asyncio.get_running_loop().create_task(watch()))
        listing = await list_files(self)
        notes.write(json.dumps({"answered": time.monotonic()}) + "\n")
        return listing

    LocalEM.list_files = noted  # type: ignore[method-assign] # the probe stands in front of the real one


if __name__ == "__main__":
    notes_path = sys.argv.pop(1)
    install(notes_path)
    from emtui.__main__ import main

    sys.exit(main())
