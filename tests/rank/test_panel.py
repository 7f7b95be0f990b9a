"""The recommendation: order and ties, slots set aside, what may not be recommended, and how firm a place is."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liuti import policy
from liuti.rank.factors import FACTORS, Factor, Origin, effective
from liuti.rank.panel import Place, Why, quiet, recommend, sensitivity
from liuti.rank.score import Score

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
POLICY = policy.default()
WEIGHTS: dict[str, float] = POLICY.score.weights.model_dump()
PRESUMED, UNKNOWN = Origin.PRESUMED, Origin.UNKNOWN


def made(
    id: str,  # noqa: A002
    days: int = 0,
    unknown: tuple[str, ...] = (),
    behind: tuple[int, int] = (50, 0),
    **values: float,
) -> Score:
    """A score with these values, .5 for the rest; made by hand so that a test chooses its total. ``behind``: verified
    and unverified households."""
    crowd = {"verified": behind[0], "unverified": behind[1]}
    reached = round(math.log(1 + effective(*behind)) / math.log(51), 4)
    values = {**dict.fromkeys(FACTORS, 0.5), "severity": 0.4, "households": reached, **values}
    factors = tuple(
        Factor(
            name=name, value=values[name], origin=UNKNOWN if name in unknown else PRESUMED,
            raw=crowd if name == "households" else {}, zh=name, en=name,
            weight=WEIGHTS[name], points=values[name] * WEIGHTS[name],
        )
        for name in FACTORS
    )  # fmt: skip
    lacking = sum(WEIGHTS[name] for name in unknown)
    return Score(
        id=id, title=id, first_proposed=NOW + timedelta(days=days), formula=1, version=1,
        total=round(sum(one.points for one in factors), 2), subs={}, unknown_weight=lacking, unknown_most=30,
        recommendable=lacking <= 30, strongest=(), weakest=(), factors=factors,
    )  # fmt: skip


def loud(number: int) -> list[Score]:
    """So many matters from many households, the first the heaviest."""
    return [made(f"l{n}", beneficiaries=1 - n / 100) for n in range(number)]


def grave(id: str, beneficiaries: float = 0.0) -> Score:  # noqa: A002
    return made(id, behind=(1, 0), severity=0.9, beneficiaries=beneficiaries)


def top(places: list[Place]) -> list[str]:
    return [one.id for one in places if one.rank is not None]


def test_the_highest_totals_come_first_and_everybody_is_listed() -> None:
    places = recommend(reversed(loud(8)), 3)
    assert [one.id for one in places] == [f"l{n}" for n in range(8)]
    assert [one.rank for one in places] == [1, 2, 3] + [None] * 5
    assert [one.by_total for one in places] == list(range(1, 9))
    assert {one.why for one in places[:3]} == {Why.TOTAL} and {one.why for one in places[3:]} == {Why.BELOW}


def test_equal_totals_go_by_the_earlier_first_proposal_and_then_by_id() -> None:
    same = [made("a", 5), made("c", 1), made("b", 1), made("d", -1)]
    assert top(recommend(same, 4)) == ["d", "b", "c", "a"]


def test_what_may_not_be_recommended_takes_no_slot_and_is_listed_with_the_reason() -> None:
    best = made("best", beneficiaries=1, unknown=("severity", "beneficiaries", "spread", "days"))
    places = recommend([*loud(3), best], 2)
    assert best.total > loud(1)[0].total - 1 and top(places) == ["l0", "l1"]
    assert (places[-1].id, places[-1].rank, places[-1].by_total, places[-1].why) == ("best", None, None, Why.UNKNOWN)


def test_the_last_slot_of_five_goes_to_a_grave_matter_of_few_households() -> None:
    places = recommend([*loud(8), grave("g1"), grave("g2")], 5)
    assert top(places) == ["l0", "l1", "l2", "l3", "g1"]
    assert (places[4].why, places[4].rank, places[4].by_total) == (Why.SET_ASIDE, 5, 9)
    assert next(one for one in places if one.id == "l4").why is Why.BELOW


def test_a_grave_matter_in_the_top_by_its_total_fills_the_slot_itself() -> None:
    places = recommend([*loud(4), grave("g1", beneficiaries=1), grave("g2")], 5)
    assert set(top(places)) == {"l0", "l1", "l2", "l3", "g1"}
    assert Why.SET_ASIDE not in {one.why for one in places}


@pytest.mark.parametrize(("slots", "aside"), [(0, 0), (1, 1), (3, 1), (5, 1), (6, 2), (10, 2), (11, 3)])
def test_one_slot_in_five_and_one_where_there_are_fewer(slots: int, aside: int) -> None:
    quiet_ones = [grave(f"g{n}") for n in range(5)]
    chosen = top(recommend([*loud(20), *quiet_ones], slots))
    assert len(chosen) == slots and sum(one.startswith("g") for one in chosen) == aside


def test_another_share_of_slots_may_be_set_aside() -> None:
    scores = [*loud(20), *(grave(f"g{n}") for n in range(5))]
    assert sum(one.startswith("g") for one in top(recommend(scores, 6, set_aside_every=2))) == 3


def test_a_quiet_matter_at_the_end_of_the_top_is_not_the_one_to_leave() -> None:
    scores = [*loud(9), grave("kept", beneficiaries=0.75), made("l9", beneficiaries=0), grave("g1")]
    assert top(recommend(scores, 10)) == [*(f"l{n}" for n in range(8)), "kept", "g1"]


def test_without_enough_quiet_matters_totals_decide() -> None:
    assert top(recommend(loud(8), 5)) == ["l0", "l1", "l2", "l3", "l4"]
    assert top(recommend(loud(2), 5)) == ["l0", "l1"]
    assert recommend([], 5) == []


@pytest.mark.parametrize(
    ("score", "is_quiet"),
    [
        (made("a", severity=0.8, behind=(6, 0)), True),
        (made("b", vulnerable=0.8, behind=(1, 5)), True),
        (made("c", severity=0.79, behind=(6, 0)), False),
        (made("d", severity=0.9, behind=(7, 0)), False),
        (made("e", severity=0.9, behind=(1, 0), unknown=("severity",)), False),
        (made("f", severity=0.9, behind=(0, 6)), True),
        (made("g", severity=0.9, behind=(0, 7)), False),
        (made("h", severity=0.9, behind=(0, 54)), False),
    ],
)
def test_quiet_means_known_to_be_grave_and_from_few(score: Score, is_quiet: bool) -> None:
    assert quiet(score) is is_quiet


def test_few_is_what_the_policy_calls_few() -> None:
    assert POLICY.score.few_households == 6
    some = made("a", severity=0.9, behind=(0, 9))
    assert (quiet(some), quiet(some, few=9)) == (False, True)
    scores = [*loud(8), made("g", severity=0.9, behind=(0, 9), beneficiaries=0)]
    assert "g" not in top(recommend(scores, 5))
    assert "g" in top(recommend(scores, 5, few=9))
    assert "g" in {one.id for one in sensitivity(scores, 5, few=9)}


@pytest.mark.parametrize(("value", "is_quiet"), [(0.4949, True), (0.53, False), (0.9, False)])
def test_households_that_a_person_put_right_are_as_many_as_the_value_stands_for(value: float, is_quiet: bool) -> None:
    given = made("a", severity=0.9, behind=(1, 0))
    factors = tuple(
        msgspec.structs.replace(one, value=value, origin=Origin.EVIDENCE) if one.name == "households" else one
        for one in given.factors
    )
    assert quiet(msgspec.structs.replace(given, factors=factors)) is is_quiet


@pytest.mark.parametrize(("slots", "every"), [(-1, 5), (3, 0)])
def test_impossible_slots_are_refused(slots: int, every: int) -> None:
    with pytest.raises(ValueError, match="set aside"):
        recommend(loud(3), slots, every)


MANY = st.lists(
    st.builds(
        made,
        id=st.uuids().map(str),
        days=st.integers(0, 3),
        unknown=st.sampled_from([(), ("days",), ("severity", "beneficiaries", "spread", "days")]),
        behind=st.sampled_from([(1, 0), (0, 30), (50, 0)]),
        severity=st.sampled_from([0.2, 0.9]),
        beneficiaries=st.sampled_from([0.0, 0.5, 1.0]),
    ),
    max_size=25,
)


@given(MANY, st.integers(0, 12), st.integers(1, 7), st.randoms(use_true_random=False))
def test_every_list_keeps_its_promises(scores: list[Score], slots: int, every: int, chance: random.Random) -> None:
    places = recommend(scores, slots, every)
    shuffled = list(scores)
    chance.shuffle(shuffled)
    assert recommend(shuffled, slots, every) == places
    may = [one for one in scores if one.recommendable]
    chosen = top(places)
    assert len(places) == len(scores) and len(chosen) == min(slots, len(may))
    assert [one.rank for one in places[: len(chosen)]] == list(range(1, len(chosen) + 1))
    quiet_ones = {one.id for one in may if quiet(one)}
    due = -(-slots // every)
    assert len(quiet_ones & set(chosen)) >= min(due, len(quiet_ones), len(chosen))
    assert set(chosen) <= {one.id for one in may}


def test_a_place_is_firm_when_no_single_weight_moves_it() -> None:
    far = [made(f"far{n}", beneficiaries=1, spread=1, remit=1) for n in range(2)]
    near = [made("near1", units=1.0), made("near2", money=0.98)]
    found = {one.id: one for one in sensitivity([*far, *near, made("low", money=0, remit=0)], 3)}
    assert found["far0"].share == found["far1"].share == 1.0 and found["far0"].out == ()
    assert 0 < found["near1"].share < 1 and 0 < found["near2"].share < 1
    assert found["near1"].share + found["near2"].share == pytest.approx(1.0, abs=1e-3)
    assert ("units", 0.8) in found["near1"].out and ("money", 1.2) in found["near1"].out
    assert "low" not in found


def test_changing_a_weight_may_change_who_is_recommendable() -> None:
    edge = made("edge", unknown=("beneficiaries", "severity", "remit"), beneficiaries=1)  # 28 of 30
    assert sensitivity([edge], 1)[0].share == 1.0
    tight = msgspec.structs.replace(edge, unknown_most=28.0)
    out = sensitivity([tight], 1)[0].out
    assert ("beneficiaries", 1.2) in out and ("beneficiaries", 0.8) not in out
