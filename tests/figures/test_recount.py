"""Every rate, of every month, equals its recomputation by brute force from the ledger."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from liuti.figures.periods import period_of
from liuti.figures.rates import DEFINITIONS
from liuti.figures.stand import case_of
from liuti.figures.tables import compute
from liuti.store.figures import limits_of
from tests.figures.lives import Life, life
from tests.figures.recount import recount
from tests.flow.cast import WORLD

SHANGHAI = ZoneInfo("Asia/Shanghai")
LATER = datetime(2027, 12, 1, tzinfo=UTC)
TELLING = (706, 5122)
"""Back from a review over a weekend after an extension; made more urgent after one: the first due time is no subtraction."""
MONTHS = [f"2026-{month:02}" for month in range(1, 13)]


@pytest.fixture(scope="module")
def lives() -> list[Life]:
    return [life(seed) for seed in (*range(260), *TELLING)]


def test_the_rates_of_every_month_equal_those_counted_by_brute_force(lives: list[Life]) -> None:
    seen: Counter[str] = Counter()
    for name in [*MONTHS, "2026-Q2", "2026"]:
        period = period_of(name, LATER, SHANGHAI)
        cases = [case for one in lives if (case := case_of(one.past(period.as_of), WORLD)) is not None]
        found = compute(cases, period, "unit", limits_of(WORLD))
        by_hand = recount(lives, period.start, period.end)
        for group in [found.total, *found.groups]:
            key = "*" if group is found.total else group.key
            for definition in DEFINITIONS:
                rate = group.rates[definition.key]
                ours = [rate.raw.hits, rate.raw.n, rate.adjusted.hits, rate.adjusted.n]
                assert ours == by_hand.get((key, definition.key), [0, 0, 0, 0]), (name, key, definition.key)
                seen[definition.key] += rate.raw.n
        assert {unit for unit, _ in by_hand} <= {"*", *(group.key for group in found.groups)}
    assert all(seen[definition.key] > 50 for definition in DEFINITIONS), seen
