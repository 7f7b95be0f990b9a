"""An issue looked back at is the issue as it was: whatever came later, nothing of it shows."""

from __future__ import annotations

from collections import Counter

import pytest

from liuti.figures.dues import due_then
from liuti.figures.stand import case_of
from liuti.flow.words import Clock, Lane
from tests.figures.lives import Life, life
from tests.flow.cast import WORLD

SEEDS = range(90)


@pytest.fixture(scope="module")
def lives() -> list[Life]:
    return [life(seed) for seed in SEEDS]


def test_a_due_time_counted_again_from_its_start_is_the_one_that_stood(lives: list[Life]) -> None:
    seen: Counter[Clock] = Counter()
    for one in lives:
        for row, state in zip(one.rows, one.states, strict=True):
            for timer in state.timers:
                if timer.clock is Clock.OVERALL and state.lane is Lane.DIRECT:
                    continue
                if timer.clock in (Clock.SOLVE, Clock.SIGN, Clock.CONTACT, Clock.ORDER, Clock.OVERALL):
                    then = one.past(row["at"], state, row["version"])
                    assert due_then(then, timer, WORLD) == timer.due, (state.id, row["version"], row["move"], timer)
                    seen[timer.clock] += 1
    assert all(seen[clock] > 60 for clock in (Clock.SOLVE, Clock.SIGN, Clock.CONTACT, Clock.ORDER, Clock.OVERALL)), seen


def test_a_case_looked_at_a_year_later_is_the_case_seen_at_the_time(lives: list[Life]) -> None:
    for one in lives:
        for row, state in zip(one.rows, one.states, strict=True):
            known = sum(r["at"] <= row["at"] for r in one.rows)
            last = one.states[known - 1]
            at_the_time = case_of(one.past(row["at"], last, known), WORLD)
            assert case_of(one.past(row["at"]), WORLD) == at_the_time, (state.id, row["version"], row["move"])
