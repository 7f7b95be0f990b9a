"""A flow whose roads end nowhere never starts: traps, unreachable steps, clocks nobody strikes, names used twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from liuti.flow.kernel import Move, rule
from liuti.flow.machine import Flow
from liuti.flow.table import FLOW
from liuti.flow.words import CLOCK_STEP, OPEN, Clock, Step

TABLE = tuple(FLOW.moves.values())


def test_the_table_as_it_is_starts() -> None:
    assert set(Flow(TABLE).moves) == set(FLOW.moves)


def test_the_rows_are_1_to_55_and_only_an_order_has_three_moves() -> None:
    rows = [move.row for move in TABLE]
    assert sorted(set(rows)) == list(range(1, 56))
    assert {row for row in rows if rows.count(row) > 1} == {46}


def _changed(name: str, **changes: object) -> tuple[Move, ...]:
    return tuple(replace(m, **changes) if m.name == name else m for m in TABLE)  # type: ignore[arg-type]


def test_two_moves_of_one_name_are_refused() -> None:
    with pytest.raises(TypeError, match="two moves are named vote"):
        Flow([*TABLE, FLOW.moves["vote"]])


@pytest.mark.parametrize("step", [Step.SUPPLEMENT, Step.SUSPENDED, Step.SUPERVISE, Step.WITHDRAWN, Step.MERGED])
def test_a_step_no_move_leads_to_is_refused(step: Step) -> None:
    table = [replace(move, to=tuple(to for to in move.to if to is not step)) for move in TABLE]
    with pytest.raises(TypeError, match=f"no move leads to .*{step.value}"):
        Flow(table)


def test_a_table_that_nothing_begins_is_refused() -> None:
    with pytest.raises(TypeError, match="no move leads to"):
        Flow(move for move in TABLE if move.name != "submit")


def _kept_in(steps: set[Step]) -> list[Move]:
    """The table without any way out of these steps, and with one more to whatever lies behind them."""
    aside = replace(FLOW.moves["accept_topic"], name="aside", to=tuple(step for step in Step if step not in steps))
    inside = [
        replace(move, to=tuple(to for to in move.to if to in steps)) if not steps.isdisjoint(move.at) else move
        for move in TABLE
    ]
    return [aside, *(m for m in inside if m.name != "accept_topic")]


@pytest.mark.parametrize("step", [step for step in OPEN if step is not Step.PROPOSE])
def test_an_open_step_that_no_move_leaves_is_a_trap(step: Step) -> None:
    with pytest.raises(TypeError, match=rf"no way on from \[<Step.{step.name}"):
        Flow(_kept_in({step}))


def test_two_steps_that_lead_only_to_each_other_are_a_trap() -> None:
    pair = {Step.SOLVE, Step.SUSPENDED}
    with pytest.raises(TypeError, match=r"no way on from .*SOLVE.*SUSPENDED"):
        Flow(_kept_in(pair))


@pytest.mark.parametrize("clock", list(Clock))
def test_a_clock_that_nothing_strikes_is_refused(clock: Clock) -> None:
    strike = {Clock.SUPPLEMENT: "lapse", Clock.EVALUATE: "close", Clock.HOLD: "resume"}.get(clock, "overdue")
    home = CLOCK_STEP.get(clock, Step.SUPERVISE)
    if strike == "overdue":
        table = _changed(strike, at=tuple(step for step in FLOW.moves[strike].at if step is not home))
        with pytest.raises(TypeError, match=f"has no strike: {strike}"):
            Flow(table)
    else:
        moved = replace(FLOW.moves["withdraw"], name="way_out", at=(home,), to=(Step.WITHDRAWN, Step.CLOSED))
        with pytest.raises(TypeError, match=f"clock {clock.value} has no strike: {strike}"):
            Flow(
                [
                    *(m for m in TABLE if m.name != strike),
                    moved,
                    replace(moved, name="back", to=(Step.SOLVE, Step.REJECTED)),
                ]
            )


def test_a_guard_says_its_rule_in_two_languages_or_is_none() -> None:
    def silent(_case: object) -> bool:
        """只有一种语言。"""
        return True

    with pytest.raises(TypeError, match="two lines"):
        rule(silent)


def test_every_guard_of_the_table_says_its_rule_in_chinese_and_english() -> None:
    for move in TABLE:
        for guard in (*move.duties, *move.agains, *move.guards, *(d for s in move.asks_of for d in s.duties)):
            assert any("一" <= char <= "鿿" for char in guard.zh), guard.code
            assert guard.en.isascii(), guard.code
