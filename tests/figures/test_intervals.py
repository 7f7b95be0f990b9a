"""The interval of every rate, against the numbers of the rules; and the middle and the tail of times."""

from __future__ import annotations

import pytest

from liuti.figures.intervals import Times, times, wilson


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(5, 5, 56.6, 100), (9, 10, 59.6, 98.2), (29, 30, 83.3, 99.4), (42, 42, 91.6, 100), (95, 100, 88.8, 97.8)],
)
def test_the_interval_is_wilsons_at_95_percent(hits: int, n: int, low: float, high: float) -> None:
    assert [round(100 * bound, 1) for bound in wilson(hits, n)] == [low, high]


def test_nobody_satisfied_is_the_mirror_of_everybody() -> None:
    low, high = wilson(0, 5)
    assert low == 0
    assert high == pytest.approx(1 - wilson(5, 5)[0])


def test_of_nothing_everything_is_possible() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


def test_halves_lie_between() -> None:
    assert wilson(8, 10)[0] < wilson(8.5, 10)[0] < wilson(9, 10)[0]


def test_the_median_of_an_even_number_is_halfway_and_nine_in_ten_are_no_longer_than_p90() -> None:
    assert times([8, 2, 4, 100]) == Times(4, 28.5, 6, 100)
    assert times([float(n) for n in range(10, 0, -1)]) == Times(10, 5.5, 5.5, 9)
    assert times([3.0]) == Times(1, 3, 3, 3)
    assert times([]) == Times(0, None, None, None)
