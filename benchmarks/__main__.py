"""python -m benchmarks [--quick] [NAME...]

NAME is `first_frame`, `headless`, `big_volume`, `idle` or `transfer`; all of them without one. `--quick` measures less
often. Prints a table for each and exits 1 when something is over its budget.
"""

import argparse
import sys
from collections.abc import Callable

from benchmarks import big_volume, first_frame, headless, idle, transfer
from benchmarks.table import Row, show

ALL: dict[str, Callable[[bool], list[Row]]] = {
    "first_frame": first_frame.measure,
    "headless": headless.measure,
    "big_volume": big_volume.measure,
    "idle": idle.measure,
    "transfer": transfer.measure,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", choices=[*ALL, []], metavar="NAME", help=", ".join(ALL))
    parser.add_argument("--quick", action="store_true", help="measure less often")
    arguments = parser.parse_args()
    is_over = False
    for name in arguments.names or ALL:
        rows = ALL[name](arguments.quick)
        is_over |= not show(name, rows)
    return 1 if is_over else 0


if __name__ == "__main__":
    sys.exit(main())
