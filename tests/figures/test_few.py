"""What few people said cannot be counted from what is told, however the rows hang together (docs/rules.md §7, §8)."""

from __future__ import annotations

from itertools import chain, combinations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from liuti.figures.cases import Case
from liuti.figures.few import FEW, UNTOLD, VOICED, hidden
from liuti.figures.tables import Figures, Group
from tests.figures.test_tables import figures, many, of

ABOVE = {"east": ("zone",), "e1": ("zone", "east"), "e2": ("zone", "east"), "west": ("zone",), "w1": ("zone", "west")}


def satisfied(row: Group) -> Any:
    return row.rates["satisfied"].raw


def by_grid(**sizes: int) -> Figures:
    cases = [case for grid, n in sizes.items() for case in many(n, n // 2, grid=grid)]
    return figures(cases, "grid", above=ABOVE)


def test_what_two_small_rows_have_together_is_hidden_as_well_while_it_is_small() -> None:
    cases = many(20, 20) + many(9, 9, unit="parks") + many(1, 0, unit="water") + many(2, 0, unit="towns")
    told = hidden(figures(cases))
    assert satisfied(told.total).n == 32
    assert [row.key for row in told.groups if satisfied(row) is UNTOLD] == ["parks", "towns", "water"]
    assert satisfied(of(told, "roads")).text.startswith("20/20")


def test_a_place_does_not_give_away_a_small_one_within_it() -> None:
    told = hidden(by_grid(e1=8, e2=2, west=7), ABOVE)
    assert satisfied(of(told, "east")).n == 10, "the town is told, so both its communities are not"
    assert satisfied(of(told, "e1")) is UNTOLD and satisfied(of(told, "e2")) is UNTOLD
    assert satisfied(of(told, "west")).n == 7


def test_what_is_filed_on_a_town_itself_is_not_the_town_less_its_communities() -> None:
    told = hidden(by_grid(east=3, e1=8, e2=9), ABOVE)
    assert satisfied(of(told, "east")).n == 20 and satisfied(of(told, "e2")).n == 9
    assert satisfied(of(told, "e1")) is UNTOLD


def test_few_that_are_left_after_exclusions_are_not_told_apart() -> None:
    case = replace(many(1, 0)[0], excluded="no_duty")
    left = [replace(case, id=f"x{n}") for n in range(8)] + many(2, 0)
    rate = of(hidden(figures(left)), "roads").rates["satisfied"]
    assert (rate.raw.n, rate.adjusted) == (10, UNTOLD)


def test_the_excluded_of_one_unit_are_not_all_the_excluded_less_the_others() -> None:
    def out(unit: str, n: int) -> list[Case]:
        return [replace(one, excluded="no_duty") for one in many(n, 0, unit=unit, category=f"out-{unit}")]

    cases = many(20, 20) + out("roads", 6) + many(20, 20, unit="parks") + out("parks", 2)
    told = hidden(figures(cases))
    shown = {row.key: row.rates["satisfied"] for row in (told.total, *told.groups)}
    assert shown[""].adjusted.n == 40 and shown[""].raw.n == 48
    assert shown["parks"].adjusted is UNTOLD and shown["roads"].adjusted is UNTOLD
    assert shown["roads"].raw.n == 26


@given(st.fixed_dictionaries({grid: st.integers(0, 9) for grid in (*ABOVE, "zone", "")}))
def test_no_sum_or_difference_of_what_is_told_is_few(sizes: dict[str, int]) -> None:
    """Each case of one place is an atom; what is told are sets of atoms. Every set of them that follows from the told
    ones by taking one from another, or putting those together that share nothing, is nobody or at least five."""
    found = by_grid(**sizes)
    told = hidden(found, ABOVE)
    rows = [set(sizes), *({g for g in sizes if row.key in (g, *ABOVE.get(g, ()))} for row in found.groups)]
    kept = [rows[n] for n, row in enumerate((told.total, *told.groups)) if satisfied(row) is not UNTOLD]
    for few in chain.from_iterable(combinations(kept, n) for n in (1, 2, 3)):
        first, *others = sorted(few, key=len, reverse=True)
        within = [one for one in others if one < first]
        apart = not any(a & b for a, b in combinations(within, 2))
        if within == others and apart:
            left = sum(sizes[grid] for grid in first.difference(*within))
            assert not 0 < left < FEW, (first, within)


def test_what_the_unit_did_itself_is_told_however_few_it_is() -> None:
    told = of(hidden(figures(many(2, 2))), "roads")
    assert told.rates["signed"].raw is not UNTOLD and told.composite is None
    assert all(told.rates[name].raw is UNTOLD for name in ("satisfied", "solved") if name in VOICED)
