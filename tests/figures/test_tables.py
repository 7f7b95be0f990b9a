"""Groups, limits, ranks within tiers, raw beside adjusted."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from liuti.figures.cases import Case, Handling, Leader, Promise
from liuti.figures.tables import Figures, Limits, compute, share
from tests.figures.test_rates import IN_TIME, OCTOBER, case, day, rated, word

LIMITS = Limits(
    policy=1, counts_below=10, ranked_from=30, contacted=0.1, solved=0.5, satisfied=0.4, extended_alert=0.1,
    suspended_alert=0.03, excluded_alert=0.05,
)  # fmt: skip


def many(n: int, good: int, **more: Any) -> list[Case]:
    """n cases closed with one rating each, so many of them good."""
    return [
        rated(id=f"{more}-{k}", ratings=[word(5, "yes") if k < good else word(1, "no")], contacts=[replace(IN_TIME, unit=more.get("unit", "roads"))], invited=1, contact_owed=True, **more)
        for k in range(n)
    ]  # fmt: skip


def figures(cases: list[Case], by: str = "unit", **more: Any) -> Figures:
    return compute(cases, OCTOBER, by, LIMITS, **more)


def of(found: Figures, key: str) -> Any:
    return next(group for group in found.groups if group.key == key)


def test_41_nine_of_ten_is_shown_with_its_interval_and_takes_no_part_in_ranking() -> None:
    rate = of(figures(many(10, 9)), "roads").rates["satisfied"]
    assert rate.raw.text == "9/10 (59.6-98.2 %), 不参与排名"
    assert rate.rank is None


def test_below_ten_there_are_only_counts_and_from_thirty_on_a_place() -> None:
    nine, thirty = share(8, 9, LIMITS), share(29, 30, LIMITS)
    assert (nine.text, nine.value, nine.low, nine.high) == ("8/9", None, None, None)
    assert thirty.text == "29/30 (83.3-99.4 %)"
    assert share(8.5, 29, LIMITS).text.startswith("8.5/29 (")
    assert of(figures(many(29, 29)), "roads").rates["satisfied"].rank is None
    assert of(figures(many(30, 30)), "roads").rates["satisfied"].rank == 1


def test_the_rank_is_by_the_lower_bound_within_units_that_are_alike() -> None:
    # 30 of 30 is 100 %, but 290 of 300 is surer to be good.
    cases = many(30, 30, unit="small") + many(300, 290, unit="large") + many(30, 10, unit="town")
    tiers = {"small": "department", "large": "department", "town": "town"}
    found = figures(cases, tiers=tiers)
    ranks = {group.key: group.rates["satisfied"].rank for group in found.groups}
    assert ranks == {"large": 1, "small": 2, "town": 1}
    assert {g.key: g.composite.rank for g in found.groups if g.composite} == ranks


def test_equal_bounds_share_a_place() -> None:
    found = figures(many(30, 20, unit="a") + many(30, 20, unit="b") + many(30, 10, unit="c"))
    assert [group.rates["solved"].rank for group in found.groups] == [1, 1, 3]


@pytest.mark.parametrize("by", ["category", "grid", "leader", "level"])
def test_only_units_are_ranked(by: str) -> None:
    found = figures(many(40, 40, category="c", grid="g", leader="l"), by, leaders=[Leader("l", "town")])
    assert all(rate.rank is None for group in found.groups for rate in group.rates.values())
    assert all(group.composite and group.composite.rank is None for group in found.groups)


def test_the_composite_weighs_the_three_rates_and_waits_for_all_of_them() -> None:
    whole = of(figures(many(20, 10)), "roads")
    assert whole.composite.value == pytest.approx(0.1 * 1 + 0.5 * 0.5 + 0.4 * 0.5)
    assert whole.composite.low < whole.composite.value < whole.composite.high
    assert of(figures(many(9, 9)), "roads").composite is None


def test_42_raw_and_adjusted_stand_side_by_side_and_more_than_five_percent_excluded_is_an_alert() -> None:
    cases = [replace(one, excluded="no_duty") if k >= 94 else one for k, one in enumerate(many(100, 94))]
    group = of(figures(cases), "roads")
    rate = group.rates["satisfied"]
    assert (rate.raw.hits, rate.raw.n, rate.adjusted.hits, rate.adjusted.n) == (94, 100, 94, 94)
    assert (group.cases, group.excluded, group.excluded_alert) == (100, 6, True)
    five = [replace(one, excluded="no_duty") if k >= 95 else one for k, one in enumerate(many(100, 94))]
    assert not of(figures(five), "roads").excluded_alert


def test_what_another_unit_owed_is_that_units_and_the_case_is_the_leading_units() -> None:
    late = Promise("water", day(2), day(3))
    found = figures([case(handling=Handling(day(9), day(9), day(9), 5.0), signs=[IN_TIME, late], orders=[late])])
    assert (of(found, "roads").rates["signed"].raw.text, of(found, "water").rates["signed"].raw.text) == ("1/1", "0/1")
    assert (of(found, "roads").orders, of(found, "water").orders) == (0, 1)
    assert of(found, "water").rates["on_time"].raw.n == 0
    assert found.total.rates["signed"].raw.text == "1/2"
    by_category = figures([case(category="c", signs=[IN_TIME, late])], "category")
    assert of(by_category, "c").rates["signed"].raw.text == "1/2"


def test_alerts_come_above_ten_percent_extended_and_three_percent_suspended() -> None:
    def due(extensions: int) -> Case:
        return case(handling=Handling(day(9), day(9), day(9)), extensions=extensions)

    assert figures([due(n < 11) for n in range(100)]).total.rates["extended"].alert
    assert not figures([due(n < 10) for n in range(100)]).total.rates["extended"].alert
    steps = ["suspended"] * 4 + ["solve"] * 96
    assert figures([case(step=step) for step in steps]).total.rates["suspended"].alert
    assert not figures([case(step=step) for step in [*steps[1:], "solve"]]).total.rates["suspended"].alert


def test_hours_are_of_what_got_its_result_in_the_period_and_overdue_of_what_is_open() -> None:
    def handled(done: int | None, hours: float = 0.0, due: int = 9, *, held: bool = False) -> Case:
        return case(handling=Handling(day(due), day(due), day(done) if done is not None else None, hours, held))

    found = figures(
        [
            handled(3, 4.0),
            handled(4, 8.0),
            handled(0, 99.0),
            handled(None),
            handled(None, due=-3),
            handled(None, held=True),
        ]
    )
    assert (found.total.hours.n, found.total.hours.mean, found.total.hours.median) == (2, 6, 6)
    assert found.total.overdue_open == 2


def test_closed_without_a_result_is_counted_by_unit() -> None:
    found = figures([rated(without_result=True), rated(5), rated(without_result=True, rated_by=day(33))])
    assert of(found, "roads").without_result == found.total.without_result == 1


def test_19_leaders_without_a_claim_are_listed_by_name_and_by_level() -> None:
    leaders = [Leader("a", "district"), Leader("b", "district"), Leader("c", "town")]
    cases = [case(leader="a"), case(leader="a"), case(leader="c")]
    by_leader = figures(cases, "leader", leaders=leaders)
    assert [g.key for g in by_leader.groups if g.rates["claimed"].raw.n and not g.rates["claimed"].raw.hits] == ["b"]
    assert by_leader.total.rates["claimed"].raw.text == "2/3"
    by_level = figures(cases, "level", leaders=leaders)
    assert of(by_level, "district").rates["claimed"].raw.text == "1/2"


def test_the_order_in_which_cases_come_changes_nothing() -> None:
    cases = many(40, 30, unit="a") + many(40, 33, unit="b")
    assert figures(cases) == figures(cases[::-1])


def test_there_is_no_sixth_dimension() -> None:
    with pytest.raises(ValueError, match="unit"):
        figures([], "age")
