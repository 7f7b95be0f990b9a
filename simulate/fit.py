"""Reads real service requests once and prints the few numbers a simulated year is drawn from.

`LIUTI_DATA=folder python -m simulate.fit`, where the folder holds requests_311.parquet; the simulator itself never reads it.
"""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

AROUND_THE_CLOCK = ("nyc", "nyc_elevator")
"""Whose times of day are the people's own; the others' are partly a system's, in batches."""
WHOLE_YEARS = ("nyc_elevator",)
WHOLE_WEEKS = ("nyc_elevator", "baltimore")
SPEEDS = (("quick", 0.0, 24.0), ("usual", 24.0, 120.0), ("slow", 120.0, float("inf")))
"""Kinds of matter by the median hours from the request to its end."""
FEW = 30
Z90 = 1.2816
"""How many sigmas the 90 % quantile of a normal lies above its middle."""


def read(folder: Path) -> list[dict[str, Any]]:
    return pq.read_table(folder / "requests_311.parquet", columns=COLUMNS).to_pylist()


COLUMNS = ["city", "category", "created_at", "closed_at"]


def shares(counts: list[int]) -> list[float]:
    """Relative to the mean of 1, with two decimals."""
    return [round(n * len(counts) / sum(counts), 2) for n in counts]


def arrivals(rows: list[dict[str, Any]]) -> dict[str, list[float]]:
    at = {name: [row["created_at"] for row in rows if row["city"] in of] for name, of in ARRIVE.items()}
    return {
        "hours": shares([sum(a.hour == n for a in at["hours"]) for n in range(24)]),
        "weekdays": shares([sum(a.weekday() == n for a in at["weekdays"]) for n in range(7)]),
        "months": shares([sum(a.month == n for a in at["months"]) for n in range(1, 13)]),
    }


ARRIVE = {"hours": AROUND_THE_CLOCK, "weekdays": WHOLE_WEEKS, "months": WHOLE_YEARS}


def durations(rows: list[dict[str, Any]]) -> dict[str, tuple[float, float]]:
    """Median hours and sigma of a lognormal, by the 10 %, 50 % and 90 % quantiles: what closes before it was made, or
    never, is left out."""
    hours: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for row in rows:
        if row["closed_at"] is not None and row["closed_at"] > row["created_at"]:
            hours[row["city"], row["category"]].append((row["closed_at"] - row["created_at"]).total_seconds() / 3600)
    found = {}
    for name, least, most in SPEEDS:
        taken = [one for of in hours.values() if len(of) >= FEW and least <= np.median(of) < most for one in of]
        low, middle, high = np.quantile(taken, [0.1, 0.5, 0.9])
        found[name] = round(float(middle), 1), round(float(np.log(high / low) / (2 * Z90)), 2)
    return found


def main() -> None:
    rows = read(Path(os.environ["LIUTI_DATA"]))
    for name, of in arrivals(rows).items():
        print(f"{name.upper()} = {tuple(of)}")
    for speed, (middle, sigma) in durations(rows).items():
        print(f"{speed}: Lognormal({middle}, {sigma})")


if __name__ == "__main__":
    main()
