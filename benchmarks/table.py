"""What a benchmark found, beside its budget."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One thing that was measured. `budget` is the most it may be, None where it is told for comparison only."""

    what: str
    measured: float
    unit: str
    budget: float | None = None

    @property
    def is_ok(self) -> bool:
        return self.budget is None or self.measured <= self.budget

    @property
    def verdict(self) -> str:
        return "" if self.budget is None else "ok" if self.is_ok else "OVER"


def show(name: str, rows: Sequence[Row]) -> bool:
    """Print a table. Returns whether everything is within its budget."""
    width = max(len(row.what) for row in rows)
    print(f"\n{name}\n{'':{width}}   measured     budget")
    for row in rows:
        budget = "–" if row.budget is None else f"{row.budget:g} {row.unit}"
        print(f"{row.what:{width}} {f'{row.measured:.3g} {row.unit}':>10} {budget:>10}  {row.verdict}", flush=True)
    return all(row.is_ok for row in rows)


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that `percent` of 100 do not exceed."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
