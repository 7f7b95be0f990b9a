"""The nightly look at the rates, when nights are missed (docs/rules.md §7)."""

from __future__ import annotations

import pytest

from liuti.alarms import Watching
from tests.doors import test_boards
from tests.doors.test_boards import town
from tests.doors.test_scenarios_rates import alerts, rated
from tests.doors.town import Town, at

__all__ = ["town", "watched"]

watched = test_boards.watched


@pytest.mark.parametrize(
    ("first_night", "told"), [("2026-04-03 03:00", {"unit:roads", "district"}), ("2026-04-04 03:00", set())]
)
async def test_a_month_whose_last_nights_were_missed_is_looked_at_for_three_days_more(
    watched: Town, first_night: str, told: set[str]
) -> None:
    issues = [await rated(watched, 5) for _ in range(10)]
    await watched.does("officer_roads", "exclude", {"code": "repeat", "reason": "重复。"}, issues[0])
    await watched.does("inspector", "grant", {}, issues[0])
    watching = Watching(watched.office.engine, watched.office.desk.world)
    watched.clock.now = at(first_night)
    await watching.at_night(watched.clock.now)
    assert {row["about"] for row in await alerts(watched) if row["period"] == "2026-03"} == told
    assert await watching.look(watched.clock.now) == 0
