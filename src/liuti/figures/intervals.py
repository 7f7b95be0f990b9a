"""How sure a share is: the Wilson 95 % interval, and the middle and the tail of a list of times (docs/rules.md §7)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

from msgspec import Struct

Z = NormalDist().inv_cdf(0.975)


def wilson(hits: float, n: int) -> tuple[float, float]:
    """The 95 % interval of hits out of n, each from 0 to 1; hits may count halves. Without a case: from 0 to 1."""
    if not n:
        return 0.0, 1.0
    share, square = hits / n, Z * Z
    middle = (share + square / (2 * n)) / (1 + square / n)
    reach = Z / (1 + square / n) * math.sqrt(share * (1 - share) / n + square / (4 * n * n))
    return max(0.0, middle - reach), min(1.0, middle + reach)


class Times(Struct, frozen=True):
    """Working hours over n cases; None without a case."""

    n: int
    mean: float | None
    median: float | None
    p90: float | None
    """The smallest time that nine in ten cases did not exceed."""


def times(hours: Sequence[float]) -> Times:
    if not hours:
        return Times(0, None, None, None)
    ordered, n = sorted(hours), len(hours)
    median = (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
    return Times(n, math.fsum(ordered) / n, median, ordered[-(-9 * n // 10) - 1])
