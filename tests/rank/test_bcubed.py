"""The scorer against cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from liuti.rank import bcubed


def test_one_heap_of_two_topics_and_a_stranger() -> None:
    fit = bcubed.against({"a": 1, "b": 1, "c": 2}, {"a": 7, "b": 7, "c": 7, "stranger": 7, "other": 8})
    # a and b: 2 of 4 are theirs; c: 1 of 4. Everyone finds the whole of their topic.
    assert fit.precision == pytest.approx((2 / 4 + 2 / 4 + 1 / 4) / 3)
    assert fit.recall == 1.0
    assert fit.f1 == pytest.approx(2 * fit.precision / (1 + fit.precision))


def test_what_is_ignored_does_not_make_a_group_larger() -> None:
    groups = {"a": 7, "b": 7, "c": 7, "stranger": 7}
    fit = bcubed.against({"a": 1, "b": 1, "c": 2}, groups, ignored={"stranger"})
    assert fit.precision == pytest.approx((2 / 3 + 2 / 3 + 1 / 3) / 3)


def test_a_topic_torn_in_three() -> None:
    fit = bcubed.against({"a": 1, "b": 1, "c": 1, "d": 1}, {"a": 0, "b": 0, "c": 1, "d": 2})
    assert fit.precision == 1.0
    assert fit.recall == pytest.approx((2 / 4 + 2 / 4 + 1 / 4 + 1 / 4) / 4)
    assert fit.f1 == pytest.approx(2 * 0.375 / 1.375)


def test_everyone_alone_and_everything_right() -> None:
    gold = {1: 1, 2: 1, 3: 2}
    assert bcubed.against(gold, {1: 0, 2: 0, 3: 5}) == bcubed.Fit(1.0, 1.0)
    alone = bcubed.against(gold, {1: 0, 2: 1, 3: 2})
    assert alone.precision == 1.0
    assert alone.recall == pytest.approx((0.5 + 0.5 + 1) / 3)


def test_errors_of_the_caller_are_told() -> None:
    with pytest.raises(ValueError, match="no message"):
        bcubed.against({}, {"a": 1})
    with pytest.raises(ValueError, match="ignored"):
        bcubed.against({"a": 1}, {"a": 1}, ignored={"a"})
    with pytest.raises(KeyError):
        bcubed.against({"a": 1}, {"b": 1})


def test_two_groupings_agree_as_far_as_worked_out_by_hand() -> None:
    one, other = [0, 0, 0, 1], [5, 5, 9, 9]
    fit = bcubed.between(one, other)
    # in `one`: 2/3 2/3 1/3 1/1; in `other`: 2/2 2/2 1/2 1/2
    assert fit.precision == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1) / 4)
    assert fit.recall == pytest.approx((1 + 1 + 0.5 + 0.5) / 4)
    back = bcubed.between(other, one)
    assert back.precision == pytest.approx(fit.recall)
    assert back.recall == pytest.approx(fit.precision)


def test_equal_groupings_agree_whatever_their_numbers() -> None:
    assert bcubed.between(np.array([3, 3, 8]), np.array([0, 0, 1])) == bcubed.Fit(1.0, 1.0)
    assert bcubed.between([], []).f1 == 1.0
    with pytest.raises(ValueError, match="same messages"):
        bcubed.between([1], [1, 2])


def test_between_is_against_when_every_message_is_known() -> None:
    rng = np.random.default_rng(3)
    one, other = rng.integers(0, 9, 80), rng.integers(0, 9, 80)
    known = bcubed.against(dict(enumerate(other.tolist())), dict(enumerate(one.tolist())))
    fit = bcubed.between(one, other)
    assert fit.precision == pytest.approx(known.precision)
    assert fit.recall == pytest.approx(known.recall)
