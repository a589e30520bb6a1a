"""Runs the cells of a notebook: one after the other, in one namespace, in a loop that is running, as Jupyter does.

    python kernel.py FD

Reads one JSON string a line on stdin, each a cell, and answers each on the descriptor FD with a line of JSON: null, or
the traceback.
"""

import ast
import asyncio
import inspect
import json
import os
import sys
import traceback


async def main() -> None:
    names: dict[str, object] = {"__name__": "__main__"}
    with os.fdopen(int(sys.argv[1]), "w", buffering=1) as answers:
        while line := await asyncio.to_thread(sys.stdin.readline):
            failure = None
            try:
                code = compile(json.loads(line), "<cell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
                result = eval(code, names)
                if inspect.iscoroutine(result):
                    await result
            except Exception:  # noqa: BLE001 - whatever a cell raises
                failure = traceback.format_exc()
            sys.stdout.flush()
            answers.write(f"{json.dumps(failure)}\n")


if __name__ == "__main__":
    asyncio.run(main())
